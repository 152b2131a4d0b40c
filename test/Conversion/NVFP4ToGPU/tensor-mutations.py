# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Breaks kernels of tensor memory one instruction at a time, as a mistake in their generator would, and demands that the
simulator notices, or that values change.

    tensor-mutations.py          all
    tensor-mutations.py wait     those whose name contains a word

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from float_cases import TENSOR_DECODED, TENSOR_WIDE, FloatMatmul, WeightOnly
from matmul_cases import MIDDLE, OVERLAPPED, PAIRS, SEPARATE, SHARED, Matmul, Runner

# One block computes several tiles, and more stages than there are.
ONE = Matmul(264, 1040, schedule=OVERLAPPED, chip="sm_100a", blocks=1)
TWO = Matmul(264, 1040, "mxfp4", schedule=SEPARATE, chip="sm_100a", blocks=1)
PAIR = Matmul(264, 1040, schedule=PAIRS, chip="sm_100a", blocks=1)
# The second tile begins in the middle of a tile of scales.
MIDDLES = Matmul(392, 272, schedule=MIDDLE, chip="sm_100a", blocks=1)
SHARING = Matmul(264, 1040, schedule=SHARED, chip="sm_100a", blocks=1)
# Operands of 16 bits by tensor maps, rounded by threads, and weights that threads decode beside activations by maps.
MAPS = FloatMatmul(264, 592, schedule=TENSOR_WIDE, chip="sm_100a")
COPIES = FloatMatmul(264, 330, schedule=TENSOR_WIDE, chip="sm_100a", source="f32")
COPIED_PAIR = FloatMatmul(264, 330, schedule=TENSOR_WIDE + ", clusters = 2", chip="sm_100a", source="f32")
WEIGHTS = WeightOnly(264, 592, schedule=TENSOR_DECODED, chip="sm_100a", activations="bf16", blocks=1)
ROWS = 257


@dataclass(frozen=True)
class Mutation:
    name: str
    kernel: Matmul | FloatMatmul
    pattern: str
    replacement: str
    # Which of the places that match, from the end if negative; all if None.
    index: int | None = 0

    def apply(self, ptx: str) -> str | None:
        found = list(re.finditer(self.pattern, ptx, re.M))
        chosen = found if self.index is None else found[self.index :][:1]
        for match in reversed(chosen):
            ptx = ptx[: match.start()] + match.expand(self.replacement) + ptx[match.end() :]
        return ptx if chosen else None


# In order: empty stage (copies); stage's and tile's results (giving out) or free sums and full stages (multiplying).
WAIT = r"mbarrier\.try_wait\.parity\.shared::cta\.b64 done, \[(%r\d+)\], (%r\d+);"
WAIT_FOR_PAIR = WAIT.replace("y\\.s", r"y\.acquire\.cluster\.s")
ALWAYS = "setp.eq.u32 done, 0, 0;"
OTHER = r"xor.b32 \2, \2, 1; mbarrier.try_wait.parity.shared::cta.b64 done, [\1], \2; xor.b32 \2, \2, 1;"
COMMIT = r"tcgen05\.commit[^;]*;"
PRODUCT = r"(tcgen05\.mma[^;]* x, y, )(\d+)(, [^;]*;)"
# A load of sums, what is between, and the end, where one warp frees the columns.
FREED = r"(?s)(tcgen05\.ld[^;]*;)(.*?@(%p\d+) bra[^;]*;\s*(?://[^\n]*\s*)*tcgen05\.fence::after_thread_sync;[^;]*?(tcgen05\.dealloc[^;]*;))"
EXPECTED = r"(arrive\.expect_tx\.shared::cta\.b64 _, \[%r\d+\], )%r\d+;"
MUTATIONS = [
    Mutation("no wait for an empty stage", ONE, WAIT, ALWAYS, 0),
    Mutation("no wait for complete sums", ONE, WAIT, ALWAYS, 1),
    Mutation("no wait for free sums", ONE, WAIT, ALWAYS, 2),
    Mutation("no wait for a full stage", ONE, WAIT, ALWAYS, 3),
    Mutation("no wait for free sums that do not overlap", TWO, WAIT, ALWAYS, 2),
    Mutation("the other parity of a stage", ONE, WAIT, OTHER, 3),
    Mutation("the other parity of sums", ONE, WAIT, OTHER, 1),
    Mutation("no commit of a stage", ONE, COMMIT, "", 0),
    Mutation("no commit of sums", ONE, COMMIT, "", -1),
    Mutation("sums freed a slice too early", TWO, r"@%p\d+ (mbarrier\.arrive\.shared::cta)", r"\1"),
    Mutation("fewer bytes expected", ONE, EXPECTED, r"\g<1>1024;"),
    Mutation("lines of another stride", ONE, "4611756662049538048", "4611756524610584576", None),
    Mutation("scales of another stride", ONE, "70403103917056", "70385924047872", None),
    Mutation("scales four columns off", ONE, r"(tcgen05\.cp[^;]*\+ )476\]", r"\g<1>480]", None),
    Mutation("scales of the step before", TWO, ", 1218446496,", ", 144704672,", None),
    Mutation("scales of the step after", TWO, ", 144704640,", ", 1218446496,"),
    Mutation("scales of e8m0 read as e4m3", TWO, "block32", "block16", None),
    Mutation("another number of columns", ONE, PRODUCT, r"\g<1>136316032\3", None),
    Mutation("a step of K read twice", ONE, r"add\.s64 x, rows, 2;", "add.s64 x, rows, 0;"),
    Mutation("sums of the tile before", ONE, r"(tcgen05\.mma[^;]*), %p\d+;", r"\1, yes;", 0),
    Mutation("allocation never freed", ONE, r"tcgen05\.dealloc[^;]*;", ""),
    Mutation("allocation freed before the last load", ONE, FREED, r"@!\3 \4 \1\2"),
    Mutation("no wait for loads", ONE, r"tcgen05\.wait::ld\.sync\.aligned;", ""),
    Mutation("no barrier before sums are read back", ONE, r"bar\.sync 1, 128;", "", 1),
    Mutation("no barrier before sums are overwritten", ONE, r"bar\.sync 1, 128;", "", 0),
    Mutation("lanes of another warp", ONE, r"shl\.b32 (\t%r\d+, %r\d+), 21;", r"mov.b32 \1; shl.b32 \1, 20;"),
    Mutation("columns of another row", ONE, r"(tcgen05\.ld[^;]*\[%r\d+) \+ 32\]", r"\1 + 0]"),
    Mutation("scales from where their tile begins", MIDDLES, r"and\.b16 (\s*%rs\d+, %rs\d+), 2;", r"and.b16 \1, 0;"),
    Mutation("scales of every tile from the middle", MIDDLES, r"and\.b16 (\s*%rs\d+), %rs\d+, 2;", r"mov.b16 \1, 2;"),
    Mutation("pair: no wait for an empty stage", PAIR, WAIT, ALWAYS, 0),
    Mutation("pair: no wait for complete sums", PAIR, WAIT, ALWAYS, -3),
    Mutation("pair: no wait for a full stage", PAIR, WAIT, ALWAYS, -2),
    Mutation("pair: no wait for free sums", PAIR, WAIT_FOR_PAIR, ALWAYS),
    Mutation("pair: sums freed by one CTA", PAIR, r"(mbarrier\.init[^;]*), 2;", r"\1, 1;", None),
    Mutation("pair: half of the scales for one CTA", PAIR, "mov.b16 both, 3;", "mov.b16 both, 1;", 0),
    Mutation("pair: stages freed in one CTA", PAIR, "mov.b16 both, 3;", "mov.b16 both, 1;", 1),
    Mutation("pair: sums complete in one CTA", PAIR, "mov.b16 both, 3;", "mov.b16 both, 1;", -1),
    Mutation("pair: copies complete on their own barrier", PAIR, "0xFEFFFFFF", "0xFFFFFFFF", None),
    Mutation("pair: bytes of one CTA expected", PAIR, EXPECTED, r"\g<1>38912;"),
    Mutation("pair: nobody waits in the beginning", PAIR, r"barrier\.cluster\.wait\.aligned;", "", 0),
    Mutation("pair: nobody waits in the end", PAIR, r"barrier\.cluster\.wait\.aligned;", "", -1),
    Mutation("pair: products of 128 rows", PAIR, PRODUCT, r"\g<1>138413184\3", None),
    Mutation("shared K: no wait for parts that are read", SHARING, WAIT_FOR_PAIR, ALWAYS, 0),
    Mutation("shared K: no wait for parts of others", SHARING, WAIT_FOR_PAIR, ALWAYS, 1),
    Mutation("shared K: parts of three expected", SHARING, EXPECTED, r"\g<1>24576;", 1),
    Mutation("shared K: parts in each other's place", SHARING, r"mul\.lo\.s32 (\s*%r\d+, %r\d+), 8448;", r"mul.lo.s32 \1, 0;"),
    Mutation("shared K: nobody waits in the end", SHARING, r"barrier\.cluster\.wait\.aligned;", "", -1),
    Mutation("shared K: parts free when one has been read", SHARING, r"(mbarrier\.arrive\.release\.cluster[^;]*;)", r"\1 \1"),
    Mutation("16 bits: no wait for an empty stage", MAPS, WAIT, ALWAYS, 3),
    Mutation("16 bits: no wait for a full stage", MAPS, WAIT, ALWAYS, -1),
    Mutation("16 bits: the other parity of a stage", MAPS, WAIT, OTHER, -1),
    Mutation("16 bits: no commit of a stage", MAPS, COMMIT, "", 0),
    Mutation("16 bits: no commit of sums", MAPS, COMMIT, "", -1),
    Mutation("16 bits: fewer bytes expected", MAPS, EXPECTED, r"\g<1>1024;"),
    Mutation("16 bits: lines of another stride", MAPS, "4611756662049538048", "4611756524610584576", None),
    Mutation("16 bits: f16 instead of bf16", MAPS, "138413200", "138412048", None),
    Mutation("16 bits: half the columns", MAPS, "138413200", "136316048", None),
    Mutation("16 bits: allocation freed before the last load", MAPS, FREED, r"@!\3 \4 \1\2"),
    Mutation("rounded: no fence behind stores", COPIES, r"fence\.proxy\.async\.shared::cta;", ""),
    Mutation("rounded: no wait for an empty stage", COPIES, WAIT, ALWAYS, 0),
    Mutation("rounded: full when three of four warps are done", COPIES, r"(mbarrier\.init[^;]*), 4;", r"\1, 3;", None),
    Mutation("rounded by a pair: no fence behind stores", COPIED_PAIR, r"fence\.proxy\.async\.shared::cta;", ""),
    Mutation("rounded by a pair: full when one CTA is done", COPIED_PAIR, r"(mbarrier\.init[^;]*), 8;", r"\1, 4;", None),
    Mutation("rounded by a pair: no wait for a full stage", COPIED_PAIR, WAIT_FOR_PAIR, ALWAYS, 1),
    Mutation("rounded by a pair: both are the first", COPIED_PAIR, r"and\.b32 (\s*%r\d+, %r\d+), 1;", r"and.b32 \1, 0;"),
    Mutation("weights: no fence behind stores", WEIGHTS, r"fence\.proxy\.async\.shared::cta;", ""),
    Mutation("weights: no wait for copies", WEIGHTS, r"cp\.async\.wait_group[^;]*;", ""),
    Mutation("weights: wait for fewer copies", WEIGHTS, r"(cp\.async\.wait_group\s+)1", r"\g<1>2"),
    Mutation("weights: no wait for an empty stage", WEIGHTS, WAIT, ALWAYS, 0),
    Mutation("weights: no wait for a full stage", WEIGHTS, WAIT, ALWAYS, -1),
    Mutation("weights: full without the activations", WEIGHTS, r"(mbarrier\.init[^;]*), 5;", r"\1, 4;", None),
    Mutation("weights: no commit of a stage", WEIGHTS, COMMIT, "", 0),
    Mutation("weights: decoded to the line of another row", WEIGHTS, r"xor\.b32 (\s*%r\d+, %r\d+), 64;", r"xor.b32 \1, 80;"),
    Mutation("weights: scales of the next four", WEIGHTS, r"(cp\.async\.ca\.shared\.global \[%rd\d+\+\d+\], \[%rd\d+)\]", r"\1+4]"),
    Mutation("weights: codes of the other half", WEIGHTS, r"(cp\.async\.cg\.shared\.global \[%rd\d+\+\d+\], \[%rd\d+)\+16\]", r"\1]"),
    Mutation("weights: another factor than decoding has", WEIGHTS, "0f7B000000", "0f7B800000", 0),
]


class Subject:
    """A kernel that is right, to be broken."""

    def __init__(self, kernel: Matmul | FloatMatmul) -> None:
        self.kernel, self.runner = kernel, Runner()
        self.folder = Path(tempfile.mkdtemp())
        self.shared = self.runner.compile(kernel, self.folder)
        self.ptx = (self.folder / "kernel.ptx").read_text()

    def is_right(self, ptx: str) -> tuple[bool, str]:
        (self.folder / "kernel.ptx").write_text(ptx)
        case = self.kernel.case(np.random.default_rng(1), 13 if "max_rows" in self.kernel.schedule else ROWS)
        case.shared = self.shared
        case.args = [*case.args, *(template.make(case.args) for template in self.runner.maps)]
        before, said = self.runner.failures, io.StringIO()
        with contextlib.redirect_stdout(said):
            self.runner.launch(self.kernel, case, self.folder)
        return self.runner.failures == before, said.getvalue()


def main() -> int:
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    failures = 0
    subjects = {kernel: Subject(kernel) for kernel in (ONE, TWO, PAIR, MIDDLES, SHARING, MAPS, COPIES, COPIED_PAIR, WEIGHTS)}
    for kernel, subject in subjects.items():
        right, said = subject.is_right(subject.ptx)
        if not right:
            failures += 1
            print(f"WRONG unbroken: {kernel.name}: {said}")
    for mutation in MUTATIONS:
        if wanted not in mutation.name:
            continue
        subject = subjects[mutation.kernel]
        ptx = mutation.apply(subject.ptx)
        if ptx is None:
            print(f"WRONG {mutation.name}: expected a place for '{mutation.pattern}', but got none")
            failures += 1
            continue
        right, said = subject.is_right(ptx)
        if right:
            print(f"WRONG {mutation.name}: not noticed")
            failures += 1
        if wanted:
            print(f"{mutation.name}: {said.strip()[:300]}")
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
