# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention without the matrix of scores, against f64.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import F32, Case, Close, from_bf16, to_bf16

HEAD, PITCH = 64, 144


def cases(rng: np.random.Generator) -> list[Case]:
    return [
        attention(rng, 2, 64, 64, causal=False),
        attention(rng, 1, 100, 75, causal=False),
        attention(rng, 1, 90, 90, causal=True),
    ]


def attention(rng: np.random.Generator, heads: int, queries: int, keys: int, causal: bool) -> Case:
    q, k, v = (to_bf16(rng.normal(0, 1, (heads, rows, HEAD)).astype(F32)) for rows in (queries, keys, keys))
    wide_q, wide_k, wide_v = (from_bf16(x).astype(np.float64) for x in (q, k, v))
    scores = wide_q @ wide_k.transpose(0, 2, 1) / 8
    if causal:
        scores[:, np.arange(keys)[None, :] > np.arange(queries)[:, None]] = -np.inf
    p = np.exp(scores - scores.max(axis=-1, keepdims=True))
    o = p / p.sum(axis=-1, keepdims=True) @ wide_v
    # Probabilities are rounded to bf16 before the second product, results after it.
    spread = (p / p.sum(axis=-1, keepdims=True)) @ np.abs(wide_v)
    expected = Close(o, relative=2.0**-8, absolute=float(2.0**-8 * spread.max()), decode=from_bf16)
    args = ["q", "k", "v", "o", np.int32(queries), np.int32(keys), np.int32(causal)]
    name = f"{queries}x{keys}" + ("_causal" if causal else "")
    shared = (64 + 4 * 32) * PITCH
    grid = (-(-queries // 64), heads)
    return Case(name, "flash_attention", grid, (128,), args, {"q": q, "k": k, "v": v}, {"o": expected}, shared=shared)
