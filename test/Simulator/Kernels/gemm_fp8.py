# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pipelined fp8 GEMM: integers up to 4 are exact under every rule of accumulation.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import E4M3, E5M2, F32, Case, Close
from gemm_bf16 import grid, shape_bytes


def cases(rng: np.random.Generator) -> list[Case]:
    return [*(gemm(rng, *extents) for extents in ((64, 64, 64), (50, 100, 208))), random(rng)]


def gemm(rng: np.random.Generator, m: int, n: int, k: int) -> Case:
    integers = np.arange(-4, 5)
    tables = [np.array([np.nonzero(table == i)[0][0] for i in integers], np.uint8) for table in (E4M3, E5M2)]
    a, b = rng.choice(tables[0], (m, k)), rng.choice(tables[1], (n, k))
    d = (E4M3[a] @ E5M2[b].T).astype(F32)
    args = ["a", "b", "d", shape_bytes(m, n, a.itemsize * k, a.itemsize * k)]
    return Case(f"{m}x{n}x{k}", "gemm_fp8", grid(m, n), (128,), args, {"a": a, "b": b}, {"d": d})


def random(rng: np.random.Generator) -> Case:
    """Finite numbers of every size but the largest, which f16 partial sums would not hold."""
    m, n, k = 64, 64, 96
    a, b = rng.integers(0, 0x50, (m, k)).astype(np.uint8), rng.integers(0, 0x4C, (n, k)).astype(np.uint8)
    a, b = a | rng.integers(0, 2, a.shape).astype(np.uint8) << 7, b | rng.integers(0, 2, b.shape).astype(np.uint8) << 7
    wide_a, wide_b = E4M3[a].astype(np.float64), E5M2[b].astype(np.float64)
    bound = k / 16 * 2.0**-12 * (np.abs(wide_a) @ np.abs(wide_b).T).max()
    d = {"d": Close((wide_a @ wide_b.T).astype(F32), absolute=bound)}
    args = ["a", "b", "d", shape_bytes(m, n, k, k)]
    return Case("random", "gemm_fp8", grid(m, n), (128,), args, {"a": a, "b": b}, d, reproducible=True)
