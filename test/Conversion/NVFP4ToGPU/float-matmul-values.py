# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Matmul kernels of 16-bit units, in the simulator, give what NumPy gives, bit for bit where sums are exact.

Shapes are walked with layouts, batches, types and orders of asynchrony of their own, so that every pair of these meets
in some case.

RUN: %python %s plain
RUN: %python %s plain-small
RUN: %python %s other
RUN: %python %s warpgroups
RUN: %python %s warpgroup-weights
RUN: %python %s weights
RUN: %python %s weights-small
REQUIRES: numpy
"""

from __future__ import annotations

import itertools
import sys

import numpy as np
from float_cases import (
    MX_WEIGHTS,
    MX_WEIGHTS_SMALL,
    PLAIN,
    PLAIN_SMALL,
    WARPGROUPS,
    WARPGROUPS_SMALL,
    WEIGHTS,
    WEIGHTS_SMALL,
    FloatMatmul,
    RegisterWeights,
    WeightOnly,
)
from matmul_cases import Runner

ROWS = [1, 5, 16, 32, 127, 128, 129, 513]
FEW_ROWS = [1, 5, 16]
COLUMNS = [1, 7, 8, 64, 100, 136, 384]
DEPTHS = [16, 33, 48, 64, 80, 384]
ORDERS = ["late", "early", "random:7"]
ATTENTION = "threads = 128, tile = 32x32x32, warps = 2x2x1, stages = 2"


def plain(rows: list[int], schedule: str):
    for i, (n, k) in enumerate(itertools.product(COLUMNS, DEPTHS)):
        matmul = FloatMatmul(
            n,
            k,
            batch=3 * (i % 2),
            rhs_batched=i % 4 == 1,
            element=["bf16", "f16"][i // 3 % 2],
            lhs=["mk", "km"][i % 5 == 0],
            rhs=["nk", "kn"][i // 2 % 2],
            has_init=i % 7 == 0,
            source=["", "f32"][i % 6 == 5],
            dynamic=["m", "mk", "mnk"][i // 5 % 3],
            schedule=schedule,
        )
        yield matmul, [rows[i % len(rows)], rows[(3 * i + 1) % len(rows)]]


def other():
    # Attention of an encoder: everything but the batch is known.
    for rhs in "nk", "kn":
        yield FloatMatmul(32, 32, batch=24, rhs=rhs, dynamic="b", m=32, schedule=ATTENTION), [32]
    yield FloatMatmul(100, 64, result="bf16", schedule=ATTENTION), [70]
    # Copies of 16, 8 and 4 bytes, and of single elements.
    for extent in 40, 36, 34, 35:
        yield FloatMatmul(extent, extent, rhs="kn", batch=2), [67]
    yield FloatMatmul(128, 256, schedule="threads = 128, tile = 128x128x64, warps = 2x2x1, stages = 3", chip="sm_121a"), [200]
    yield FloatMatmul(64, 256, schedule="threads = 256, tile = 64x64x128, warps = 2x2x2, stages = 2"), [60]
    # All codes with all scales, exactly: rows of A pick one weight each.
    for form, schedule in ("nvfp4", WEIGHTS), ("mxfp4", MX_WEIGHTS):
        yield WeightOnly(384, 256, form=form, schedule=schedule, every_scale=True, one_hot=True), [256]


def warpgroups():
    # Copies of 16, 8 and 4 bytes and evaluated elements; K and rows contiguous; one tile of K, fewer and more than stages.
    extents = [(136, 384), (100, 80), (7, 33), (384, 48), (64, 16), (130, 130)]
    for i, (n, k) in enumerate(extents):
        yield FloatMatmul(
            n,
            k,
            batch=3 * (i % 2),
            rhs_batched=i % 4 == 1,
            element=["bf16", "f16"][i == 4],
            lhs=["mk", "km"][i == 3],
            rhs=["nk", "kn"][i // 2 % 2],
            has_init=i == 5,
            source=["", "f32"][i == 2],
            dynamic=["m", "mk", "mnk"][i % 3],
            schedule=[WARPGROUPS, WARPGROUPS_SMALL][i % 3 == 1],
            chip="sm_90a",
        ), [[1, 300], [65], [129], [0, 5], [256], [33]][i]


def warpgroup_weights():
    # Activations by tensor maps, and evaluated.
    for n, k, activations, form, schedule, rows in [
        (136, 384, "bf16", "nvfp4", WARPGROUPS, [1, 300]),
        (64, 48, "bf16", "nvfp4", "threads = 256, tile = 128x64x64, warps = 1x4x1, stages = 4, swapped = true", [129]),
        (200, 160, "f32", "nvfp4", WARPGROUPS, [33]),
        (128, 256, "bf16", "mxfp4", WARPGROUPS, [256]),
    ]:
        yield RegisterWeights(n, k, form=form, activations=activations, schedule=schedule, element="bf16"), rows
    yield RegisterWeights(100, 80, batch=3, activations="bf16", schedule=WARPGROUPS), [70]


def weights(rows: list[int], schedules: dict[str, str]):
    for i, (n, k) in enumerate(itertools.product(COLUMNS, [k for k in DEPTHS if k % 16 == 0])):
        form = ["nvfp4", "mxfp4"][i % 3 == 2]
        matmul = WeightOnly(
            n,
            k,
            form=form,
            batch=3 * (i % 2),
            rhs_batched=i % 4 == 1,
            element=["f32", "bf16"][i // 2 % 2],
            activations=["f32", "bf16", "f16"][i // 4 % 3],
            schedule=schedules[form],
        )
        yield matmul, [rows[i % len(rows)], rows[(3 * i + 1) % len(rows)]]


CASES = {
    "plain": lambda: plain(ROWS, PLAIN),
    "plain-small": lambda: plain(FEW_ROWS, PLAIN_SMALL),
    "other": other,
    "warpgroups": warpgroups,
    "warpgroup-weights": warpgroup_weights,
    "weights": lambda: weights(ROWS, {"nvfp4": WEIGHTS, "mxfp4": MX_WEIGHTS}),
    "weights-small": lambda: weights(FEW_ROWS, {"nvfp4": WEIGHTS_SMALL, "mxfp4": MX_WEIGHTS_SMALL}),
}


def main() -> int:
    runner = Runner()
    rng = np.random.default_rng(20261122)
    for i, (matmul, rows) in enumerate(CASES[sys.argv[1]]()):
        runner.options = ["--accumulate=exact"] if i % 2 else []
        runner.order = ORDERS[i % 3]
        runner.run(matmul, rows, rng)
    print(f"{runner.launches} launches, {runner.failures} wrong")
    return runner.failures != 0


if __name__ == "__main__":
    sys.exit(main())
