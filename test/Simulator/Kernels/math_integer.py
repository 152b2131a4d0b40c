# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Integer operations, against Python's integers.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import Case

MASK = 0xFFFFFFFF
MASK64 = (1 << 64) - 1


def cases(rng: np.random.Generator) -> list[Case]:
    n = 400
    triples = [numbers(rng, n, 32) for _ in range(3)]
    pairs = [numbers(rng, n, 64) for _ in range(2)]
    return [
        case("words", WORDS, triples, 32),
        case("instructions", INSTRUCTIONS, triples, 32),
        case("longs", LONGS, pairs, 64),
    ]


def numbers(rng: np.random.Generator, n: int, bits: int) -> list[int]:
    """Edges, numbers of every length, random bits."""
    edges = [
        0,
        1,
        2,
        3,
        (1 << bits) - 1,
        1 << (bits - 1),
        (1 << (bits - 1)) - 1,
        0xFF,
        0x80,
        31,
        32,
        33,
        bits - 1,
        bits,
    ]
    values = [int(rng.integers(0, 1 << 63)) ^ int(rng.integers(0, 1 << 63)) << 1 for _ in range(n - 60)]
    short = [value % (1 << bits) >> int(rng.integers(0, bits)) for value in values]
    chosen = [edges[int(rng.integers(0, len(edges)))] for _ in range(60)]
    return [value % (1 << bits) for value in chosen + short]


def case(entry: str, operations: list, operands: list[list[int]], bits: int) -> Case:
    mask, dtype = (1 << bits) - 1, np.dtype(f"u{bits // 8}")
    out = np.array([[operation(*values) & mask for values in zip(*operands)] for operation in operations], dtype)
    names = "abc"[: len(operands)]
    inputs = {name: np.array(values, dtype) for name, values in zip(names, operands)}
    n = len(operands[0])
    args = [*names, "out", np.int32(n)]
    return Case(entry, entry, (-(-n // 64),), (64,), args, inputs, {"out": out})


def signed(value: int, bits: int = 32) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def clamp(value: int) -> int:
    return min(max(value, -(1 << 31)), (1 << 31) - 1)


def parts(value: int, width: int, is_signed: bool) -> list[int]:
    """Bytes or halves of a word, the lowest first."""
    fields = [value >> shift & ((1 << width) - 1) for shift in range(0, 32, width)]
    return [signed(field, width) if is_signed else field for field in fields]


def joined(fields: list[int], width: int) -> int:
    return sum((field & ((1 << width) - 1)) << (width * i) for i, field in enumerate(fields))


def lanes(width: int, is_signed: bool, function):
    return lambda a, b, c: joined(
        [function(x, y) for x, y in zip(parts(a, width, is_signed), parts(b, width, is_signed))], width
    )


def first_set(value: int) -> int:
    return (value & -value).bit_length()


def reverse(value: int, bits: int) -> int:
    return int(f"{value:0{bits}b}"[::-1], 2)


def byte_perm(a: int, b: int, selector: int) -> int:
    pool = a | b << 32
    return joined([pool >> 8 * (selector >> 4 * i & 7) for i in range(4)], 8)


def dot4(a: int, b: int, c: int, is_signed: bool) -> int:
    return sum(x * y for x, y in zip(parts(a, 8, is_signed), parts(b, 8, is_signed))) + c


def dot2(a: int, b: int, c: int, is_signed: bool, first: int) -> int:
    return sum(x * y for x, y in zip(parts(a, 16, is_signed), parts(b, 8, is_signed)[first : first + 2])) + c


def quotient(a: int, b: int) -> int:
    """Toward zero."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def remainder(a: int, b: int) -> int:
    return a - b * quotient(a, b)


def divide(function, bits: int, is_signed: bool, otherwise):
    def operation(a: int, b: int, *c: int) -> int:
        x, y = (signed(a, bits), signed(b, bits)) if is_signed else (a, b)
        return function(x, y) if y != 0 and not (is_signed and y == -1) else otherwise(*c)

    return operation


def absent(c: int = 0) -> int:
    return c


WORDS = [
    lambda a, b, c: reverse(a, 32),
    lambda a, b, c: 32 - a.bit_length(),
    lambda a, b, c: a.bit_count(),
    lambda a, b, c: first_set(a),
    byte_perm,
    lambda a, b, c: (b << 32 | a) << c % 32 >> 32,
    lambda a, b, c: (b << 32 | a) >> c % 32,
    lambda a, b, c: (b << 32 | a) << min(c % 64, 32) >> 32,
    lambda a, b, c: (b << 32 | a) >> min(c % 64, 32),
    lambda a, b, c: dot4(a, b, c, True),
    lambda a, b, c: dot4(a, b, c, False),
    lambda a, b, c: dot2(a, b, c, True, 0),
    lambda a, b, c: dot2(a, b, c, False, 2),
    lambda a, b, c: signed(a) * signed(b) >> 32,
    lambda a, b, c: a * b >> 32,
    lambda a, b, c: signed(a, 24) * signed(b, 24),
    lambda a, b, c: (a & 0xFFFFFF) * (b & 0xFFFFFF),
    lambda a, b, c: abs(signed(a) - signed(b)) + c,
    lambda a, b, c: abs(a - b) + c,
    lambda a, b, c: signed(a) + signed(b) >> 1,
    lambda a, b, c: signed(a) + signed(b) + 1 >> 1,
    lambda a, b, c: a + b >> 1,
    lambda a, b, c: a + b + 1 >> 1,
    lambda a, b, c: min(signed(a), signed(b)),
    lambda a, b, c: max(a, b),
    lambda a, b, c: abs(signed(a)),
    lambda a, b, c: a << b % 32,
    lambda a, b, c: signed(a) >> b % 32,
    divide(lambda a, b: a // b, 32, False, absent),
    divide(lambda a, b: a % b, 32, False, absent),
    divide(quotient, 32, True, absent),
    divide(remainder, 32, True, absent),
    lambda a, b, c: a * b + c,
    lambda a, b, c: a & b | ~a & c,
    lambda a, b, c: a ^ b ^ c,
    lambda a, b, c: max(signed(a + b), signed(c)),
    lambda a, b, c: min(a, b, c),
    lanes(8, False, lambda x, y: x + y),
    lanes(16, True, max),
    lanes(8, False, lambda x, y: 0xFF if x > y else 0),
]


def extract(a: int, position: int, length: int, is_signed: bool) -> int:
    field = a >> position & ((1 << length) - 1)
    if not is_signed or length == 0:
        return field
    return signed(a) >> position if position + length >= 32 else signed(field, length)


def insert(a: int, b: int, position: int, length: int) -> int:
    mask = ((1 << length) - 1) << position & MASK
    return b & ~mask | a << position & mask


def highest(a: int, is_signed: bool) -> int:
    """The position of the highest bit that differs from the sign, or all ones."""
    value = ~a & MASK if is_signed and a >> 31 else a
    return value.bit_length() - 1


def lop3(a: int, b: int, c: int, table: int) -> int:
    return sum((table >> ((a >> i & 1) << 2 | (b >> i & 1) << 1 | c >> i & 1) & 1) << i for i in range(32))


def find_nth(mask: int, base: int, offset: int) -> int:
    """fns: the |offset|-th set bit from `base` on, up or down; offset 0 is `base` itself if set."""
    if offset == 0:
        return base if mask >> base & 1 else MASK
    step, left = (1, offset) if offset > 0 else (-1, -offset)
    while 0 <= base < 32:
        left -= mask >> base & 1
        if left == 0:
            return base
        base += step
    return MASK


def mask_of(position: int, length: int) -> int:
    return 0 if position >= 32 else ((1 << length) - 1) << position


INSTRUCTIONS = [
    lambda a, b, c: extract(a, b % 40, c % 40, False),
    lambda a, b, c: extract(a, b % 40, c % 40, True),
    lambda a, b, c: insert(a, b, c % 40, c // 64 % 40),
    lambda a, b, c: a << min(b % 70, 32),
    lambda a, b, c: a >> min(b % 70, 32),
    lambda a, b, c: signed(a) >> min(b % 70, 31),
    lambda a, b, c: highest(a, False),
    lambda a, b, c: highest(a, True),
    lambda a, b, c: 31 - highest(a, False) if a else MASK,
    lambda a, b, c: lop3(a, b, c, 0x6B),
    # f4e: four bytes upward from the one that c selects; rc16: one half twice.
    lambda a, b, c: (a | b << 32) >> 8 * (c & 3),
    lambda a, b, c: (a >> 16 * (c & 1) & 0xFFFF) * 0x10001,
    lambda a, b, c: clamp(signed(a) + signed(b)),
    lambda a, b, c: clamp(signed(a) - signed(b)),
    lambda a, b, c: clamp((signed(a) * signed(b) >> 32) + signed(c)),
    lambda a, b, c: a + b,
    lambda a, b, c: c + a + (a + b >> 32),
    lambda a, b, c: a - b,
    lambda a, b, c: c - a - (a < b),
    lambda a, b, c: a * b + c,
    lambda a, b, c: (a * b >> 32) + c + ((a * b & MASK) + c >> 32),
    lambda a, b, c: mask_of(b % 40, c % 40),
    lambda a, b, c: signed(a, c % 40) if 0 < c % 40 < 32 else a if c % 40 else 0,
    lambda a, b, c: find_nth(a, b % 32, c % 9 - 4),
]


def wide(a: int, b: int) -> int:
    return a << 64 | b


def divisor(a: int, b: int) -> int:
    return a * b >> a % 100 | 1


LONGS = [
    lambda a, b: reverse(a, 64),
    lambda a, b: 64 - a.bit_length(),
    lambda a, b: a.bit_count(),
    lambda a, b: first_set(a),
    lambda a, b: signed(a, 64) * signed(b, 64) >> 64,
    lambda a, b: a * b >> 64,
    lambda a, b: a * b,
    divide(lambda a, b: a // b, 64, False, absent),
    divide(lambda a, b: a % b, 64, False, absent),
    divide(quotient, 64, True, absent),
    divide(remainder, 64, True, absent),
    lambda a, b: a << b % 64,
    lambda a, b: signed(a, 64) >> b % 64,
    lambda a, b: min(signed(a, 64), signed(b, 64)),
    lambda a, b: (a & MASK) * (b & MASK),
    lambda a, b: a * b >> 64,
    lambda a, b: wide(a, b) + a * b >> 64,
    lambda a, b: wide(a, b) - a * b >> 64,
    lambda a, b: wide(a, b) * (a * b) >> 64,
    lambda a, b: wide(a, b) // divisor(a, b),
    lambda a, b: wide(a, b) % divisor(a, b),
    lambda a, b: quotient(signed(wide(a, b), 128), signed(b, 64) | 1),
    lambda a, b: wide(a, b) >> a % 128,
    lambda a, b: wide(a, b) << a % 128 >> 64,
]
