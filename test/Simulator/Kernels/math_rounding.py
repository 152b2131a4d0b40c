# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arithmetic in every rounding, against fractions; NaN in any form is a NaN.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import itertools
import math

import exact
import numpy as np
from corpus import Case, Holds

MODES = ("rn", "rz", "ru", "rd")


def cases(rng: np.random.Generator) -> list[Case]:
    return [case(rng, "f32", np.float32, exact.F32), case(rng, "f64", np.float64, exact.F64)]


def same_or_nan(name: str, expected: np.ndarray):
    """Bits, but a NaN may have any payload."""
    bits = np.dtype(f"u{expected.itemsize}")

    def check(got: np.ndarray) -> str | None:
        same = (got.view(bits) == expected.view(bits)) | (np.isnan(got) & np.isnan(expected))
        if same.all():
            return None
        where = tuple(int(index[0]) for index in np.nonzero(~same))
        return (
            f"'{name}': {int((~same).sum())} of {same.size} differ, the first at {list(where)} (operation, operand): "
            f"expected {expected[where]!r}, but got {got[where]!r}"
        )

    return Holds(check, np.zeros_like(expected))


def operands(rng: np.random.Generator, dtype: type, form: exact.Format) -> list[np.ndarray]:
    """All triples of special values, thinned, and random bits."""
    tiny, least = 2.0**form.lowest, 2.0 ** (form.lowest - form.precision + 1)
    largest = float(exact.to_double(form.largest))
    edges = [0.0, -0.0, 1.0, -1.0, 1.5, tiny, -least, largest, math.inf, -math.inf, math.nan, 3.0]
    triples = np.array(list(itertools.product(edges, repeat=3)), dtype)
    triples = triples[rng.permutation(len(triples))[:300]]
    near = rng.normal(0, 1, (150, 3)).astype(dtype)
    # Sums that cancel and numbers far apart.
    near[:50, 1] = -near[:50, 0] * (1 + rng.integers(-2, 3, 50) * dtype(2.0 ** (1 - form.precision)))
    wild = rng.integers(0, np.iinfo(form.bits).max, (150, 3), form.bits).view(dtype)
    return list(np.concatenate([triples, near, wild]).astype(dtype).T)


def case(rng: np.random.Generator, name: str, dtype: type, form: exact.Format) -> Case:
    a, b, c = map(np.ascontiguousarray, operands(rng, dtype, form))
    rows = [
        *([exact.add(x, y, form, mode) for x, y, _ in zip(*map(np.ndarray.tolist, (a, b, c)))] for mode in MODES),
        *([exact.mul(x, y, form, mode) for x, y in zip(a.tolist(), b.tolist())] for mode in MODES),
        *([exact.fma(x, y, z, form, mode) for x, y, z in zip(a.tolist(), b.tolist(), c.tolist())] for mode in MODES),
        *([exact.div(x, y, form, mode) for x, y in zip(a.tolist(), b.tolist())] for mode in MODES),
        *([exact.div(1.0, x, form, mode) for x in a.tolist()] for mode in MODES),
        *([exact.sqrt(x, form, mode) for x in a.tolist()] for mode in MODES),
        [exact.add(x, -y, form) for x, y in zip(a.tolist(), b.tolist())],
    ]
    if name == "f32":
        # Saturation sends NaN to +0.
        rows.append([min(s, 1.0) if s > 0 else 0.0 for s in rows[0]])
    out = np.array(rows).astype(dtype)
    n = a.size
    args = ["a", "b", "c", "out", np.int32(n)]
    inputs = {"a": a, "b": b, "c": c}
    return Case(name, f"rounding_{name}", (-(-n // 64),), (64,), args, inputs, {"out": same_or_nan("out", out)})
