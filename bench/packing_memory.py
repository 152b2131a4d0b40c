#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measure the peak memory of compiling a large sharded checkpoint.

    packing_memory.py --compiler build/bin/nvfp4-compile [--gb 2 4] [--work DIR]

Makes up checkpoints with bench/make_checkpoint.py, compiles each, and prints the peak
resident memory of the compiler (VmHWM: mapped file pages included) next to the size of
the checkpoint. Fails if a peak is above the limit, or if it grows with the weights. It may
grow with the graph: a checkpoint of twice the size has twice the layers, and code for each.
Needs numpy (for the checkpoints) and free disk space of about 1.3 times the largest size.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

LIMIT_MB = 512
# Of the additional weights, no more than this may show in the peak. Code for a layer of
# 128 MB takes the compiler about 4 MB.
GROWTH = 0.05


@dataclass
class Measurement:
    """One compilation."""

    gigabytes: float
    peak_mb: float
    seconds: float
    package_mb: float


def run_measured(command: list[str]) -> tuple[float, float]:
    """Run a command and return its peak resident memory in MB and its seconds.

    `ru_maxrss` of a waited-for process is its VmHWM in KiB. A process that fails ends
    the program with its output.
    """
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: failed\n{output.decode(errors='replace')}")
    return usage.ru_maxrss * 1024 / 1e6, time.monotonic() - start


def measure(compiler: Path, gigabytes: float, work: Path) -> Measurement:
    """Make a checkpoint of a size, compile it, and remove both."""
    checkpoint = work / f"checkpoint-{gigabytes:g}gb"
    package = work / f"{checkpoint.name}.nvfp4pkg"
    try:
        generator = Path(__file__).with_name("make_checkpoint.py")
        subprocess.run(
            [sys.executable, str(generator), "--gb", str(gigabytes), str(checkpoint)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        peak, seconds = run_measured(
            [
                str(compiler),
                str(checkpoint / "model.mlir"),
                "--weights",
                str(checkpoint),
                "--policy=inference",
                "--target=cpu",
                "-o",
                str(package),
            ]
        )
        size = sum(file.stat().st_size for file in package.iterdir()) / 1e6
        return Measurement(gigabytes, peak, seconds, size)
    finally:
        shutil.rmtree(checkpoint, ignore_errors=True)
        shutil.rmtree(package, ignore_errors=True)


def main() -> int:
    """Measure every size and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", type=Path, default=Path("build/bin/nvfp4-compile"))
    parser.add_argument("--gb", type=float, nargs="+", default=[2, 4], help="sizes of checkpoints")
    parser.add_argument("--work", type=Path, help="folder for checkpoints (default: a temporary one)")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory(dir=arguments.work, prefix="packing-memory-") as work:
        results = [measure(arguments.compiler, size, Path(work)) for size in arguments.gb]
    print(f"{'checkpoint':>12} {'peak memory':>12} {'package':>10} {'time':>8}")
    for result in results:
        print(
            f"{result.gigabytes:>9g} GB {result.peak_mb:>9.0f} MB {result.package_mb:>7.0f} MB"
            f" {result.seconds:>6.1f} s"
        )

    status = 0
    for result in results:
        if result.peak_mb > LIMIT_MB:
            print(f"expected at most {LIMIT_MB} MB, but got {result.peak_mb:.0f} MB", file=sys.stderr)
            status = 1
    smallest = min(results, key=lambda result: result.gigabytes)
    for result in results:
        allowed = GROWTH * (result.gigabytes - smallest.gigabytes) * 1e3
        growth = result.peak_mb - smallest.peak_mb
        # Allocators differ by a few MB from run to run.
        if growth > allowed + 8:
            print(
                f"expected {result.gigabytes:g} GB to take at most {allowed:.0f} MB more than "
                f"{smallest.gigabytes:g} GB, but got {growth:.0f} MB more",
                file=sys.stderr,
            )
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
