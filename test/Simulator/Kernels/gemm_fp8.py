# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pipelined fp8 GEMM: integers up to 4 are exact under every rule of accumulation.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import E4M3, E5M2, F32, Case
from gemm_bf16 import grid, shape_bytes


def cases(rng: np.random.Generator) -> list[Case]:
    return [gemm(rng, *extents) for extents in ((64, 64, 64), (50, 100, 208))]


def gemm(rng: np.random.Generator, m: int, n: int, k: int) -> Case:
    integers = np.arange(-4, 5)
    tables = [np.array([np.nonzero(table == i)[0][0] for i in integers], np.uint8) for table in (E4M3, E5M2)]
    a, b = rng.choice(tables[0], (m, k)), rng.choice(tables[1], (n, k))
    d = (E4M3[a] @ E5M2[b].T).astype(F32)
    args = ["a", "b", "d", shape_bytes(m, n, a.itemsize * k, a.itemsize * k)]
    return Case(f"{m}x{n}x{k}", "gemm_fp8", grid(m, n), (128,), args, {"a": a, "b": b}, {"d": d})
