# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pipelined bf16 GEMM: small integers, exact under every rule of accumulation.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import struct

import numpy as np
from corpus import F32, Case, Close, from_bf16, to_bf16

TILE = 64


def cases(rng: np.random.Generator) -> list[Case]:
    return [
        tiled(rng, 3, 64, 64, 128),
        tiled(rng, 3, 100, 72, 75),
        tiled(rng, 4, 64, 64, 32),
        tiled(rng, 4, 130, 61, 200),
        transposing(rng),
        random(rng),
    ]


def grid(m: int, n: int) -> tuple[int, int]:
    return -(-n // TILE), -(-m // TILE)


def shape_bytes(m: int, n: int, k_bytes: int, pitch: int) -> bytes:
    """`GemmShape`."""
    return struct.pack("<4i", m, n, k_bytes, pitch)


def padded(x: np.ndarray, multiple: int) -> np.ndarray:
    """Rows padded with what must never be read as part of the matrix."""
    extra = -x.shape[1] % multiple
    return np.pad(x, ((0, 0), (0, extra)), constant_values=99)


def tiled(rng: np.random.Generator, stages: int, m: int, n: int, k: int) -> Case:
    a, b = (rng.integers(-8, 9, (rows, k)).astype(F32) for rows in (m, n))
    inputs = {"a": to_bf16(padded(a, 8)), "b": to_bf16(padded(b, 8))}
    args = ["a", "b", "d", shape_bytes(m, n, 2 * k, 2 * inputs["a"].shape[1])]
    entry = f"gemm_{stages}_stages"
    return Case(f"{stages}_stages_{m}x{n}x{k}", entry, grid(m, n), (128,), args, inputs, {"d": a @ b.T})


def transposing(rng: np.random.Generator) -> Case:
    m, n, k = 64, 128, 96
    a, b = rng.integers(-8, 9, (m, k)).astype(F32), rng.integers(-8, 9, (k, n)).astype(F32)
    inputs = {"a": to_bf16(a), "b": to_bf16(b)}
    shared = 2 * (64 * 64 + 32 * (64 * 2 + 16))
    args = ["a", "b", "d", np.int32(n), np.int32(k)]
    return Case("transposing", "gemm_transposing", grid(m, n), (128,), args, inputs, {"d": a @ b}, shared=shared)


def random(rng: np.random.Generator) -> Case:
    """Numbers of very different size: the order and the width of the sums show."""
    m, n, k = 64, 64, 96
    a, b = (
        to_bf16((rng.normal(0, 1, (rows, k)) * 2.0 ** rng.uniform(-8, 8, (rows, k))).astype(F32)) for rows in (m, n)
    )
    wide_a, wide_b = from_bf16(a).astype(np.float64), from_bf16(b).astype(np.float64)
    bound = k / 16 * 2.0**-22 * (np.abs(wide_a) @ np.abs(wide_b).T).max()
    d = {"d": Close((wide_a @ wide_b.T).astype(F32), absolute=bound)}
    args = ["a", "b", "d", shape_bytes(m, n, 2 * k, 2 * k)]
    return Case("random", "gemm_4_stages", grid(m, n), (128,), args, {"a": a, "b": b}, d, reproducible=True)
