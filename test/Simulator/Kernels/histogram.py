# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Counting bytes with atomics.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import Case


def cases(rng: np.random.Generator) -> list[Case]:
    """Few distinct values, so that lanes collide."""
    return [histogram(rng, "histogram", 5, 9999), histogram(rng, "histogram_match", 16, 2001)]


def histogram(rng: np.random.Generator, entry: str, blocks: int, n: int) -> Case:
    x = np.where(rng.random(n) < 0.5, rng.integers(0, 4, n), rng.integers(0, 256, n)).astype(np.uint8)
    before = rng.integers(0, 100, 256).astype(np.uint32)
    expected = before + np.bincount(x, minlength=256).astype(np.uint32)
    args = ["x", "counts", np.int32(n)]
    return Case(entry, entry, (blocks,), (128,), args, {"x": x, "counts": before}, {"counts": expected})
