# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Warp-specialized GEMM over bulk copies: small integers, exact.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import F32, Case, to_bf16


def cases(rng: np.random.Generator) -> list[Case]:
    return [gemm(rng, 2, 128, 192, 96), gemm(rng, 1, 64, 64, 32)]


def gemm(rng: np.random.Generator, blocks: int, m: int, n: int, k: int) -> Case:
    a, b = (rng.integers(-8, 9, (rows, k)).astype(F32) for rows in (m, n))
    args = ["a", "b", "d", np.int32(m), np.int32(n), np.int32(k)]
    inputs = {"a": to_bf16(a), "b": to_bf16(b)}
    shared = 3 * 2 * 64 * 80
    name = f"{m}x{n}x{k}"
    return Case(name, "specialized_gemm", (blocks,), (256,), args, inputs, {"d": a @ b.T}, shared=shared)
