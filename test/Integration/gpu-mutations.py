# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Breaks the kernels of compiled matmul layers one instruction at a time, as a mistake in a generator would, and demands
that the simulator notices, or that values change.

A mutation edits the PTX in a package's program, in place. One that does not find its instruction fails, so that the
list follows the generators.

    gpu-mutations.py            all
    gpu-mutations.py wait       those whose name contains a word

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gpu_layers import Compiled, Layer, make_values, store
from harness import CommandError, expect, finish, group, run, temporary

VALUES = "values"
# Kernels of a layer, by what only they contain, and the rows that they are run with.
QUANTIZE, FEW_ROWS, MANY_ROWS = "quantize", "few rows", "many rows"
STREAM, WIDE_STREAM, WARPGROUPS = "stream", "wide stream", "warpgroups"
SUBJECTS = [
    ("sm_120a", Layer("nvfp4-row", 100, 1040, bias=True), {QUANTIZE: 129, FEW_ROWS: 5, MANY_ROWS: 129}),
    ("sm_90a", Layer("nvfp4-weight-only", 100, 1040, element="bf16", bias=True), {STREAM: 5, WIDE_STREAM: 49, WARPGROUPS: 129}),
]


@dataclass(frozen=True)
class Mutation:
    name: str
    kernel: str
    pattern: str
    replacement: str
    # What may tell: a rule or a word of the simulator, or "values".
    expect: tuple[str, ...]
    # Which of the places that match, from the end if negative; all if None.
    index: int | None = 0

    def apply(self, body: str) -> str:
        found = list(re.finditer(self.pattern, body, re.M))
        chosen = found if self.index is None else found[self.index :][:1]
        if not chosen:
            raise ValueError(f"expected '{self.pattern}', but got {len(found)} places")
        for match in reversed(chosen):
            text = match.expand(self.replacement)
            if len(text) > len(match[0]):
                raise ValueError(f"expected at most {len(match[0])} characters, but got '{text}'")
            body = body[: match.start()] + text.ljust(len(match[0])) + body[match.end() :]
        return body


def line(instruction: str) -> str:
    return rf"^\t{instruction}[^\n]*;$"


ENTRY = re.compile(rb"\.visible \.entry \w+\(.*?\n\}", re.S)
BARRIER, WAIT, COMMIT = line(r"bar\.sync \t0"), line(r"cp\.async\.wait_group"), line(r"cp\.async\.commit_group")
SCALES = r"(\n\tld\.shared\.b32 \t%r\d+, \[%rd\d+\+)(\d+)\];"
MIN = r"min\.u64 (\t%rd\d+, %rd\d+), "
TELLS = ("R4", "R6", "R11")
TRY_WAIT = r"mbarrier\.try_wait\.parity[.\w:]*\.b64 done, \[%r\d+\], %r\d+;"
NO_WAIT, ARRIVE = "setp.eq.u32 done, 0, 0;", r"(@%p\d+ )?mbarrier\.arrive\.shared::cta\.b64 _, \[%r\d+\];"
WAITS = ("R4", "R7", "R8", "R9", "R11", "R12", "deadlock", VALUES)
MUTATIONS = [
    Mutation("maximum without half of the lanes", QUANTIZE, r"(shfl\.sync\.bfly\.b32 \t%r\d+, %r\d+, )16, ", r"\g<1>8, ", (VALUES,)),
    Mutation("block's maximum without a lane", QUANTIZE, r"(shfl\.sync\.bfly\.b32 \t%r\d+, %r\d+, )2, 31", r"\g<1>1, 31", (VALUES,), -1),
    Mutation("scales in the wrong layout", QUANTIZE, r"(and\.b64  ?\t%rd\d+, %rd\d+, )496;", r"\g<1>240;", (VALUES, *TELLS)),
    Mutation("scales of padding not written", QUANTIZE, line(r"st\.global\.b32 \t\[%rd\d+\], 0"), "", TELLS),
    Mutation("scales rounded from another maximum", QUANTIZE, r"0f3E2AAAAB", "0f3E000000", (VALUES,)),
    Mutation("codes of neighbours exchanged", QUANTIZE, r"b0, (%r\d+), (%r\d+); cvt", r"b0, \2, \1; cvt", (VALUES,)),
    Mutation("no wait", MANY_ROWS, WAIT, "", ("R6",), None),
    Mutation("wait for one group less", MANY_ROWS, r"(wait_group \t)\d", r"\g<1>9", ("R6",), None),
    Mutation("no group for the stage just filled", MANY_ROWS, COMMIT, "", ("R6",), -1),
    Mutation("no barrier after the wait", MANY_ROWS, BARRIER, "", TELLS, 0),
    Mutation("no barrier before accumulators go to shared memory", MANY_ROWS, BARRIER, "", TELLS, -2),
    Mutation("no barrier before accumulators are read back", MANY_ROWS, BARRIER, "", TELLS, -1),
    Mutation("columns not clamped", MANY_ROWS, MIN + "99;", r"mov.u64 \1;", ("bounds",), -1),
    Mutation("a step of the operand read twice", MANY_ROWS, r"(xor\.b32 \t%r\d+, %r\d+, )32;", r"\g<1>0;", (VALUES,)),
    Mutation("scales of another octet", MANY_ROWS, SCALES + SCALES, r"\1\2];\3\2];", (VALUES,)),
    Mutation("scales of another lane", MANY_ROWS, r"(%r\d+, \{(%rs\d+), )(?!\2)%rs\d+\}", r"\1\2}", (VALUES,)),
    Mutation("no swizzle of a copy", MANY_ROWS, r"xor\.b32 (\t%r\d+, %r\d+), %r\d+;", r"mov.b32 \1;", (VALUES, *TELLS)),
    Mutation("no zeros beyond K", MANY_ROWS, r"selp\.b32 (\t%r\d+), (8|16), 0, %p\d+;", r"mov.b32 \1, \2;", (VALUES,), None),
    Mutation("columns not clamped", FEW_ROWS, r"min\.u32 (\t%r\d+, %r\d+), 99;", r"mov.u32 \1;", ("bounds",), -1),
    Mutation("no wait for few rows", FEW_ROWS, WAIT, "", ("R6",), None),
    Mutation("results beyond the last column", FEW_ROWS, r"(setp\.gt\.u32 \t%p\d+, %r\d+, )99;", r"\g<1>-1;", (VALUES, "R4", "bounds")),
    Mutation("results beyond the last row", FEW_ROWS, r"min\.u64 (\t%rd\d+), %rd\d+, 16;", r"mov.u64 \1, 16;", ("bounds",)),
    Mutation("no scale of the row", FEW_ROWS, r"mul\.rn\.f32 (\t%r\d+, %r\d+), %r\d+;", r"mov.b32 \1;", (VALUES,)),
    Mutation("sums of one warp left out", FEW_ROWS, r"add\.rn\.f32 (\t%r\d+, %r\d+), %r\d+;", r"mov.b32 \1;", (VALUES,)),
    Mutation("no wait for weights", STREAM, TRY_WAIT.replace("[.\\w:]*", r"\.shared::cta"), NO_WAIT, WAITS, -2),
    Mutation("no wait for sums", STREAM, TRY_WAIT, NO_WAIT, WAITS, None),
    Mutation("fewer bytes of weights expected", STREAM, r"(arrive\.expect_tx\.shared::cta\.b64 _, \[%r\d+\], )%r\d+;", r"\g<1>16;", WAITS),
    Mutation("no arrival for bytes of sums", STREAM, r"mbarrier\.arrive\.expect_tx[^;]*;", "", WAITS, -3),
    Mutation("no barrier behind activations", STREAM, BARRIER, "", WAITS),
    Mutation("sums of the other CTA", STREAM, r"(mapa\.shared::cluster\.u32 %r\d+, %r\d+, )%r\d+;", r"\g<1>0;", WAITS, 1),
    Mutation("rows beyond the last one sent", STREAM, r"@%p\d+ (st\.async[^;]*;)", r"\1", ("bounds", *WAITS), 1),
    Mutation("scales of another step", STREAM, r"(shfl\.sync\.idx\.b32[^,]*, [^,]*, )%r\d+,", r"\g<1>0,", (VALUES,), 1),
    Mutation("half of K left out", STREAM, r"(mma\.sync[^;]*;)", "", (VALUES, *TELLS)),
    Mutation("no wait for sums", WIDE_STREAM, TRY_WAIT, NO_WAIT, WAITS, None),
    Mutation("fewer bytes of a stage expected", WIDE_STREAM, r"(arrive\.expect_tx\.shared::cta\.b64 _, \[%r\d+\], )%r\d+;", r"\g<1>16;", WAITS),
    Mutation("sums of the other CTA", WIDE_STREAM, r"(mapa\.shared::cluster\.u32 %r\d+, %r\d+, )%r\d+;", r"\g<1>0;", WAITS, 1),
    Mutation("scales of another step", WIDE_STREAM, r"(shfl\.sync\.idx\.b32[^,]*, [^,]*, )%r\d+,", r"\g<1>0,", (VALUES,), 1),
    Mutation("no wait for a full stage", WARPGROUPS, TRY_WAIT, NO_WAIT, WAITS, -1),
    Mutation("no wait for an empty stage", WARPGROUPS, TRY_WAIT, NO_WAIT, WAITS, 0),
    Mutation("stages never given back", WARPGROUPS, ARRIVE, "", WAITS, None),
    Mutation("stage given back before it was read", WARPGROUPS, r"wgmma\.wait_group\.sync\.aligned 0;", "", ("R10", *WAITS)),
    Mutation("no fence before the unit", WARPGROUPS, r"wgmma\.fence\.sync\.aligned;", "", ("R10",)),
    Mutation("fewer bytes of a tile expected", WARPGROUPS, r"(arrive\.expect_tx\.shared::cta\.b64 _, \[%r\d+\], )%r\d+;", r"\g<1>16;", WAITS),
    Mutation("scales of another step", WARPGROUPS, r"(shfl\.sync\.idx\.b32[^,]*, [^,]*, )%r\d+,", r"\g<1>0,", (VALUES,), 1),
    Mutation("no barrier before sums are read back", WARPGROUPS, r"bar\.sync 1, \d+;", "", TELLS, 1),
]


def find_entries(program: bytes) -> dict[str, tuple[int, int]]:
    """Where the kernels of @main begin and end in a program. The one for few rows has fewer instructions of the unit."""
    entries = {match.span(): match[0].count(b"mma.sync.aligned") for match in ENTRY.finditer(program)}
    having = lambda word: [span for span in entries if word in program[slice(*span)]]
    if streams := having(b"st.async"):
        # The first stream is for one or two rows, the last one for up to 64.
        groups = [span for span in having(b"wgmma.mma_async") if span not in streams]
        return {STREAM: streams[1], WIDE_STREAM: streams[-1], WARPGROUPS: groups[0]}
    products = sorted((span for span in entries if entries[span]), key=entries.get)
    quantize = [span for span in having(b"e2m1x2") if not entries[span]]
    return dict(zip((FEW_ROWS, MANY_ROWS, QUANTIZE), [*products, quantize[0]]))


class Subject:
    """A layer that is right, to be broken."""

    def __init__(self, chip: str, layer: Layer, rows: dict[str, int]) -> None:
        self.rng = np.random.default_rng(0)
        self.layer, self.compiled, self.rows = layer, Compiled(layer, self.rng, chip), rows
        self.inputs = {count: make_values(self.rng, (count, layer.columns)) for count in set(rows.values())}
        if QUANTIZE in rows:
            self.bytes = run(self.compiled.cpu, {"x": store(self.inputs[rows[QUANTIZE]], layer.element)}, "bytes")
        self.program = (self.compiled.gpu / "program.so").read_bytes()
        self.entries = find_entries(self.program)

    def run(self, package: Path, kernel: str) -> str:
        """Which rule the simulator names, or whether values are right."""
        values = self.inputs[self.rows[kernel]]
        inputs = {"x": store(values, self.layer.element)}
        entry = "bytes" if kernel == QUANTIZE else "main" if self.compiled.form else None
        try:
            got = run(package, inputs, entry, ["--device=sim", "--accumulate=exact", "--skip-checksums"])
        except CommandError as error:
            rule = re.search(r"\bR\d+\b|bounds|alignment|deadlock|convergence", str(error))
            return rule[0] if rule else str(error)[-300:]
        if kernel == QUANTIZE:
            right = all(got[name].tobytes() == array.tobytes() for name, array in self.bytes.items())
        else:
            right, _ = self.compiled.is_right(values, got["y"], "exact")
        return "nothing" if right else VALUES

    def check(self, mutation: Mutation) -> None:
        begin, end = self.entries[mutation.kernel]
        try:
            body = mutation.apply(self.program[begin:end].decode()).encode()
        except ValueError as error:
            expect(mutation.name, False, error)
            return
        package = temporary(".nvfp4pkg")
        shutil.copytree(self.compiled.gpu, package)
        (package / "program.so").write_bytes(self.program[:begin] + body + self.program[end:])
        told = self.run(package, mutation.kernel)
        expect(f"{mutation.kernel}: {mutation.name}", told in mutation.expect, f"expected {mutation.expect}, but got {told}")


def main() -> None:
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    for chip, layer, rows in SUBJECTS:
        with group(f"{layer} on {chip}"):
            subject = Subject(chip, layer, rows)
            for kernel in rows:
                expect(f"{kernel}: unbroken", (told := subject.run(subject.compiled.gpu, kernel)) == "nothing", told)
            for mutation in MUTATIONS:
                if mutation.kernel in rows and wanted in mutation.name:
                    subject.check(mutation)
    finish()


main()
