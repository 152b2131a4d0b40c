# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Copies through tensor maps: boxes of every rank and swizzle, at edges, with steps between elements.

A load fills shared memory with 0xA5, copies one box per block to a place of its choice and stores all
of shared memory. A store (or reduction) fills shared memory from an image and copies one box back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from corpus import Case, TensorMap

HEADER = ".version 8.4\n.target sm_90a\n.address_size 64\n"
SHARED = 16384
SWIZZLES = {"none": 0, "32B": 32, "64B": 64, "128B": 128}
BYTES = {"U8": 1, "U16": 2, "U32": 4, "I32": 4, "U64": 8, "I64": 8, "F16": 2, "F32": 4, "F64": 8, "BF16": 2}


@dataclass(frozen=True)
class Form:
    """One instruction: `operation` is "load", "store" or that of a reduction."""

    rank: int
    operation: str = "load"

    def kernel(self) -> str:
        return _load_kernel(self.rank) if self.operation == "load" else _store_kernel(self.rank, self.operation)


def _coordinates(rank: int) -> tuple[str, str]:
    """Loads them from [%rd3], where each block has 8 words, and names them."""
    loads = "\n".join(f"  ld.global.b32 %c{i}, [%rd3+{4 * i}];" for i in range(rank))
    return loads, "{" + ", ".join(f"%c{i}" for i in range(rank)) + "}"


def _load_kernel(rank: int) -> str:
    """`k(map, places, out, bytes)`; a place is 5 coordinates, and an offset in shared memory."""
    loads, names = _coordinates(rank)
    return f"""{HEADER}
.extern .shared .align 1024 .b8 image[];
.visible .entry k(.param .align 64 .b8 pmap[128], .param .u64 pplaces, .param .u64 pout, .param .u32 pbytes)
{{
  .reg .pred %p, %q; .reg .b32 %r<16>, %c<8>, %v<4>; .reg .b64 %rd<16>;
  ld.param.u64 %rd1, [pplaces]; ld.param.u64 %rd2, [pout]; ld.param.u32 %r4, [pbytes];
  mov.u32 %r1, %tid.x; mov.u32 %r2, %ctaid.x; mov.u32 %r0, image; add.u32 %r3, %r0, {SHARED};
  mul.wide.u32 %rd3, %r2, 32; add.s64 %rd3, %rd1, %rd3;
{loads}
  ld.global.b32 %r5, [%rd3+20]; add.u32 %r5, %r0, %r5;
  shl.b32 %r6, %r1, 4; mov.u32 %v0, 0xa5a5a5a5;
FILL:
  add.u32 %r7, %r0, %r6; st.shared.v4.b32 [%r7], {{%v0, %v0, %v0, %v0}};
  add.u32 %r6, %r6, 512; setp.lt.u32 %p, %r6, {SHARED}; @%p bra FILL;
  setp.ne.u32 %q, %r1, 0; @%q bra FILLED;
  mbarrier.init.shared.b64 [%r3], 1;
FILLED:
  fence.proxy.async; bar.sync 0;
  @%q bra WAIT;
  mbarrier.arrive.expect_tx.shared.b64 %rd4, [%r3], %r4;
  mov.b64 %rd5, pmap; cvta.param.u64 %rd5, %rd5;
  cp.async.bulk.tensor.{rank}d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%r5], [%rd5, {names}], [%r3];
WAIT:
  mov.u32 %r8, 0;
POLL:
  mbarrier.try_wait.parity.shared.b64 %p, [%r3], 0; @%p bra READY;
  add.u32 %r8, %r8, 1; setp.lt.u32 %p, %r8, 100000; @%p bra POLL;
  trap;
READY:
  mul.wide.u32 %rd6, %r2, {SHARED}; add.s64 %rd2, %rd2, %rd6; shl.b32 %r6, %r1, 4;
DUMP:
  add.u32 %r7, %r0, %r6; ld.shared.v4.b32 {{%v0, %v1, %v2, %v3}}, [%r7];
  cvt.u64.u32 %rd7, %r6; add.s64 %rd7, %rd2, %rd7; st.global.v4.b32 [%rd7], {{%v0, %v1, %v2, %v3}};
  add.u32 %r6, %r6, 512; setp.lt.u32 %p, %r6, {SHARED}; @%p bra DUMP;
  ret;
}}
"""


@dataclass(frozen=True)
class Multicast:
    """A box to several CTAs of a cluster."""

    def kernel(self) -> str:
        return _MULTICAST_KERNEL


# `k(map, places, out, bytes)`: the first CTA of a cluster copies to those of the mask in word 6 of its place;
# the others wait for as many bytes as they get.
_MULTICAST_KERNEL = f"""{HEADER}
.extern .shared .align 1024 .b8 image[];
.visible .entry k(.param .align 64 .b8 pmap[128], .param .u64 pplaces, .param .u64 pout, .param .u32 pbytes)
{{
  .reg .pred %p, %q, %mine; .reg .b16 %h; .reg .b32 %r<20>, %c<8>, %v<4>; .reg .b64 %rd<16>;
  ld.param.u64 %rd1, [pplaces]; ld.param.u64 %rd2, [pout]; ld.param.u32 %r4, [pbytes];
  mov.u32 %r1, %tid.x; mov.u32 %r2, %ctaid.x; mov.u32 %r0, image; add.u32 %r3, %r0, {SHARED};
  mov.u32 %r9, %clusterid.x; mov.u32 %r10, %cluster_ctarank;
  mul.wide.u32 %rd3, %r9, 32; add.s64 %rd3, %rd1, %rd3;
  ld.global.b32 %c0, [%rd3]; ld.global.b32 %c1, [%rd3+4];
  ld.global.b32 %r5, [%rd3+20]; add.u32 %r5, %r0, %r5; ld.global.b32 %r11, [%rd3+24]; cvt.u16.u32 %h, %r11;
  shr.u32 %r12, %r11, %r10; and.b32 %r12, %r12, 1; setp.ne.u32 %mine, %r12, 0;
  shl.b32 %r6, %r1, 4; mov.u32 %v0, 0xa5a5a5a5;
FILL:
  add.u32 %r7, %r0, %r6; st.shared.v4.b32 [%r7], {{%v0, %v0, %v0, %v0}};
  add.u32 %r6, %r6, 512; setp.lt.u32 %p, %r6, {SHARED}; @%p bra FILL;
  bar.warp.sync 0xffffffff;
  setp.ne.u32 %q, %r1, 0; @%q bra FILLED;
  mbarrier.init.shared.b64 [%r3], 1;
  @%mine mbarrier.arrive.expect_tx.shared.b64 _, [%r3], %r4;
  @!%mine mbarrier.arrive.shared.b64 _, [%r3];
FILLED:
  fence.proxy.async; fence.mbarrier_init.release.cluster;
  barrier.cluster.arrive.aligned; barrier.cluster.wait.aligned;
  setp.ne.u32 %p, %r10, 0; or.pred %p, %p, %q; @%p bra WAIT;
  mov.b64 %rd5, pmap; cvta.param.u64 %rd5, %rd5;
  cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster [%r5], [%rd5, {{%c0, %c1}}], [%r3], %h;
WAIT:
  mov.u32 %r8, 0;
POLL:
  mbarrier.try_wait.parity.shared.b64 %p, [%r3], 0; @%p bra READY;
  add.u32 %r8, %r8, 1; setp.lt.u32 %p, %r8, 100000; @%p bra POLL;
  trap;
READY:
  mul.wide.u32 %rd6, %r2, {SHARED}; add.s64 %rd2, %rd2, %rd6; shl.b32 %r6, %r1, 4;
DUMP:
  add.u32 %r7, %r0, %r6; ld.shared.v4.b32 {{%v0, %v1, %v2, %v3}}, [%r7];
  cvt.u64.u32 %rd7, %r6; add.s64 %rd7, %rd2, %rd7; st.global.v4.b32 [%rd7], {{%v0, %v1, %v2, %v3}};
  add.u32 %r6, %r6, 512; setp.lt.u32 %p, %r6, {SHARED}; @%p bra DUMP;
  barrier.cluster.arrive.aligned; barrier.cluster.wait.aligned;
  ret;
}}
"""


def multicast_cases(rng: np.random.Generator):
    for size in (2, 4, 8):
        for swizzle in SWIZZLES:
            tensor_map, count = _random_map(rng, 2, "BF16", swizzle, False)
            data = rng.integers(0, 256, count).astype(np.uint8)
            places = _random_places(rng, tensor_map, 3)
            places[:, 6] = rng.integers(1, 1 << size, 3)
            blocks = 3 * size
            args = [tensor_map, "places", "out", np.uint32(box_bytes(tensor_map))]
            out = np.zeros((blocks, SHARED), np.uint8)
            name = f"multicast_{size}_{swizzle}"
            yield (
                Multicast(),
                Case(
                    name, "k", (blocks,), (32,), args, {"x": data, "places": places}, {"out": out},
                    cluster=(size,), shared=SHARED + 16,
                ),
            )  # fmt: skip


def _store_kernel(rank: int, operation: str) -> str:
    """`k(map, places, image)`."""
    loads, names = _coordinates(rank)
    opcode = "cp.async.bulk.tensor" if operation == "store" else "cp.reduce.async.bulk.tensor"
    suffix = "" if operation == "store" else f".{operation}"
    return f"""{HEADER}
.extern .shared .align 1024 .b8 image[];
.visible .entry k(.param .align 64 .b8 pmap[128], .param .u64 pplaces, .param .u64 pimage)
{{
  .reg .pred %p, %q; .reg .b32 %r<16>, %c<8>, %v<4>; .reg .b64 %rd<16>;
  ld.param.u64 %rd1, [pplaces]; ld.param.u64 %rd2, [pimage];
  mov.u32 %r1, %tid.x; mov.u32 %r2, %ctaid.x; mov.u32 %r0, image;
  mul.wide.u32 %rd3, %r2, 32; add.s64 %rd3, %rd1, %rd3;
{loads}
  ld.global.b32 %r5, [%rd3+20]; add.u32 %r5, %r0, %r5;
  shl.b32 %r6, %r1, 4;
FILL:
  cvt.u64.u32 %rd7, %r6; add.s64 %rd7, %rd2, %rd7; ld.global.v4.b32 {{%v0, %v1, %v2, %v3}}, [%rd7];
  add.u32 %r7, %r0, %r6; st.shared.v4.b32 [%r7], {{%v0, %v1, %v2, %v3}};
  add.u32 %r6, %r6, 512; setp.lt.u32 %p, %r6, {SHARED}; @%p bra FILL;
  fence.proxy.async; bar.sync 0;
  setp.ne.u32 %q, %r1, 0; @%q bra DONE;
  mov.b64 %rd5, pmap; cvta.param.u64 %rd5, %rd5;
  {opcode}.{rank}d.global.shared::cta{suffix}.tile.bulk_group [%rd5, {names}], [%r5];
  cp.async.bulk.commit_group;
  cp.async.bulk.wait_group 0;
DONE:
  ret;
}}
"""


def box_bytes(tensor_map: TensorMap) -> int:
    """What a copy counts: the whole box, in or out of bounds."""
    strides = tensor_map.element_strides or (1,) * len(tensor_map.dims)
    count = tensor_map.box[0]
    for extent, step in list(zip(tensor_map.box, strides))[1:]:
        count *= -(-extent // step)
    return count * BYTES[tensor_map.dtype]


def make_places(coordinates: list[tuple[int, ...]], offsets: list[int]) -> np.ndarray:
    places = np.zeros((len(coordinates), 8), np.int32)
    for row, (coordinate, offset) in enumerate(zip(coordinates, offsets)):
        places[row, : len(coordinate)] = coordinate
        places[row, 5] = offset
    return places


def load(name: str, tensor_map: TensorMap, data: np.ndarray, places: np.ndarray) -> Case:
    blocks = len(places)
    inputs = {"x": data, "places": places}
    args = [tensor_map, "places", "out", np.uint32(box_bytes(tensor_map))]
    out = np.zeros((blocks, SHARED), np.uint8)
    return Case(name, "k", (blocks,), (32,), args, inputs, {"out": out}, shared=SHARED + 16)


def store(name: str, tensor_map: TensorMap, data: np.ndarray, places: np.ndarray, image: np.ndarray) -> Case:
    inputs = {"x": data, "places": places, "image": image}
    args = [tensor_map, "places", "image"]
    return Case(name, "k", (1,), (32,), args, inputs, {"x": data}, shared=SHARED)


def _random_map(rng: np.random.Generator, rank: int, dtype: str, swizzle: str, steps: bool) -> tuple[TensorMap, int]:
    """A map of a box that fits, and the bytes of its tensor."""
    size = BYTES[dtype]
    row = SWIZZLES[swizzle] or int(rng.choice([16, 48, 96, 256]))
    if rng.random() < 0.3 and row > 16:
        row -= 16
    box = [min(row // size, 256)]
    if box[0] * size % 16:
        box[0] = 16 // size
    left = 8192 // (box[0] * size)
    step = [1] * rank
    for i in range(1, rank):
        extent = int(rng.integers(1, min(left, 24 if i == 1 else 5) + 1))
        if steps:
            step[i] = int(rng.integers(1, 4))
        box.append(extent)
        left //= max(extent, 1)
        left = max(left, 1)
    dims = [int(rng.integers(max(1, extent // 2), 2 * extent + 4)) for extent in box]
    strides, bytes_so_far = [], dims[0] * size
    for i in range(1, rank):
        stride = -(-bytes_so_far // 16) * 16 + 16 * int(rng.integers(0, 2))
        strides.append(stride)
        bytes_so_far = stride * dims[i]
    oob = "nan" if dtype in ("F16", "BF16", "F32", "F64") and rng.random() < 0.5 else "zero"
    return TensorMap("x", dtype, tuple(dims), tuple(strides), tuple(box), tuple(step), swizzle, oob), -(-bytes_so_far // 16) * 16


def _random_places(rng: np.random.Generator, tensor_map: TensorMap, count: int, least: int | None = None) -> np.ndarray:
    """Coordinates from `least` on, or from where nothing is in bounds; the first ones are zeros."""
    coordinates, offsets = [(0,) * len(tensor_map.dims)], [0]
    for i in range(1, count):
        place = [
            int(rng.integers(-extent if least is None else least, dim + 2))
            for extent, dim in zip(tensor_map.box, tensor_map.dims)
        ]
        # Rows begin at multiples of 16 bytes.
        per_chunk = 16 // BYTES[tensor_map.dtype]
        place[0] -= place[0] % per_chunk
        coordinates.append(tuple(place))
        offsets.append(int(rng.integers(0, 8)) * 1024 if i % 2 else int(rng.integers(0, 60)) * 128)
    return make_places(coordinates, offsets)


def load_cases(rng: np.random.Generator):
    dtypes = list(BYTES)
    number = 0
    for rank in range(1, 6):
        for swizzle in SWIZZLES:
            for steps in (False, True):
                if steps and rank == 1:
                    continue
                for _ in range(2):
                    dtype = dtypes[number % len(dtypes)]
                    tensor_map, size = _random_map(rng, rank, dtype, swizzle, steps)
                    data = rng.integers(0, 256, size).astype(np.uint8)
                    places = _random_places(rng, tensor_map, 6)
                    name = f"load_{number}_{rank}d_{swizzle}_{dtype}{'_steps' if steps else ''}"
                    yield Form(rank), load(name, tensor_map, data, places)
                    number += 1


REDUCTIONS = {
    "add": ("U32", "I32", "U64", "F16", "BF16", "F32", "F64"), "min": ("U32", "I32", "F16", "BF16"), "max": ("U32", "I32", "F16"),
    "and": ("U32",), "or": ("U32",), "xor": ("U64",), "inc": ("U32",), "dec": ("U32",),
}  # fmt: skip


def _numbers(rng: np.random.Generator, dtype: str, size: int) -> np.ndarray:
    """Bytes whose elements are modest numbers."""
    count = -(-size // BYTES[dtype])
    if dtype in ("F16", "F32", "F64"):
        values = rng.standard_normal(count).astype({"F16": np.float16, "F32": np.float32, "F64": np.float64}[dtype])
    elif dtype == "BF16":
        values = (rng.standard_normal(count).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    else:
        values = rng.integers(0, 256, count * BYTES[dtype]).astype(np.uint8)
    return np.ascontiguousarray(values).view(np.uint8)[:size].copy()


def store_cases(rng: np.random.Generator):
    dtypes = list(BYTES)
    number = 0
    for rank in range(1, 6):
        for swizzle in SWIZZLES:
            for steps in (False, True):
                if steps and rank == 1:
                    continue
                dtype = dtypes[number % len(dtypes)]
                tensor_map, size = _random_map(rng, rank, dtype, swizzle, steps)
                data = rng.integers(0, 256, size).astype(np.uint8)
                places = _random_places(rng, tensor_map, 2, least=0)[number % 2 :][:1]
                image = rng.integers(0, 256, SHARED).astype(np.uint8)
                name = f"store_{number}_{rank}d_{swizzle}_{dtype}{'_steps' if steps else ''}"
                yield Form(rank, "store"), store(name, tensor_map, data, places, image)
                number += 1
    for operation, types in REDUCTIONS.items():
        for dtype in types:
            tensor_map, size = _random_map(rng, 2, dtype, ("none", "128B")[number % 2], False)
            data, image = _numbers(rng, dtype, size), _numbers(rng, dtype, SHARED)
            places = _random_places(rng, tensor_map, 2, least=0)[number % 2 :][:1]
            name = f"{operation}_{number}_{dtype}"
            yield Form(2, operation), store(name, tensor_map, data, places, image)
            number += 1


def probe_cases(rng: np.random.Generator):
    """One coordinate at a time, where a chip may refuse."""
    data = rng.integers(0, 256, 64 * 4 * 16).astype(np.uint8)
    image = rng.integers(0, 256, SHARED).astype(np.uint8)
    edges = [
        (4, 0), (1, 0), (2, 0), (3, 0), (-4, 0), (-1, 0), (0, -1), (0, -4), (-16, 0), (64, 0), (65, 0), (68, 0), (0, 16),
        (0, 15), (60, 0), (63, 0), (-2, 3), (52, 14), (-12, -3), (100, 100),
    ]  # fmt: skip
    for step in (1, 2):
        tensor_map = TensorMap("x", "F32", (64, 16), (256,), (16, 4), (1, step), "none", "zero")
        for x, y in edges if step == 1 else edges[:8]:
            places = make_places([(x, y)], [0])
            name = f"{x}_{y}_{step}"
            yield Form(2), load(f"load_{name}", tensor_map, data, places)
            yield Form(2, "store"), store(f"store_{name}", tensor_map, data, places, image)
