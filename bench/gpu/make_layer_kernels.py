#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles the row and element kernels that time_layers.py times: PTX, and how to launch it.

    PATH=build/bin:$PATH make_layer_kernels.py FOLDER [--threads N …]

Needs nvfp4-opt and no GPU. Bodies are those that dispatches of a decoder have.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "test" / "Integration"))
from kernel_harness import Kernels

FULL, ROW, COLUMN = ("affine_map<(d0, d1) -> (%s)>" % dims for dims in ("d0, d1", "d0", "d1"))


def generic(maps: list[str], kind: str, ins: dict[str, str], out: str, out_type: str, body: str) -> str:
    """`ins` from name to type; elements are a, b, …, and o."""
    elements = [f"%{name}: {type_.split('x')[-1]}" for name, type_ in zip("abcdef", ins.values())]
    elements.append(f"%o: {out_type.split('x')[-1]}")
    return f"""linalg.generic {{indexing_maps = [{", ".join(maps)}], iterator_types = ["parallel", "{kind}"]}}
      ins({", ".join(ins)} : {", ".join(f"tensor<{type_}>" for type_ in ins.values())}) outs({out} : tensor<{out_type}>) {{
      ^bb0({", ".join(elements)}):
        {body}
      }} -> tensor<{out_type}>"""


def function(name: str, arguments: dict[str, str], result: str, schedule: str, threads: int, body: str) -> str:
    text = ", ".join(f"%{argument}: tensor<{type_}>" for argument, type_ in (arguments | {"init": result}).items())
    return f"""func.func @{name}({text}) -> tensor<{result}>
      attributes {{nvfp4.kernel = [#nvfp4.kernel<{schedule}, threads = {threads}>]}} {{
    {body}
    return %y : tensor<{result}>
  }}"""


def widened(element: str, *names: str) -> tuple[str, dict[str, str]]:
    """Text that makes f32 of scalars, and their new names."""
    if element == "f32":
        return "", {name: f"%{name}" for name in names}
    return " ".join(f"%{name}w = arith.extf %{name} : {element} to f32" for name in names), {name: f"%{name}w" for name in names}


def narrowed(element: str, value: str) -> str:
    if element == "f32":
        return f"linalg.yield {value} : f32"
    return f"%narrow = arith.truncf {value} : f32 to {element} linalg.yield %narrow : {element}"


def element_kernel(name: str, inputs: int, math: str, rows: int, columns: int, element: str, threads: int) -> str:
    """`math` computes %r from %a and %b, which it names in braces."""
    type_ = f"{rows}x{columns}x{element}"
    names = "ab"[:inputs]
    wide, values = widened(element, *names)
    body = f"{wide} {math.format(**values)} {narrowed(element, '%r')}"
    arguments = {f"x{i}": type_ for i in range(inputs)}
    text = generic([FULL] * (inputs + 1), "parallel", {f"%{x}": type_ for x in arguments}, "%init", type_, body)
    return function(name, arguments, type_, "element", threads, f"%y = {text}")


GELU = """%half = arith.constant 0.5 : f32 %one = arith.constant 1.0 : f32 %root = arith.constant 0.707106781 : f32
        %s = arith.mulf {a}, %root : f32 %e = math.erf %s : f32 %p = arith.addf %e, %one : f32
        %h = arith.mulf {a}, %half : f32 %r = arith.mulf %h, %p : f32"""
SILU = """%one = arith.constant 1.0 : f32 %n = arith.negf {a} : f32 %e = math.exp %n : f32 %d = arith.addf %e, %one : f32
        %s = arith.divf {a}, %d : f32 %r = arith.mulf %s, {b} : f32"""
ADD = "%r = arith.addf {a}, {b} : f32"


def softmax(name: str, rows: int, columns: int, element: str, threads: int) -> str:
    x, thin, wide = f"{rows}x{columns}x{element}", f"{rows}xf32", f"{rows}x{columns}xf32"
    widen, value = widened(element, "a")
    body = f"""%low = arith.constant 0xFF800000 : f32
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<{thin}>
    %w = tensor.empty() : tensor<{wide}>
    %lows = linalg.fill ins(%low : f32) outs(%e : tensor<{thin}>) -> tensor<{thin}>
    %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<{thin}>) -> tensor<{thin}>
    %m = {generic([FULL, ROW], "reduction", {"%x": x}, "%lows", thin, f"{widen} %r = arith.maximumf {value['a']}, %o : f32 linalg.yield %r : f32")}
    %p = {generic([FULL, ROW, FULL], "parallel", {"%x": x, "%m": thin}, "%w", wide,
                  f"{widen} %r = arith.subf {value['a']}, %b : f32 %q = math.exp %r : f32 linalg.yield %q : f32")}
    %s = {generic([FULL, ROW], "reduction", {"%p": wide}, "%zeros", thin, "%r = arith.addf %o, %a : f32 linalg.yield %r : f32")}
    %y = {generic([FULL, ROW, FULL], "parallel", {"%p": wide, "%s": thin}, "%init", x, f"%r = arith.divf %a, %b : f32 {narrowed(element, '%r')}")}"""
    return function(name, {"x": x}, x, "row", threads, body)


def rms_norm(name: str, rows: int, columns: int, element: str, threads: int) -> str:
    x, thin, vector = f"{rows}x{columns}x{element}", f"{rows}xf32", f"{columns}x{element}"
    widen, value = widened(element, "a")
    both, values = widened(element, "a", "c")
    body = f"""%zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<{thin}>
    %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<{thin}>) -> tensor<{thin}>
    %s = {generic([FULL, ROW], "reduction", {"%x": x}, "%zeros", thin,
                  f"{widen} %q = arith.mulf {value['a']}, {value['a']} : f32 %r = arith.addf %o, %q : f32 linalg.yield %r : f32")}
    %y = {generic([FULL, ROW, COLUMN, FULL], "parallel", {"%x": x, "%s": thin, "%g": vector}, "%init", x,
                  f'''%n = arith.constant {columns}.0 : f32 %eps = arith.constant 1.0e-5 : f32 {both}
        %v0 = arith.divf %b, %n : f32 %v1 = arith.addf %v0, %eps : f32 %v2 = math.rsqrt %v1 : f32
        %v3 = arith.mulf {values['a']}, %v2 : f32 %r = arith.mulf %v3, {values['c']} : f32 {narrowed(element, '%r')}''')}"""
    return function(name, {"x": x, "g": vector}, x, "row", threads, body)


def layer_norm(name: str, rows: int, columns: int, element: str, threads: int) -> str:
    x, thin, vector = f"{rows}x{columns}x{element}", f"{rows}xf32", f"{columns}x{element}"
    widen, value = widened(element, "a")
    all_, values = widened(element, "a", "d", "e")
    count = f"%n = arith.constant {columns}.0 : f32"
    body = f"""%zero = arith.constant 0.0 : f32
    %t = tensor.empty() : tensor<{thin}>
    %zeros = linalg.fill ins(%zero : f32) outs(%t : tensor<{thin}>) -> tensor<{thin}>
    %s = {generic([FULL, ROW], "reduction", {"%x": x}, "%zeros", thin, f"{widen} %r = arith.addf %o, {value['a']} : f32 linalg.yield %r : f32")}
    %v = {generic([FULL, ROW, ROW], "reduction", {"%x": x, "%s": thin}, "%zeros", thin,
                  f"{count} {widen} %m = arith.divf %b, %n : f32 %c = arith.subf {value['a']}, %m : f32 %q = arith.mulf %c, %c : f32 %r = arith.addf %o, %q : f32 linalg.yield %r : f32")}
    %y = {generic([FULL, ROW, ROW, COLUMN, COLUMN, FULL], "parallel", {"%x": x, "%s": thin, "%v": thin, "%g": vector, "%h": vector}, "%init", x,
                  f'''{count} %eps = arith.constant 1.0e-5 : f32 {all_} %m = arith.divf %b, %n : f32
        %v0 = arith.divf %c, %n : f32 %v1 = arith.addf %v0, %eps : f32 %v2 = math.rsqrt %v1 : f32
        %v3 = arith.subf {values['a']}, %m : f32 %v4 = arith.mulf %v3, %v2 : f32 %v5 = arith.mulf %v4, {values['d']} : f32
        %r = arith.addf %v5, {values['e']} : f32 {narrowed(element, '%r')}''')}"""
    return function(name, {"x": x, "g": vector, "h": vector}, x, "row", threads, body)


KINDS = {
    "add": lambda *shape: element_kernel(shape[0], 2, ADD, *shape[1:]),
    "gelu": lambda *shape: element_kernel(shape[0], 1, GELU, *shape[1:]),
    "silu": lambda *shape: element_kernel(shape[0], 2, SILU, *shape[1:]),
    "softmax": softmax,
    "rms": rms_norm,
    "norm": layer_norm,
}
ROW_KINDS = ("softmax", "rms", "norm")
SHAPES = {
    "add": [(2048, 4096), (1, 4096)],
    "gelu": [(2048, 4096), (256, 1536)],
    "silu": [(2048, 14336), (1, 14336)],
    "softmax": [(2048, 4096), (32, 1024), (3072, 32)],
    "rms": [(2048, 4096), (1, 4096)],
    "norm": [(2048, 4096), (256, 384)],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, nargs="+", default=[], help="instead of what dispatches choose")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    launches = {}
    for kind, make in KINDS.items():
        for rows, columns in SHAPES[kind]:
            for element in ("bf16", "f32"):
                for threads in arguments.threads or [512 if kind in ROW_KINDS and rows == 1 else 128]:
                    name = f"{kind}_{rows}x{columns}_{element}" + (f"_{threads}" if arguments.threads else "")
                    kernels = Kernels(make(name, rows, columns, element, threads), "sm_90a")
                    types = kernels.types(name)
                    shapes = [tuple(int(extent) for extent in type_.split("x")[:-1]) for type_ in types]
                    entry, grid, block, shared = kernels.launch(name, shapes)
                    (arguments.folder / f"{name}.ptx").write_text(kernels.ptx)
                    launches[name] = {"kind": kind, "types": types, "entry": entry, "grid": grid, "threads": block, "shared": shared}
    (arguments.folder / "kernels.json").write_text(json.dumps(launches, indent=1))


main()
