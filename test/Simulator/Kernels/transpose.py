# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Transposition through shared memory; all bits, NaN included.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import F32, Case


def cases(rng: np.random.Generator) -> list[Case]:
    return [
        transpose(rng, "f32", np.uint32, 70, 45),
        transpose(rng, "f32", np.uint32, 32, 64),
        transpose(rng, "u8", np.uint8, 33, 100),
    ]


def transpose(rng: np.random.Generator, name: str, bits: type, rows: int, columns: int) -> Case:
    x = rng.integers(0, np.iinfo(bits).max, (rows, columns), bits, endpoint=True).view(F32 if name == "f32" else bits)
    grid = (-(-columns // 32), -(-rows // 32))
    args = ["x", "y", np.int32(rows), np.int32(columns)]
    expected = {"y": np.ascontiguousarray(x.T)}
    return Case(f"{name}_{rows}x{columns}", f"transpose_{name}", grid, (32, 8), args, {"x": x}, expected)
