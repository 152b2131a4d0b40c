# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Matmul kernels whose sums are in tensor memory, in the simulator, give what NumPy gives.

One or two blocks compute all tiles, so that stages and both sums are used again. Scales that are powers of two make
every sum exact: then all bits must agree.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import sys

import numpy as np
from float_cases import TENSOR_DECODED, TENSOR_FEW, TENSOR_WIDE, FloatMatmul, WeightOnly
from matmul_cases import MIDDLE, MIDDLE_PAIRS, OVERLAPPED, PAIRS, SEPARATE, SHARED, SWAPPED, SWAPPED_MANY, Matmul, Runner

CASES = [
    (Matmul(520, 1040, schedule=OVERLAPPED, chip="sm_100a", epilogue="bias", blocks=1), [129, 257]),
    (Matmul(300, 80, schedule=OVERLAPPED, chip="sm_103a", element="bf16", blocks=1, any_scale=True), [513]),
    (Matmul(264, 1536, "mxfp4", schedule=OVERLAPPED, chip="sm_100a", blocks=2), [1, 130]),
    (Matmul(136, 2064, schedule=SEPARATE, chip="sm_100a", epilogue="rational", blocks=1), [5, 300]),
    (Matmul(384, 336, schedule=SEPARATE, chip="sm_110a", batch=3, epilogue="heads", blocks=2), [70]),
    (Matmul(100, 16, schedule=SEPARATE, chip="sm_100a", batch=2, rhs_batched=False, blocks=1), [128]),
    (Matmul(7, 1104, "mxfp4", schedule=SEPARATE, chip="sm_100a", element="bf16", blocks=1), [129]),
    (Matmul(300, 1296, schedule=SWAPPED, chip="sm_100a", epilogue="bias", blocks=1), [1, 16]),
    (Matmul(257, 48, "mxfp4", schedule=SWAPPED, chip="sm_100a", element="bf16", batch=2, blocks=2), [7]),
    # Any number of rows in the unit's columns; tiles of them that begin in the middle of a tile of scales.
    (Matmul(136, 528, schedule=SWAPPED_MANY, chip="sm_100a", epilogue="bias", blocks=1), [130]),
    (Matmul(136, 272, "mxfp4", schedule=SWAPPED_MANY.replace("64x", "192x"), chip="sm_103a", batch=2, blocks=2), [400]),
    (Matmul(200, 528, schedule=SWAPPED_MANY.replace("64x", "256x"), chip="sm_110a", any_scale=True, blocks=1), [300]),
    (Matmul(136, 528, schedule=SWAPPED_MANY + ", clusters = 2", chip="sm_100a", epilogue="bias", blocks=1), [130]),
    # CTAs that share K, some with more tiles of it than others.
    (Matmul(300, 1296, schedule=SHARED, chip="sm_100a", epilogue="bias", blocks=1), [1, 16]),
    (Matmul(257, 2064, "mxfp4", schedule=SHARED.replace("= 4", "= 8"), chip="sm_103a", element="bf16", batch=2, blocks=2), [7]),
    (Matmul(130, 768, schedule=SHARED.replace("16x128", "64x128").replace("= 4", "= 2"), chip="sm_110a", any_scale=True), [13]),
    # Two CTAs, of which the second has fewer rows or none, and half of the columns that the product does not have.
    (Matmul(520, 1040, schedule=PAIRS, chip="sm_100a", epilogue="bias", blocks=1), [129, 257]),
    (Matmul(130, 2064, schedule=PAIRS, chip="sm_103a", any_scale=True, blocks=1), [5, 384]),
    (Matmul(264, 1536, "mxfp4", schedule=PAIRS, chip="sm_110a", batch=2, element="bf16", blocks=2), [300]),
    (Matmul(392, 1040, schedule=MIDDLE, chip="sm_100a", epilogue="bias", blocks=1), [129]),
    (Matmul(584, 1296, "mxfp4", schedule=MIDDLE, chip="sm_110a", element="bf16", batch=2, blocks=3), [5]),
    (Matmul(136, 528, schedule=MIDDLE.replace("192", "64"), chip="sm_103a", any_scale=True, blocks=1), [130]),
    (Matmul(392, 1040, schedule=MIDDLE_PAIRS, chip="sm_100a", epilogue="bias", blocks=1), [257]),
    (Matmul(200, 16, "nvfp4", schedule=MIDDLE_PAIRS, chip="sm_103a", blocks=1), [1, 129]),
]
# Operands of 16 bits, by tensor maps and by copies of threads, with K and with rows contiguous. The number of blocks is that
# of tiles.
MEDIUM = TENSOR_WIDE.replace("256", "192")
WIDE_PAIRS = TENSOR_WIDE + ", clusters = 2"
PLAIN = [
    (FloatMatmul(264, 384, schedule=TENSOR_WIDE, chip="sm_100a"), [130]),
    (FloatMatmul(136, 80, schedule=TENSOR_WIDE, chip="sm_100a", element="f16", rhs="kn", batch=3), [33]),
    (FloatMatmul(384, 48, schedule=TENSOR_WIDE, chip="sm_100a", lhs="km", rhs="kn", dynamic="mk", has_init=True), [128]),
    (FloatMatmul(130, 130, schedule=TENSOR_WIDE, chip="sm_100a", source="f32", dynamic="mnk"), [129]),
    (FloatMatmul(392, 144, schedule=MEDIUM, chip="sm_103a", result="bf16"), [130]),
    # Pairs, by tensor maps, by copies of threads, and by one of both.
    (FloatMatmul(392, 336, schedule=WIDE_PAIRS, chip="sm_100a"), [129, 300]),
    (FloatMatmul(264, 80, schedule=WIDE_PAIRS, chip="sm_100a", element="f16", rhs="kn", batch=3), [33]),
    (FloatMatmul(136, 144, schedule=WIDE_PAIRS.replace("256", "128"), chip="sm_103a", lhs="km", rhs="kn", has_init=True), [256]),
    (FloatMatmul(390, 130, schedule=WIDE_PAIRS, chip="sm_100a", source="f32", dynamic="mnk"), [129]),
    (FloatMatmul(384, 208, schedule=WIDE_PAIRS, chip="sm_110a", rhs="kn", dynamic="mn"), [260]),
    (FloatMatmul(200, 336, schedule=TENSOR_FEW, chip="sm_100a", result="bf16"), [1, 64]),
    (FloatMatmul(72, 72, schedule=TENSOR_FEW, chip="sm_100a", lhs="km", batch=2), [64]),
]
# Weights that are decoded to shared memory: on the unit's rows, and on its columns. Activations by tensor maps, rounded by
# threads, and with a batch.
DECODED_FEW = TENSOR_DECODED.replace("256x", "64x")
DECODED_COLUMNS = "threads = 288, tile = 128x256x64, warps = 4x1x1, stages = 2"
WEIGHTS = [
    (WeightOnly(264, 592, schedule=TENSOR_DECODED, chip="sm_100a", activations="bf16", blocks=1), [1, 257]),
    (WeightOnly(136, 336, "mxfp4", schedule=TENSOR_DECODED, chip="sm_103a", activations="bf16", batch=2, blocks=2), [130]),
    (WeightOnly(200, 80, schedule=TENSOR_DECODED, chip="sm_100a", any_scale=True), [65]),
    (WeightOnly(136, 208, schedule=TENSOR_DECODED.replace("256", "192"), chip="sm_100a", activations="bf16", blocks=1), [260]),
    (WeightOnly(100, 1040, "mxfp4", schedule=DECODED_FEW, chip="sm_100a", activations="bf16", batch=2, rhs_batched=False), [64]),
    (WeightOnly(7, 16, schedule=DECODED_FEW, chip="sm_110a", activations="f16", element="bf16"), [33]),
    (WeightOnly(300, 272, schedule=DECODED_COLUMNS, chip="sm_100a", activations="bf16", blocks=2), [129]),
    (WeightOnly(256, 256, schedule=TENSOR_DECODED, chip="sm_100a", activations="bf16", every_scale=True, one_hot=True), [256]),
    (WeightOnly(256, 256, "mxfp4", schedule=TENSOR_DECODED, chip="sm_100a", activations="bf16", every_scale=True, one_hot=True), [256]),
]


def main() -> int:
    runner = Runner()
    rng = np.random.default_rng(20261123)
    for i, (matmul, rows) in enumerate([*CASES, *PLAIN, *WEIGHTS]):
        runner.options = ["--accumulate=exact"] if i % 2 else []
        runner.order = ["late", "early", "random:7"][i % 3]
        runner.run(matmul, rows, rng)
    print(f"{runner.launches} launches, {runner.failures} wrong")
    return runner.failures != 0


if __name__ == "__main__":
    sys.exit(main())
