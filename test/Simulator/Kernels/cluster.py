# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Exchange inside clusters of two and four.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import Case


def cases(rng: np.random.Generator) -> list[Case]:
    return [
        *(cluster_sum(rng, size) for size in (2, 4)),
        *(histogram(rng, size) for size in (2, 4)),
        *(ring(rng, size, rounds) for size, rounds in ((2, 5), (4, 9))),
        *(multicast(rng, size) for size in (2, 4)),
        bulk_copy(rng),
    ]


def numbers(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(-(1 << 20), 1 << 20, shape).astype(np.int32)


def cluster_sum(rng: np.random.Generator, size: int) -> Case:
    x = numbers(rng, 8, 64)
    out = x.reshape(-1, size, 64).sum(axis=1, dtype=np.int32)
    return Case(f"sum_{size}", "cluster_sum", (8,), (64,), ["x", "out"], {"x": x}, {"out": out}, cluster=(size,))


def histogram(rng: np.random.Generator, size: int) -> Case:
    x = rng.integers(0, 256, 3000).astype(np.uint8)
    counts = np.bincount(x % 64, minlength=64).astype(np.uint32)
    args = ["x", "counts", np.int32(x.size)]
    return Case(
        f"histogram_{size}", "cluster_histogram", (8,), (64,), args, {"x": x}, {"counts": counts}, cluster=(size,)
    )


def ring(rng: np.random.Generator, size: int, rounds: int) -> Case:
    x = numbers(rng, 4, 32)
    value = x.reshape(-1, size, 32)
    for _ in range(rounds):
        value = np.roll(value, 1, axis=1) + np.arange(1, size + 1, dtype=np.int32)[:, None]
    args = ["x", "out", np.int32(rounds)]
    expected = {"out": value.reshape(4, 32).astype(np.int32)}
    return Case(f"ring_{size}", "cluster_ring", (4,), (32,), args, {"x": x}, expected, cluster=(size,))


def multicast(rng: np.random.Generator, size: int) -> Case:
    x = numbers(rng, 256)
    out = x[None] + (np.arange(4, dtype=np.int32) % size)[:, None]
    return Case(
        f"multicast_{size}", "cluster_multicast", (4,), (64,), ["x", "out"], {"x": x}, {"out": out}, cluster=(size,)
    )


def bulk_copy(rng: np.random.Generator) -> Case:
    x = numbers(rng, 3, 64)
    expected = {"out": x + np.int32(1000)}
    return Case("bulk_copy", "cluster_bulk_copy", (6,), (64,), ["x", "out"], {"x": x}, expected, cluster=(2,))
