# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One warp-level block-scaled product as LLVM compiles it.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import E2M1, E4M3, F32, Case, pack_nibbles


def cases(rng: np.random.Generator) -> list[Case]:
    a, b = (rng.integers(0, 16, (rows, 64)).astype(np.uint8) for rows in (16, 8))
    sfa, sfb = (rng.choice(np.arange(0x28, 0x50, 8), (rows, 4)).astype(np.uint8) for rows in (16, 8))
    dense_a, dense_b = E2M1[a] * E4M3[sfa].repeat(16, 1), E2M1[b] * E4M3[sfb].repeat(16, 1)
    alpha = F32(-0.25)
    inputs = {"a": pack_nibbles(a), "b": pack_nibbles(b), "sfa": sfa, "sfb": sfb}
    args = ["a", "b", "sfa", "sfb", "d", alpha]
    # Powers of two: every sum is exact, so there is no zero but the true one.
    d = alpha * (dense_a @ dense_b.T)
    return [Case("mma", "nvfp4_mma_16x8x64", (1,), (32,), args, inputs, {"d": d.astype(F32)})]
