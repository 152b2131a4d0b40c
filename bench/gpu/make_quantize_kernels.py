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


def function(name: str, arguments: dict[str, str], results: list[str], schedule: str, body: str, threads: int = 128) -> str:
    text = ", ".join(f"%{argument}: {type_}" for argument, type_ in arguments.items())
    types = ", ".join(results)
    return f"""func.func @{name}({text}) -> ({types})
      attributes {{nvfp4.kernel = [#nvfp4.kernel<{schedule}, threads = {threads}>]}} {{
    {body} : {types}
  }}"""


def quantize(name: str, source: str, ins: str, types: str, outs: tuple[str, str], form: str, scales: str = SCALES) -> str:
    return (
        f"%{name}:2 = nvfp4.quantize_into as !nvfp4.tensor<{SIZE}x{SIZE}, {form}>{'' if 'state' not in ins else ' rounding<stochastic>'}\n"
        f"        ins({source}, {ins} : {types}) outs({outs[0]}, {outs[1]} : {CODES}, {scales}) -> {CODES}, {scales}\n    "
    )


def blocks(name: str, element: str = "bf16", stochastic: bool = False, form: str = "nvfp4") -> str:
    """One pass over blocks along rows; the global scale is given."""
    source = f"tensor<{SIZE}x{SIZE}x{element}>"
    arguments = {"x": source, "g": "tensor<f32>"}
    if stochastic:
        arguments["state"] = "tensor<2xi64>"
    types = ", ".join(arguments.values())
    names = ", ".join(f"%{name}" for name in list(arguments)[1:])
    scales = f"tensor<{SIZE // 16}x{SIZE // 16}xi8>" if "16x16" in form else SCALES
    body = quantize("q", "%x", names, types, ("%c", "%s"), form, scales)
    return function(name, arguments | {"c": CODES, "s": scales}, [CODES, scales], "block", body + "return %q#0, %q#1")


SIGNS = "signs<0xD7E8>"


def hadamard(name: str) -> str:
    """One pass over the random Hadamard transform."""
    source = f"tensor<{SIZE}x{SIZE}xbf16>"
    body = f"""%e = tensor.empty() : {source}
    %h = nvfp4.hadamard_into {SIGNS} ins(%x : {source}) outs(%e : {source}) -> {source}
    """
    body += quantize("q", "%h", "%g", f"{source}, tensor<f32>", ("%c", "%s"), "nvfp4")
    arguments = {"x": source, "g": "tensor<f32>", "c": CODES, "s": SCALES}
    return function(name, arguments, [CODES, SCALES], "block", body + "return %q#0, %q#1")


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


def amax(name: str, rows: int, element: str, is_transformed: bool = False) -> str:
    """The largest magnitude of each row."""
    source, result = f"tensor<{rows}x{SIZE}x{element}>", f"tensor<{rows}xf32>"
    body = ""
    if is_transformed:
        body = f"""%e = tensor.empty() : {source}
    %h = nvfp4.hadamard_into {SIGNS} ins(%x : {source}) outs(%e : {source}) -> {source}
    """
    operand = "%h" if is_transformed else "%x"
    body += f"%q = nvfp4.global_scale_into format <nvfp4<global = row>> ins({operand} : {source}) outs(%a : {result}) -> {result}\n    return %q"
    return function(name, {"x": source, "a": result}, [result], "row", body)


KERNELS = {
    "bf16": blocks,
    "f32": lambda name: blocks(name, "f32"),
    "stochastic": lambda name: blocks(name, stochastic=True),
    "square": lambda name: blocks(name, form="nvfp4<block = 16x16>"),
    "hadamard": hadamard,
    "both_ways": both_ways,
    "amax_rows": lambda name: amax(name, SIZE, "bf16"),
    "amax_hadamard": lambda name: amax(name, SIZE, "bf16", is_transformed=True),
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
