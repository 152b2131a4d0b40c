#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compile time: how it grows with the model, and against upstream's passes.

Two figures, each measured side by side in one run on one machine:

  scaling   user time of all passes (`nvfp4-compile --emit=mlir`, parsing and
            printing included) for 1 to 64 transformer blocks; the exponent of a
            power law between the two ends, process start subtracted
  ratio     user time from the text of MiniLM to expanded, bufferized IR, over
            that of `mlir-opt` parsing the same text and -canonicalize -cse

Exits with 1 if the exponent is above 1.1 or the ratio above 5.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_EXPONENT = 1.1
MAX_RATIO = 5.0

# From linalg on tensors to codes, scales and buffers.
TO_BUFFERS = [
    "--nvfp4-normalize",
    "--nvfp4-policy",
    "--nvfp4-quantize",
    "--nvfp4-expand-tensors",
    # Packing functions are interpreted, never lowered: the compiler takes them
    # out at this point.
    "--symbol-dce",
    "--convert-nvfp4-to-linalg",
    "--cse",
    "--nvfp4-fuse-elementwise",
    "--cse",
    "--one-shot-bufferize=bufferize-function-boundaries "
    "function-boundary-type-conversion=identity-layout-map",
]


def user_time(command: list[str], runs: int) -> float:
    """Least user time in seconds of a whole process over `runs` runs."""
    best = math.inf
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        best = min(best, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
    return best


def measure_scaling(binaries: Path, runs: int) -> float:
    """Prints a row per size and returns the exponent between the ends."""
    times: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.mlir"
        empty.write_text("module {}\n")
        compile_command = [str(binaries / "nvfp4-compile"), "--emit=mlir", "-o", os.devnull]
        start = user_time([*compile_command, str(empty)], runs)
        print(f"process start {start:.2f} s\n\nblocks   user s   per block")
        for blocks in (1, 2, 4, 8, 16, 32, 64):
            graph = Path(folder) / f"blocks{blocks}.mlir"
            subprocess.run(
                [sys.executable, str(ROOT / "bench/make_blocks.py"), "--blocks", str(blocks), str(graph)],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            times[blocks] = user_time([*compile_command, str(graph)], runs) - start
            print(f"{blocks:6}   {times[blocks]:6.2f}   {times[blocks] / blocks:9.3f}")
    return math.log(times[64] / times[1]) / math.log(64)


def measure_ratio(binaries: Path, mlir_opt: str, runs: int) -> float:
    graph = str(ROOT / "test/Inputs/minilm.mlir")
    upstream_command = [mlir_opt, graph, "--allow-unregistered-dialect", "--canonicalize", "--cse", "-o", os.devnull]
    ours = upstream = math.inf
    # In turn, so that a machine that changes its speed changes both.
    for _ in range(runs):
        upstream = min(upstream, user_time(upstream_command, 1))
        ours = min(ours, user_time([str(binaries / "nvfp4-opt"), graph, *TO_BUFFERS, "-o", os.devnull], 1))
    print(f"\nMiniLM to buffers {ours:.3f} s, mlir-opt -canonicalize -cse {upstream:.3f} s")
    return ours / upstream


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, default=ROOT / "build/bin", help="folder of the binaries")
    parser.add_argument("--mlir-opt", default="/usr/lib/llvm-22/bin/mlir-opt")
    parser.add_argument("--runs", type=int, default=3, help="the least time of this many runs counts")
    options = parser.parse_args()

    exponent = measure_scaling(options.bin, options.runs)
    print(f"exponent from 1 to 64 blocks: {exponent:.3f} (at most {MAX_EXPONENT})")
    ratio = measure_ratio(options.bin, options.mlir_opt, options.runs)
    print(f"ratio: {ratio:.2f} (at most {MAX_RATIO})")
    return 0 if exponent <= MAX_EXPONENT and ratio <= MAX_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
