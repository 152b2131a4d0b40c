# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pipelined tf32 GEMM: small integers with a tail that the conversion rounds off.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import F32, Case
from gemm_bf16 import grid, shape_bytes


def cases(rng: np.random.Generator) -> list[Case]:
    return [gemm(rng, *extents) for extents in ((64, 64, 32), (50, 100, 44))]


def gemm(rng: np.random.Generator, m: int, n: int, k: int) -> Case:
    kept = [rng.integers(-31, 32, (rows, k)) for rows in (m, n)]
    # tf32 has 11 significant bits, so less than 2^-12 of a number rounds away, up or down.
    tail = [rng.choice([0, 2.0**-14, -(2.0**-14)], value.shape) for value in kept]
    a, b = ((value * (1 + t)).astype(F32) for value, t in zip(kept, tail))
    d = (kept[0] @ kept[1].T).astype(F32)
    args = ["a", "b", "d", shape_bytes(m, n, a.itemsize * k, a.itemsize * k)]
    return Case(f"{m}x{n}x{k}", "gemm_tf32", grid(m, n), (128,), args, {"a": a, "b": b}, {"d": d})
