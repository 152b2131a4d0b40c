# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pipelined f16 GEMM with f16 sums: small integers, below 2048 whatever the order.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import F32, Case
from gemm_bf16 import grid, shape_bytes


def cases(rng: np.random.Generator) -> list[Case]:
    return [gemm(rng, *extents) for extents in ((64, 64, 32), (50, 100, 104))]


def gemm(rng: np.random.Generator, m: int, n: int, k: int) -> Case:
    a, b = (rng.integers(-2, 3, (rows, k)).astype(np.float16) for rows in (m, n))
    d = (a.astype(F32) @ b.astype(F32).T).astype(np.float16)
    args = ["a", "b", "d", shape_bytes(m, n, a.itemsize * k, a.itemsize * k)]
    return Case(f"{m}x{n}x{k}", "gemm_f16", grid(m, n), (128,), args, {"a": a, "b": b}, {"d": d})
