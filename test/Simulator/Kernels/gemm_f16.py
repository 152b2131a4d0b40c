# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pipelined f16 GEMM with f16 sums: small integers, below 2048 whatever the order.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import F32, Case, Close
from gemm_bf16 import grid, shape_bytes


def cases(rng: np.random.Generator) -> list[Case]:
    return [*(gemm(rng, *extents) for extents in ((64, 64, 32), (50, 100, 104))), random(rng)]


def gemm(rng: np.random.Generator, m: int, n: int, k: int) -> Case:
    a, b = (rng.integers(-2, 3, (rows, k)).astype(np.float16) for rows in (m, n))
    d = (a.astype(F32) @ b.astype(F32).T).astype(np.float16)
    args = ["a", "b", "d", shape_bytes(m, n, a.itemsize * k, a.itemsize * k)]
    return Case(f"{m}x{n}x{k}", "gemm_f16", grid(m, n), (128,), args, {"a": a, "b": b}, {"d": d})


def random(rng: np.random.Generator) -> Case:
    m, n, k = 64, 64, 96
    a, b = (rng.normal(0, 1, (rows, k)).astype(np.float16) for rows in (m, n))
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    bound = k / 16 * 2.0**-10 * (np.abs(wide_a) @ np.abs(wide_b).T).max()
    d = {"d": Close((wide_a @ wide_b.T).astype(np.float16), absolute=bound)}
    args = ["a", "b", "d", shape_bytes(m, n, 2 * k, 2 * k)]
    return Case("random", "gemm_f16", grid(m, n), (128,), args, {"a": a, "b": b}, d, reproducible=True)
