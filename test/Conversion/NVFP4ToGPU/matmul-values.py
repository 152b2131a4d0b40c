# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Generated matmul kernels, in the simulator, give what NumPy gives.

Scales that are powers of two make every sum exact: then all bits must agree.
Shapes are walked with epilogues, batches, types and orders of asynchrony of
their own, so that every pair of these meets in some case.

RUN: %python %s large nvfp4
RUN: %python %s large mxfp4
RUN: %python %s small nvfp4
RUN: %python %s small mxfp4
RUN: %python %s other nvfp4
REQUIRES: numpy
"""

from __future__ import annotations

import itertools
import sys

import numpy as np
from matmul_cases import LARGE, SMALL, Matmul, Runner

ROWS = {"large": [1, 5, 16, 32, 127, 128, 129, 513], "small": [1, 5, 16]}
SCHEDULES = {"large": LARGE, "small": SMALL}
COLUMNS = [1, 7, 8, 64, 100, 136, 384]
DEPTHS = [16, 48, 64, 80, 384, 1040]
ORDERS = ["late", "early", "random:7"]
# Other divisions of work, each with a chip.
OTHERS = [
    ("threads = 128, tile = 128x128x128, warps = 2x2x1, stages = 4", "sm_121a"),
    ("threads = 256, tile = 128x128x128, warps = 4x2x1, stages = 3", "sm_120a"),
    ("threads = 128, tile = 64x64x128, warps = 2x2x1, stages = 4", "sm_120a"),
    ("threads = 64, tile = 32x128x64, warps = 1x2x1, stages = 2", "sm_120a"),
    ("threads = 128, tile = 128x64x256, warps = 2x1x2, stages = 3", "sm_120a"),
    ("threads = 64, tile = 8x16x256, warps = 1x1x2, stages = 2, swapped = true", "sm_120a"),
    ("threads = 128, tile = 16x128x256, warps = 1x2x2, stages = 3, swapped = true", "sm_120a"),
]


def matmuls(kind: str, form: str):
    """A matmul and its numbers of rows."""
    if kind == "other":
        for i, (schedule, chip) in enumerate(OTHERS):
            yield Matmul(200, 336, batch=2 * (i % 2), schedule=schedule, chip=chip, epilogue="bias"), [1, 77, 130]
        return
    rows = ROWS[kind]
    for i, (n, k) in enumerate(itertools.product(COLUMNS, DEPTHS)):
        # MXFP4 differs in its scales only.
        if form == "mxfp4" and i % 3 != 0:
            continue
        matmul = Matmul(
            n,
            k,
            form=form,
            batch=3 * (i % 2),
            rhs_batched=i % 4 == 1,
            element=["f32", "bf16"][i // 2 % 2],
            epilogue=["", "bias", "rational", "heads" if n % 64 == 0 else "bias"][i % 4],
            schedule=SCHEDULES[kind],
            lhs_global=["row", "tensor"][i // 2 % 3 == 0],
            any_scale=i % 5 == 0,
        )
        yield matmul, [rows[i % len(rows)], rows[(3 * i + 1) % len(rows)]][: 1 + (i % 3 == 0)]


def main() -> int:
    kind, form = sys.argv[1:]
    runner = Runner()
    rng = np.random.default_rng(20261122)
    for i, (matmul, rows) in enumerate(matmuls(kind, form)):
        runner.options = ["--accumulate=exact"] if i % 2 else []
        runner.order = ORDERS[i % 3]
        runner.run(matmul, rows, rng)
    print(f"{runner.launches} launches, {runner.failures} wrong")
    return runner.failures != 0


if __name__ == "__main__":
    sys.exit(main())
