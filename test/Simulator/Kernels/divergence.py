# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Lanes that go different ways.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import Case, Holds


def cases(rng: np.random.Generator) -> list[Case]:
    return [
        collatz(rng),
        interpret(rng),
        jump_table(rng),
        spin_lock(),
        spin_lock_branch(),
        half_warps(rng),
        compact(rng),
    ]


def collatz(rng: np.random.Generator) -> Case:
    n, limit = 150, 200
    x = rng.integers(1, 1 << 20, n).astype(np.uint32)

    def steps(value: int) -> int:
        for count in range(limit + 1):
            if value == 1:
                return count
            value = 3 * value + 1 if value % 2 else value // 2
        return -1

    expected = np.array([steps(int(value)) for value in x], np.int32)
    args = ["x", "steps", np.int32(n), np.int32(limit)]
    return Case("collatz", "collatz", (3,), (64,), args, {"x": x}, {"steps": expected})


def interpret(rng: np.random.Generator) -> Case:
    threads = 128
    programs = rng.integers(0, 10, (threads, 8)).astype(np.uint8)

    def wrap(value: int) -> int:
        return (value + (1 << 31)) % (1 << 32) - (1 << 31)

    def run(thread: int) -> int:
        value, held, pc = thread, 1, 0
        while pc < 8:
            code = programs[thread, pc]
            if code == 8:
                return value
            if code == 0:
                value = wrap(value + held)
            elif code == 1:
                value = wrap(3 * value)
            elif code == 2:
                held = value ^ 21
            elif code == 3:
                pc += value & 1
            elif code == 4:
                value = wrap(-value) >> 1
            elif code == 5:
                value >>= 1
            elif code == 6:
                value = wrap(value + sum(i * held for i in range(held & 7)))
            elif code == 7:
                value = wrap(held - value)
            else:
                held = ~held
            if code != 7:
                held = wrap(held + pc)
            pc += 1
        return wrap(value + held)

    expected = np.array([run(thread) for thread in range(threads)], np.int32)
    return Case("interpret", "interpret", (2,), (64,), ["programs", "out"], {"programs": programs}, {"out": expected})


def jump_table(rng: np.random.Generator) -> Case:
    which = rng.integers(0, 4, 64).astype(np.uint32)
    thread = np.arange(64)
    out = np.choose(which, [thread + 100, thread * 3, -thread, thread * 3]).astype(np.int32)
    return Case("jump_table", "jump_table", (1,), (64,), ["which", "out"], {"which": which}, {"out": out})


def spin_lock() -> Case:
    """Who comes first is open, but everyone comes once."""
    blocks, threads = 3, 64
    n = blocks * threads

    def permutation(order: np.ndarray) -> str | None:
        return None if (np.sort(order) == np.arange(n)).all() else f"'order': expected a permutation, but got {order}"

    expected = {
        "lock": np.zeros(1, np.uint32),
        "counter": np.array([n], np.uint32),
        "order": Holds(permutation, np.zeros(n, np.uint32)),
    }
    return Case("spin_lock", "spin_lock", (blocks,), (threads,), ["lock", "counter", "order"], {}, expected)


def spin_lock_branch() -> Case:
    """The same step for all, so the order does not matter but the number of steps does."""
    total = 0
    for _ in range(100):
        total = total * 2 % 65521 + 1
    expected = {"sum": np.array([total], np.uint32)}
    scratch = {"lock": np.zeros(1, np.uint32)}
    return Case("spin_lock_branch", "spin_lock_branch", (2,), (50,), ["lock", "sum"], {}, expected, scratch=scratch)


def half_warps(rng: np.random.Generator) -> Case:
    x = rng.integers(-1000, 1000, 64).astype(np.int32)
    thread = np.arange(64)
    low = x[thread ^ 1] - x[thread ^ 8 ^ 1]
    most = x.reshape(4, 16).max(axis=1).repeat(16)
    high = most - x[thread ^ 2]
    out = np.where(thread % 32 < 16, low, high).astype(np.int32)
    return Case("half_warps", "half_warps", (1,), (64,), ["x", "out"], {"x": x}, {"out": out})


def compact(rng: np.random.Generator) -> Case:
    n, threads = 250, 256
    x = rng.integers(-100, 100, n).astype(np.int32)
    x[64:96] = 7
    padded = np.pad(x, (0, threads - n)).reshape(-1, 32)
    kept = np.sort(x[x > 0])
    masks = ((padded > 0).astype(np.uint64) << np.arange(32, dtype=np.uint64)).sum(axis=1).astype(np.uint32)
    masks ^= (padded >= 0).all(axis=1).astype(np.uint32)
    masks ^= (padded < -90).any(axis=1).astype(np.uint32) << np.uint32(1)
    masks ^= np.where((padded == padded[:, :1]).all(axis=1), np.uint32(0xFFFFFFFF), np.uint32(0))

    def same_set(out: np.ndarray) -> str | None:
        good = (np.sort(out[: kept.size]) == kept).all() and not out[kept.size :].any()
        return None if good else f"'out': expected the positive numbers in any order, but got {out}"

    expected = {"out": Holds(same_set, np.zeros(n, np.int32)), "size": np.array([kept.size], np.uint32), "masks": masks}
    args = ["x", "out", "size", "masks", np.int32(n)]
    return Case("compact", "compact", (2,), (128,), args, {"x": x}, expected)
