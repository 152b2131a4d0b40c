# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pipelined int8 GEMM, signed by unsigned: every byte occurs.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import Case
from gemm_bf16 import grid, shape_bytes


def cases(rng: np.random.Generator) -> list[Case]:
    return [gemm(rng, *extents) for extents in ((64, 64, 64), (50, 100, 208))]


def gemm(rng: np.random.Generator, m: int, n: int, k: int) -> Case:
    a, b = rng.integers(-128, 128, (m, k)).astype(np.int8), rng.integers(0, 256, (n, k)).astype(np.uint8)
    d = a.astype(np.int32) @ b.astype(np.int32).T
    args = ["a", "b", "d", shape_bytes(m, n, a.itemsize * k, a.itemsize * k)]
    return Case(f"{m}x{n}x{k}", "gemm_int8", grid(m, n), (128,), args, {"a": a, "b": b}, {"d": d})
