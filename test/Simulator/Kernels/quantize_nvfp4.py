# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantization to NVFP4: bytes as the golden chain has them.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import E4M3, F32, Case, from_bf16, pack_nibbles, tile_scales, to_bf16, to_e2m1, to_e4m3

FLT_MAX = np.finfo(F32).max


def quantize(x: np.ndarray, amax: np.float32) -> tuple[np.ndarray, np.ndarray]:
    """Packed codes and scales of blocks x[.., 16], every operation in f32."""
    with np.errstate(all="ignore"):
        encode = np.minimum(F32(2688) / amax, FLT_MAX)
        encode = F32(1) if amax == 0 or encode == 0 else encode
        decode = F32(1) / encode
        most = np.fmax.reduce(np.abs(x), axis=-1, initial=F32(0))
        scale = to_e4m3(np.minimum(most * (encode * (F32(1) / F32(6))), FLT_MAX))
        factor = np.minimum(F32(1) / (E4M3[scale] * decode), FLT_MAX)
        codes = to_e2m1(x * factor[..., None])
    return pack_nibbles(codes), scale


def cases(rng: np.random.Generator) -> list[Case]:
    cases = [amax(rng)]
    wide = rng.normal(0, 1, (150, 6, 16)) * 10.0 ** rng.uniform(-6, 0, (150, 6, 1))
    cases.append(f32("f32", wide.astype(F32)))
    cases.append(f32("f32_ragged", (rng.normal(0, 100, (5, 67, 16))).astype(F32)))
    cases.append(f32("f32_zeros", np.zeros((3, 2, 16), F32)))
    special = rng.normal(0, 1, (4, 4, 16)).astype(F32)
    special[0, 0, 3], special[1, 1] = np.nan, np.nan
    special[2, 2, ::2] = -0.0
    special[3, 0] *= F32(1e-30)
    cases.append(f32("f32_special", special))
    special = special.copy()
    special[0, 1, 5] = -np.inf
    cases.append(f32("f32_infinite", special))
    # The scale of (A, b) = (1.09375, 0.8203125) lies halfway; the order of operations decides.
    tie = np.zeros((1, 2, 16), F32)
    tie[0, 0, 0], tie[0, 1, 0] = 1.09375, -0.8203125
    cases.append(f32("f32_tie", tie))
    cases.append(bf16(rng))
    return cases


def amax(rng: np.random.Generator) -> Case:
    x = rng.normal(0, 5, 1000).astype(F32)
    x[17] = np.nan
    most = np.nanmax(np.abs(x)).astype(F32)
    return Case(
        "amax", "tensor_amax", (3,), (128,), ["x", "amax", np.int32(1000)], {"x": x}, {"amax": np.array([most])}
    )


def f32(name: str, x: np.ndarray) -> Case:
    rows, blocks, _ = x.shape
    most = np.fmax.reduce(np.abs(x), axis=None)
    codes, scales = quantize(x, most)
    inputs = {"x": x, "amax": np.array([most], F32)}
    expected = {"codes": codes, "scales": tile_scales(scales)}
    args = ["x", "amax", "codes", "scales", np.int32(rows), np.int32(blocks)]
    return Case(name, "quantize_f32", (-(-blocks // 64), rows), (64,), args, inputs, expected)


def bf16(rng: np.random.Generator) -> Case:
    blocks = 100
    x = to_bf16(rng.normal(0, 2, (blocks, 16)).astype(F32))
    x[7, 3] = 0x7FC0
    wide = from_bf16(x)
    most = np.nanmax(np.abs(wide))
    codes, scales = quantize(wide, most)
    args = ["x", "amax", "codes", "scales", np.int32(blocks)]
    inputs = {"x": x, "amax": np.array([most], F32)}
    return Case("bf16", "quantize_bf16", (2,), (64,), args, inputs, {"codes": codes, "scales": scales})
