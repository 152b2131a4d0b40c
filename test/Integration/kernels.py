# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Lowers hand-written kernel bodies to PTX, and runs single kernels in the simulator.

    cases = Cases()
    cases.add("name", [Array("x", "tensor<4x64xf32>")], [Array("y", "tensor<4x64xf32>")], body, "%z", "element")
    ptx = cases.lower()
    got = cases.run(ptx, "name", {"x": x}, {"y": ((4, 64), "F32")}, grid=(1, 1, 1))
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from harness import call, read_safetensors, temporary, write_safetensors

THREADS = 128


@dataclass(frozen=True)
class Array:
    """An argument of a kernel: a name and a tensor type."""

    name: str
    type: str

    def dynamic_extents(self, shape: tuple[int, ...]) -> list[int]:
        extents = self.type[len("tensor<") : -1].split("x")[:-1]
        return [size for extent, size in zip(extents, shape, strict=True) if extent == "?"]


@dataclass(frozen=True)
class _Case:
    inputs: list[Array]
    outputs: list[Array]
    threads: int


def _listed(arrays: list[Array], memref: bool = False) -> str:
    types = ", ".join(array.type.replace("tensor<", "memref<") if memref else array.type for array in arrays)
    return f"({', '.join('%' + array.name for array in arrays)} : {types})"


class Cases:
    """Kernels of one module."""

    def __init__(self) -> None:
        self._cases: dict[str, _Case] = {}
        self._bodies = ""
        self._hosts = ""

    def __len__(self) -> int:
        return len(self._cases)

    def add(
        self, name: str, inputs: list[Array], outputs: list[Array], body: str, results: str, schedule: str, threads: int = THREADS
    ) -> None:
        """A kernel whose `body` computes the values `results`, of the types of `outputs`."""
        self._cases[name] = _Case(inputs, outputs, threads)
        arguments = ", ".join(f"%{array.name}: {array.type}" for array in inputs + outputs)
        types = ", ".join(array.type for array in outputs)
        self._bodies += f"""
    func.func @{name}({arguments}) -> ({types})
        attributes {{nvfp4.kernel = [#nvfp4.kernel<{schedule}, threads = {threads}>]}} {{
{body}
      return {results} : {types}
    }}"""
        self._hosts += f"""
  func.func @host_{name}({arguments.replace("tensor<", "memref<")}) {{
    nvfp4.dispatch @kernels::@{name} ins{_listed(inputs, memref=True)} outs{_listed(outputs, memref=True)}
    return
  }}"""

    def lower(self, chip: str = "sm_120a") -> Path:
        """PTX of all kernels."""
        source, ptx = temporary(".mlir"), temporary(".ptx")
        source.write_text(f"module {{\n  module @kernels {{{self._bodies}\n  }}{self._hosts}\n}}\n")
        lower = f"--nvfp4-lower-device=chip={chip} assemble=false"
        call("nvfp4-opt", source, lower, f"--nvfp4-print-device=output={ptx}", "-o", "/dev/null")
        return ptx

    def run(
        self,
        ptx: Path,
        name: str,
        inputs: dict[str, np.ndarray],
        outputs: dict[str, tuple[tuple[int, ...], str]],
        grid: tuple[int, int, int],
        shared_bytes: int = 0,
        order: str = "late",
    ) -> dict[str, np.ndarray]:
        """Results of one launch; `outputs` gives shapes and safetensors dtypes."""
        case = self._cases[name]
        given, got, launch = temporary(".safetensors"), temporary(".safetensors"), temporary(".json")
        write_safetensors(given, inputs)
        args = [{"tensor": array.name} for array in case.inputs]
        for array in case.outputs:
            shape, dtype = outputs[array.name]
            args.append({"undefined": list(shape), "dtype": dtype, "name": array.name})
        for array in case.inputs:
            args += [{"i64": extent} for extent in array.dynamic_extents(inputs[array.name].shape)]
        for array in case.outputs:
            args += [{"i64": extent} for extent in array.dynamic_extents(outputs[array.name][0])]
        launch.write_text(
            json.dumps(
                {
                    "ptx": str(ptx),
                    "entry": name,
                    "grid": list(grid),
                    "block": [case.threads, 1, 1],
                    "dynamic_shared_bytes": shared_bytes,
                    "inputs": str(given),
                    "args": args,
                    "outputs": list(outputs),
                }
            )
        )
        call("nvfp4-sim", launch, "--output", got, "--strict", f"--async={order}")
        return read_safetensors(got)
