#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Breaks the kernels of the corpus one line at a time, and demands that the simulator notices.

Each mutation violates a named rule, whatever the schedule, or provably changes values.
Edits are exact: one that does not find its text fails.

    mutations.py --sim …/nvfp4-sim              all, in three schedules
    mutations.py --sim … ring_add               those whose name contains a word
    mutations.py --list

RUN: %python %s
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import corpus
import run_kernel
from run_kernel import SCHEDULES, Simulator

VALUES = "values"


@dataclass(frozen=True)
class Mutation:
    """An edit of one entry of a kernel's PTX."""

    # "kernel/case/what is wrong".
    name: str
    entry: str
    pattern: str
    replacement: str
    # Rules, one of which must be named, or "values".
    expect: tuple[str, ...]
    # How often the pattern occurs in the entry, and which of them is replaced; all if None.
    count: int = 1
    index: int | None = None

    def apply(self, ptx: str) -> str:
        start = re.search(rf"^\.visible \.entry {self.entry}\(", ptx, re.M)
        if not start:
            raise ValueError(f"{self.name}: expected an entry '{self.entry}'")
        end = ptx.index("\n}", start.start())
        body = ptx[start.start() : end]
        found = list(re.finditer(self.pattern, body, re.M))
        if len(found) != self.count:
            raise ValueError(f"{self.name}: expected {self.count} times '{self.pattern}', but got {len(found)}")
        chosen = found if self.index is None else [found[self.index]]
        for match in reversed(chosen):
            body = body[: match.start()] + match.expand(self.replacement) + body[match.end() :]
        return ptx[: start.start()] + body + ptx[end:]


# Text of the inline assembly that waits for a phase, and of lines.
WAIT = (
    r"\$again:\n\tmbarrier\.try_wait\.parity\.shared::cta\.b64 done, \[(%r\d+)\], (%r\d+);"
    r"\n\t@!done bra \$again;"
)
FLIPPED = r"xor.b32 \2, \2, 1;\n\t\g<0>"
CLUSTER_BARRIER = (
    r"^\tbarrier\.cluster\.arrive\.release\.aligned;\n[^\n]*\n[^\n]*\n"
    r"\tbarrier\.cluster\.wait\.acquire\.aligned;"
)
REMOTE_WAIT = r"mbarrier\.try_wait\.parity\.acquire\.cluster\.shared::cta\.b64 p, \[(%r\d+)\], (%r\d+);"
REMOTE_ARRIVE = r"mbarrier\.arrive\.release\.cluster\.shared::cluster\.b64"


def line(instruction: str) -> str:
    return rf"^\t{instruction}[^\n]*;$"


BARRIER = line(r"bar\.sync \t0")
ARRIVE = line(r"mbarrier\.arrive\.shared::cta\.b64")
COPY = (
    r"^\tcp\.async\.bulk\.shared::cluster\.global\.mbarrier::complete_tx::bytes "
    r"\[%r\d+\], \[%rd\d+\], (%r\d+), \[%r\d+\];$"
)

# Another thread's copy is ordinary data once its issuer has waited (R6), so what misses
# the barrier after that may be told as either rule.
RACE = ("R4", "R6")
# What waits for the wrong phase goes on too early, or for ever, as the phases happen to be.
MISSED = ("R7", "R12")


def of(kernel: str, case: str, entry: str, rows: list[tuple]) -> list[Mutation]:
    return [Mutation(f"{kernel}/{case}/{what}", entry, *rest) for what, *rest in rows]


GEMM = (
    of(
        "gemm_bf16",
        "4_stages_130x61x200",
        "gemm_4_stages",
        [
            ("wait for one group less", r"wait_group 2", "wait_group 3", ("R6",)),
            ("no wait", line(r"cp\.async\.wait_group"), "", ("R6",)),
            ("no group for the stage just filled", line(r"cp\.async\.commit_group"), "", ("R6",), 2, 1),
            ("no barrier after the wait", BARRIER, "", RACE),
            (
                "stage filled too late by one",
                r"(wait_group 2;\n[^\n]*\n\tbar\.sync \t0;\n\tadd\.s32 \t%r\d+, %r\d+, )3;",
                r"\g<1>2;",
                ("R6",),
            ),
        ],
    )
    + of(
        "gemm_bf16",
        "transposing",
        "gemm_transposing",
        [
            ("B not transposed", r"\.x4\.trans\.", ".x4.", (VALUES,), 4),
            ("wait for one group less", r"wait_group 1", "wait_group 2", ("R6",)),
            ("no wait in the last step", line(r"cp\.async\.wait_group 0"), "", ("R6",)),
            ("no barrier before a stage is filled again", BARRIER, "", RACE, 2, 1),
        ],
    )
    + of(
        "gemm_bf16",
        "3_stages_100x72x75",
        "gemm_3_stages",
        [
            (
                "rows beyond the matrix copied",
                r"(cp\.async\.cg\.shared\.global \[%r\d+\], \[%rd\d+\], 16), %r\d+;",
                r"\1;",
                ("bounds",),
                28,
            )
        ],
    )
)

BLOCK_SCALED = (
    of(
        "gemm_nvfp4",
        "nvfp4_150x136x448",
        "gemm_nvfp4",
        [
            ("wait for one group less", r"wait_group 1", "wait_group 2", ("R6",)),
            ("no barrier after the wait", BARRIER, "", RACE),
            (
                "scales of A and B exchanged",
                r"(scale_vec::4X[^\n]*\}, )(%r\d+), \{0, 0\}, (%r\d+), \{0, 0\};",
                r"\1\3, {0, 0}, \2, {0, 0};",
                (VALUES,),
                32,
            ),
            (
                "tile of A's scales read as B's",
                r"(add\.s32 \t%r\d+, %r\d+, )16384;\n(\tshr\.u32 \t%r\d+, %r\d+, 4;)",
                r"\g<1>17408;\n\2",
                (VALUES,),
                1,
            ),
            (
                "rows of the scale tile 8 bytes apart",
                r"(ldmatrix[^\n]*\n[^\n]*\n\tshl\.b32 \t%r\d+, %r\d+, 3;\n"
                r"(?:\t[^\n]*\n)*?\tshl\.b32 \t%r\d+, %r\d+, )4;",
                r"\g<1>3;",
                (VALUES,),
                1,
            ),
        ],
    )
    + of(
        "gemm_nvfp4",
        "selectors",
        "selectors",
        [
            (
                "second tile of A with the scales of the first",
                r"\{0, %rs\d+\}, (%r\d+), \{0, (%rs\d+)\};",
                r"{0, 0}, \1, {0, \2};",
                (VALUES,),
                8,
            )
        ],
    )
    + of(
        "gemm_nvfp4",
        "mxfp4_70x130x320",
        "gemm_mxfp4",
        [
            (
                "byte id of the second half",
                r"\{(%rs\d+), 0\}, (%r\d+), \{%rs\d+, 0\};",
                r"{0, 0}, \2, {0, 0};",
                (VALUES,),
                32,
            )
        ],
    )
)

RING = of(
    "bulk_ring",
    "ring_add_2_2916",
    "ring_add",
    [
        (
            "half of the bytes expected",
            r"(shl\.b32 \t%r\d+, %r\d+, )3;(\n\tmov\.u32 \t%r\d+, _ZZ8ring_addE4full;)",
            r"\g<1>2;\2",
            ("R7",),
        ),
        (
            "twice the bytes expected",
            r"(shl\.b32 \t%r\d+, %r\d+, )3;(\n\tmov\.u32 \t%r\d+, _ZZ8ring_addE4full;)",
            r"\g<1>4;\2",
            ("R12",),
        ),
        ("no wait for full", WAIT, "", ("R7",), 2, 0),
        ("phase of full flipped", WAIT, FLIPPED, MISSED, 2, 0),
        ("no wait for empty", WAIT, "", ("R4", "R7", "R8"), 2, 1),
        ("phase of empty flipped", WAIT, FLIPPED, ("R12",), 2, 1),
        ("no arrival at empty", ARRIVE, "", ("R12",)),
        ("copies 16 bytes short", COPY, r"\tadd.s32 \1, \1, -16;\n\g<0>", ("R12",), 2, 0),
        ("no proxy fence before the store", line(r"fence\.proxy\.async"), "", ("R5",), 2, 1),
        ("store in no group", line(r"cp\.async\.bulk\.commit_group"), "", ("R7", "R13")),
        ("results overwritten while stored", line(r"cp\.async\.bulk\.wait_group\.read"), "", ("R7",)),
        ("exit before the stores", line(r"cp\.async\.bulk\.wait_group 0"), "", ("R13",)),
        ("named barrier of three warps", r"bar\.sync 1, 128", "bar.sync 1, 96", ("barrier",), 2, 1),
        ("empty after three warps", r"(mov\.u32 \t%r\d+, )4;", r"\g<1>3;", ("R4", "R7", "R8"), 1),
        ("full without init", line(r"mbarrier\.init"), "", ("R8",), 8, 0),
    ],
) + of(
    "bulk_ring",
    "bulk_reduce",
    "bulk_reduce",
    [
        ("no proxy fence before the reduction", line(r"fence\.proxy\.async"), "", ("R5",), 2, 1),
        ("no barrier before the next copy", BARRIER, "", ("R4", "R7", "R12"), 3, 1),
        ("phase not flipped", r"^\txor\.b32[^\n]*, 1;$", "", MISSED),
        ("maximum instead of sum", r"bulk_group\.add\.s32", "bulk_group.max.s32", (VALUES,)),
    ],
)

CLUSTER = [
    *of(
        "cluster",
        "sum_4",
        "cluster_sum",
        [
            ("arrival without release", r"arrive\.release", "arrive.relaxed", ("R4",), 2, 0),
            ("exit before the others have read", CLUSTER_BARRIER, "", ("R13",), 2, 1),
        ],
    ),
    *of(
        "cluster",
        "multicast_4",
        "cluster_multicast",
        [
            ("copy to one block only", r"^(\tcp\.async\.bulk[^\n]*, )(%rs\d+);", r"\tmov.u16 \2, 1;\n\1\2;", ("R12",)),
            ("half of the bytes expected", r"(mov\.u32 \t%r\d+, )1024;", r"\g<1>512;", ("R7",)),
        ],
    ),
    *of(
        "cluster",
        "ring_4",
        "cluster_ring",
        [
            (
                "remote arrival without release",
                REMOTE_ARRIVE,
                "mbarrier.arrive.relaxed.cluster.shared::cluster.b64",
                ("R4",),
                2,
                0,
            ),
            ("wait without acquire", r"try_wait\.parity\.acquire", "try_wait.parity.relaxed", ("R4",), 2, 1),
            ("no wait for full", REMOTE_WAIT, "setp.eq.u32 p, 0, 0;", ("R4",), 2, 1),
            ("no wait for empty", REMOTE_WAIT, "setp.eq.u32 p, 0, 0;", ("R4",), 2, 0),
        ],
    ),
    *of(
        "cluster",
        "bulk_copy",
        "cluster_bulk_copy",
        [
            ("no proxy fence before the copy", line(r"fence\.proxy\.async"), "", ("R5",)),
            ("more bytes expected than come", r"(mov\.u32 \t%r\d+, )260;", r"\g<1>264;", ("R12",)),
        ],
    ),
]

ORDERS = [
    *of(
        "scan",
        "acquire_release",
        "scan_acquire_release",
        [
            ("status read without acquire", r"ld\.acquire\.gpu", "ld.relaxed.gpu", ("R4",)),
            ("status without release", r"st\.release\.gpu", "st.relaxed.gpu", ("R4",), 2),
        ],
    ),
    *of("scan", "shared", "scan_shared", [("no barrier between two steps", BARRIER, "", ("R4",), 9, 3)]),
    *of(
        "reduce",
        "grid_sum_9",
        "grid_sum",
        # One of them alone may do: they are sequentially consistent, and so ordered among blocks.
        [("no fences around the ticket", line(r"membar\.gl"), "", ("R4",), 2)],
    ),
    *of(
        "cache_ops",
        "message_passing",
        "message_passing",
        [
            ("store without release", r"st\.release\.gpu", "st.relaxed.gpu", ("R4",)),
            ("reduction without release", r"red\.release", "red.relaxed", ("R4",)),
            ("no fence after a relaxed load", line(r"fence\.acq_rel\.gpu"), "", ("R4",), 2, 0),
            ("no fence before a volatile store", line(r"membar\.gl"), "", ("R4",), 2, 1),
            ("exchange without release", r"atom\.acq_rel\.sys\.global\.exch", "atom.relaxed.sys.global.exch", ("R4",)),
            ("load of the system without acquire", r"ld\.acquire\.sys", "ld.relaxed.sys", ("R4",)),
            ("no barrier before one thread publishes", BARRIER, "", ("R4",), 2, 0),
        ],
    ),
    *of(
        "divergence", "spin_lock", "spin_lock", [("lock freed without a fence", line(r"membar\.gl"), "", ("R4",), 2, 1)]
    ),
]

BARRIERS = [
    *of("histogram", "histogram", "histogram", [("bins counted before they are zero", BARRIER, "", ("R4",), 2, 0)]),
    *of("transpose", "f32_70x45", "transpose_f32", [("tile read before it is written", BARRIER, "", ("R4",))]),
    *of("gemm_simt", "integers_70x130x37", "gemm_simt", [("no barrier between two tiles", BARRIER, "", ("R4",), 2, 1)]),
    *of("softmax", "block_bf16_690", "softmax_block_bf16", [("no barrier between warps", BARRIER, "", ("R4", "R11"))]),
    *of(
        "flash_attention",
        "100x75",
        "flash_attention",
        [
            ("wait for one group less", r"wait_group 1", "wait_group 2", ("R6",)),
            ("keys overwritten while read", BARRIER, "", RACE, 2, 1),
            ("values not transposed", r"\.x4\.trans\.", ".x4.", (VALUES,), 8),
        ],
    ),
    *of(
        "specialized_gemm",
        "128x192x96",
        "specialized_gemm",
        [
            ("half of the bytes expected", r"(mov\.u32 \t%r\d+, )8192;", r"\g<1>4096;", ("R7",)),
            ("no wait for full", WAIT, "", ("R7",), 4, 1),
            ("phase of empty flipped", WAIT, FLIPPED, ("R12",), 4, 0),
        ],
    ),
    *of(
        "named_barriers",
        "mirror_9",
        "mirror_add",
        [
            ("consumers never say empty", line(r"bar\.arrive %r\d+, %r\d+"), "", ("R12",), 8, 3),
            # What the consumers then leave at the barrier may also let nobody through.
            ("producer does not wait for empty", line(r"bar\.sync %r\d+, %r\d+"), "", ("R4", "R12"), 6, 0),
            ("arrival at the wrong barrier", r"(mov\.u32 \t%r\d+, )3;", r"\g<1>4;", ("R4", "R12"), 2, 0),
        ],
    ),
]

WARPGROUPS = [
    *of(
        "wgmma_gemm",
        "256x128x328",
        "wgmma_gemm",
        [
            ("no fence before the products", line(r"wgmma\.fence\.sync\.aligned"), "", ("R10",)),
            ("products never committed", line(r"wgmma\.commit_group\.sync\.aligned"), "", ("R10",)),
            ("no wait for the last products", line(r"wgmma\.wait_group\.sync\.aligned 0"), "", ("R10",)),
            ("stage freed while it is multiplied", r"aligned 1;", "aligned 2;", ("R10",)),
            ("an accumulator read in flight", r"(wgmma\.commit_group\.sync\.aligned;)", r"\1\n\tadd.f32 %f1, %f546, %f546;", ("R10",)),
            ("no wait for full", WAIT, "", ("R7",), 2, 1),
            ("phase of empty flipped", WAIT, FLIPPED, ("R12",), 2, 0),
            ("less bytes expected", r"(mov\.u32 \t%r\d+, )24576;", r"\g<1>24560;", MISSED),
            ("no barrier before the stages hold the result", line(r"bar\.sync 1, 256"), "", ("R10",)),
            ("no proxy fence before the store", line(r"fence\.proxy\.async\.shared::cta"), "", ("R5",), 2, 1),
            ("no barrier before the store", line(r"bar\.sync %r\d+, 128"), "", ("R4",)),
            ("exit before the store", line(r"cp\.async\.bulk\.wait_group 0"), "", ("R13",)),
            ("B taken for another swizzle", r"(%rd17, )4611686293305360384;", r"\g<1>9223372311732748288;", (VALUES,)),
        ],
    ),
    *of(
        "wgmma_gemm",
        "registers_320",
        "wgmma_registers",
        [
            ("B not transposed", r", 1, 1, 1, 1;", ", 1, 1, 1, 0;", ("R7",), 4),
            ("B negated", r", 1, 1, 1, 1;", ", 1, 1, -1, 1;", (VALUES,), 4),
            ("no wait", line(r"wgmma\.wait_group\.sync\.aligned 0"), "", ("R10",)),
        ],
    ),
]

TENSOR_MEMORY = of(
    "llvm_tcgen05",
    "mma",
    "nvfp4_tcgen05_128x128x64",
    [
        ("no commit", line(r"tcgen05\.commit"), "", ("R12",)),
        ("no wait for the commit", r"mbarrier\.try_wait\.parity\.shared\.b64 (%p\d+), [^;]*;", r"setp.eq.u32 \1, 0, 0;", ("R9",)),
        ("no proxy fence", line(r"fence\.proxy\.async"), "", ("R5",)),
        ("columns freed before wait::ld", line(r"tcgen05\.wait::ld"), "", ("R9",)),
        ("columns never freed", line(r"tcgen05\.dealloc"), "", ("R13",)),
        ("scales of B copied over those of A", r"(warpx4 \t)\[%r5\]", r"\1[%r4]", (VALUES, "R11")),
        ("more allocated than there is", r"alloc\.cta_group::1\.sync\.aligned\.shared::cta\.b32 \t\[sTaddr\], %r\d+", "alloc.cta_group::1.sync.aligned.shared::cta.b32 [sTaddr], 600", ("R9",)),
        ("scales of 32 elements", r"block16", "block32", ("descriptor",)),
        ("columns freed before the last load", r"bar\.sync \t0;(\s*@%p1 bra \t\$L__BB0_11;)", r"\1", ("R9",)),
        ("scales of B four columns further", r"(\[%r4\], )\[%r5\]", r"\1[%r5+4]", ("R11",)),
        ("phase of the wait flipped", r"(mbarrier\.try_wait\.parity\.shared\.b64 %p\d+, \[[^\]]*\], )[^;]*;", r"\g<1>1;", ("R9",)),
        ("rows of A half as far apart", r"(or\.b64 \t%rd31, %rd30, )70437464178688;", r"\g<1>70403103916032;", (VALUES,)),
        ("a column of D too far", r"(scale\.block16\.collector::a::discard )\[%r3\]", r"\1[%r3+124]", ("R9", "R11")),
        ("negative A", r"136316032", "136324224", (VALUES,)),
        ("lanes of the next warp", r"(shl\.b32 \t%r\d+, %r\d+, )21;", r"\g<1>20;", ("R9",)),
    ],
)  # fmt: skip

NUMBERS = [
    *of(
        "quantize_nvfp4",
        "f32",
        "quantize_f32",
        [
            ("elements of a pair exchanged", r"(e2m1x2\.f32 b\d), (%f\d+), (%f\d+);", r"\1, \3, \2;", (VALUES,), 8),
            (
                "scale in the wrong byte",
                r"cvt\.rn\.satfinite\.e4m3x2\.f32 (%rs\d+), (%f\d+), (%f\d+);",
                r"cvt.rn.satfinite.e4m3x2.f32 \1, \3, \2;",
                (VALUES,),
            ),
        ],
    ),
    *of(
        "gemm_int8",
        "64x64x64",
        "gemm_int8",
        [("unsigned operand taken as signed", r"s32\.s8\.u8\.s32", "s32.s8.s8.s32", (VALUES,), 16)],
    ),
    *of("elementwise", "axpy", "axpy", [("one element too many", r"setp\.lt\.s32", "setp.le.s32", ("bounds",), 1)]),
]

MUTATIONS = GEMM + BLOCK_SCALED + RING + CLUSTER + ORDERS + BARRIERS + WARPGROUPS + TENSOR_MEMORY + NUMBERS


def verdict(launch: Path, case: corpus.Case, schedule: str, simulator: Simulator) -> tuple[set[str], str]:
    """The rules of the errors, or "values", or nothing; and what was said."""
    report = launch.with_name("report.json")
    report.unlink(missing_ok=True)
    options = (*simulator.options, "--report", str(report))
    outcome = run_kernel.simulate(case, launch, schedule, Simulator(simulator.program, options, simulator.timeout))
    if outcome.code == 0:
        return ({VALUES} if outcome.differences else set()), "\n".join(outcome.differences)
    findings = json.loads(report.read_text())["findings"] if report.exists() else []
    rules = {finding["rule"] for finding in findings if finding["severity"] == "error"}
    return rules, outcome.text


def run(mutation: Mutation, schedules: tuple[str, ...], simulator: Simulator, verbose: bool) -> bool:
    kernel, case_name, _ = mutation.name.split("/")
    ptx = mutation.apply((corpus.HERE / f"{kernel}.ptx").read_text())
    case = next(case for case in corpus.cases_of(kernel) if case.name == case_name)
    passed, said = True, []
    with tempfile.TemporaryDirectory() as folder:
        launch = run_kernel.emit(case, ptx, Path(folder))
        for schedule in schedules:
            rules, text = verdict(launch, case, schedule, simulator)
            good = bool(rules & set(mutation.expect))
            passed &= good
            said.append(f"{schedule}: {', '.join(sorted(rules)) or 'nothing'}")
            if verbose or not good:
                said.append(text.strip())
    print(f"{'pass' if passed else 'FAIL'} {mutation.name}: expected {' or '.join(mutation.expect)}")
    if verbose or not passed:
        print("  " + "\n".join(said).replace("\n", "\n  "), flush=True)
    return passed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only mutations whose names contain one of these")
    parser.add_argument("--sim", default="nvfp4-sim", help="the simulator")
    parser.add_argument("--async", dest="schedules", action="append", help="late, early or random:SEED; all by default")
    parser.add_argument("--list", action="store_true", help="print the mutations and check that each applies")
    parser.add_argument("-v", "--verbose", action="store_true", help="print every verdict")
    options = parser.parse_args()

    chosen = [m for m in MUTATIONS if not options.words or any(word in m.name for word in options.words)]
    failed = 0
    for mutation in chosen:
        if options.list:
            mutation.apply((corpus.HERE / f"{mutation.name.split('/')[0]}.ptx").read_text())
            print(f"{mutation.name}: {' or '.join(mutation.expect)}")
        else:
            failed += not run(mutation, tuple(options.schedules or SCHEDULES), Simulator(options.sim), options.verbose)
    print(f"{len(chosen) - failed} of {len(chosen)} mutations as expected")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
