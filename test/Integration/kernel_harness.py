# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Generates kernels with nvfp4-opt and runs them in nvfp4-sim.

A kernel is a function on tensors, as a dispatch sees it: inputs, then inits.

    suite = Kernels('''
      func.func @twice(%x: tensor<?x12xf32>, %init: tensor<?x12xf32>) -> tensor<?x12xf32>
          attributes {nvfp4.kernel = [#nvfp4.kernel<element, threads = 128>]} { … }
    ''')
    (y,) = suite.run("twice", [x], [(x.shape, np.float32)])

bf16 tensors are arrays of u16, i1 tensors arrays of bool.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from harness import read_safetensors, write_safetensors

# element type in MLIR -> dtype in safetensors
_DTYPES = {
    "f64": "F64",
    "f32": "F32",
    "f16": "F16",
    "bf16": "BF16",
    "i64": "I64",
    "i32": "I32",
    "i8": "I8",
    "i1": "BOOL",
}
_LAUNCH = re.compile(
    r"gpu\.launch_func\s+@device::@(\w+)(?: clusters in \([^)]*\))? blocks in \(([^)]*)\) threads in \(([^)]*)\)"
    r"(?:\s*dynamic_shared_memory_size (\S+))?"
)


def _nvfp4_opt(text: str, *options: str) -> str:
    result = subprocess.run(["nvfp4-opt", "-", *options], input=text, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"nvfp4-opt {' '.join(options)}:\n{result.stderr}")
    return result.stdout


class Kernels:
    """A module of kernels for one chip."""

    def __init__(self, functions: str, chip: str = "sm_120a"):
        self.functions, self.chip = functions, chip
        self.ptx = _nvfp4_opt(
            f"module {{ module @kernels {{ {functions} }} }}",
            f"--nvfp4-lower-device=chip={chip} assemble=false",
            "--nvfp4-print-device",
            "-o",
            "/dev/null",
        )

    def types(self, name: str) -> list[str]:
        """The tensor types of a kernel's arguments."""
        arguments = re.search(rf"func\.func @{name}\((.*?)\)\s*->", self.functions, re.DOTALL)
        return re.findall(r"%\w+: tensor<([^>]*)>", arguments[1])

    def launch(self, name: str, shapes: list[tuple[int, ...]]) -> tuple[str, int, int, int] | None:
        """Entry, blocks, threads and dynamic shared memory for shapes of all arguments; None: no launch."""
        allocations, operands, types = [], [], []
        for i, (type_, shape) in enumerate(zip(self.types(name), shapes, strict=True)):
            extents = type_.split("x")[:-1]
            sizes = [f"%c{n}" for n, extent in zip(shape, extents, strict=True) if extent == "?"]
            allocations.append(f"%m{i} = memref.alloc({', '.join(sizes)}) : memref<{type_}>")
            operands.append(f"%m{i}")
            types.append(f"memref<{type_}>")
        constants = [f"%c{n} = arith.constant {n} : index" for n in sorted({n for shape in shapes for n in shape})]
        results = re.search(rf"func\.func @{name}\(.*?\)\s*->\s*(\([^)]*\)|tensor<[^>]*>)", self.functions, re.DOTALL)
        inputs = len(types) - results[1].count("tensor<")
        ins = f"ins({', '.join(operands[:inputs])} : {', '.join(types[:inputs])})" if inputs else "ins( : )"
        outs = f"outs({', '.join(operands[inputs:])} : {', '.join(types[inputs:])})"
        host = "\n".join([*constants, *allocations, f"nvfp4.dispatch @kernels::@{name} {ins} {outs}", "return"])
        text = _nvfp4_opt(
            f"module {{ module @kernels {{ {self.functions} }} func.func @main() {{ {host} }} }}",
            f"--convert-nvfp4-kernels-to-gpu=chip={self.chip}",
            "--canonicalize",
        )
        launch = _LAUNCH.search(text)
        if not launch:
            return None

        def value(operand: str) -> int:
            return int(re.search(rf"{operand.strip()} = arith\.constant (\d+) :", text)[1])

        grid = [value(extent) for extent in launch[2].split(",")]
        return launch[1], grid, value(launch[3].split(",")[0]), value(launch[4]) if launch[4] else 0

    def run(
        self, name: str, inputs: list[np.ndarray], outputs: list[tuple[tuple[int, ...], np.dtype]], *options: str
    ) -> list[np.ndarray]:
        """The results of a kernel."""
        types = self.types(name)
        shapes = [array.shape for array in inputs] + [shape for shape, _ in outputs]
        launch = self.launch(name, shapes)
        if launch is None:
            return [np.zeros(shape, dtype) for shape, dtype in outputs]
        entry, grid, threads, shared = launch
        dtypes = [_DTYPES[type_.split("x")[-1]] for type_ in types]
        args = [{"tensor": f"i{i}"} for i in range(len(inputs))]
        for i, (shape, _) in enumerate(outputs):
            args.append({"undefined": list(shape), "dtype": dtypes[len(inputs) + i], "name": f"o{i}"})
        for type_, shape in zip(types, shapes, strict=True):
            args += [{"i64": n} for n, extent in zip(shape, type_.split("x"), strict=False) if extent == "?"]
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory)
            (path / "kernel.ptx").write_text(self.ptx)
            write_safetensors(
                path / "in.safetensors",
                {f"i{i}": array for i, array in enumerate(inputs)},
                {f"i{i}": dtypes[i] for i in range(len(inputs))},
            )
            description = {
                "ptx": "kernel.ptx",
                "entry": entry,
                "grid": grid,
                "block": [threads, 1, 1],
                "dynamic_shared_bytes": shared,
                "inputs": "in.safetensors",
                "args": args,
                "outputs": [f"o{i}" for i in range(len(outputs))],
            }
            (path / "launch.json").write_text(json.dumps(description))
            command = ["nvfp4-sim", path / "launch.json", "--output", path / "out.safetensors", "--strict", *options]
            result = subprocess.run(command, capture_output=True, text=True)
            if result.returncode:
                raise RuntimeError(f"{name} {shapes}: {result.stderr}")
            if "--stats" in options:
                print(result.stdout)
            tensors = read_safetensors(path / "out.safetensors")
        return [tensors[f"o{i}"] for i in range(len(outputs))]
