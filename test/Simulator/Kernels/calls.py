# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls, recursion, function pointers, local arrays.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import F32, Case


def cases(rng: np.random.Generator) -> list[Case]:
    return [ackermann(), sort_rows(rng), call_table(rng), virtual_areas(rng), structs(rng)]


def ackermann() -> Case:
    """Closed forms of the first three rows."""
    n = np.arange(6)
    out = np.array([n + 1, n + 2, 2 * n + 3], np.int32)
    return Case("ackermann", "ackermann_table", (1,), (18,), ["out", np.int32(6)], {}, {"out": out})


def sort_rows(rng: np.random.Generator) -> Case:
    x = rng.integers(-50, 50, (70, 24)).astype(np.int32)
    return Case("sort_rows", "sort_rows", (2,), (64,), ["x", "y", np.int32(70)], {"x": x}, {"y": np.sort(x, axis=1)})


def call_table(rng: np.random.Generator) -> Case:
    n = 100
    a, b = (rng.integers(-(1 << 31), 1 << 31, n).astype(np.int32) for _ in range(2))
    which = rng.integers(0, 4, n).astype(np.uint8)
    out = np.choose(which, [a + b, a - b, a * b, a ^ b])
    inputs = {"a": a, "b": b, "which": which}
    args = ["a", "b", "which", "out", np.int32(n)]
    return Case("call_table", "call_table", (2,), (64,), args, inputs, {"out": out})


def virtual_areas(rng: np.random.Generator) -> Case:
    extents = rng.integers(1, 1000, (32, 2)).astype(F32)
    out = extents.prod(axis=1) * np.where(np.arange(32) % 3 == 0, F32(1), F32(0.5))
    return Case("virtual_areas", "virtual_areas", (1,), (32,), ["extents", "out"], {"extents": extents}, {"out": out})


def structs(rng: np.random.Generator) -> Case:
    x, constants = (rng.integers(-1000, 1000, shape).astype(np.int32) for shape in ((32, 6), 6))
    six = x + constants
    out = six[:, :4] * (np.arange(32, dtype=np.int32) - 5)[:, None] + six[:, [5, 4, 3, 2]]
    rests = six[:, 4] * 3 + six[:, 5]
    args = ["in", "out", "rests", constants.tobytes()]
    return Case("structs", "structs_by_value", (1,), (32,), args, {"in": x}, {"out": out, "rests": rests})
