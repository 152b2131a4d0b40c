# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Inclusive prefix sums of integers.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import Case

THREADS = 64


def cases(rng: np.random.Generator) -> list[Case]:
    return [shared(rng), look_back(rng, 40), look_back(rng, 1), acquire_release(rng)]


def shared(rng: np.random.Generator) -> Case:
    n = 1000
    x = rng.integers(-9999, 9999, n).astype(np.int32)
    expected = np.pad(x, (0, 24)).reshape(4, 256).cumsum(axis=1, dtype=np.int32).reshape(-1)[:n]
    return Case("shared", "scan_shared", (4,), (256,), ["x", "y", np.int32(n)], {"x": x}, {"y": expected})


def look_back(rng: np.random.Generator, tiles: int) -> Case:
    """Forty tiles: more than a warp looks at in one step."""
    n = tiles * THREADS - 7
    x = rng.integers(-9999, 9999, n).astype(np.int32)
    args = ["x", "y", "states", np.int32(n)]
    states = {"states": np.zeros(tiles, np.uint64)}
    expected = {"y": x.cumsum(dtype=np.int32)}
    return Case(f"look_back_{tiles}", "scan_look_back", (tiles,), (THREADS,), args, {"x": x}, expected, scratch=states)


def acquire_release(rng: np.random.Generator) -> Case:
    tiles = 20
    n = tiles * THREADS - 50
    x = rng.integers(-9999, 9999, n).astype(np.int32)
    y = x.cumsum(dtype=np.int32)
    # Once everyone is done, each tile knows its prefix.
    ends = np.append(y[THREADS - 1 :: THREADS], y[-1])[:tiles]
    expected = {"y": y, "status": np.full(tiles, 2, np.uint32), "prefixes": ends}
    args = ["x", "y", "status", "aggregates", "prefixes", np.int32(n)]
    scratch = {"aggregates": np.zeros(tiles, np.int32)}
    return Case(
        "acquire_release", "scan_acquire_release", (tiles,), (THREADS,), args, {"x": x}, expected, scratch=scratch
    )
