# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Constant memory and initialised variables.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import F32, Case, Holds


def cases(rng: np.random.Generator) -> list[Case]:
    return [tables(rng), variables(), texts(rng)]


def tables(rng: np.random.Generator) -> Case:
    i = np.arange(64)
    polynomial = np.array([1, -0.5, 0.25, -0.125, 2], F32)
    # Multiples of 1/2 below 4: every step of Horner's rule is exact.
    x = rng.integers(-7, 8, 64).astype(F32) / F32(2)
    y = np.polyval(polynomial[::-1], x) + polynomial[i % 5]
    of_entry = np.array([ord("a") + 1 + 500 - 600 + 700 - 800, ord("b") - 6 + 3 - 4, ord("c") + 200 + 32767 - 32768])
    counts = np.array([bin(value).count("1") for value in range(16)])
    sums = of_entry[i % 3] + counts[np.where(i % 2, 12, 4) + i % 4]
    expected = {"y": y.astype(F32), "sums": sums.astype(np.int32)}
    return Case("tables", "constant_tables", (2,), (32,), ["x", "y", "sums"], {"x": x}, expected)


def variables() -> Case:
    def counts(seen: np.ndarray) -> str | None:
        good = (np.sort(seen) == 41 + np.arange(64)).all()
        return None if good else f"'seen': expected 41 to 104 in any order, but got {seen}"

    expected = {"seen": Holds(counts, np.zeros(64, np.int32)), "is_null": np.ones(1, np.uint64)}
    return Case("variables", "module_variables", (2,), (32,), ["seen", "is_null"], {}, expected)


def texts(rng: np.random.Generator) -> Case:
    which = rng.integers(0, 3, 32).astype(np.int32)
    lengths = np.array([5000 + ord("n"), 0, 14000 + ord("a")], np.int32)[which]
    return Case("texts", "text_lengths", (1,), (32,), ["which", "lengths"], {"which": which}, {"lengths": lengths})
