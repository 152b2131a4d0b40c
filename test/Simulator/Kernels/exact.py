# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Floating-point operations with one rounding, by fractions.

A number is a Fraction, or a float for infinities, NaN and zeros with a sign. Slow and
obvious; formats are given by the bits of the significand and the least exponent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np


@dataclass(frozen=True)
class Format:
    """`precision` bits of significand; the smallest normal number is 2^`lowest`."""

    precision: int
    lowest: int
    highest: int
    bits: type

    @property
    def largest(self) -> Fraction:
        return (2 - Fraction(2) ** (1 - self.precision)) * Fraction(2) ** self.highest


F64 = Format(53, -1022, 1023, np.uint64)
F32 = Format(24, -126, 127, np.uint32)
F16 = Format(11, -14, 15, np.uint16)
BF16 = Format(8, -126, 127, np.uint16)


def round_integer(value: Fraction, mode: str) -> int:
    """rn: nearest, ties to even; rz, ru, rd: toward zero, up, down."""
    floor = value.numerator // value.denominator
    rest = value - floor
    if mode == "rn":
        return floor + (rest > Fraction(1, 2) or (rest == Fraction(1, 2) and floor % 2 == 1))
    up = mode == "ru" or (mode == "rz" and value < 0)
    return floor + (up and rest != 0)


def exponent(value: Fraction) -> int:
    """Floor of the binary logarithm of a magnitude."""
    value = abs(value)
    guess = value.numerator.bit_length() - value.denominator.bit_length()
    return guess if value >= Fraction(2) ** guess else guess - 1


def round_to(value: Fraction, form: Format, mode: str = "rn") -> Fraction | float:
    """The rounded number; infinity where the mode goes there. `value` is not zero."""
    sign = -1.0 if value < 0 else 1.0
    unit = Fraction(2) ** (max(exponent(value), form.lowest) - form.precision + 1)
    rounded = round_integer(value / unit, mode) * unit
    if abs(rounded) > form.largest:
        toward = mode == "rz" or (mode == "ru" and value < 0) or (mode == "rd" and value > 0)
        return form.largest * int(sign) if toward else sign * math.inf
    return rounded if rounded else sign * 0.0


def to_double(value: Fraction | float) -> float:
    """The f64 of a number that any of the formats holds."""
    return value if isinstance(value, float) else value.numerator / value.denominator


def _zero_sum(a: float, b: float, mode: str) -> float:
    """The sign of an exact zero: that of both, or by the mode."""
    same = math.copysign(1, a) == math.copysign(1, b) and a == 0 and b == 0
    return a if same else (-0.0 if mode == "rd" else 0.0)


def fma(a: float, b: float, c: float, form: Format, mode: str = "rn") -> float:
    """a b + c of f64 operands, rounded once."""
    if not all(map(math.isfinite, (a, b, c))):
        if math.isfinite(a) and math.isfinite(b):
            return c
        return a * b + c if not (math.isnan(a) or math.isnan(b)) else math.nan
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if exact:
        return to_double(round_to(exact, form, mode))
    product = math.copysign(1, a) * math.copysign(1, b)
    return _zero_sum(math.copysign(0.0, product) if a * b == 0 or not (a and b) else 1.0, c, mode)


def add(a: float, b: float, form: Format, mode: str = "rn") -> float:
    if not (math.isfinite(a) and math.isfinite(b)):
        return a + b
    exact = Fraction(a) + Fraction(b)
    return to_double(round_to(exact, form, mode)) if exact else _zero_sum(a, b, mode)


def mul(a: float, b: float, form: Format, mode: str = "rn") -> float:
    if not (math.isfinite(a) and math.isfinite(b)) or a == 0 or b == 0:
        return a * b
    return to_double(round_to(Fraction(a) * Fraction(b), form, mode))


def div(a: float, b: float, form: Format, mode: str = "rn") -> float:
    sign = math.copysign(1, a) * math.copysign(1, b)
    if math.isnan(a) or math.isnan(b) or (math.isinf(a) and math.isinf(b)) or (a == 0 and b == 0):
        return math.nan
    if math.isinf(a) or b == 0:
        return math.copysign(math.inf, sign)
    if a == 0 or math.isinf(b):
        return math.copysign(0.0, sign)
    return to_double(round_to(Fraction(a) / Fraction(b), form, mode))


def sqrt(a: float, form: Format, mode: str = "rn") -> float:
    if a == 0 or math.isnan(a) or a == math.inf:
        return a
    if a < 0:
        return math.nan
    # Enough bits that what is cut off only decides against exactness: one sticky bit.
    value = Fraction(a)
    shift = 2 * (form.precision + 8) + 1200
    scaled = value * Fraction(4) ** shift
    root = math.isqrt(scaled.numerator // scaled.denominator)
    sticky = root * root != scaled
    return to_double(round_to(Fraction(2 * root + sticky, 2 ** (shift + 1)), form, mode))


def convert(a: float, form: Format, mode: str = "rn") -> float:
    if not math.isfinite(a) or a == 0:
        return a
    return to_double(round_to(Fraction(a), form, mode))


def to_integer(a: float, bits: int, signed: bool, mode: str) -> int:
    """Saturating; NaN gives 0 in 32 bits and 2^63 in 64, which the caller avoids."""
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if math.isnan(a):
        return 0
    if math.isinf(a):
        return high if a > 0 else low
    return min(max(round_integer(Fraction(a), mode), low), high)
