# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Conversions between formats, against fractions and tables.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import math

import exact
import numpy as np
from corpus import E2M1, E4M3, E5M2, F32, Case, to_e2m1, to_e4m3, to_e5m2
from math_rounding import MODES, same_or_nan

BLOCK = 64


def cases(rng: np.random.Generator) -> list[Case]:
    return [float_to_integer(rng), integer_to_float(rng), narrow(rng), to_small(rng), from_small()]


def case(name: str, args: list, inputs: dict, expected: dict, n: int) -> Case:
    return Case(name, name, (-(-n // BLOCK),), (BLOCK,), [*args, np.int32(n)], inputs, expected)


def float_to_integer(rng: np.random.Generator) -> Case:
    edges = [
        0.0,
        -0.0,
        0.5,
        -0.5,
        1.5,
        2.5,
        -2.5,
        0.49999997,
        2.0**31,
        -(2.0**31),
        2.0**32,
        2.0**63,
        2.0**64,
        -1e30,
        1e30,
    ]
    edges += [math.inf, -math.inf, math.nan, 2147483520.0, 1e-40]
    x = np.concatenate(
        [edges, rng.uniform(-10, 10, 100), rng.normal(0, 1, 100) * 2.0 ** rng.uniform(0, 66, 100)]
    ).astype(F32)
    values = x.tolist()

    def rows(bits: int, dtype: type) -> np.ndarray:
        mask = (1 << bits) - 1
        # NaN gives 0 in 32 bits and the smallest signed number in 64.
        nan = 0 if bits == 32 else 1 << 63
        result = [
            [nan if math.isnan(v) else exact.to_integer(v, bits, signed, mode) & mask for v in values]
            for signed in (True, False)
            for mode in MODES
        ]
        return np.array(result, dtype)

    expected = {"out": rows(32, np.uint32), "out_long": rows(64, np.uint64)}
    return case("float_to_integer", ["x", "out", "out_long"], {"x": x}, expected, x.size)


def integer_to_float(rng: np.random.Generator) -> Case:
    edges = [0, 1, -1, (1 << 63) - 1, -(1 << 63), (1 << 24) + 1, (1 << 53) + 1, -(1 << 53) - 3, (1 << 31) - 1]
    x = [*edges, *(int(v) >> int(s) for v, s in zip(rng.integers(-(1 << 63), 1 << 63, 150), rng.integers(0, 63, 150)))]

    def rows(form: exact.Format, convert, dtype: type) -> list:
        return [
            [exact.to_double(exact.round_to(exact.Fraction(v), form, m)) if v else 0.0 for v in map(convert, x)]
            for m in MODES
        ]

    def signed32(v: int) -> int:
        return (v + (1 << 31)) % (1 << 32) - (1 << 31)

    out = [
        row
        for convert in (int, lambda v: v % (1 << 64), signed32, lambda v: v % (1 << 32))
        for row in rows(exact.F32, convert, F32)
    ]
    wide = [row for convert in (int, lambda v: v % (1 << 64)) for row in rows(exact.F64, convert, np.float64)]
    expected = {"out": np.array(out, F32), "out_double": np.array(wide, np.float64)}
    return case("integer_to_float", ["x", "out", "out_double"], {"x": np.array(x, np.int64)}, expected, len(x))


def narrow(rng: np.random.Generator) -> Case:
    edges = [
        0.0,
        -0.0,
        math.inf,
        -math.inf,
        math.nan,
        65504.0,
        65519.999,
        65520.0,
        1e300,
        -1e-300,
        2.0**-149,
        2.0**-150,
        2.0**-24,
        2.0**-25,
    ]
    x = np.concatenate(
        [
            edges,
            rng.normal(0, 1, 200) * 2.0 ** rng.uniform(-30, 20, 200),
            rng.normal(0, 1, 50) * 2.0 ** rng.uniform(-152, 129, 50),
        ]
    )
    with np.errstate(over="ignore"):
        f = x.astype(F32)
    out = np.array([[exact.convert(v, exact.F32, m) for v in x.tolist()] for m in MODES], F32)
    halves = np.array([[exact.convert(v, exact.F16, m) for v in f.tolist()] for m in MODES], np.float16)
    bfloats = np.array([[exact.convert(v, exact.BF16, m) for v in f.tolist()] for m in ("rn", "rz")], F32)
    patterns = np.where(np.isnan(bfloats), 0x7FFF, bfloats.view(np.uint32) >> 16).astype(np.uint16)
    expected = {"out": same_or_nan("out", out), "halves": same_or_nan("halves", halves), "bfloats": patterns}
    return case("narrow", ["x", "f", "out", "halves", "bfloats"], {"x": x, "f": f}, expected, x.size)


def to_small(rng: np.random.Generator) -> Case:
    edges = [
        0.0,
        -0.0,
        448.0,
        464.0,
        465.0,
        57344.0,
        61440.0,
        math.inf,
        -math.inf,
        math.nan,
        2.0**-10,
        2.0**-9 * 1.5,
        6.0,
        5.0,
        0.25,
        0.75,
    ]
    edges += [value * sign for value in (0.2500001, 1.25, 1.75, 2.5, 3.5, 2.0**-17, 2.0**-16 * 1.5) for sign in (1, -1)]
    x = np.concatenate([edges, rng.normal(0, 3, 100), rng.normal(0, 1, 170) * 2.0 ** rng.uniform(-18, 17, 170)]).astype(
        F32
    )
    with np.errstate(over="ignore"):
        half = x.astype(np.float16).astype(F32)

    def pairs(bytes_: np.ndarray) -> np.ndarray:
        return bytes_[0::2].astype(np.uint16) | bytes_[1::2].astype(np.uint16) << np.uint16(8)

    codes = to_e2m1(x)
    expected = {
        "out": np.array([pairs(to_e4m3(x)), pairs(to_e5m2(x)), pairs(to_e4m3(half)), pairs(to_e5m2(half))]),
        "fp4": codes[0::2] | codes[1::2] << 4,
    }
    return case("to_small", ["x", "out", "fp4"], {"x": x.reshape(-1, 2)}, expected, x.size // 2)


def from_small() -> Case:
    i = np.arange(256)

    def words(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        halves = [
            np.where(np.isnan(v), 0x7FFF, v.astype(np.float16).view(np.uint16)).astype(np.uint32) for v in (low, high)
        ]
        return halves[0] | halves[1] << np.uint32(16)

    expected = {
        "e4m3": words(E4M3[i], E4M3[255 - i]),
        "e5m2": words(E5M2[i], E5M2[255 - i]),
        "e2m1": words(E2M1[i & 15], E2M1[i >> 4]),
    }
    return Case("from_small", "from_small", (1,), (256,), list(expected), {}, expected)
