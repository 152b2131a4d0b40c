# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Loads and stores with hints and orders.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import F32, Case


def cases(rng: np.random.Generator) -> list[Case]:
    return [hinted_copy(rng), message_passing(rng), widths(rng)]


def hinted_copy(rng: np.random.Generator) -> Case:
    x = rng.integers(0, 1 << 32, (128, 4), np.uint32)
    scratch = {"scratch": np.zeros(128 * 32, np.uint32)}
    expected = {"y": x + np.uint32(1)}
    return Case("hints", "hinted_copy", (2,), (64,), ["x", "y", "scratch"], {"x": x}, expected, scratch=scratch)


def message_passing(rng: np.random.Generator) -> Case:
    x = rng.integers(-(1 << 31), 1 << 31, (6, 64)).astype(np.int32)
    scratch = {"data": np.zeros((6, 64), np.int32), "flags": np.zeros(6, np.uint32)}
    expected = {"out": np.ascontiguousarray(x[:, np.arange(64) ^ 37])}
    args = ["x", "data", "flags", "out"]
    return Case("message_passing", "message_passing", (12,), (64,), args, {"x": x}, expected, scratch=scratch)


def widths(rng: np.random.Generator) -> Case:
    n = 50
    x = rng.integers(0, 256, (n, 32)).astype(np.uint8)
    x[:, 16:24] = rng.normal(0, 1, (n, 1)).view(np.uint8)
    out = np.zeros_like(x)
    out[:, 0] = x[:, 1]
    out[:, 1] = (x[:, 0].view(np.int8) >> 1).view(np.uint8)
    out[:, 2:4] = (np.ascontiguousarray(x[:, 2:4]).view(np.uint16) + np.uint16(1)).view(np.uint8)
    out[:, 4:8] = x[:, [6, 7, 4, 5]]
    out[:, 8:12] = x[:, [11, 10, 9, 8]]
    out[:, 12:16] = (np.ascontiguousarray(x[:, 12:16]).view(np.uint32) * np.uint32(3)).view(np.uint8)
    out[:, 16:24] = (np.ascontiguousarray(x[:, 16:24]).view(np.float64) * 2).view(np.uint8)
    out[:, 24:28] = x[:, 24:25].astype(F32).view(np.uint8)
    out[:, 28:32] = np.ascontiguousarray(x[:, 25:26]).view(np.int8).astype(F32).view(np.uint8)
    return Case("widths", "widths", (2,), (32,), ["x", "out", np.int32(n)], {"x": x}, {"out": out})
