# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Breaks kernels of warpgroups one instruction at a time, as a mistake in their generator would, and demands that the
simulator notices, or that values change.

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
from float_cases import WARPGROUPS, FloatMatmul, RegisterWeights
from matmul_cases import Runner

# Both operands by tensor maps; both by copies of threads; weights decoded in registers.
MAPS = FloatMatmul(136, 384, schedule=WARPGROUPS, chip="sm_90a")
COPIES = FloatMatmul(136, 386, schedule=WARPGROUPS, chip="sm_90a")
WEIGHTS = RegisterWeights(136, 384, activations="bf16", element="bf16", schedule=WARPGROUPS)


@dataclass(frozen=True)
class Mutation:
    name: str
    kernel: object
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


WAIT = r"mbarrier\.try_wait\.parity\.shared::cta\.b64 done, \[(%r\d+)\], (%r\d+);"
ARRIVE = r"@%p\d+ mbarrier\.arrive\.shared::cta\.b64 _, \[%r\d+\];"
MUTATIONS = [
    Mutation("no fence before the unit", MAPS, r"wgmma\.fence\.sync\.aligned;", ""),
    Mutation("no wait for the last multiplications", MAPS, r"wgmma\.wait_group\.sync\.aligned 0;", ""),
    Mutation("no wait before a stage is given back", MAPS, r"wgmma\.wait_group\.sync\.aligned 1;", ""),
    Mutation("wait for one multiplication less", MAPS, r"wait_group\.sync\.aligned 1;", "wait_group.sync.aligned 2;"),
    Mutation("no commit", MAPS, r"wgmma\.commit_group\.sync\.aligned;", ""),
    Mutation("a step of K read twice", MAPS, r"add\.s64 cols, (%rd\d+), 2;", r"add.s64 cols, \1, 0;"),
    Mutation("rows of another stride", MAPS, "4611686293305360384", "4611686155866406912", None),
    Mutation("no wait for a full stage", MAPS, WAIT, "setp.eq.u32 done, 0, 0;", -1),
    Mutation("no wait for an empty stage", MAPS, WAIT, "setp.eq.u32 done, 0, 0;", 0),
    Mutation("the other parity", MAPS, WAIT, r"xor.b32 \2, \2, 1; mbarrier.try_wait.parity.shared::cta.b64 done, [\1], \2;", -1),
    Mutation("fewer bytes expected", MAPS, r"(arrive\.expect_tx\.shared::cta\.b64 _, \[%r\d+\], )%r\d+;", r"\g<1>1024;"),
    Mutation("stages never given back", MAPS, ARRIVE, "", None),
    Mutation("no barrier before sums are read back", MAPS, r"bar\.sync 1, 256;", "", 1),
    Mutation("no barrier before sums are overwritten", MAPS, r"bar\.sync 1, 256;", "", 2),
    Mutation("no fence behind stores of threads", COPIES, r"fence\.proxy\.async\.shared::cta;", ""),
    Mutation("no wait for copies", COPIES, r"cp\.async\.wait_group[^;]*;", ""),
    Mutation("wait for fewer copies", COPIES, r"(cp\.async\.wait_group\s+)\d", r"\g<1>9"),
    Mutation("stage given back before it was read", WEIGHTS, r"wgmma\.wait_group\.sync\.aligned 0;", ""),
    Mutation("scales of another step", WEIGHTS, r"(shfl\.sync\.idx\.b32[^,]*, [^,]*, )(%r\d+),", r"\g<1>0,", 1),
    Mutation("scales of another half", WEIGHTS, r"and\.b32 ( *\t%r\d+), %r\d+, 2;", r"mov.b32 \1, 0;", None),
]


class Subject:
    """A kernel that is right, to be broken."""

    def __init__(self, kernel) -> None:
        self.kernel, self.runner = kernel, Runner()
        self.folder = Path(tempfile.mkdtemp())
        self.shared = self.runner.compile(kernel, self.folder)
        self.ptx = (self.folder / "kernel.ptx").read_text()

    def is_right(self, ptx: str) -> bool:
        (self.folder / "kernel.ptx").write_text(ptx)
        case = self.kernel.case(np.random.default_rng(1), 300)
        case.shared = self.shared
        case.args = [*case.args, *(template.make(case.args) for template in self.runner.maps)]
        before = self.runner.failures
        with contextlib.redirect_stdout(io.StringIO()):
            self.runner.launch(self.kernel, case, self.folder)
        return self.runner.failures == before


def main() -> int:
    failures = 0
    subjects = {kernel: Subject(kernel) for kernel in (MAPS, COPIES, WEIGHTS)}
    for kernel, subject in subjects.items():
        if not subject.is_right(subject.ptx):
            failures += 1
            print(f"WRONG unbroken: {kernel.name}")
    for mutation in MUTATIONS:
        subject = subjects[mutation.kernel]
        ptx = mutation.apply(subject.ptx)
        if ptx is None:
            print(f"WRONG {mutation.name}: expected a place for '{mutation.pattern}', but got none")
        elif subject.is_right(ptx):
            print(f"WRONG {mutation.name}: not noticed")
        else:
            continue
        failures += 1
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
