# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Instructions on the bytes of a word.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import Case


def cases(rng: np.random.Generator) -> list[Case]:
    n = 100
    a, b = (rng.integers(0, 256, (n, 4)).astype(np.uint8) for _ in range(2))
    difference = np.abs(a.astype(int) - b)
    out = np.stack([difference.astype(np.uint8).view(np.uint32)[:, 0], difference.sum(axis=1).astype(np.uint32)])
    inputs = {"a": a.view(np.uint32)[:, 0], "b": b.view(np.uint32)[:, 0]}
    args = ["a", "b", "out", np.int32(n)]
    return [Case("bytes", "byte_differences", (2,), (64,), args, inputs, {"out": out})]
