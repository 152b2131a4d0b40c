#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the programs of this folder in the simulator: their outputs must be those of the formulas.

check.py --sim …/nvfp4-sim products [NAME…]
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Kernels")]

import corpus  # noqa: E402
import numpy as np  # noqa: E402
import run_kernel  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sim", default="nvfp4-sim", help="the simulator")
    parser.add_argument("--async", dest="schedules", action="append", help="late, early or random:SEED; late by default")
    parser.add_argument("--emit", type=Path, help="write launch files to this folder, too")
    parser.add_argument("group", help="a module of this folder")
    parser.add_argument("names", nargs="*", help="all by default")
    options = parser.parse_args()
    simulator = run_kernel.Simulator(options.sim)
    failed = count = 0
    for text, case in importlib.import_module(options.group).cases(np.random.default_rng(corpus.SEED)):
        if options.names and case.name not in options.names:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            folder = options.emit / case.name if options.emit else Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            launch = run_kernel.emit(case, text, folder)
            for schedule in options.schedules or ["late"]:
                outcome = run_kernel.simulate(case, launch, schedule, simulator)
                count += 1
                # Warnings are not expected either.
                if not outcome.passed or outcome.text:
                    failed += 1
                    print(f"FAIL {case.name} {schedule}: {outcome.text.strip()} {' '.join(outcome.differences)}")
    print(f"{count - failed} of {count} launches are as the formulas say")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
