# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Products in tensor memory: `tcgen05.mma` of every kind, shape and layout, against NumPy.

Elements are small multiples of powers of two, so that every order of additions gives the same sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import tensor_memory
from corpus import E2M1, E4M3, E5M2, E8M0, Case, _minifloat, pack_nibbles, to_bf16

E2M3 = np.array([_minifloat(code, 2, 3) for code in range(64)], np.float32)
E3M2 = np.array([_minifloat(code, 3, 2) for code in range(64)], np.float32)
HALVES = np.arange(65536, dtype=np.uint16)
with np.errstate(invalid="ignore"):
    TABLES = {
        "f16": HALVES.view(np.float16).astype(np.float32),
        "bf16": (HALVES.astype(np.uint32) << 16).view(np.float32),
        "e4m3": E4M3,
        "e5m2": E5M2,
        "e2m3": E2M3,
        "e3m2": E3M2,
        "e2m1": E2M1,
        "u8": np.arange(256, dtype=np.float32),
        "s8": np.arange(256, dtype=np.uint8).view(np.int8).astype(np.float32),
    }
# Bits in a line, and the code in an instruction descriptor.
BITS = {"f16": 16, "bf16": 16, "tf32": 32, "e2m1": 4}
CODES = {
    "f16": 0, "bf16": 1, "tf32": 2, "e4m3": 0, "e5m2": 1, "e2m3": 3, "e3m2": 4, "e2m1": 5, "u8": 0, "s8": 1,
}  # fmt: skip
RESULTS = {"f16": 0, "f32": 1, "s32": 2}
LINE_BYTES = 32


@dataclass(frozen=True)
class Product:
    kind: str
    a: str
    b: str
    d: str = "f32"
    m: int = 128
    n: int = 64
    ctas: int = 1
    swizzle_a: str = "128B"
    swizzle_b: str = "128B"
    transpose_a: bool = False
    transpose_b: bool = False
    negate_a: bool = False
    negate_b: bool = False
    in_tensor_memory: bool = False
    accumulates: bool = True
    # Bytes of K before the product's in a row of the swizzle's pattern.
    step: int = 0
    # First lane of D, where it has 16 of 32.
    lane: int = 0
    scale: str = ""
    scale_type: str = ""
    scale_ids: tuple[int, int] = (0, 0)
    shift: int = 0
    saturates: bool = False
    disabled: tuple[int, ...] = ()
    target: str = "sm_100a"

    @property
    def is_packed(self) -> bool:
        return self.kind in ("mxf4", "mxf4nvf4")

    @property
    def is_scaled(self) -> bool:
        return self.kind.startswith("mxf")

    def bits(self, kind: str) -> int:
        """Of an element in tensor memory."""
        return 4 if self.is_packed else max(8, BITS.get(kind, 8))

    @property
    def k(self) -> int:
        return LINE_BYTES * 8 // self.bits(self.a)

    @property
    def blocks(self) -> int:
        """Scales of a line."""
        if not self.is_scaled:
            return 0
        return {"mxf8f6f4": 1, "mxf4": 2}.get(self.kind, 4 if self.scale in ("block16", "scale_vec::4X") else 2)

    @property
    def is_split(self) -> bool:
        return self.ctas == 2 and self.m == 128

    @property
    def rows(self) -> int:
        return self.m // self.ctas

    @property
    def columns(self) -> int:
        """Of D."""
        return self.n // 2 if self.is_split else self.n

    @property
    def instruction(self) -> int:
        bits = self.n >> 3 << 17 | self.transpose_a << 15 | self.transpose_b << 16
        bits |= self.negate_a << 13 | self.negate_b << 14
        if self.is_packed:
            bits |= 1 << 7 | 1 << 10
        else:
            bits |= CODES[self.a] << 7 | CODES[self.b] << 10
        if not self.is_scaled:
            return bits | RESULTS[self.d] << 4 | self.m >> 4 << 24 | self.saturates << 3
        bits |= self.m >> 7 << 27 | (self.scale_type == "ue8m0") << 23
        return bits | self.scale_ids[0] << 29 | self.scale_ids[1] << 4

    @property
    def opcode(self) -> str:
        scale = ".block_scale" + ("." + self.scale if self.scale else "") if self.is_scaled else ""
        return f"tcgen05.mma.$G.kind::{self.kind}{scale}"


# -----------------------------------------------------------------------------
# Elements and lines
# -----------------------------------------------------------------------------


def _codes(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Random codes and their values."""
    if kind == "tf32":
        values = rng.integers(-16, 17, shape).astype(np.float32) / 4
        # The low 13 bits do not count.
        noise = rng.integers(0, 1 << 13, shape).astype(np.uint32)
        return values.view(np.uint32) | np.where(values != 0, noise, 0).astype(np.uint32), values
    table = TABLES[kind]
    if kind in ("u8", "s8"):
        codes = rng.integers(0, 256, shape).astype(np.uint8)
        return codes, table[codes]
    with np.errstate(invalid="ignore", over="ignore"):
        good = np.flatnonzero((table == np.round(table * 4) / 4) & (np.abs(table) <= 6))
    codes = rng.choice(good, shape)
    return codes.astype(np.uint16), table[codes]


def _lines(form: Product, kind: str, codes: np.ndarray) -> np.ndarray:
    """Bytes along K, [line, 32], as tensor memory has them."""
    if form.is_packed:
        return pack_nibbles(codes.astype(np.uint8))
    if BITS.get(kind, 8) >= 16:
        return np.ascontiguousarray(codes.astype(f"u{BITS[kind] // 8}")).view(np.uint8)
    return (codes << (2 if kind == "e2m1" else 0)).astype(np.uint8)


def _shared_lines(form: Product, kind: str, codes: np.ndarray) -> np.ndarray:
    """The same as shared memory has them: narrow elements packed, 16 in 16 bytes."""
    width = {"e2m1": 4, "e2m3": 6, "e3m2": 6}.get(kind)
    if form.is_packed or width is None:
        return _lines(form, kind, codes)
    chunks = np.zeros((len(codes), 2, 16), np.uint8)
    for i in range(16):
        for half in range(2):
            for bit in range(width):
                at = i * width + bit
                chunks[:, half, at // 8] |= (codes[:, half * 16 + i] >> bit & 1).astype(np.uint8) << at % 8
    return chunks.reshape(len(codes), LINE_BYTES)


def _exchange(offset: int, swizzle: str) -> int:
    """Where the pattern of a swizzle puts a byte."""
    if swizzle == "128B_32B":
        return offset ^ (offset >> 7 & 3) << 5
    bits = {"none": 0, "32B": 1, "64B": 2, "128B": 3}[swizzle]
    return offset ^ (offset >> 7 & (1 << bits) - 1) << 4


def _place(image: np.ndarray, start: int, form: Product, lines: np.ndarray, kind: str, swizzle: str, transposed: bool):
    """Writes lines [line, 32 bytes] at `start`; returns the descriptor."""
    row = {"none": 16, "32B": 32, "64B": 64, "128B": 128, "128B_32B": 128}[swizzle]
    if not transposed:
        group, leading = (8 * row, 16) if row > 16 else (256, 128)
        step = form.step if row == 128 else 0
        for line in range(len(lines)):
            for chunk in range(2):
                at = start + step + line % 8 * row + line // 8 * group + chunk * leading
                at = _exchange(at, swizzle)
                image[at : at + 16] = lines[line, 16 * chunk : 16 * chunk + 16]
        return tensor_memory.descriptor(start + step, leading, group, swizzle)
    size = max(1, BITS.get(kind, 8) // 8)
    elements = lines.reshape(len(lines), -1, size)
    rows = 4 if swizzle == "128B_32B" else 8
    # Chunks of a row of the pattern; then the bytes from one such block of lines to the next.
    per_row = row // 16
    groups = elements.shape[1] // rows
    if row > 16:
        stride, leading = rows * row, rows * row * groups
        places = (leading, stride)
    else:
        leading, stride = 128, 128 * groups
        places = (stride, leading)
    for line in range(len(lines)):
        chunk, within = line * size // 16, line * size % 16
        for k in range(elements.shape[1]):
            at = start + chunk % per_row * 16 + chunk // per_row * places[0]
            at = _exchange(at + k % rows * row + k // rows * places[1], swizzle) + within
            image[at : at + size] = elements[line, k]
    return tensor_memory.descriptor(start, leading, stride, swizzle)


# -----------------------------------------------------------------------------
# Tensor memory
# -----------------------------------------------------------------------------


def _places(form: Product) -> tuple[np.ndarray, np.ndarray]:
    """Lanes and columns of the elements of D in one CTA, [row, column]."""
    row, column = np.meshgrid(np.arange(form.rows), np.arange(form.n), indexing="ij")
    if form.ctas == 1 and form.m == 64:
        return form.lane + row // 16 * 32 + row % 16, column
    return row + np.where(form.is_split & (column >= form.n // 2), 64, 0), column % form.columns


def _write_scales(
    form: Product, cells: np.ndarray, first: int, codes: np.ndarray, identity: int, halves: int
) -> None:
    """`codes` [line, blocks] from column `first` on; lanes are [quarter, 32]."""
    half = len(codes) // halves
    for line, scales in enumerate(codes):
        quarters = range(4) if halves == 1 else range(line // half * 2, line // half * 2 + 2)
        word = sum(int(scale) << 8 * (identity + i) for i, scale in enumerate(scales))
        for quarter in quarters:
            cells[quarter * 32 + line % half % 32, first + line % half // 32] = word


def _scales(rng: np.random.Generator, form: Product, lines: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes and values, [line, blocks]: powers of two."""
    if form.scale_type == "ue4m3":
        codes = rng.choice([0x28, 0x30, 0x38, 0x40], (lines, form.blocks))
        return codes, E4M3[codes]
    codes = rng.integers(125, 130, (lines, form.blocks))
    return codes, E8M0[codes]


def _cells_of(form: Product, values: np.ndarray) -> np.ndarray:
    if form.d == "s32":
        return values.astype(np.int64).astype(np.uint32)
    if form.d == "f16":
        return values.astype(np.float16).view(np.uint16).astype(np.uint32)
    return np.ascontiguousarray(values, np.float32).view(np.uint32)


def make(rng: np.random.Generator, form: Product, name: str) -> tuple[str, Case]:
    """PTX and launch."""
    codes_a, a = _codes(rng, form.a, (form.m, form.k))
    codes_b, b = _codes(rng, form.b, (form.n, form.k))
    c = rng.integers(-64, 65, (form.m, form.n)).astype(np.float64)
    scaled_a, scaled_b = a.astype(np.float64), b.astype(np.float64)
    lanes, columns = _places(form)
    scale_columns = form.columns + (8 if form.in_tensor_memory else 0)
    rows, half = form.rows, form.n // form.ctas
    size_a = 1024 * max(4, -(-rows // 8)) * (4 if form.transpose_a else 1)
    image = np.zeros((form.ctas, 2 * size_a + 65536), np.uint8)
    total = -(-(scale_columns + 16) // 16) * 16
    before = rng.integers(0, 1 << 32, (form.ctas, 128, total)).astype(np.uint32)
    if form.is_scaled:
        codes_sa, scale_a = _scales(rng, form, form.m)
        codes_sb, scale_b = _scales(rng, form, form.n)
        scaled_a *= scale_a.repeat(form.k // form.blocks, 1)
        scaled_b *= scale_b.repeat(form.k // form.blocks, 1)
    for cta in range(form.ctas):
        mine = slice(cta * rows, (cta + 1) * rows)
        before[cta, lanes, columns] = _cells_of(form, c[mine])
        if form.in_tensor_memory:
            words = np.ascontiguousarray(_lines(form, form.a, codes_a[mine])).view(np.uint32)
            for column in (0, form.n - 1):
                before[cta, lanes[:, column], form.columns : form.columns + 8] = words
            matrix_a = 0
        else:
            lines = _shared_lines(form, form.a, codes_a[mine])
            matrix_a = _place(image[cta], 0, form, lines, form.a, form.swizzle_a, form.transpose_a)
        lines = _shared_lines(form, form.b, codes_b[cta * half : (cta + 1) * half])
        matrix_b = _place(image[cta], size_a, form, lines, form.b, form.swizzle_b, form.transpose_b)
        if form.is_scaled:
            ids = form.scale_ids
            _write_scales(form, before[cta], scale_columns, codes_sa[mine], ids[0], 1)
            _write_scales(form, before[cta], scale_columns + 4, codes_sb, ids[1], 2 if form.is_split else 1)
    after = before.copy()
    sign = -1.0 if form.negate_a != form.negate_b else 1.0
    d = sign * (scaled_a @ scaled_b.T) + (c * 2.0**-form.shift if form.accumulates else 0)
    if form.saturates:
        d = np.clip(d, -(2**31), 2**31 - 1)
    for cta in range(form.ctas):
        words = np.array(form.disabled or [0] * 4 * form.ctas, np.uint64)[4 * cta : 4 * cta + 4]
        is_on = words[lanes // 32] >> (lanes % 32).astype(np.uint64) & np.uint64(1) == 0
        results = _cells_of(form, d[cta * rows : (cta + 1) * rows] + 0.0)
        after[cta, lanes[is_on], columns[is_on]] = results[is_on]
    program = _program(form, matrix_a, matrix_b, scale_columns, total)
    return program.ptx, program.case(name, image, before, after)


def _program(form: Product, matrix_a: int, matrix_b: int, scales: int, total: int) -> tensor_memory.Program:
    d = f"[%t+{form.lane << 16}]"
    a = f"[%t+{(form.lane << 16) + form.columns}]" if form.in_tensor_memory else "D0"
    operands = [d, a, "D1", str(form.instruction)]
    before = []
    if form.is_scaled:
        operands += [f"[%t+{scales}]", f"[%t+{scales + 4}]"]
    if form.disabled:
        registers = [f"%v{i}" for i in range(len(form.disabled))]
        before = [f"mov.b32 {register}, {word};" for register, word in zip(registers, form.disabled)]
        operands.append("{" + ", ".join(registers) + "}")
    operands.append("%q" if form.accumulates else "%p")
    if form.shift:
        operands.append(str(form.shift))
    text = f"{form.opcode} {', '.join(operands)};"
    # Nothing is said of the upper halves of cells with f16.
    mask = 0xFFFF if form.d == "f16" else 0xFFFFFFFF
    return tensor_memory.Program((*before, text), (matrix_a, matrix_b), total, form.ctas, form.target, mask)


# -----------------------------------------------------------------------------
# What is tried
# -----------------------------------------------------------------------------

NVFP4 = Product("mxf4nvf4", "e2m1", "e2m1", scale="block16", scale_type="ue4m3", swizzle_a="none")
MXFP4 = replace(NVFP4, kind="mxf4", scale="block32", scale_type="ue8m0", scale_ids=(2, 0))
MXFP8 = Product("mxf8f6f4", "e4m3", "e5m2", scale="block32", scale_type="ue8m0", scale_ids=(1, 3))
BF16 = Product("f16", "bf16", "bf16")
TF32 = Product("tf32", "tf32", "tf32")
FP8 = Product("f8f6f4", "e4m3", "e4m3")
INT8 = Product("i8", "s8", "u8", d="s32")

FORMS = {
    "nvfp4": NVFP4,
    "nvfp4_n8": replace(NVFP4, n=8, swizzle_b="32B"),
    "nvfp4_n256_step": replace(NVFP4, n=256, swizzle_a="128B", step=96, accumulates=False),
    "nvfp4_negated": replace(NVFP4, n=24, negate_a=True, swizzle_a="64B", swizzle_b="64B"),
    "nvfp4_a_in_tensor_memory": replace(NVFP4, in_tensor_memory=True),
    "nvfp4_of_blocks_of_32": replace(NVFP4, scale="block32", scale_type="ue8m0", scale_ids=(0, 2)),
    "nvfp4_ue8m0": replace(NVFP4, scale="scale_vec::4X", scale_type="ue8m0"),
    "nvfp4_pair": replace(NVFP4, m=256, n=128, ctas=2, swizzle_a="128B", step=32),
    "nvfp4_pair_n256": replace(NVFP4, m=256, n=256, ctas=2, target="sm_103a"),
    "nvfp4_pair_m128": replace(NVFP4, m=128, n=64, ctas=2, in_tensor_memory=True),
    "mxfp4": MXFP4,
    "mxfp4_default": replace(MXFP4, scale="", n=200, target="sm_110a"),
    "mxfp4_pair": replace(MXFP4, m=256, n=32, ctas=2),
    "mxfp8": MXFP8,
    "mxfp8_narrow": replace(MXFP8, a="e2m1", b="e3m2", scale="", swizzle_a="none"),
    "mxfp8_narrow_in_tensor_memory": replace(MXFP8, a="e2m3", b="e2m1", in_tensor_memory=True),
    "mxfp8_transposed": replace(MXFP8, transpose_a=True, transpose_b=True, n=48, swizzle_a="64B"),
    "mxfp8_pair": replace(MXFP8, m=256, n=64, ctas=2),
    "bf16": BF16,
    "bf16_n256": replace(BF16, n=256, step=64),
    "bf16_pair": replace(BF16, m=256, n=256, ctas=2),
    "bf16_pair_m128": replace(BF16, m=128, n=96, ctas=2),
    "bf16_transposed": replace(BF16, transpose_a=True, transpose_b=True),
    "bf16_transposed_plain": replace(BF16, transpose_a=True, transpose_b=True, swizzle_a="none", swizzle_b="32B"),
    "bf16_m64": replace(BF16, m=64, n=40),
    "bf16_m64_lane_16": replace(BF16, m=64, lane=16, in_tensor_memory=True),
    "bf16_scaled_d": replace(BF16, shift=5),
    "bf16_lanes": replace(BF16, disabled=(1, 0xFFFF0000, 0, 0x80000001)),
    "f16_to_f16": replace(BF16, a="f16", b="f16", d="f16", negate_b=True),
    "f16_times_bf16": replace(BF16, a="f16", in_tensor_memory=True),
    "tf32": TF32,
    "tf32_transposed": replace(TF32, transpose_a=True, transpose_b=True, swizzle_a="128B_32B", swizzle_b="128B_32B"),
    "fp8": FP8,
    "fp8_to_f16": replace(FP8, a="e5m2", b="e2m1", d="f16", m=64),
    "fp8_narrow": replace(FP8, a="e3m2", b="e2m3", swizzle_a="32B"),
    "fp8_transposed": replace(FP8, transpose_b=True, n=32),
    "fp8_pair": replace(FP8, m=128, n=32, ctas=2, disabled=(0, 0, 0, 0, 7, 0, 0, 1 << 31)),
    "int8": INT8,
    "int8_saturating": replace(INT8, a="u8", b="s8", saturates=True, n=16, accumulates=False),
    "int8_pair": replace(INT8, m=256, n=64, ctas=2, target="sm_110a"),
}


def cases(rng: np.random.Generator) -> Iterator[tuple[str, Case]]:
    for name, form in FORMS.items():
        yield make(rng, form, name)
