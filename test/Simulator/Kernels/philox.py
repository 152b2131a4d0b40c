# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Counter-based random bits, stochastic rounding.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import E2M1, F32, Case, pack_nibbles

SEED = 0x123456789ABCDEF0


def cases(rng: np.random.Generator) -> list[Case]:
    return [known_answers(), random_words(), round_e2m1(rng)]


def philox(counters: np.ndarray, seed: int) -> np.ndarray:
    """Words [n, 4] of 64-bit counters, with Python's integers."""
    result = []
    for counter in counters.tolist():
        words = [counter & 0xFFFFFFFF, counter >> 32, 0, 0]
        key = [seed & 0xFFFFFFFF, seed >> 32]
        for _ in range(10):
            first, second = 0xD2511F53 * words[0], 0xCD9E8D57 * words[2]
            words = [
                second >> 32 ^ words[1] ^ key[0],
                second & 0xFFFFFFFF,
                first >> 32 ^ words[3] ^ key[1],
                first & 0xFFFFFFFF,
            ]
            key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
        result.append(words)
    return np.array(result, np.uint32)


def known_answers() -> Case:
    """The first test vector of the authors' library: counter and key of zeros."""
    out = np.array([[0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]], np.uint32)
    assert (philox(np.zeros(1, np.uint64), 0) == out).all()
    args = ["out", np.uint64(0), np.uint64(0), np.int32(1)]
    return Case("known_answer", "random_words", (1,), (32,), args, {}, {"out": out})


def random_words() -> Case:
    n, offset = 100, (1 << 32) - 50
    out = philox(np.arange(offset, offset + n, dtype=np.uint64), SEED)
    args = ["out", np.uint64(SEED), np.uint64(offset), np.int32(n)]
    return Case("words", "random_words", (2,), (64,), args, {}, {"out": out})


def round_e2m1(rng: np.random.Generator) -> Case:
    n = 70
    x = (rng.normal(0, 1, (n, 16)) * 2.0 ** rng.uniform(-2, 3, (n, 1))).astype(F32)
    x[0, :8] = E2M1[:8]
    random = philox(np.arange(n, dtype=np.uint64), SEED).view(np.uint8).reshape(n, 16)
    table = E2M1[:8].astype(np.float64)
    magnitude = np.minimum(np.abs(x), F32(6)).astype(np.float64)
    low = np.searchsorted(table, magnitude, side="right") - 1
    high = np.minimum(low + 1, 7)
    fraction = (magnitude - table[low]) / np.where(high > low, table[high] - table[low], 1)
    codes = np.where(np.floor(fraction * 256) + random >= 256, high, low) | np.signbit(x) << 3
    args = ["x", "out", np.uint64(SEED), np.int32(n)]
    expected = {"out": pack_nibbles(codes.astype(np.uint8))}
    return Case("round_e2m1", "round_e2m1", (2,), (64,), args, {"x": x}, expected)
