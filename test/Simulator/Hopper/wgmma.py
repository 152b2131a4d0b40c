# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Products of warpgroups: PTX for any `wgmma.mma_async`, and inputs that are hard on it.

A kernel copies an image of shared memory from global memory, loads accumulators and, where A is in
registers, fragments, multiplies `steps` times and stores the accumulators. Block b runs launch b of
a case, so that one launch holds hundreds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from corpus import Case

HEADER = ".version 8.4\n.target sm_90a\n.address_size 64\n"
THREADS = 128
SWIZZLES = ("none", "128B", "64B", "32B")
# Bits of an element, and K.
BITS = {"f16": 16, "bf16": 16, "tf32": 32, "e4m3": 8, "e5m2": 8, "s8": 8, "u8": 8, "b1": 1}


@dataclass(frozen=True)
class Form:
    """One instruction."""

    d: str
    a: str
    b: str
    n: int
    in_registers: bool = True
    transpose_a: int = 0
    transpose_b: int = 0
    scale_a: int = 1
    scale_b: int = 1
    satfinite: bool = False

    @property
    def k(self) -> int:
        return 256 // BITS[self.a]

    @property
    def registers(self) -> int:
        return self.n // (4 if self.d == "f16" else 2)

    @property
    def opcode(self) -> str:
        satfinite = ".satfinite" if self.satfinite else ""
        popc = ".and.popc" if self.a == "b1" else ""
        return (
            f"wgmma.mma_async.sync.aligned.m64n{self.n}k{self.k}{satfinite}.{self.d}.{self.a}.{self.b}{popc}"
        )

    @property
    def immediates(self) -> str:
        if self.a in ("s8", "u8", "b1"):
            return ""
        text = f", {self.scale_a}, {self.scale_b}"
        if BITS[self.a] == 16:
            text += f", {self.transpose_b}" if self.in_registers else f", {self.transpose_a}, {self.transpose_b}"
        return text

    def kernel(self) -> str:
        return _kernel(self)


def descriptor(start: int, leading: int = 16, stride: int = 0, base: int = 0, swizzle: int = 0) -> int:
    """Offsets in bytes; `start` is relative to the image."""
    return start >> 4 & 0x3FFF | (leading >> 4) << 16 | (stride >> 4) << 32 | base << 49 | swizzle << 62


def _kernel(form: Form) -> str:
    """`k(image, image_bytes, descriptors, a, c, d, steps, scale)`."""
    count, bits = form.registers, "f32" if form.d == "f32" else "b32"
    d = [f"%d{i}" for i in range(count)]
    lines = [
        HEADER,
        ".extern .shared .align 1024 .b8 image[];",
        ".visible .entry k(.param .u64 pimage, .param .u32 pbytes, .param .u64 pdesc, .param .u64 pa, .param .u64 pc,",
        "                  .param .u64 pd, .param .u32 psteps, .param .u32 pscale)",
        "{",
        "  .reg .pred %p, %scale; .reg .b32 %r<16>, %a<4>, %v<4>; .reg .b64 %rd<24>;",
        f"  .reg .{bits} %d<{count}>;",
        "  mov.u32 %r1, %tid.x; mov.u32 %r2, %ctaid.x; mov.u32 %r0, image;",
        "  ld.param.u64 %rd1, [pimage]; ld.param.u32 %r3, [pbytes]; ld.param.u64 %rd2, [pdesc];",
        "  ld.param.u64 %rd3, [pa]; ld.param.u64 %rd4, [pc]; ld.param.u64 %rd5, [pd];",
        "  ld.param.u32 %r4, [psteps]; ld.param.u32 %r5, [pscale];",
        "  mul.wide.u32 %rd6, %r2, %r3; add.s64 %rd1, %rd1, %rd6;",
        "  shl.b32 %r6, %r1, 4;",
        "COPY:",
        "  setp.ge.u32 %p, %r6, %r3;",
        "  @%p bra COPIED;",
        "  cvt.u64.u32 %rd7, %r6; add.s64 %rd7, %rd1, %rd7; add.u32 %r7, %r0, %r6;",
        "  ld.global.v4.u32 {%v0, %v1, %v2, %v3}, [%rd7];",
        "  st.shared.v4.u32 [%r7], {%v0, %v1, %v2, %v3};",
        f"  add.u32 %r6, %r6, {16 * THREADS};",
        "  bra COPY;",
        "COPIED:",
        "  fence.proxy.async; bar.sync 0;",
        # Accumulators: [block][thread][register].
        f"  mad.lo.u32 %r8, %r2, {THREADS}, %r1; mul.wide.u32 %rd8, %r8, {4 * count};",
        "  add.s64 %rd4, %rd4, %rd8; add.s64 %rd5, %rd5, %rd8;",
        *(f"  ld.global.b32 %d{i}, [%rd4+{4 * i}];" for i in range(count)),
        # Descriptors: [block][step][2]; fragments: [block][step][thread][4].
        "  mul.lo.u32 %r9, %r2, %r4; mul.wide.u32 %rd9, %r9, 16; add.s64 %rd2, %rd2, %rd9;",
        f"  mad.lo.u32 %r10, %r9, {THREADS}, %r1; mul.wide.u32 %rd10, %r10, 16; add.s64 %rd3, %rd3, %rd10;",
        "  shr.u32 %r11, %r0, 4; cvt.u64.u32 %rd11, %r11;",
        "  setp.ne.u32 %scale, %r5, 0;",
        "STEP:",
        "  setp.eq.u32 %p, %r4, 0;",
        "  @%p bra DONE;",
        "  ld.global.u64 %rd12, [%rd2]; ld.global.u64 %rd13, [%rd2+8];",
        "  add.s64 %rd12, %rd12, %rd11; add.s64 %rd13, %rd13, %rd11;",
    ]
    if form.in_registers:
        lines.append("  ld.global.v4.u32 {%a0, %a1, %a2, %a3}, [%rd3];")
    a = "{%a0, %a1, %a2, %a3}" if form.in_registers else "%rd12"
    lines += [
        "  wgmma.fence.sync.aligned;",
        f"  {form.opcode} {{{', '.join(d)}}}, {a}, %rd13, %scale{form.immediates};",
        "  wgmma.commit_group.sync.aligned;",
        "  wgmma.wait_group.sync.aligned 0;",
        "  setp.eq.u32 %scale, %r5, %r5;",
        f"  add.s64 %rd2, %rd2, 16; add.s64 %rd3, %rd3, {16 * THREADS}; sub.u32 %r4, %r4, 1;",
        "  bra STEP;",
        "DONE:",
        *(f"  st.global.b32 [%rd5+{4 * i}], %d{i};" for i in range(count)),
        "  ret;",
        "}",
        "",
    ]
    return "\n".join(lines)


# -----------------------------------------------------------------------------
# Numbers
# -----------------------------------------------------------------------------

# (mantissa bits, exponent bits, has infinities)
FLOATS = {"f16": (10, 5), "bf16": (7, 8), "tf32": (23, 8), "e4m3": (3, 4), "e5m2": (2, 5), "f32": (23, 8)}


def _codes(rng: np.random.Generator, kind: str, style: str, shape: tuple[int, ...]) -> np.ndarray:
    """Bit patterns of elements of a type, in a style."""
    if kind == "b1":
        return rng.integers(0, 256, (*shape[:-1], shape[-1] // 8)).astype(np.uint8)
    bits = 32 if kind in ("tf32", "f32") else BITS[kind]
    whole = {8: np.uint8, 16: np.uint16, 32: np.uint32}[bits]
    if kind in ("s8", "u8"):
        limits = rng.choice(np.array([0, 1, 127, 128, 255], np.uint8), shape)
        return limits if style in ("special", "large") else rng.integers(0, 256, shape).astype(np.uint8)
    mantissa, exponent = FLOATS[kind]
    top = (1 << exponent) - 1
    bias = top >> 1
    fraction = rng.integers(0, 1 << mantissa, shape, dtype=np.uint64)
    sign = rng.integers(0, 2, shape, dtype=np.uint64)
    span = {"near": 2, "wide": 6, "spread": 14, "cancel": 4, "chain": 3}.get(style, 3)
    e = bias + rng.integers(-span, span + 1, shape)
    if style == "subnormal":
        e = rng.integers(0, 3, shape)
    elif style == "large":
        e = top - 1 - rng.integers(0, 2, shape)
    elif style == "full":
        e = rng.integers(0, top, shape)
    elif style == "ones":
        fraction = np.full(shape, (1 << mantissa) - 1, np.uint64)
        e = np.full(shape, bias)
    elif style == "sparse":
        e = np.where(rng.random(shape) < 0.8, 0, e)
        fraction = np.where(e == 0, 0, fraction)
    elif style == "special":
        kind_of = rng.random(shape)
        e = np.where(kind_of < 0.02, top, np.where(kind_of < 0.1, 0, e))
        fraction = np.where((kind_of < 0.01) | (kind_of > 0.9), 0, fraction)
    e = np.clip(e, 0, top if style == "special" else top - 1).astype(np.uint64)
    return (sign << np.uint64(bits - 1) | e << np.uint64(mantissa) | fraction).astype(whole)


STYLES = ("near", "wide", "spread", "cancel", "subnormal", "large", "full", "ones", "sparse", "special", "chain")


def _cancel(codes: np.ndarray, bits: int) -> np.ndarray:
    """The second half along K is the first, negated."""
    half = codes.shape[-1] // 2
    sign = codes.dtype.type(1 << (bits - 1))
    codes[..., half:] = codes[..., :half] ^ sign
    return codes


def fragments(rows: np.ndarray) -> np.ndarray:
    """A [..., 64, 32 bytes] as registers [..., 128, 4]."""
    words = np.ascontiguousarray(rows).view(np.uint32).reshape(*rows.shape[:-2], 4, 2, 8, 2, 4)
    # warp, half of 16 rows, row, half of K, word -> warp, row, word, half of K, half of rows
    order = tuple(range(rows.ndim - 2))
    base = len(order)
    words = words.transpose(*order, base, base + 2, base + 4, base + 3, base + 1)
    return np.ascontiguousarray(words).reshape(*rows.shape[:-2], THREADS, 4)


def plain_b(columns: np.ndarray) -> np.ndarray:
    """B [..., n, 32 bytes] as an image without a swizzle: groups of 8 columns, two chunks."""
    n = columns.shape[-2]
    raw = np.ascontiguousarray(columns).view(np.uint8).reshape(*columns.shape[:-2], n // 8, 8, 2, 16)
    base = raw.ndim - 4
    return np.ascontiguousarray(raw.transpose(*range(base), base, base + 2, base + 1, base + 3)).reshape(
        *columns.shape[:-2], n * 32
    )


def numbers(rng: np.random.Generator, form: Form, style: str, blocks: int, steps: int = 1, scale: int = 1) -> Case:
    """Random elements of one style; A in registers."""
    a = _codes(rng, form.a, style, (blocks, steps, 64, form.k))
    b = _codes(rng, form.b, style, (blocks, steps, form.n, form.k))
    if style == "cancel" and form.d != "s32":
        a = _cancel(a, a.dtype.itemsize * 8)
        half = form.k // 2
        b[..., half:] = b[..., :half]
    if form.d == "s32":
        c = rng.integers(-(1 << 31), 1 << 31, (blocks, THREADS, form.registers)).astype(np.int32).view(np.uint32)
        if style != "large":
            c = (c.view(np.int32) >> 8).view(np.uint32)
    elif form.d == "f16":
        halves = _codes(rng, "f16", "near" if style == "chain" else style, (blocks, THREADS, form.registers, 2))
        c = np.ascontiguousarray(halves).view(np.uint32)[..., 0]
    else:
        # Near the products: their exponents add.
        values = _codes(rng, "f32", style, (blocks, THREADS, form.registers))
        c = values
        if style in ("subnormal", "full") and form.a not in ("bf16", "tf32"):
            c = _codes(rng, "f32", "spread", (blocks, THREADS, form.registers))
    image = plain_b(b.view(np.uint8)).reshape(blocks, -1)
    desc = np.zeros((blocks, steps, 2), np.uint64)
    for step in range(steps):
        desc[:, step, 1] = descriptor(step * form.n * 32, 128, 256)
    inputs = {
        "image": np.ascontiguousarray(image),
        "desc": desc,
        "a": fragments(a.view(np.uint8)),
        "c": np.ascontiguousarray(c),
    }
    args = ["image", np.uint32(image.shape[1]), "desc", "a", "c", "d", np.uint32(steps), np.uint32(scale)]
    sign = f"{'-' if form.scale_a < 0 else ''}{form.a}_{'-' if form.scale_b < 0 else ''}{form.b}"
    name = f"{form.d}_{sign}_n{form.n}{'_sat' if form.satfinite else ''}_{style}_{steps}_{scale}"
    return Case(
        name, "k", (blocks,), (THREADS,), args, inputs, {"d": np.zeros_like(c)}, shared=image.shape[1]
    )


NUMBER_FORMS = [
    ("f32", "f16", "f16"), ("f16", "f16", "f16"), ("f32", "bf16", "bf16"), ("f32", "tf32", "tf32"),
    ("f32", "e4m3", "e4m3"), ("f32", "e4m3", "e5m2"), ("f32", "e5m2", "e4m3"), ("f32", "e5m2", "e5m2"),
    ("f16", "e4m3", "e4m3"), ("f16", "e5m2", "e5m2"), ("f16", "e4m3", "e5m2"),
    ("s32", "s8", "s8"), ("s32", "u8", "u8"), ("s32", "s8", "u8"), ("s32", "u8", "s8"),
]  # fmt: skip


def number_cases(rng: np.random.Generator):
    """(form, case) pairs: every type in every style, a chain, every size once, signs."""
    for d, a, b in NUMBER_FORMS:
        for style in STYLES:
            form = Form(d, a, b, 8)
            if d == "s32" and style not in ("near", "large"):
                continue
            yield form, numbers(rng, form, style, 12, steps=4 if style == "chain" else 1)
        yield Form(d, a, b, 16), numbers(rng, Form(d, a, b, 16), "wide", 4, scale=0)
        if d != "s32":
            for sign in ((-1, 1), (1, -1), (-1, -1)):
                form = Form(d, a, b, 8, scale_a=sign[0], scale_b=sign[1])
                yield form, numbers(rng, form, "special", 4)
        else:
            form = Form(d, a, b, 8, satfinite=True)
            yield form, numbers(rng, form, "large", 8)
    for n in (24, 32, 40, 64, 96, 128, 192, 248, 256):
        for d, a, b in (("f32", "bf16", "bf16"), ("f16", "f16", "f16"), ("s32", "s8", "s8")):
            if d == "s32" and n in (40, 248):
                continue
            form = Form(d, a, b, n)
            yield form, numbers(rng, form, "wide", 2)


# -----------------------------------------------------------------------------
# Places
# -----------------------------------------------------------------------------


def distinct_halves(count: int) -> np.ndarray:
    """f16 bits of numbers that are all different."""
    codes = np.arange(1 << 16, dtype=np.uint32).astype(np.uint16)
    finite = codes[((codes & 0x7C00) != 0x7C00) & (codes != 0x8000)]
    return finite[:count]


def places(rng: np.random.Generator, form: Form, descriptors: list[int], name: str) -> Case:
    """Where the matrix of each descriptor lies: the image is all different numbers, and the other
    factor picks one element of K for each row or column."""
    blocks = len(descriptors)
    image_bytes = 49152
    halves = np.tile(distinct_halves(image_bytes // 2), (blocks, 1))
    one = np.uint16(0x3C00)
    desc = np.zeros((blocks, 1, 2), np.uint64)
    a = np.zeros((blocks, 1, 64, 16), np.uint16)
    if form.in_registers:
        desc[:, 0, 1] = descriptors
        a[:, :, np.arange(64), np.arange(64) % 16] = one
        image = halves.view(np.uint8)
    else:
        desc[:, 0, 0] = descriptors
        b = np.zeros((form.n, 16), np.uint16)
        b[np.arange(form.n), np.arange(form.n) % 16] = one
        plain = plain_b(b.view(np.uint8))
        image = np.concatenate([halves.view(np.uint8), np.tile(plain, (blocks, 1))], axis=1)
        desc[:, 0, 1] = descriptor(image_bytes, 128, 256)
    c = np.zeros((blocks, THREADS, form.registers), np.uint32)
    inputs = {"image": np.ascontiguousarray(image), "desc": desc, "a": fragments(a.view(np.uint8)), "c": c}
    args = ["image", np.uint32(image.shape[1]), "desc", "a", "c", "d", np.uint32(1), np.uint32(0)]
    return Case(name, "k", (blocks,), (THREADS,), args, inputs, {"d": np.zeros_like(c)}, shared=image.shape[1])


def random_descriptors(rng: np.random.Generator, lines: int, swizzle: int, transposed: int, count: int) -> list[int]:
    """Descriptors that stay within 48 KiB, tidy ones first."""
    pattern = (16, 128, 64, 32)[swizzle]
    limit, result = 49152, []
    while len(result) < count:
        tidy = len(result) < count // 2
        start = int(rng.integers(0, 16)) * (1024 if tidy else 16)
        leading = int(rng.integers(1, 9)) * (pattern * 8 if tidy else 16)
        stride = int(rng.integers(1, 9)) * (pattern * 8 if tidy else 16)
        base = 0 if tidy else int(rng.integers(0, 8)) if rng.random() < 0.5 else 0
        # A bound on the last address.
        groups = lines // 8
        last = start + 8 * pattern + groups * max(leading, stride) + 2 * max(leading, stride) + 1024
        if last <= limit:
            result.append(descriptor(start, leading, stride, base, swizzle))
    return result


def bit_cases(rng: np.random.Generator):
    for n in (8, 48, 256):
        form = Form("s32", "b1", "b1", n)
        yield form, numbers(rng, form, "near", 2, steps=2)


def place_cases(rng: np.random.Generator):
    for swizzle in range(4):
        for transposed in (0, 1):
            for n in (16, 64, 256):
                form = Form("f32", "f16", "f16", n, transpose_b=transposed)
                found = random_descriptors(rng, n, swizzle, transposed, 6 if n == 256 else 24)
                yield form, places(rng, form, found, f"b_{SWIZZLES[swizzle]}_{transposed}_n{n}")
            form = Form("f32", "f16", "f16", 16, in_registers=False, transpose_a=transposed)
            found = random_descriptors(rng, 64, swizzle, transposed, 24)
            yield form, places(rng, form, found, f"a_{SWIZZLES[swizzle]}_{transposed}")
