# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Any instructions on tensor memory between two images of it.

A kernel fills shared memory and the first columns of tensor memory from global memory, one thread
issues instructions, and the columns go back to global memory. With `ctas=2` a pair of CTAs does so,
and the thread is one of the first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from corpus import Case

THREADS = 128
LANES = 128
# Columns of one tcgen05.ld or st.
STEP = 16
SWIZZLES = {"none": 0, "128B_32B": 1, "128B": 2, "64B": 4, "32B": 6}


def descriptor(start: int, leading: int = 16, stride: int = 0, swizzle: str = "none", base: int = 0) -> int:
    """A matrix in the image of shared memory: offsets in bytes."""
    fields = start >> 4 | (leading >> 4) << 16 | (stride >> 4) << 32 | 1 << 46
    return fields | base << 49 | SWIZZLES[swizzle] << 61


def _moves(opcode: str, columns: int, mask: int = 0xFFFFFFFF) -> list[str]:
    """`opcode` is "ld" or "st", of the lanes of a warp, between tensor memory and %g. A load keeps the bits of
    `mask`."""
    lines = []
    for first in range(0, columns, STEP):
        registers = "{" + ", ".join(f"%v{i}" for i in range(STEP)) + "}"
        address = f"[%w+{first}]"
        load = [f"  ld.global.b32 %v{i}, [%g+{4 * (first + i)}];" for i in range(STEP)]
        store = [f"  st.global.b32 [%g+{4 * (first + i)}], %v{i};" for i in range(STEP)]
        if opcode == "st":
            lines += [*load, f"  tcgen05.st.sync.aligned.32x32b.x{STEP}.b32 {address}, {registers};"]
        else:
            lines += [f"  tcgen05.ld.sync.aligned.32x32b.x{STEP}.b32 {registers}, {address};"]
            lines += ["  tcgen05.wait::ld.sync.aligned;"]
            lines += [f"  and.b32 %v{i}, %v{i}, {mask};" for i in range(STEP)] if mask != 0xFFFFFFFF else []
            lines += store
    return lines


@dataclass(frozen=True)
class Program:
    """Instructions that one thread issues. In them `%t` is the first column of tensor memory, `D0`, `D1`, …
    are the matrices of `matrices`, `$G` is the group, and %p is false, %q true."""

    instructions: tuple[str, ...]
    matrices: tuple[int, ...] = ()
    columns: int = 64
    ctas: int = 1
    target: str = "sm_100a"
    # The bits of a cell that are looked at.
    mask: int = 0xFFFFFFFF
    # What all warps execute before that: %w is the warp's first lane in tensor memory, %x0, %x1, … are as many
    # registers. They come from the image of shared memory, [thread][register] from `registers_at` on, and, where
    # `shows_registers`, go to `after` instead of tensor memory.
    warps: tuple[str, ...] = ()
    registers: int = 0
    registers_at: int = 0
    shows_registers: bool = False

    @property
    def ptx(self) -> str:
        group = f"cta_group::{self.ctas}"
        text = "\n".join("  " + line for line in self.instructions).replace("$G", group)
        for i in reversed(range(len(self.matrices))):
            text = text.replace(f"D{i}", f"%d{i}")
        multicast = ".multicast::cluster" if self.ctas == 2 else ""
        mask = ", %h" if self.ctas == 2 else ""
        meet = ["  barrier.cluster.arrive;", "  barrier.cluster.wait;"] if self.ctas == 2 else ["  bar.sync 0;"]
        lines = [
            f".version 9.0\n.target {self.target}\n.address_size 64",
            ".extern .shared .align 1024 .b8 image[];",
            ".shared .align 8 .b64 m;\n.shared .align 16 .b32 t;",
            ".visible .entry k(.param .u64 pimage, .param .u32 pbytes, .param .u64 pin, .param .u64 pout)",
            "{",
            f"  .reg .pred %p, %q; .reg .b32 %r<24>, %v<{STEP}>, %t, %w; .reg .b16 %h;",
            f"  .reg .b32 %x<{self.registers + 1}>;",
            f"  .reg .b64 %rd<24>, %g, %d<{max(1, len(self.matrices))}>;",
            "  mov.u32 %r1, %tid.x; mov.u32 %r2, %ctaid.x; mov.u32 %r0, image;",
            "  ld.param.u64 %rd1, [pimage]; ld.param.u32 %r3, [pbytes];",
            "  ld.param.u64 %rd2, [pin]; ld.param.u64 %rd3, [pout];",
            "  mul.wide.u32 %rd4, %r2, %r3; add.s64 %rd1, %rd1, %rd4;",
            "  shl.b32 %r4, %r1, 4;",
            "COPY:",
            "  setp.ge.u32 %p, %r4, %r3;",
            "  @%p bra COPIED;",
            "  cvt.u64.u32 %rd5, %r4; add.s64 %rd5, %rd1, %rd5; add.u32 %r5, %r0, %r4;",
            "  ld.global.v4.u32 {%v0, %v1, %v2, %v3}, [%rd5];",
            "  st.shared.v4.u32 [%r5], {%v0, %v1, %v2, %v3};",
            f"  add.u32 %r4, %r4, {16 * THREADS};",
            "  bra COPY;",
            "COPIED:",
            "  mov.u32 %r6, m; mov.u32 %r7, t; shr.u32 %r8, %r1, 5;",
            "  setp.ne.u32 %p, %r8, 0;",
            "  @%p bra ALLOCATED;",
            f"  tcgen05.alloc.{group}.sync.aligned.shared::cta.b32 [%r7], 512;",
            f"  tcgen05.relinquish_alloc_permit.{group}.sync.aligned;",
            "ALLOCATED:",
            "  setp.eq.u32 %p, %r1, 0;",
            "  @%p mbarrier.init.shared.b64 [%r6], 1;",
            "  fence.proxy.async; bar.sync 0;",
            # Lanes: [cta][lane][column].
            "  ld.shared.b32 %t, [%r7]; shl.b32 %w, %r8, 21; add.u32 %w, %w, %t;",
            f"  mad.lo.u32 %r9, %r2, {LANES}, %r1; mul.wide.u32 %rd6, %r9, {4 * self.columns};",
            "  add.s64 %g, %rd2, %rd6;",
            *_moves("st", self.columns),
            "  tcgen05.wait::st.sync.aligned;",
            *self._collective(),
            "  tcgen05.fence::before_thread_sync;",
            *meet,
            "  tcgen05.fence::after_thread_sync;",
            "  shl.b32 %r10, %r2, 10; or.b32 %r10, %r10, %r1; setp.ne.u32 %p, %r10, 0;",
            "  @%p bra ISSUED;",
            "  shr.u32 %r11, %r0, 4; and.b32 %r11, %r11, 0x3fff; cvt.u64.u32 %rd7, %r11; mov.b16 %h, 3;",
            *(f"  add.s64 %d{i}, %rd7, {value};" for i, value in enumerate(self.matrices)),
            "  setp.eq.u32 %q, %r1, %r1; setp.ne.u32 %p, %r1, %r1;",
            text,
            f"  tcgen05.commit.{group}.mbarrier::arrive::one.shared::cluster{multicast}.b64 [%r6]{mask};",
            "ISSUED:",
            "WAIT:",
            "  mbarrier.try_wait.parity.shared.b64 %p, [%r6], 0;",
            "  @!%p bra WAIT;",
            "  tcgen05.fence::after_thread_sync;",
            "  add.s64 %g, %rd3, %rd6;",
            *self._dump(),
            "  tcgen05.fence::before_thread_sync;",
            *meet,
            "  tcgen05.fence::after_thread_sync;",
            "  setp.ne.u32 %p, %r8, 0;",
            "  @%p bra DONE;",
            f"  tcgen05.dealloc.{group}.sync.aligned.b32 %t, 512;",
            "DONE:",
            "  ret;",
            "}",
            "",
        ]
        return "\n".join(lines)

    def _collective(self) -> list[str]:
        load = [f"  ld.global.b32 %x{i}, [%rd8+{self.registers_at + 4 * i}];" for i in range(self.registers)]
        place = [f"  mul.wide.u32 %rd8, %r1, {4 * self.registers}; add.s64 %rd8, %rd1, %rd8;"]
        return place + load + ["  " + line for line in self.warps] if self.warps else []

    def _dump(self) -> list[str]:
        if not self.shows_registers:
            return _moves("ld", self.columns, self.mask)
        return [f"  st.global.b32 [%g+{4 * i}], %x{i};" for i in range(self.registers)]

    def case(self, name: str, image: np.ndarray, before: np.ndarray, after: np.ndarray) -> Case:
        """`image` [ctas, bytes] of uint8; `before` and `after` [ctas, 128, columns] of uint32."""
        image = np.ascontiguousarray(image.reshape(self.ctas, -1), np.uint8)
        case = Case(
            name,
            "k",
            (self.ctas,),
            (THREADS,),
            ["image", np.uint32(image.shape[1]), "before", "after"],
            {"image": image, "before": before},
            {"after": after & np.uint32(self.mask)},
        )
        case.cluster = (self.ctas, 1, 1)
        case.shared = image.shape[1] + 1024
        return case
