# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One block-scaled product in tensor memory as LLVM compiles it.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import E2M1, E4M3, F32, Case, pack_nibbles


def cases(rng: np.random.Generator) -> list[Case]:
    a, b = (rng.integers(0, 16, (128, 64)).astype(np.uint8) for _ in range(2))
    sfa, sfb = (rng.choice(np.arange(0x28, 0x50, 8), (128, 4)).astype(np.uint8) for _ in range(2))
    dense_a, dense_b = E2M1[a] * E4M3[sfa].repeat(16, 1), E2M1[b] * E4M3[sfb].repeat(16, 1)
    alpha = F32(-0.25)
    inputs = {"a": pack_nibbles(a), "b": pack_nibbles(b), "sfa": sfa, "sfb": sfb}
    args = ["a", "b", "sfa", "sfb", "d", alpha]
    # Powers of two: every sum is exact.
    d = alpha * (dense_a @ dense_b.T)
    return [Case("mma", "nvfp4_tcgen05_128x128x64", (1,), (128,), args, inputs, {"d": d.astype(F32)})]
