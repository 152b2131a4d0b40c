# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Element-wise kernels with ragged ends.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import F32, Case, from_bf16, to_bf16


def cases(rng: np.random.Generator) -> list[Case]:
    return [axpy(rng), *(bias_relu(rng, n) for n in (4093, 3, 4096)), multiply_add_bf16(rng)]


def axpy(rng: np.random.Generator) -> Case:
    """Small integers: every product and sum is exact."""
    n = 5000
    x, y = (rng.integers(-999, 1000, n).astype(F32) for _ in range(2))
    args = ["x", "y", F32(-1.5), np.int32(n)]
    return Case("axpy", "axpy", (7,), (128,), args, {"x": x, "y": y}, {"y": F32(-1.5) * x + y})


def bias_relu(rng: np.random.Generator, n: int) -> Case:
    x = rng.integers(-999, 1000, n).astype(F32)
    bias = np.array([-300, 0.25, 7, 512], F32)
    expected = np.maximum(F32(0.5) * x + np.resize(bias, n), F32(0))
    args = ["x", "bias", "out", F32(0.5), np.int32(n)]
    return Case(f"bias_relu_{n}", "bias_relu", (3,), (96,), args, {"x": x, "bias": bias}, {"out": expected})


def multiply_add_bf16(rng: np.random.Generator) -> Case:
    """The product is rounded before the sum, so this tells a fused operation from two."""
    vectors = 100
    x, y = (to_bf16(rng.normal(0, 3, 8 * vectors).astype(F32)) for _ in range(2))
    product = to_bf16(from_bf16(x) * from_bf16(y))
    expected = to_bf16(from_bf16(product) + from_bf16(x))
    args = ["x", "y", "z", np.int32(vectors)]
    return Case("multiply_add_bf16", "multiply_add_bf16", (4,), (32,), args, {"x": x, "y": y}, {"z": expected})
