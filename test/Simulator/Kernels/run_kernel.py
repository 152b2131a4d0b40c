#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs kernels of the corpus in the simulator and compares what comes out.

run_kernel.py gemm_bf16 softmax                  two kernels, every launch, three schedules
run_kernel.py --all                              the whole corpus
run_kernel.py scan --case look_back --async late one launch, one schedule
run_kernel.py scan --emit DIR                    only write launch files and inputs
run_kernel.py --all --hardware hardware/outputs  compare with what a GPU computed, bit for bit
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import corpus
from corpus import Case

SCHEDULES = ("late", "early", "random:1")


@dataclass(frozen=True)
class Simulator:
    """The program and the options that every run gets."""

    program: str = "nvfp4-sim"
    options: tuple[str, ...] = ()
    timeout: float = 120


@dataclass(frozen=True)
class Outcome:
    """What one run said: its exit code, its diagnostics, and the outputs that differ."""

    code: int
    text: str
    differences: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.code == 0 and not self.differences


def emit(case: Case, ptx: str, folder: Path) -> Path:
    """Writes PTX, inputs and launch file; returns the launch file."""
    (folder / "kernel.ptx").write_text(ptx)
    corpus.write_safetensors(folder / "in.safetensors", case.inputs)
    launch = folder / "launch.json"
    launch.write_text(corpus.json.dumps(case.launch("kernel.ptx"), indent=1) + "\n")
    return launch


def simulate(case: Case, launch: Path, schedule: str, simulator: Simulator) -> Outcome:
    """One run, and how its outputs differ from `case.expected`."""
    output = launch.with_name("out.safetensors")
    output.unlink(missing_ok=True)
    command = [simulator.program, str(launch), "--output", str(output), f"--async={schedule}", *simulator.options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=simulator.timeout)
    except subprocess.TimeoutExpired:
        return Outcome(-1, f"no end after {simulator.timeout} s")
    text = (done.stdout + done.stderr).replace(str(launch.parent) + "/", "")
    if done.returncode != 0 or not output.exists():
        return Outcome(done.returncode or -1, text)
    got = corpus.read_safetensors(output)
    missing = [f"'{name}' is missing" for name in case.expected if name not in got]
    wrong = [corpus.compare(name, what, got[name]) for name, what in case.expected.items() if name in got]
    return Outcome(0, text, tuple(missing + [line for line in wrong if line]))


def run(name: str, case: Case, schedules: tuple[str, ...], simulator: Simulator, verbose: bool) -> bool:
    """One launch under every schedule; prints one line each."""
    ptx = (corpus.HERE / f"{name}.ptx").read_text()
    passed = True
    with tempfile.TemporaryDirectory() as folder:
        launch = emit(case, ptx, Path(folder))
        for schedule in schedules:
            start = time.monotonic()
            outcome = simulate(case, launch, schedule, simulator)
            passed &= outcome.passed
            print(
                f"{'pass' if outcome.passed else 'FAIL'} {name} {case.name} {schedule} {time.monotonic() - start:.2f} s"
            )
            for line in outcome.differences:
                print(f"  {line}")
            if outcome.text and (verbose or not outcome.passed):
                print("  " + outcome.text.strip().replace("\n", "\n  "))
    return passed


def measured(name: str, folder: Path) -> list[Case]:
    """The launches of a kernel whose bits are fixed, with the outputs of a GPU as what must come out."""
    path = folder / f"{name}.safetensors"
    if not path.exists():
        return []
    stored, cases = corpus.read_safetensors(path), []
    for case in corpus.cases_of(name):
        if case.has_fixed_bits():
            case.expected = {key: stored[f"{case.name}/{key}"] for key in case.expected}
            cases.append(case)
    return cases


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="kernels, or their .py files")
    parser.add_argument("--all", action="store_true", help="every kernel")
    parser.add_argument("--case", help="only the launch of this name")
    parser.add_argument("--sim", default="nvfp4-sim", help="the simulator")
    parser.add_argument("--async", dest="schedules", action="append", help="late, early or random:SEED; all by default")
    parser.add_argument("--option", action="append", default=[], help="a further option of the simulator")
    parser.add_argument("--hardware", type=Path, help="compare with the outputs in this folder instead of formulas")
    parser.add_argument("--emit", type=Path, help="write launch files to this folder and run nothing")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="print what the simulator says even if all is well"
    )
    options = parser.parse_args()

    names = corpus.kernels() if options.all else [Path(name).stem for name in options.names]
    if not names:
        parser.error("expected a kernel or --all")
    schedules = tuple(options.schedules or SCHEDULES)
    simulator = Simulator(options.sim, tuple(options.option))
    failed = found = 0
    for name in names:
        for case in measured(name, options.hardware) if options.hardware else corpus.cases_of(name):
            if options.case and case.name != options.case:
                continue
            found += 1
            if options.emit:
                folder = options.emit / name / case.name
                folder.mkdir(parents=True, exist_ok=True)
                print(emit(case, (corpus.HERE / f"{name}.ptx").read_text(), folder))
                tensors = {key: corpus.like_of(what) for key, what in case.expected.items()}
                corpus.write_safetensors(folder / "expected.safetensors", tensors)
            else:
                failed += not run(name, case, schedules, simulator, options.verbose)
    if not found:
        parser.error(f"no launch named '{options.case}'")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
