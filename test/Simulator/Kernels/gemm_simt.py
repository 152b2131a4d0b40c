# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""f32 GEMM of integers, exact, and of normal numbers in the order of the kernel, exact too.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import F32, Case


def cases(rng: np.random.Generator) -> list[Case]:
    return [integers(rng, 64, 64, 32), integers(rng, 70, 130, 37), fused(rng)]


def case(name: str, a: np.ndarray, b: np.ndarray, expected: np.ndarray) -> Case:
    (m, k), n = a.shape, b.shape[1]
    args = ["a", "b", "d", np.int32(m), np.int32(n), np.int32(k)]
    grid = (-(-n // 64), -(-m // 64))
    return Case(name, "gemm_simt", grid, (256,), args, {"a": a, "b": b}, {"d": expected})


def integers(rng: np.random.Generator, m: int, n: int, k: int) -> Case:
    a, b = rng.integers(-99, 100, (m, k)).astype(F32), rng.integers(-99, 100, (k, n)).astype(F32)
    return case(f"integers_{m}x{n}x{k}", a, b, a @ b)


def fused(rng: np.random.Generator) -> Case:
    """Multiples of 95 / 256 below 2^10: f64 holds any product plus any sum, so each step is rounded once."""
    a, b = (rng.integers(-2048, 2048, shape).astype(F32) * F32(95 / 256) for shape in ((20, 24), (24, 20)))
    sums = np.zeros((20, 20), F32)
    for inner in range(24):
        exact = a[:, inner, None].astype(np.float64) * b[None, inner, :] + sums
        sums = exact.astype(F32)
    return case("fused", a, b, sums)
