#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles the kernels that quantize_cases.py times: PTX, and how to launch it.

    PATH=build/bin:$PATH make_quantize_kernels.py FOLDER

Needs nvfp4-opt and no GPU. Kernels are for sources of 8192 x 8192.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "test" / "Integration"))
from kernel_harness import Kernels

SIZE = 8192
CODES, SCALES = f"tensor<{SIZE}x{SIZE // 2}xi8>", f"tensor<{SIZE}x{SIZE // 16}xi8>"


def function(name: str, arguments: dict[str, str], results: list[str], schedule: str, body: str) -> str:
    text = ", ".join(f"%{argument}: {type_}" for argument, type_ in arguments.items())
    types = ", ".join(results)
    return f"""func.func @{name}({text}) -> ({types})
      attributes {{nvfp4.kernel = [#nvfp4.kernel<{schedule}, threads = 128>]}} {{
    {body} : {types}
  }}"""


def quantize(name: str, source: str, ins: str, types: str, outs: tuple[str, str], form: str) -> str:
    return (
        f"%{name}:2 = nvfp4.quantize_into as !nvfp4.tensor<{SIZE}x{SIZE}, {form}>{'' if 'state' not in ins else ' rounding<stochastic>'}\n"
        f"        ins({source}, {ins} : {types}) outs({outs[0]}, {outs[1]} : {CODES}, {SCALES}) -> {CODES}, {SCALES}\n    "
    )


def blocks(name: str, element: str = "bf16", stochastic: bool = False) -> str:
    """One pass over blocks along rows; the global scale is given."""
    source = f"tensor<{SIZE}x{SIZE}x{element}>"
    arguments = {"x": source, "g": "tensor<f32>"}
    if stochastic:
        arguments["state"] = "tensor<2xi64>"
    types = ", ".join(arguments.values())
    names = ", ".join(f"%{name}" for name in list(arguments)[1:])
    body = quantize("q", "%x", names, types, ("%c", "%s"), "nvfp4")
    return function(name, arguments | {"c": CODES, "s": SCALES}, [CODES, SCALES], "block", body + "return %q#0, %q#1")


def both_ways(name: str) -> str:
    """A matrix and its transpose."""
    source = f"tensor<{SIZE}x{SIZE}xbf16>"
    types = f"{source}, tensor<f32>"
    body = f"""%e = tensor.empty() : {source}
    %t = linalg.transpose ins(%x : {source}) outs(%e : {source}) permutation = [1, 0]
    """
    body += quantize("q", "%x", "%g", types, ("%c", "%s"), "nvfp4")
    body += quantize("r", "%t", "%g", types, ("%ct", "%st"), "nvfp4")
    arguments = {"x": source, "g": "tensor<f32>", "c": CODES, "s": SCALES, "ct": CODES, "st": SCALES}
    return function(name, arguments, [CODES, SCALES] * 2, "block", body + "return %q#0, %q#1, %r#0, %r#1")


def amax(name: str, rows: int, element: str) -> str:
    """The largest magnitude of each row."""
    source, result = f"tensor<{rows}x{SIZE}x{element}>", f"tensor<{rows}xf32>"
    body = (
        f"%q = nvfp4.global_scale_into format <nvfp4<global = row>> ins(%x : {source}) outs(%a : {result}) -> {result}\n    return %q"
    )
    return function(name, {"x": source, "a": result}, [result], "row", body)


KERNELS = {
    "bf16": blocks,
    "f32": lambda name: blocks(name, "f32"),
    "stochastic": lambda name: blocks(name, stochastic=True),
    "both_ways": both_ways,
    "amax_rows": lambda name: amax(name, SIZE, "bf16"),
    "amax_all": lambda name: amax(name, 1, "f32"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    launches = {}
    for name, make in KERNELS.items():
        kernels = Kernels(make(name), "sm_90a")
        shapes = [tuple(int(extent) for extent in type_.split("x")[:-1]) for type_ in kernels.types(name)]
        entry, grid, threads, shared = kernels.launch(name, shapes)
        (folder / f"{name}.ptx").write_text(kernels.ptx)
        launches[name] = {"entry": entry, "grid": grid, "threads": threads, "shared": shared}
    (folder / "kernels.json").write_text(json.dumps(launches, indent=1))


main()
