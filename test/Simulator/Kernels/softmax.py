# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Softmax of rows: a few units in the last place of f32, half a unit more of bf16.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import F32, Case, Close, from_bf16, to_bf16


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x.astype(np.float64) - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def cases(rng: np.random.Generator) -> list[Case]:
    return [warp(rng), *(block(rng, columns) for columns in (690, 34))]


def warp(rng: np.random.Generator) -> Case:
    """Rows of 115 columns: the last lanes have fewer, the last block has no row for some warps."""
    rows, columns = 22, 115
    x = rng.normal(0, 4, (rows, columns)).astype(F32)
    expected = Close(softmax(x).astype(F32), relative=4e-6, absolute=1e-10)
    args = ["x", "y", np.int32(rows), np.int32(columns)]
    return Case("warp", "softmax_warp", (6,), (32, 4), args, {"x": x}, {"y": expected})


def block(rng: np.random.Generator, columns: int) -> Case:
    """With 34 columns most threads have no element."""
    rows = 5
    x = to_bf16(rng.normal(0, 4, (rows, columns)).astype(F32))
    expected = Close(softmax(from_bf16(x)), relative=2.0**-8 + 1e-5, absolute=1e-10, decode=from_bf16)
    args = ["x", "y", np.int32(columns // 2)]
    return Case(f"block_bf16_{columns}", "softmax_block_bf16", (rows,), (128,), args, {"x": x}, {"y": expected})
