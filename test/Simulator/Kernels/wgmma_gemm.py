# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Warpgroup GEMMs over tensor maps: small integers, exact; and random numbers, whose bits a chip repeats.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import F32, Case, Close, TensorMap, from_bf16, to_bf16


def cases(rng: np.random.Generator) -> list[Case]:
    return [
        gemm(rng, 128, 64, 64),
        gemm(rng, 256, 128, 328),
        gemm(rng, 200, 72, 456, exact=False),
        registers(rng, 64),
        registers(rng, 320, exact=False),
    ]


def numbers(rng: np.random.Generator, shape: tuple[int, int], exact: bool) -> np.ndarray:
    return rng.integers(-8, 9, shape).astype(F32) if exact else from_bf16(to_bf16(rng.standard_normal(shape, F32)))


def expect(d: np.ndarray, k: int, exact: bool) -> np.ndarray | Close:
    # 25 fractional bits, cut, in each step of 16 products.
    return d.astype(F32) if exact else Close(d.astype(F32), absolute=k * 2.0**-20)


def box(tensor: str, dtype: str, size: int, shape: tuple[int, int], extent: tuple[int, int]) -> TensorMap:
    rows, columns = shape
    return TensorMap(tensor, dtype, (columns, rows), (columns * size,), extent, swizzle="128B")


def gemm(rng: np.random.Generator, m: int, n: int, k: int, exact: bool = True) -> Case:
    a, b = (numbers(rng, (rows, k), exact) for rows in (m, n))
    maps = [box("a", "BF16", 2, (m, k), (64, 64)), box("b", "BF16", 2, (n, k), (64, 64)), box("d", "F32", 4, (m, n), (32, 64))]
    # A tensor map is over a tensor of the inputs.
    inputs = {"a": to_bf16(a), "b": to_bf16(b), "d": np.full((m, n), np.nan, F32)}
    expected = {"d": expect(a.astype(np.float64) @ b.T, k, exact)}
    name, grid = f"{m}x{n}x{k}", (-(-m // 128), -(-n // 64))
    return Case(
        name, "wgmma_gemm", grid, (384,), [*maps, np.int32(k)], inputs, expected, shared=3 * 3 * 8192, reproducible=True
    )  # fmt: skip


def registers(rng: np.random.Generator, k: int, exact: bool = True) -> Case:
    a, b = numbers(rng, (64, k), exact), numbers(rng, (k, 64), exact)
    args = ["a", box("b", "BF16", 2, (k, 64), (64, 64)), "d", np.int32(k)]
    inputs = {"a": to_bf16(a), "b": to_bf16(b)}
    expected = {"d": expect(a.astype(np.float64) @ b, k, exact)}
    return Case(
        f"registers_{k}", "wgmma_registers", (1,), (128,), args, inputs, expected, shared=2 * 8192, reproducible=True
    )
