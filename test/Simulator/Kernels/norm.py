# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layer norm and RMS norm, against f64.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import F32, Case, Close, from_bf16, to_bf16

EPSILON = F32(1e-5)


def cases(rng: np.random.Generator) -> list[Case]:
    return [layer_norm(rng, 10, 100), layer_norm(rng, 3, 20), rms_norm(rng, 1600), rms_norm(rng, 1024)]


def layer_norm(rng: np.random.Generator, rows: int, columns: int) -> Case:
    """With 20 columns some lanes have no element: moments of nothing."""
    x = rng.normal(3, 2, (rows, columns)).astype(F32)
    gamma, beta = rng.normal(1, 0.2, columns).astype(F32), rng.normal(0, 0.5, columns).astype(F32)
    wide = x.astype(np.float64)
    centred = wide - wide.mean(axis=1, keepdims=True)
    y = centred / np.sqrt(wide.var(axis=1, keepdims=True) + EPSILON) * gamma + beta
    inputs = {"x": x, "gamma": gamma, "beta": beta}
    args = ["x", "gamma", "beta", "y", np.int32(rows), np.int32(columns), EPSILON]
    # Differences of numbers near 10 in f32, then a few roundings.
    expected = Close(y.astype(F32), relative=2e-6, absolute=4e-6)
    return Case(f"layer_norm_{columns}", "layer_norm", (-(-rows // 4),), (128,), args, inputs, {"y": expected})


def rms_norm(rng: np.random.Generator, columns: int) -> Case:
    rows = 4
    x, weight = to_bf16(rng.normal(0, 2, (rows, columns)).astype(F32)), to_bf16(rng.normal(1, 0.2, columns).astype(F32))
    wide = from_bf16(x).astype(np.float64)
    y = wide / np.sqrt((wide**2).mean(axis=1, keepdims=True) + EPSILON) * from_bf16(weight)
    args = ["x", "weight", "y", np.int32(columns // 8), EPSILON]
    # Half a unit in the last place of bf16, and what f32 does before.
    expected = Close(y, relative=2.0**-8 + 1e-5, decode=from_bf16)
    name = f"rms_norm_{columns}"
    return Case(name, "rms_norm_bf16", (rows,), (128,), args, {"x": x, "weight": weight}, {"y": expected})
