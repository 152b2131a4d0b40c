# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Matrix products with nvcuda::wmma: small integers, exact.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import F32, Case, to_bf16


def cases(rng: np.random.Generator) -> list[Case]:
    return [
        product(rng, "f16", np.float16, F32, (16, 16, 16), by_rows=True),
        product(rng, "f16_sums", np.float16, np.float16, (32, 8, 16), by_rows=False),
        product(rng, "bf16", to_bf16, F32, (8, 32, 16), by_rows=False),
        product(rng, "tf32", F32, F32, (16, 16, 8), by_rows=True),
        product(rng, "int8", np.int8, np.int32, (16, 16, 16), by_rows=False),
        product(rng, "f64", np.float64, np.float64, (8, 8, 4), by_rows=True),
    ]


def product(rng: np.random.Generator, name: str, convert, sums: type, tile: tuple, by_rows: bool) -> Case:
    m, n, k = 64, 64, 48
    a, b, c = (rng.integers(-3, 4, shape) for shape in ((m, k), (k, n), (m, n)))
    d = 2 * (a @ b + c)
    stored = b if by_rows else b.T
    to_input = convert if convert is to_bf16 else lambda x: x.astype(convert)
    inputs = {"a": to_input(a), "b": to_input(np.ascontiguousarray(stored)), "c": c.astype(sums)}
    args = ["a", "b", "c", "d", np.int32(m), np.int32(n), np.int32(k)]
    grid = (n // tile[1], m // tile[0])
    return Case(name, f"wmma_{name}", grid, (32,), args, inputs, {"d": d.astype(sums)})
