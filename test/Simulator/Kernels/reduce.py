# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sums and maxima of blocks and of grids; integers, so every order gives the same.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import F32, Case

THREADS = 256


def cases(rng: np.random.Generator) -> list[Case]:
    return [block_sum(rng), grid_sum(rng, 9, 10_007), grid_sum(rng, 300, 700), integer_reductions(rng)]


def block_sum(rng: np.random.Generator) -> Case:
    blocks, n = 5, 3001
    x = rng.integers(-500, 500, n).astype(F32)
    owner = np.arange(n) // THREADS % blocks
    expected = np.bincount(owner, x, blocks).astype(F32)
    return Case(
        "block_sum", "block_sum", (blocks,), (THREADS,), ["x", "sums", np.int32(n)], {"x": x}, {"sums": expected}
    )


def grid_sum(rng: np.random.Generator, blocks: int, n: int) -> Case:
    """With 300 blocks the last one needs more than one step."""
    x = rng.integers(-500, 500, n).astype(F32)
    args = ["x", "partials", "total", np.int32(n)]
    partials = {"partials": np.zeros(blocks, F32)}
    total = np.array([x.sum(dtype=np.float64)], F32)
    return Case(
        f"grid_sum_{blocks}", "grid_sum", (blocks,), (THREADS,), args, {"x": x}, {"total": total}, scratch=partials
    )


def integer_reductions(rng: np.random.Generator) -> Case:
    n = 4000
    x = rng.integers(-(1 << 20), 1 << 20, n).astype(np.int32)
    before = np.array([0, 0x7FFFFFFF, 0], np.int32)
    expected = np.array([x.sum(), x.min(), np.bitwise_or.reduce(x)], np.int32)
    args = ["x", "out", np.int32(n)]
    return Case("integers", "integer_reductions", (3,), (THREADS,), args, {"x": x, "out": before}, {"out": expected})
