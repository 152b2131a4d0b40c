# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The golden NVFP4 quantizer in NumPy, written apart from the C++ one.

Every operation is float32 with round to nearest even, in the order of Transformer
Engine's default path (docs/Format). Blocks are 1x16 along the last dimension.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

F32 = np.float32
FLT_MAX = np.finfo(F32).max
BLOCK = 16

# Values of the codes 0 to 7; bit 3 of a code is the sign.
E2M1_VALUES = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], F32)
# Halfway points between neighbours. A tie goes to the even code.
_E2M1_MIDPOINTS = (E2M1_VALUES[1:] + E2M1_VALUES[:-1]) / 2


def _e4m3_value(byte: int) -> float:
    exponent, mantissa = byte >> 3, byte & 7
    return mantissa * 2.0**-9 if exponent == 0 else (8 + mantissa) * 2.0 ** (exponent - 10)


# Values of the bytes 0x00 to 0x7E, in ascending order; 0x7F is NaN.
E4M3_VALUES = np.array([_e4m3_value(byte) for byte in range(0x7F)], F32)


def encode_e4m3(x: np.ndarray) -> np.ndarray:
    """Bytes of non-negative float32 values: nearest even, saturating at 448."""
    high = np.clip(np.searchsorted(E4M3_VALUES, x), 1, 0x7E)
    low = high - 1
    # Exact: neighbours differ by a power of two and their sum has five bits.
    middle = (E4M3_VALUES[high] + E4M3_VALUES[low]) * F32(0.5)
    up = (x > middle) | ((x == middle) & (high % 2 == 0))
    return np.where(up, high, low).astype(np.uint8)


def encode_e2m1(x: np.ndarray) -> np.ndarray:
    """Codes of finite float32 values: nearest even, saturating at 6, sign kept."""
    magnitude = np.abs(x)
    code = np.zeros(x.shape, np.uint8)
    for lower, middle in enumerate(_E2M1_MIDPOINTS):
        code += magnitude >= middle if lower % 2 else magnitude > middle
    return code | (np.signbit(x).astype(np.uint8) << 3)


def decode_e2m1(codes: np.ndarray) -> np.ndarray:
    """Float32 values of codes."""
    values = E2M1_VALUES[codes & 7]
    return np.where(codes & 8, -values, values)


@dataclass(frozen=True)
class Quantized:
    """A matrix [M, K]: codes u8 [M, K], scales E4M3 u8 [M, K/16], decode scale f32 [1, 1] or [M, 1]."""

    codes: np.ndarray
    scales: np.ndarray
    decode_scale: np.ndarray

    def unscaled(self) -> np.ndarray:
        """Codes times block scales, f32 [M, K]: what the MMA multiplies, before the global scale."""
        values = decode_e2m1(self.codes).reshape(*self.scales.shape, BLOCK)
        return (values * E4M3_VALUES[self.scales][..., None]).reshape(self.codes.shape)

    def dequantize(self) -> np.ndarray:
        """F32 [M, K]."""
        return self.unscaled() * self.decode_scale


def quantize(x: np.ndarray, per_row: bool = False) -> Quantized:
    """Quantize a finite f32 matrix [M, K], K a multiple of 16.

    `per_row` gives each row a global scale of its own. Raises `ValueError` for another
    dtype, rank or extent, and for NaN or Inf.
    """
    if x.dtype != F32 or x.ndim != 2 or x.shape[1] % BLOCK:
        raise ValueError(f"expected f32 [M, K] with K a multiple of {BLOCK}, but got {x.dtype} {list(x.shape)}")
    if not np.isfinite(x).all():
        raise ValueError(f"expected finite values, but got {int((~np.isfinite(x)).sum())} NaN or Inf")
    blocks = x.reshape(x.shape[0], -1, BLOCK)
    block_max = np.abs(blocks).max(axis=2)
    tensor_max = block_max.max(axis=1, keepdims=True) if per_row else block_max.max(keepdims=True)

    with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="ignore"):
        encode_scale = np.minimum(F32(2688) / tensor_max, FLT_MAX)
        encode_scale = np.where((tensor_max == 0) | (encode_scale == 0), F32(1), encode_scale)
        decode_scale = F32(1) / encode_scale
        multiplier = encode_scale * (F32(1) / F32(6))
        scales = encode_e4m3(np.minimum(block_max * multiplier, FLT_MAX))
        encode = np.minimum(F32(1) / (E4M3_VALUES[scales] * decode_scale), FLT_MAX)
        codes = encode_e2m1(blocks * encode[..., None])
    return Quantized(codes.reshape(x.shape), scales, decode_scale)
