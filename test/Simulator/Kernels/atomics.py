# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Atomic operations of every type.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import F32, Case, Holds, to_bf16

BLOCKS, THREADS = 3, 64
N = BLOCKS * THREADS


def cases(rng: np.random.Generator) -> list[Case]:
    makers = (sums, vector_reductions, words, longs, returns, compare_and_swap, shared)
    return [make(rng) for make in makers]


def case(name: str, args: list, inputs: dict, expected: dict) -> Case:
    return Case(name, name, (BLOCKS,), (THREADS,), args, inputs, expected)


def sums(rng: np.random.Generator) -> Case:
    """In bf16 sums stay below 256, so each partial sum is exact."""
    x = rng.integers(-1, 2, N).astype(F32)
    x[rng.permutation(N)[:130]] = 0
    total = x.sum()
    odd = np.arange(N) % 2 == 1
    expected = {
        "f32": np.array([total], F32),
        "f64": np.array([total / 4], np.float64),
        "f16x2": np.array([total, -total], np.float16),
        "bf16x2": to_bf16(np.array([total, N], F32)),
        "f16": np.array([x[~odd].sum(), x[odd].sum()], np.float16),
        "bf16": to_bf16(np.array([0, total], F32)),
        "v2": np.array([total, 2 * total], F32),
        "v4": np.array([total, 2 * total, -total, N], F32),
    }
    return case("atomic_sums", ["x", *expected], {"x": x}, expected)


def vector_reductions(rng: np.random.Generator) -> Case:
    x = rng.integers(-2, 3, N).astype(F32)
    total = x.sum()
    expected = {
        "sums": np.array([total, total + N, total + 2 * N, -total, total, N], F32),
        "packed": np.tile(np.array([total, 2 * N], np.float16), 4),
    }
    return case("vector_reductions", ["x", "sums", "packed"], {"x": x}, expected)


def words(rng: np.random.Generator) -> Case:
    x = rng.integers(0, 1 << 32, N, np.uint32)
    signed = x.view(np.int32)
    u = np.array([5, 5, ~np.uint32(0), 0, ~np.uint32(0), 0, 7, 90, 3], np.uint32)
    s = np.array([0x7FFFFFFF, -0x80000000, 0, 0], np.int32)
    # inc: 90 … 99, then 0 … 99; dec: 3 … 0, then 70 … 0.
    after = [
        5 + int(x.sum(dtype=np.uint64)),
        5 - int(x.sum(dtype=np.uint64)),
        x.min(),
        x.max(),
        np.bitwise_and.reduce(x | 0xFFF),
        np.bitwise_or.reduce(x & 0x30F0F0),
        7 ^ np.bitwise_xor.reduce(x),
        (90 + N) % 100,
        (3 - N) % 71,
    ]
    expected = {
        "u": np.array([int(value) % (1 << 32) for value in after], np.uint32),
        "s": np.array([signed.min(), signed.max(), N, signed.sum(dtype=np.int32)], np.int32),
    }
    return case("atomic_words", ["x", "u", "s"], {"x": x, "u": u, "s": s}, expected)


def longs(rng: np.random.Generator) -> Case:
    x = rng.integers(0, 1 << 64, N, np.uint64)
    u = np.array([0, ~np.uint64(0), 0, ~np.uint64(0), 0, 0], np.uint64)
    s = np.array([(1 << 63) - 1, -(1 << 63)], np.int64)
    after = [
        x.sum(dtype=np.uint64),
        x.min(),
        x.max(),
        np.bitwise_and.reduce(x | np.uint64(0xFFFFFF)),
        np.bitwise_or.reduce(x & np.uint64(0x30F0F000)),
        np.bitwise_xor.reduce(x),
    ]
    expected = {"u": np.array(after, np.uint64), "s": np.array([x.view(np.int64).min(), x.view(np.int64).max()])}
    return case("atomic_longs", ["x", "u", "s"], {"x": x, "u": u, "s": s}, expected)


def returns(rng: np.random.Generator) -> Case:
    def tickets(got: np.ndarray) -> str | None:
        return None if (np.sort(got) == np.arange(N)).all() else f"'tickets': expected each once, but got {got}"

    def passed(got: np.ndarray) -> str | None:
        for block, values in enumerate(got.reshape(BLOCKS, THREADS)):
            possible = {1000 * (block + 1), *range(block * THREADS, (block + 1) * THREADS)}
            if len(set(values)) != THREADS or not set(values) <= possible:
                return f"'passed': expected distinct values of block {block}, but got {values}"
        return None

    expected = {
        "counters": np.array([N, 9, N % 10], np.uint32),
        "tickets": Holds(tickets, np.zeros(N, np.uint32)),
        "passed": Holds(passed, np.zeros(N, np.uint32)),
    }
    return case("atomic_returns", list(expected), {}, expected)


def compare_and_swap(rng: np.random.Generator) -> Case:
    x = rng.integers(0, 1 << 32, N, np.uint32)
    total = x.sum(dtype=np.uint64)
    expected = {
        "h": np.array([int(total) % (1 << 16)], np.uint16),
        "w": np.array([np.bitwise_xor.reduce(x * np.uint32(2654435761))], np.uint32),
        "l": np.array([total << np.uint64(20)], np.uint64),
        "wide": np.array([total, N], np.uint64),
    }
    return case("atomic_cas", ["x", *expected], {"x": x}, expected)


def shared(rng: np.random.Generator) -> Case:
    x = rng.integers(0, 1 << 32, (BLOCKS, THREADS), np.uint32)
    out = np.stack(
        [
            x.sum(axis=1, dtype=np.uint32),
            x.max(axis=1),
            x.min(axis=1),
            np.bitwise_xor.reduce(x, axis=1),
            np.full(BLOCKS, 5, np.uint32),
        ],
        axis=1,
    )
    long_sums = (x.astype(np.uint64) << np.uint64(16)).sum(axis=1, dtype=np.uint64)
    out_long = np.stack([long_sums, x.max(axis=1).astype(np.uint64) << np.uint64(31)], axis=1)
    expected = {"out": out, "out_long": out_long, "out_float": (x & 255).sum(axis=1).astype(F32)}
    return case("atomic_shared", ["x", *expected], {"x": x}, expected)
