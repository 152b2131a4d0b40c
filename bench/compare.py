#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compare two builds: every figure of `bench/figures.py`, measured alternately.

    compare.py --base BUILD --new BUILD [--only REGEX] [--turns 5] [--threshold 1.2]

A build is a build folder with bin/ and lib/ (NVFP4_BUILD_BENCHMARKS=ON). Both compile with
their own compiler and run with their own runtime. Prints medians, the median of the ratios
within turns, and their spread. Exits with 1 if any figure takes more than the threshold
times as long, with 2 if one cannot be measured. Needs numpy and safetensors.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from judge import THRESHOLD, compare, format_comparisons

Build = TypeVar("Build")


def measure_alternately(
    measure: Callable[[Build], dict[str, float]], base: Build, new: Build, turns: int
) -> dict[str, tuple[list[float], list[float]]]:
    """Measure both builds in turn and return the times of each figure.

    Who goes first changes every turn. One run of each before the turns does not count.
    """
    times: dict[str, tuple[list[float], list[float]]] = {}
    for turn in range(-1, turns):
        order = (0, 1) if turn % 2 == 0 or turn < 0 else (1, 0)
        samples: dict[int, dict[str, float]] = {}
        for which in order:
            samples[which] = measure((base, new)[which])
        if samples[0].keys() != samples[1].keys():
            raise ValueError(f"expected the same figures of both builds, but got {[*samples[0]]} and {[*samples[1]]}")
        for name in samples[0] if turn >= 0 else ():
            both = times.setdefault(name, ([], []))
            both[0].append(samples[0][name])
            both[1].append(samples[1][name])
    return times


def main() -> int:
    from figures import Tools, add_options, make_groups

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True, help="build folder to compare with")
    parser.add_argument("--new", type=Path, required=True, help="build folder to judge")
    parser.add_argument("--threshold", type=float, default=THRESHOLD, help=f"worse beyond this ratio ({THRESHOLD:g})")
    add_options(parser)
    options = parser.parse_args()

    comparisons, is_broken = [], False
    with tempfile.TemporaryDirectory(dir=options.work, prefix="nvfp4-compare-") as name:
        base, new = (
            Tools(build, Path(name) / folder, options)
            for build, folder in ((options.base, "base"), (options.new, "new"))
        )
        for group in make_groups(options):
            if not group.is_own or not any(re.search(options.only, figure) for figure in group.figures):
                continue
            try:
                times = measure_alternately(group.measure, base, new, options.turns)
            except (OSError, ValueError, subprocess.CalledProcessError) as error:
                print(f"{group.name}: cannot be measured: {error}", file=sys.stderr)
                is_broken = True
                continue
            comparisons += [compare(figure, *both) for figure, both in times.items() if re.search(options.only, figure)]
    if comparisons:
        print(format_comparisons(comparisons, options.threshold))
    is_worse = any(each.is_worse(options.threshold) for each in comparisons)
    return 2 if is_broken or not comparisons else int(is_worse)


if __name__ == "__main__":
    sys.exit(main())
