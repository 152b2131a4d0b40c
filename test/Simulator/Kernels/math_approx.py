# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Fast functions and the library's, against f64, within what the manuals promise.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import math

import numpy as np
from corpus import F32, Case, Holds

N = 200


def cases(rng: np.random.Generator) -> list[Case]:
    return [
        case(rng, "approximations", F32, APPROXIMATIONS),
        case(rng, "library_f32", F32, LIBRARY_F32),
        case(rng, "library_f64", np.float64, LIBRARY_F64),
    ]


def case(rng: np.random.Generator, entry: str, dtype: type, rows: list) -> Case:
    x, p = rng.uniform(-8, 8, N).astype(dtype), (2.0 ** rng.uniform(-10, 10, N)).astype(dtype)
    wide_x, wide_p = x.astype(np.float64), p.astype(np.float64)
    expected = np.array([function(wide_x, wide_p) for function, _, _ in rows])
    relative, absolute = (np.array([row[i] for row in rows])[:, None] for i in (1, 2))
    error = np.abs(expected) * relative + absolute

    def within(got: np.ndarray) -> str | None:
        bad = ~(np.abs(got.astype(np.float64) - expected) <= error)
        if not bad.any():
            return None
        row, column = (int(index[0]) for index in np.nonzero(bad))
        return (
            f"'out': row {row} of x = {x[column]!r}, p = {p[column]!r}: expected {expected[row, column]!r} "
            f"within {error[row, column]:.3g}, but got {got[row, column]!r}"
        )

    args = ["x", "p", "out", np.int32(N)]
    out = {"out": Holds(within, np.zeros(expected.shape, dtype))}
    return Case(entry, entry, (4,), (64,), args, {"x": x, "p": p}, out)


def exact_f32(function):
    """Functions of f32 whose every step rounds like NumPy's."""
    return lambda x, p: function(x.astype(F32), p.astype(F32)).astype(np.float64)


def each(function):
    return np.vectorize(function, otypes=[np.float64])


# Function, relative error, absolute error.
U = 2.0**-23
APPROXIMATIONS = [
    (lambda x, p: np.exp(x), 13 * U, 0),
    (lambda x, p: 10.0**x, 28 * U, 0),
    # Three units in the last place, and an absolute error around 1.
    (lambda x, p: np.log(p), 4 * U, 2.0**-21),
    (lambda x, p: np.log2(p), 3 * U, 2.0**-21),
    (lambda x, p: np.log10(p), 4 * U, 2.0**-21),
    (lambda x, p: np.sin((x * 0.375).astype(F32).astype(np.float64)), 0, 2.0**-20),
    (lambda x, p: np.cos((x * 0.375).astype(F32).astype(np.float64)), 0, 2.0**-20),
    (lambda x, p: x / p, 2 * U, 0),
    (lambda x, p: 1 / np.sqrt(p), U / 2, 0),
    (lambda x, p: 1 / np.sqrt(p), 2 * U, 0),
    (lambda x, p: np.sqrt(p), 2 * U, 0),
    (lambda x, p: np.tanh(x), 2.0**-10.9, 0),
    # exp2(y log2(p)): |y log2 p| below 20 times the error of the logarithm.
    (lambda x, p: p ** (x * 0.25), 2.0**-17, 0),
    (exact_f32(lambda x, p: np.fmod(x * F32(100), p)), 0, 0),
    (exact_f32(lambda x, p: np.floor(x) + np.trunc(x) * 16 + np.ceil(x) * 256 + np.rint(x) * 4096), 0, 0),
    (lambda x, p: np.copysign(p, x) + np.abs(x) + np.minimum(x, p) + np.maximum(x, -p), 0, 2.0**-11),
]

# Maximum errors in units in the last place, from the programming guide, rounded up.
LIBRARY_F32 = [
    (lambda x, p: np.exp(x), 2 * U, 0),
    (lambda x, p: np.exp2(x), 2 * U, 0),
    (lambda x, p: np.expm1(x), 2 * U, 0),
    (lambda x, p: np.log(p), 2 * U, 2.0**-30),
    (lambda x, p: np.log1p(p), 2 * U, 0),
    (lambda x, p: np.sin(x), 3 * U, 0),
    (lambda x, p: np.cos(x), 3 * U, 0),
    (lambda x, p: np.sin((x.astype(F32) * F32(1e9)).astype(np.float64)), 3 * U, 0),
    (lambda x, p: np.tanh(x), 3 * U, 0),
    (lambda x, p: each(math.erf)(x), 3 * U, 0),
    (lambda x, p: p**x, 5 * U, 0),
    (lambda x, p: np.cbrt(x), 2 * U, 0),
    (lambda x, p: np.arctan2(x, p), 4 * U, 0),
    (lambda x, p: np.hypot(x, p), 4 * U, 0),
]

V = 2.0**-52
LIBRARY_F64 = [
    (lambda x, p: np.exp(x), 3 * V, 0),
    (lambda x, p: np.log(p), 3 * V, 2.0**-60),
    (lambda x, p: np.sin(x), 4 * V, 0),
    (lambda x, p: np.cos(x * 1e12), 4 * V, 0),
    (lambda x, p: np.tanh(x), 4 * V, 0),
    (lambda x, p: each(math.erf)(x), 4 * V, 0),
    (lambda x, p: p**x, 5 * V, 0),
    (lambda x, p: 1 / np.sqrt(p), 3 * V, 0),
    (lambda x, p: np.cbrt(x), 3 * V, 0),
]
