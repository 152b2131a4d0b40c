#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compile time: how it grows with the model, and against upstream's passes.

Figures, each measured side by side in one run on one machine:

  scaling   user time of all passes (`nvfp4-compile --emit=mlir`, parsing and
            printing included) for 1 to 64 transformer blocks; the exponent of a
            power law between the two ends, process start subtracted
  lowering  user time from text to the LLVM dialect, over that of mlir-opt on the
            same text. FP32: from MiniLM as the framework exports it, all stages.
            NVFP4: from the same model after the Quantize stage; upstream, which
            has no NVFP4, gets it as linalg and arith on codes and scales.

Both tools verify after every pass. Exits with 1 if the exponent is above 1.1 or a
ratio above 2.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GRAPH = ROOT / "test/Inputs/minilm.mlir"
MAX_EXPONENT = 1.1
MAX_RATIO = 2.0

# What upstream offers from linalg on tensors to the LLVM dialect: fused elementwise
# ops, one bufferization, plain loops.
UPSTREAM = [
    "--canonicalize",
    "--cse",
    "--convert-elementwise-to-linalg",
    "--linalg-fuse-elementwise-ops",
    "--empty-tensor-to-alloc-tensor",
    "--one-shot-bufferize=bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map",
    "--buffer-deallocation-pipeline",
    "--canonicalize",
    "--cse",
    "--convert-linalg-to-loops",
    "--canonicalize",
    "--cse",
    "--expand-strided-metadata",
    "--lower-affine",
    "--convert-scf-to-cf",
    "--convert-math-to-libm",
    "--convert-to-llvm",
    "--reconcile-unrealized-casts",
    "--canonicalize",
    "--cse",
]
# Up to the IR that both lower under the policy `inference`. Packing functions are
# interpreted, never lowered: the compiler takes them out at this point.
TO_QUANTIZED = ["--nvfp4-normalize", "--nvfp4-policy=policy=inference", "--nvfp4-quantize", "--symbol-dce"]
FP32 = ["--nvfp4-normalize", "--nvfp4-policy=policy=none", "--nvfp4-quantize", "--symbol-dce", "--nvfp4-lower-cpu"]


def user_time(command: list[str]) -> float:
    """User time in seconds of a whole process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


class Lowering:
    """The commands of the figure `lowering`, and the text that they read."""

    def __init__(self, opt: Path, mlir_opt: str, folder: Path) -> None:
        self.opt, self.mlir_opt = str(opt), mlir_opt
        self.quantized, self.plain = folder / "quantized.mlir", folder / "plain.mlir"
        to_text = [self.opt, str(GRAPH), *TO_QUANTIZED]
        subprocess.run([*to_text, "-o", str(self.quantized)], check=True)
        to_plain = [*to_text, "--nvfp4-expand-tensors", "--convert-nvfp4-to-linalg"]
        text = subprocess.run(to_plain, check=True, capture_output=True, text=True).stdout
        # Upstream checks no indices at run time.
        lines = [line for line in text.splitlines() if "nvfp4.record_error" not in line]
        self.plain.write_text("\n".join(lines) + "\n")

    def ours(self) -> dict[str, float]:
        """Seconds per policy."""
        discard = ["-o", os.devnull]
        return {
            "FP32": user_time([self.opt, str(GRAPH), *FP32, *discard]),
            "NVFP4": user_time([self.opt, str(self.quantized), "--nvfp4-lower-cpu", *discard]),
        }

    def upstream(self) -> dict[str, float]:
        """Seconds per policy."""
        command = [self.mlir_opt, "--allow-unregistered-dialect", *UPSTREAM, "-o", os.devnull]
        return {"FP32": user_time([*command, str(GRAPH)]), "NVFP4": user_time([*command, str(self.plain)])}


def least(measure: Callable[[], float], runs: int) -> float:
    return min(measure() for _ in range(runs))


def measure_scaling(binaries: Path, runs: int) -> float:
    """Prints a row per size and returns the exponent between the ends."""
    times: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.mlir"
        empty.write_text("module {}\n")
        compile_command = [str(binaries / "nvfp4-compile"), "--emit=mlir", "-o", os.devnull]
        start = least(lambda: user_time([*compile_command, str(empty)]), runs)
        print(f"process start {start:.2f} s\n\nblocks   user s   per block")
        for blocks in (1, 2, 4, 8, 16, 32, 64):
            graph = Path(folder) / f"blocks{blocks}.mlir"
            subprocess.run(
                [sys.executable, str(ROOT / "bench/make_blocks.py"), "--blocks", str(blocks), str(graph)],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            times[blocks] = least(lambda: user_time([*compile_command, str(graph)]), runs) - start
            print(f"{blocks:6}   {times[blocks]:6.2f}   {times[blocks] / blocks:9.3f}")
    return math.log(times[64] / times[1]) / math.log(64)


def measure_lowering(binaries: Path, mlir_opt: str, runs: int) -> dict[str, float]:
    """Prints a row per policy and returns the ratios."""
    ours: dict[str, float] = {}
    upstream: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        lowering = Lowering(binaries / "nvfp4-opt", mlir_opt, Path(folder))
        # In turn, so that a machine that changes its speed changes both.
        for _ in range(runs):
            for best, measured in ((upstream, lowering.upstream()), (ours, lowering.ours())):
                for policy, seconds in measured.items():
                    best[policy] = min(best.get(policy, math.inf), seconds)
    for policy, seconds in ours.items():
        print(f"MiniLM to the LLVM dialect, {policy}: {seconds:.3f} s, upstream {upstream[policy]:.3f} s")
    return {policy: ours[policy] / upstream[policy] for policy in ours}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, default=ROOT / "build/bin", help="folder of the binaries")
    parser.add_argument("--mlir-opt", default="/usr/lib/llvm-22/bin/mlir-opt")
    parser.add_argument("--runs", type=int, default=3, help="the least time of this many runs counts")
    options = parser.parse_args()

    ratios = measure_lowering(options.bin, options.mlir_opt, options.runs)
    for policy, ratio in ratios.items():
        print(f"ratio, {policy}: {ratio:.2f} (at most {MAX_RATIO})")
    exponent = measure_scaling(options.bin, options.runs)
    print(f"exponent from 1 to 64 blocks: {exponent:.3f} (at most {MAX_EXPONENT})")
    return 0 if exponent <= MAX_EXPONENT and max(ratios.values()) <= MAX_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
