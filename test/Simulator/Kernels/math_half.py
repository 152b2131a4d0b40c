# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Packed f16 and bf16: each operation rounded once, NaN in any form.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import math
from collections.abc import Callable

import exact
import numpy as np
from corpus import Case, Holds, from_bf16

N = 300


def cases(rng: np.random.Generator) -> list[Case]:
    return [
        case(rng, "f16", exact.F16, lambda bits: widen(bits.view(np.float16))),
        case(rng, "bf16", exact.BF16, lambda bits: widen(from_bf16(bits))),
    ]


def widen(values: np.ndarray) -> np.ndarray:
    """Signalling NaNs warn."""
    with np.errstate(invalid="ignore"):
        return values.astype(np.float64)


def number(a: float, b: float, pick) -> float:
    """Minimum or maximum that skips NaN; -0 is below +0."""
    if math.isnan(a) or math.isnan(b):
        return b if math.isnan(a) else a
    return pick(a, b, key=lambda value: (value, math.copysign(1, value)))


def elementwise(function) -> Callable[..., np.ndarray]:
    return lambda *operands: np.array([function(*values) for values in zip(*map(np.ndarray.tolist, operands))])


def case(rng: np.random.Generator, name: str, form: exact.Format, decode) -> Case:
    bits = [rng.integers(0, 1 << 16, 2 * N).astype(np.uint16) for _ in range(3)]
    # Half of the operands near 1, so that most results are ordinary.
    one = 0x3C00 if name == "f16" else 0x3F80
    for values in bits:
        values[:N] = one - 600 + rng.integers(0, 1200, N) + 0x8000 * rng.integers(0, 2, N)
    a, b, c = map(decode, bits)
    swapped = a.reshape(-1, 2)[:, ::-1].reshape(-1)
    lows = np.stack([a[0::2], b[0::2]], axis=1).reshape(-1)
    fused = elementwise(lambda x, y, z: exact.fma(x, y, z, form))(a, b, c)
    rows = [
        elementwise(lambda x, y: exact.add(x, y, form))(a, b),
        elementwise(lambda x, y: exact.add(x, -y, form))(a, b),
        elementwise(lambda x, y: exact.mul(x, y, form))(a, b),
        fused,
        np.where(fused <= 0, 0.0, fused),
        elementwise(lambda x, y: number(x, y, max))(a, b),
        elementwise(lambda x, y: number(x, y, min))(a, b),
        elementwise(lambda x, y: math.nan if math.isnan(x) or math.isnan(y) else number(x, y, max))(a, b),
        -a,
        np.abs(a),
        lows,
        swapped,
    ]
    expected = np.array(rows)
    unordered = np.isnan(a) | np.isnan(b)
    compared = [(a < b) & ~unordered, (a == b) & ~unordered, (a >= b) | unordered, (a != b) & ~unordered]
    masks = [(mask[0::2] * 0xFFFF | mask[1::2] * 0xFFFF0000).astype(np.uint32) for mask in compared]

    def same(got: np.ndarray) -> str | None:
        values = decode(got.reshape(-1)).reshape(expected.shape)
        good = (values == expected) & (np.signbit(values) == np.signbit(expected)) | np.isnan(values) & np.isnan(
            expected
        )
        if good.all():
            return None
        row, column = (int(index[0]) for index in np.nonzero(~good))
        return (
            f"'out': operation {row} of {a[column]!r}, {b[column]!r}, {c[column]!r}: "
            f"expected {expected[row, column]!r}, but got {values[row, column]!r}"
        )

    out = {"out": Holds(same, np.zeros(expected.shape, np.uint16)), "masks": np.array(masks)}
    inputs = dict(zip("abc", bits))
    return Case(name, f"operations_{name}", (5,), (64,), ["a", "b", "c", "out", "masks", np.int32(N)], inputs, out)
