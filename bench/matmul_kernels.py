#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Matmul kernels: what their main loop costs, by their machine code and by the simulator.

    matmul_kernels.py [--binaries DIR] [--ptxas PATH] [--nvdisasm PATH]

| column | meaning |
| --- | --- |
| registers, spills | of ptxas |
| OMMA | matrix instructions in the loop along K |
| others | other instructions there, per matrix instruction |
| pads | what ptxas puts between two OMMA that would stand side by side; not in `others` |
| conflicts | cycles that shared memory repeats because two lanes meet in a bank, in that loop |
| ms | from the kernel's tensors to PTX, of one core |

Exits with 1 if the kernel for many rows needs more than 1.5 others, spills, or meets banks.
Without nvdisasm the machine code is not counted. K is 16384: ptxas unrolls loops of few tiles altogether.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test" / "Conversion" / "NVFP4ToGPU"))
from matmul_cases import LARGE, SMALL, Matmul, Runner, corpus

MAX_OTHERS = 1.5
SCHEDULES = {
    "many rows": (LARGE, "nvfp4", 200),
    "many rows, MXFP4": (LARGE, "mxfp4", 200),
    "many rows, 8 warps": ("threads = 256, tile = 128x128x128, warps = 4x2x1, stages = 4", "nvfp4", 200),
    "few columns": ("threads = 128, tile = 128x64x128, warps = 2x2x1, stages = 4", "nvfp4", 200),
    "few rows": (SMALL.replace(", max_rows = 16", ""), "nvfp4", 16),
}


def seconds_of_children() -> float:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime


def seconds_of(command: list) -> float:
    start = seconds_of_children()
    subprocess.run(command, check=True, capture_output=True)
    return seconds_of_children() - start


def time_of(folder: Path, matmul: Matmul) -> float:
    """Milliseconds from MLIR to PTX, less those of a module without kernels."""
    chip = f"chip={matmul.chip}"
    passes = [f"--convert-nvfp4-kernels-to-gpu={chip}", f"--nvfp4-lower-device={chip} assemble=false"]
    (folder / "empty.mlir").write_text("module {}\n")
    times = {
        name: min(seconds_of(["nvfp4-opt", folder / name, *passes, "-o", "/dev/null"]) for _ in range(3))
        for name in ("kernel.mlir", "empty.mlir")
    }
    return 1000 * (times["kernel.mlir"] - times["empty.mlir"])


def loop_of(lines: list[str], label: str, branch: str, matrix: str) -> range:
    """The loop with the most matrix instructions: from a label to a branch back to it."""
    labels = {match[1]: i for i, line in enumerate(lines) if (match := re.match(label, line))}
    best, most = range(0), 0
    for i, line in enumerate(lines):
        match = re.search(branch, line)
        start = labels.get(match[1], i + 1) if match else i + 1
        count = sum(bool(re.search(matrix, other)) for other in lines[start : i + 1])
        if count > most:
            best, most = range(start, i + 1), count
    return best


def count_machine_code(text: str) -> tuple[int, float, float]:
    """Matrix instructions of the loop, and others and pads per one of them."""
    lines = text.splitlines()
    loop = loop_of(lines, r"(\.L_x_\d+):", r"\bBRA\b.*?(\.L_x_\d+)", r"\bOMMA\b")
    code = [match[1] for line in lines[loop.start : loop.stop] if (match := re.match(r"\s+/\*\w+\*/\s+(.*?);", line))]
    matrix = sum("OMMA" in op for op in code)
    pads = sum(bool(re.match(r"NOP|@!U?PT ", op)) for op in code)
    if not matrix:
        raise SystemExit("expected a loop with matrix instructions")
    return matrix, (len(code) - matrix - pads) / matrix, pads / matrix


def conflicts_of(folder: Path, matmul: Matmul, rows: int, shared: int) -> int:
    """Bank conflicts in the loop, on random operands."""
    case = matmul.case(np.random.default_rng(1), rows)
    case.shared = shared
    corpus.write_safetensors(folder / "in.safetensors", case.inputs)
    (folder / "launch.json").write_text(json.dumps(case.launch("kernel.ptx")))
    command = ["nvfp4-sim", folder / "launch.json", "--output", folder / "out.safetensors", "--stats=json"]
    stats = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    lines = (folder / "kernel.ptx").read_text().splitlines()
    loop = loop_of(lines, r"(\$L__BB\w+):", r"\bbra\S*\s+(\$L__BB\w+)", r"\bmma\.sync")
    return sum(line["bank_conflicts"] for line in stats["lines"] if line["line"] - 1 in loop)


def measure(options: argparse.Namespace, name: str) -> bool:
    """Prints a row; whether it is as it must be."""
    schedule, form, rows = SCHEDULES[name]
    matmul = Matmul(256, 16384, form=form, schedule=schedule, element="bf16", epilogue="bias")
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        shared = Runner().compile(matmul, folder)
        milliseconds = time_of(folder, matmul)
        conflicts = conflicts_of(folder, matmul, rows, shared)
        command = [options.ptxas, f"-arch={matmul.chip}", "-v", folder / "kernel.ptx", "-o", folder / "kernel.cubin"]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
        registers = int(re.search(r"Used (\d+) registers", said)[1])
        spills = sum(int(count) for count in re.findall(r"(\d+) bytes (?:stack|spill)", said))
        matrix, others, pads = 0, 0.0, 0.0
        if options.nvdisasm:
            code = subprocess.run([options.nvdisasm, "-c", folder / "kernel.cubin"], check=True, capture_output=True)
            matrix, others, pads = count_machine_code(code.stdout.decode())
    print(
        f"{name:20} {shared:8} {registers:9} {spills:6} {matrix:5} {others:7.2f} {pads:6.2f} {conflicts:10}"
        f" {milliseconds:5.0f}"
    )
    return spills == 0 and (name != "many rows" or (others <= MAX_OTHERS and conflicts == 0))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", type=Path, default=ROOT / "build" / "bin", help="where nvfp4-opt and nvfp4-sim are")
    parser.add_argument("--ptxas", default=shutil.which("ptxas") or "/usr/local/cuda/bin/ptxas")
    parser.add_argument("--nvdisasm", default=shutil.which("nvdisasm"))
    options = parser.parse_args()
    os.environ["PATH"] = f"{options.binaries}{os.pathsep}{os.environ['PATH']}"
    print(
        f"{'kernel':20} {'shared':>8} {'registers':>9} {'spills':>6} {'OMMA':>5} {'others':>7} {'pads':>6}"
        f" {'conflicts':>10} {'ms':>5}"
    )
    return 0 if all([measure(options, name) for name in SCHEDULES]) else 1


if __name__ == "__main__":
    sys.exit(main())
