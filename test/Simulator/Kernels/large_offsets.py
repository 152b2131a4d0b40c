# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Offsets beyond 2^31, in a buffer of which only touched pages should cost memory.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import Case


def cases(rng: np.random.Generator) -> list[Case]:
    words = (1 << 30) + (1 << 10)
    thread = np.arange(32, dtype=np.uint32)
    out = np.zeros((5, 32), np.uint32)
    out[:4] = 100 * np.arange(4, dtype=np.uint32)[:, None] + (thread ^ 1)
    # Byte 2^31 is word 2^29: sixteen words into what the second write filled.
    out[4, :16] = 100 + thread[16:]
    scratch = {"big": np.zeros(words, np.uint32)}
    args = ["big", "out", np.int64(words)]
    return [Case("offsets", "large_offsets", (1,), (32,), args, {}, {"out": out}, scratch=scratch)]
