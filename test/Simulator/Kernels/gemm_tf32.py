# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pipelined tf32 GEMM: small integers with a tail that the conversion rounds off.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import F32, Case, Close
from gemm_bf16 import grid, shape_bytes


def cases(rng: np.random.Generator) -> list[Case]:
    return [*(gemm(rng, *extents) for extents in ((64, 64, 32), (50, 100, 44))), random(rng)]


def gemm(rng: np.random.Generator, m: int, n: int, k: int) -> Case:
    kept = [rng.integers(-31, 32, (rows, k)) for rows in (m, n)]
    # tf32 has 11 significant bits, so less than 2^-12 of a number rounds away, up or down.
    tail = [rng.choice([0, 2.0**-14, -(2.0**-14)], value.shape) for value in kept]
    a, b = ((value * (1 + t)).astype(F32) for value, t in zip(kept, tail))
    d = (kept[0] @ kept[1].T).astype(F32)
    args = ["a", "b", "d", shape_bytes(m, n, a.itemsize * k, a.itemsize * k)]
    return Case(f"{m}x{n}x{k}", "gemm_tf32", grid(m, n), (128,), args, {"a": a, "b": b}, {"d": d})


def random(rng: np.random.Generator) -> Case:
    m, n, k = 64, 64, 48
    a, b = (rng.normal(0, 1, (rows, k)).astype(F32) for rows in (m, n))
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    # Both factors lose what lies below 2^-11.
    bound = 2.0**-10 * (np.abs(wide_a) @ np.abs(wide_b).T).max()
    d = {"d": Close((wide_a @ wide_b.T).astype(F32), absolute=bound)}
    args = ["a", "b", "d", shape_bytes(m, n, 4 * k, 4 * k)]
    return Case("random", "gemm_tf32", grid(m, n), (128,), args, {"a": a, "b": b}, d, reproducible=True)
