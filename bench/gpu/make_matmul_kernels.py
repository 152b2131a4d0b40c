#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles the kernels of warpgroups that matmul_cases.py times: PTX, and how to launch it.

    PATH=build/bin:$PATH make_matmul_kernels.py FOLDER

Needs nvfp4-opt and no GPU. The number of rows is dynamic.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "test" / "Integration"))
from kernel_harness import Kernels

SHAPES = [(28672, 8192), (8192, 8192)]
# Rows of the unit's columns, and stages.
TILES = {"w4": [(256, 5), (128, 6)], "bf16": [(256, 4), (128, 6)]}


def schedule(rows: int, stages: int) -> str:
    return f"#nvfp4.kernel<matmul, threads = 384, tile = {rows}x128x64, warps = 1x8x1, stages = {stages}, swapped = true>"


def weights(n: int, k: int, kernel: str) -> str:
    tiles = n // 64 * (k // 128)
    ins = f"tensor<?x{k}xbf16>, tensor<{tiles * 4096}xi8>, tensor<{tiles * 512}xi8>, tensor<f32>"
    a, codes, scales, scale = ins.split(", ")
    return f"""func.func @k(%a: {a}, %bc: {codes}, %bs: {scales}, %bg: {scale}, %d: tensor<?x{n}xbf16>) -> tensor<?x{n}xbf16>
      attributes {{nvfp4.kernel = [{kernel}]}} {{
    %r = nvfp4.scaled_matmul rhs !nvfp4.tensor<{n}x{k}, nvfp4, layout = registers>
        ins(%a, %bc, %bs, %bg : {ins}) outs(%d : tensor<?x{n}xbf16>) -> tensor<?x{n}xbf16>
    return %r : tensor<?x{n}xbf16>
  }}"""


def plain(n: int, k: int, kernel: str) -> str:
    a, b, sums, d = f"tensor<?x{k}xbf16>", f"tensor<{n}x{k}xbf16>", f"tensor<?x{n}xf32>", f"tensor<?x{n}xbf16>"
    of = lambda dims: f"affine_map<(d0, d1, d2) -> ({dims})>"
    same = "affine_map<(d0, d1) -> (d0, d1)>"
    return f"""func.func @k(%a: {a}, %b: {b}, %d: {d}) -> {d}
      attributes {{nvfp4.kernel = [{kernel}]}} {{
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %m = tensor.dim %a, %c0 : {a}
    %e = tensor.empty(%m) : {sums}
    %fill = linalg.fill ins(%zero : f32) outs(%e : {sums}) -> {sums}
    %r = linalg.generic {{indexing_maps = [{of("d0, d2")}, {of("d1, d2")}, {of("d0, d1")}], iterator_types = ["parallel", "parallel", "reduction"]}}
        ins(%a, %b : {a}, {b}) outs(%fill : {sums}) {{
    ^bb0(%x: bf16, %y: bf16, %s: f32):
      %xw = arith.extf %x : bf16 to f32
      %yw = arith.extf %y : bf16 to f32
      %p = arith.mulf %xw, %yw : f32
      %t = arith.addf %s, %p : f32
      linalg.yield %t : f32
    }} -> {sums}
    %o = linalg.generic {{indexing_maps = [{same}, {same}], iterator_types = ["parallel", "parallel"]}}
        ins(%r : {sums}) outs(%d : {d}) {{
    ^bb0(%x: f32, %y: bf16):
      %t = arith.truncf %x : f32 to bf16
      linalg.yield %t : bf16
    }} -> {d}
    return %o : {d}
  }}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    launches = {}
    for kind, make in ("w4", weights), ("bf16", plain):
        for n, k in SHAPES:
            for rows, stages in TILES[kind]:
                kernels = Kernels(make(n, k, schedule(rows, stages)), "sm_90a")
                shapes = [tuple(1 if x == "?" else int(x) for x in type_.split("x")[:-1]) for type_ in kernels.types("k")]
                entry, grid, threads, shared = kernels.launch("k", shapes)
                name = f"{kind}_{n}_{rows}"
                (folder / f"{name}.ptx").write_text(kernels.ptx)
                launches[name] = {"entry": entry, "grid": grid, "threads": threads, "shared": shared}
    (folder / "kernels.json").write_text(json.dumps(launches, indent=1))


if __name__ == "__main__":
    main()
