# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Producers and consumers with bar.arrive.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import Case


def cases(rng: np.random.Generator) -> list[Case]:
    return [*(mirror_add(rng, pieces) for pieces in (1, 2, 9)), pair_barriers(rng)]


def mirror_add(rng: np.random.Generator, pieces: int) -> Case:
    x = rng.integers(-(1 << 30), 1 << 30, (pieces, 64)).astype(np.int32)
    args = ["x", "out", np.int32(pieces)]
    return Case(f"mirror_{pieces}", "mirror_add", (1,), (96,), args, {"x": x}, {"out": x + x[:, ::-1]})


def pair_barriers(rng: np.random.Generator) -> Case:
    x = rng.integers(-999, 1000, 128).astype(np.int32)
    x[77] = 7
    out = np.roll(x.reshape(2, 64), -40, axis=1).reshape(-1)
    votes = np.array([(out > 0).sum(), 1, 1], np.uint32)
    return Case("pairs", "pair_barriers", (1,), (128,), ["x", "out", "votes"], {"x": x}, {"out": out, "votes": votes})
