# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The golden quantizer in NumPy, written from docs/Format.md and apart from the C++ code.

Numbers in parentheses are formulas of that page. Arrays are float32 and every
operation is rounded to nearest even, in the order written there. It searches tables
where the C++ code counts bits, so that a mistake would have to be made twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

F32 = np.float32
FLT_MAX = np.finfo(F32).max
INF = F32(np.inf)


def _quiet(function):
    """Divisions by zero and overflows are part of the definitions."""
    return np.errstate(all="ignore")(function)


# -----------------------------------------------------------------------------
# Single values
# -----------------------------------------------------------------------------

E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], F32)


def _nearest_even(values: np.ndarray, magnitude: np.ndarray) -> np.ndarray:
    """Index of the value nearest to each magnitude, ties to the even index, saturating.

    Midpoints are exact in float64.
    """
    table = values.astype(np.float64)
    middle = (table[1:] + table[:-1]) / 2
    wide = magnitude.astype(np.float64)
    # Midpoint i lies between i and i + 1; a tie goes up iff i is odd.
    below = np.searchsorted(middle, wide, side="left")
    at_most = np.searchsorted(middle, wide, side="right")
    tie = below != at_most
    return np.where(tie & (below % 2 == 1), at_most, below).astype(np.uint8)


def encode_e2m1(x: np.ndarray) -> np.ndarray:
    """(1.1), (1.2): codes of float32 values."""
    code = _nearest_even(E2M1, np.where(np.isnan(x), INF, np.abs(x)))
    negative = np.signbit(x) & ~np.isnan(x)
    return code | (negative.astype(np.uint8) << 3)


def encode_e2m1_stochastic(x: np.ndarray, random: np.ndarray) -> np.ndarray:
    """(1.3): codes of float32 values, one random byte for each."""
    nan = np.isnan(x)
    a = np.minimum(np.where(nan, F32(6), np.abs(x)), F32(6)).astype(np.float64)
    table = E2M1.astype(np.float64)
    low = np.searchsorted(table, a, side="right") - 1
    high = np.minimum(low + 1, 7)
    step = np.where(high > low, table[high] - table[low], 1)
    fraction = (a - table[low]) / step
    code = np.where(np.floor(256 * fraction) + random >= 256, high, low).astype(np.uint8)
    return code | ((np.signbit(x) & ~nan).astype(np.uint8) << 3)


def decode_e2m1(codes: np.ndarray) -> np.ndarray:
    """Float32 values of codes."""
    return np.where(codes & 8, -E2M1[codes & 7], E2M1[codes & 7])


def _minifloat(byte: int, mantissa_bits: int, bias: int) -> float:
    """(1.4)."""
    exponent, mantissa = byte >> mantissa_bits, byte & ((1 << mantissa_bits) - 1)
    if exponent == 0:
        return mantissa * 2.0 ** (1 - bias - mantissa_bits)
    return ((1 << mantissa_bits) + mantissa) * 2.0 ** (exponent - bias - mantissa_bits)


# Values of the bytes from 0x00 on, up to the largest.
E4M3 = np.array([_minifloat(byte, 3, 7) for byte in range(0x7F)], F32)
UE5M3 = np.array([_minifloat(byte, 3, 15) for byte in range(0xF8)], F32)
E8M0 = np.array([2.0 ** (byte - 127) for byte in range(0xFF)], F32)
SCALES = {"nvfp4": E4M3, "nvfp4_ue5m3": UE5M3, "mxfp4": E8M0}
# Values of all bytes. A quantizer writes no scale with a sign, but e4m3 has one.
_NAN = np.array([np.nan], F32)
DECODED_SCALES = {
    "nvfp4": np.concatenate([E4M3, _NAN, -E4M3, _NAN]),
    "nvfp4_ue5m3": np.concatenate([UE5M3, _NAN.repeat(8)]),
    "mxfp4": np.concatenate([E8M0, _NAN]),
}


def encode_e8m0_up(x: np.ndarray) -> np.ndarray:
    """(1.6): the smallest power of two that is not below, saturating."""
    byte = np.searchsorted(E8M0, np.abs(x), side="left")
    return np.minimum(byte, 0xFE).astype(np.uint8)


# -----------------------------------------------------------------------------
# Formats
# -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Format:
    """The parameters of `nvfp4.tensor`; see docs/Format.md, section 2."""

    name: str = "nvfp4"
    rows: int = 1
    columns: int = 16
    granularity: str = "tensor"
    convention: str = "amax"
    bound: int = 448

    @property
    def has_global_scale(self) -> bool:
        return self.name != "mxfp4"

    @property
    def product(self) -> np.float32:
        """P of section 2."""
        return F32(6 * self.bound)

    def text(self) -> str:
        """As written in IR."""
        if not self.has_global_scale:
            return f"{self.name}<block = {self.rows}x{self.columns}>"
        return (
            f"{self.name}<block = {self.rows}x{self.columns}, global = {self.granularity}, "
            f"convention = {self.convention}, bound = {self.bound}>"
        )


NVFP4 = Format()
MXFP4 = Format("mxfp4", columns=32)


def magnitude(x: np.ndarray) -> np.ndarray:
    """|x| with NaN replaced by 0, which no maximum sees."""
    return np.where(np.isnan(x), F32(0), np.abs(x))


@_quiet
def global_scale(x: np.ndarray, form: Format) -> np.ndarray:
    """(2.3), (2.4): global scales of x [.., M, K]: shape [], [..] or [.., M]."""
    axes = {"tensor": tuple(range(x.ndim)), "slice": (-2, -1), "row": (-1,)}[form.granularity]
    amax = np.max(magnitude(x), axis=axes, initial=0).astype(F32)
    if form.convention == "amax":
        return amax
    if form.convention == "multiply":
        return amax / form.product
    return factors(amax, Format(bound=form.bound))[0]


@_quiet
def factors(g: np.ndarray, form: Format) -> tuple[np.ndarray, np.ndarray]:
    """(2.2): S_enc and S_dec of global scales."""
    g = np.asarray(g, F32)
    one = np.ones_like(g)
    encode = {"amax": lambda: form.product / g, "multiply": lambda: one / g, "divide": lambda: g}[form.convention]()
    encode = np.fmin(encode, FLT_MAX)
    usable = (g > 0) & (encode != 0)
    encode = np.where(usable, encode, one)
    decode = np.where(usable, g, one) if form.convention == "multiply" else one / encode
    return encode, decode


# -----------------------------------------------------------------------------
# Quantization
# -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Quantized:
    """x [.., M, K]: codes u8 [.., M, K], one in each byte; scale bytes [.., M/rows, K/columns]."""

    form: Format
    codes: np.ndarray
    scales: np.ndarray
    global_scale: np.ndarray | None

    @_quiet
    def block_scales(self) -> np.ndarray:
        """v of every element, [.., M, K]."""
        form = self.form
        v = DECODED_SCALES[form.name][self.scales].repeat(form.rows, axis=-2).repeat(form.columns, axis=-1)
        return v[..., : self.codes.shape[-2], : self.codes.shape[-1]]

    @_quiet
    def decoded_scales(self) -> np.ndarray:
        """(4.1): d of every element."""
        v = self.block_scales()
        if not self.form.has_global_scale:
            return v
        g = _of_rows(self.global_scale, self.form, self.codes.ndim)
        if self.form.convention == "amax":
            return (v * g) * (F32(1) / self.form.product)
        return v * g if self.form.convention == "multiply" else v / g

    @_quiet
    def dequantize(self) -> np.ndarray:
        """(4.2), f32."""
        return decode_e2m1(self.codes) * self.decoded_scales()


def _of_rows(g: np.ndarray, form: Format, rank: int) -> np.ndarray:
    """Global scales, to be broadcast to [.., M, K]."""
    g = np.asarray(g, F32)
    return g.reshape(g.shape + (1,) * (rank - g.ndim))


def _blocks(x: np.ndarray, form: Format) -> np.ndarray:
    """[.., M, K] as [.., M/rows, rows, K/columns, columns], what is missing being 0."""
    pad = [(0, 0)] * (x.ndim - 2) + [(0, -x.shape[-2] % form.rows), (0, -x.shape[-1] % form.columns)]
    padded = np.pad(x, pad)
    rows, columns = padded.shape[-2:]
    return padded.reshape(*x.shape[:-2], rows // form.rows, form.rows, columns // form.columns, form.columns)


def _unblock(blocks: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    *lead, rows, block_rows, columns, block_columns = blocks.shape
    flat = blocks.reshape(*lead, rows * block_rows, columns * block_columns)
    return flat[..., : shape[-2], : shape[-1]]


@_quiet
def quantize(
    x: np.ndarray, form: Format, g: np.ndarray | None = None, state: tuple[int, int] | None = None
) -> Quantized:
    """(3.1), (3.2), (3.4): `nvfp4.quantize` of x, f32 [.., M, K].

    `g` is the global scale as the format's granularity wants it, `state` the seed and
    the offset of stochastic rounding.
    """
    assert x.dtype == F32, x.dtype
    blocks = _blocks(x, form)
    b = magnitude(blocks).max(axis=(-3, -1), initial=0)
    if form.has_global_scale:
        encode, decode = (_of_rows(factor, form, x.ndim) for factor in factors(g, form))
        s = np.fmin(b * (encode * (F32(1) / F32(6))), FLT_MAX)
        scales = _nearest_even(SCALES[form.name], s)
        e = np.fmin(F32(1) / (SCALES[form.name][scales] * decode), FLT_MAX)
    else:
        scales = np.where(np.isinf(b), 0xFE, encode_e8m0_up(b * (F32(1) / F32(6)))).astype(np.uint8)
        e = F32(1) / E8M0[scales]
    scaled = _unblock(blocks * e[..., None, :, None], x.shape)
    codes = encode_e2m1(scaled) if state is None else encode_e2m1_stochastic(scaled, random_bytes(x.shape, *state))
    return Quantized(form, codes, scales, g)


# -----------------------------------------------------------------------------
# Random bits
# -----------------------------------------------------------------------------


def philox4x32(counter: np.ndarray, seed: int) -> np.ndarray:
    """Philox4x32-10 of 64-bit counters and a 64-bit key: u32 [.., 4] (Salmon et al., SC 2011)."""
    mask = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    counter = counter.astype(np.uint64)
    zero = np.zeros_like(counter)
    c = [counter & mask, counter >> shift, zero, zero]
    k = [seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF]
    for _ in range(10):
        p0 = np.uint64(0xD2511F53) * c[0]
        p1 = np.uint64(0xCD9E8D57) * c[2]
        c = [
            (p1 >> shift) ^ c[1] ^ np.uint64(k[0]),
            p1 & mask,
            (p0 >> shift) ^ c[3] ^ np.uint64(k[1]),
            p0 & mask,
        ]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return np.stack(c, axis=-1).astype(np.uint32)


def random_bytes(shape: tuple[int, ...], seed: int, offset: int) -> np.ndarray:
    """(3.6): the random byte of each element of a tensor."""
    count = int(np.prod(shape))
    counters = (np.arange((count + 15) // 16, dtype=np.uint64) + np.uint64(offset)).astype(np.uint64)
    words = philox4x32(counters, seed)
    shifts = np.arange(0, 32, 8, dtype=np.uint32)
    return ((words[..., None] >> shifts) & 0xFF).reshape(-1)[:count].reshape(shape).astype(np.int64)


# -----------------------------------------------------------------------------
# Layout and the Hadamard transform
# -----------------------------------------------------------------------------


def pack_codes(codes: np.ndarray, tiled: bool = False) -> np.ndarray:
    """(5.1) to (5.3): codes [.., M, K] as bytes [.., M, K/2], tiled rows padded to 64 codes."""
    width = codes.shape[-1]
    padding = -width % (64 if tiled else 2)
    codes = np.pad(codes, [(0, 0)] * (codes.ndim - 1) + [(0, padding)])
    return codes[..., 0::2] | (codes[..., 1::2] << 4)


def unpack_codes(packed: np.ndarray, width: int) -> np.ndarray:
    """The inverse of `pack_codes`."""
    codes = np.stack([packed & 15, packed >> 4], axis=-1)
    return codes.reshape(*packed.shape[:-1], 2 * packed.shape[-1])[..., :width]


# Bits of m, e0, e1 and s in a word of the registers layout: of each pair the first and the second code.
_PLACES = np.array(
    [
        [[6, 7, 8, 15], [22, 23, 24, 31]],
        [[3, 4, 5, 12], [19, 20, 21, 28]],
        [[0, 1, 2, 9], [16, 17, 18, 25]],
        [[30, 26, 27, 29], [14, 10, 11, 13]],
    ]
)


def codes_in_registers(codes: np.ndarray) -> np.ndarray:
    """(5.5): codes [.., N, K] as a run of bytes per matrix."""
    *lead, n, k = codes.shape
    padded = np.zeros((*lead, -(-n // 64) * 64, -(-k // 128) * 128), np.uint64)
    padded[..., :n, :k] = codes
    # Rows: tile, warp, second row, g. Columns: tile, half, word, pair, q, e.
    parts = padded.reshape(-1, padded.shape[-2] // 64, 4, 2, 8, padded.shape[-1] // 128, 2, 2, 4, 4, 2)
    parts = parts.transpose(0, 1, 5, 6, 2, 4, 9, 3, 7, 8, 10)
    words = np.zeros(parts.shape[:-2], np.uint64)
    for pair, e, bit in np.ndindex(4, 2, 4):
        words |= (parts[..., pair, e] >> np.uint64(bit) & np.uint64(1)) << np.uint64(_PLACES[pair, e, bit])
    return words.astype("<u4").reshape(*lead, -1).view(np.uint8)


def scales_in_registers(scales: np.ndarray, block_rows: int, block_columns: int, k: int) -> np.ndarray:
    """(5.5): scale bytes [.., N/block_rows, K/block_columns] as a run of bytes per matrix."""
    scales = scales.repeat(block_rows, axis=-2).repeat(block_columns // 16, axis=-1)[..., : -(-k // 16)]
    *lead, n, blocks = scales.shape
    padded = np.zeros((*lead, -(-n // 64) * 64, -(-blocks // 8) * 8), np.uint8)
    padded[..., :n, :blocks] = scales
    parts = padded.reshape(-1, padded.shape[-2] // 64, 4, 2, 8, padded.shape[-1] // 8, 2, 4)
    return np.ascontiguousarray(parts.transpose(0, 1, 5, 2, 4, 7, 6, 3)).reshape(*lead, -1)


def tile_scales(scales: np.ndarray, block_rows: int) -> np.ndarray:
    """(5.3), (5.4): scale bytes [.., M/block_rows, C] as a run of tiles per matrix."""
    scales = scales.repeat(block_rows, axis=-2)
    *lead, rows, columns = scales.shape
    padded = np.pad(scales, [(0, 0)] * len(lead) + [(0, -rows % 128), (0, -columns % 4)])
    rows, columns = padded.shape[-2:]
    count = int(np.prod(lead, initial=1))
    tiles = padded.reshape(count, rows // 128, 4, 32, columns // 4, 4).transpose(0, 1, 4, 3, 2, 5)
    return tiles.reshape(*lead, rows * columns)


def hadamard(x: np.ndarray, signs: int) -> np.ndarray:
    """(6.1): f32 [.., K], summed in order."""
    groups = x.reshape(*x.shape[:-1], -1, 16)
    total = np.zeros_like(groups)
    for j in range(16):
        s = -1 if signs >> j & 1 else 1
        row = np.array([s * (-1) ** bin(i & j).count("1") * 0.25 for i in range(16)], F32)
        total = total + groups[..., j : j + 1] * row
    return total.reshape(x.shape)
