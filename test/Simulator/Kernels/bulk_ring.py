# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Producer and consumers over bulk copies; integers, so every sum is exact.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import F32, Case


def cases(rng: np.random.Generator) -> list[Case]:
    return [ring_add(rng, 2, 256 * 11 + 100), ring_add(rng, 1, 256 * 4), ring_add(rng, 3, 8), bulk_reduce(rng)]


def ring_add(rng: np.random.Generator, blocks: int, n: int) -> Case:
    """Enough pieces to go round the ring; of three blocks with 8 elements two have none."""
    x, y = (rng.integers(-9999, 9999, n).astype(F32) for _ in range(2))
    args = ["x", "y", "out", np.int32(n)]
    return Case(f"ring_add_{blocks}_{n}", "ring_add", (blocks,), (160,), args, {"x": x, "y": y}, {"out": x + 2 * y})


def bulk_reduce(rng: np.random.Generator) -> Case:
    rows, blocks = 14, 4
    x = rng.integers(-(1 << 20), 1 << 20, (rows, 256)).astype(np.int32)
    before = rng.integers(-1000, 1000, 256).astype(np.int32)
    expected = before + x.sum(axis=0, dtype=np.int32)
    args = ["x", "sums", np.int32(rows)]
    return Case("bulk_reduce", "bulk_reduce", (blocks,), (256,), args, {"x": x, "sums": before}, {"sums": expected})
