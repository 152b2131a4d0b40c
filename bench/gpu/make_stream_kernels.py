#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles the streams for few rows that stream_cases.py times: PTX, and how to launch it.

    PATH=build/bin:$PATH make_stream_kernels.py FOLDER

Needs nvfp4-opt and no GPU. The configurations are those that the compiler chooses for a packed weight.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "test" / "Integration"))
from kernel_harness import Kernels
from make_matmul_kernels import weights

SHAPES = [(28672, 8192), (8192, 8192), (4096, 4096)]
ROWS = [1, 16, 64]
CHOICE = (
    "builtin.module(nvfp4-normalize,nvfp4-policy{policy=weight-only},nvfp4-quantize,"
    "nvfp4-assign-layouts{chip=sm_90a},func.func(nvfp4-fold-transposes),nvfp4-select-kernels{chip=sm_90a})"
)


def layer(n: int, k: int) -> str:
    return f"""func.func @main(%w: tensor<{n}x{k}xbf16> {{nvfp4.weight = "w"}},
                          %x: tensor<?x{k}xbf16> {{nvfp4.name = "x", nvfp4.shape = ["rows", {k}]}}) -> tensor<?x{n}xf32> {{
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %m = tensor.dim %x, %c0 : tensor<?x{k}xbf16>
    %e = tensor.empty(%m) : tensor<?x{n}xf32>
    %fill = linalg.fill ins(%zero : f32) outs(%e : tensor<?x{n}xf32>) -> tensor<?x{n}xf32>
    %t = tensor.empty() : tensor<{k}x{n}xbf16>
    %wt = linalg.transpose ins(%w : tensor<{n}x{k}xbf16>) outs(%t : tensor<{k}x{n}xbf16>) permutation = [1, 0]
    %y = linalg.matmul ins(%x, %wt : tensor<?x{k}xbf16>, tensor<{k}x{n}xbf16>) outs(%fill : tensor<?x{n}xf32>) -> tensor<?x{n}xf32>
    return %y : tensor<?x{n}xf32>
  }}"""


def choose(n: int, k: int, rows: int) -> str | None:
    """The stream that serves so many rows, if any does."""
    pipeline = f"--pass-pipeline={CHOICE}"
    text = subprocess.run(["nvfp4-opt", pipeline], input=layer(n, k), capture_output=True, text=True, check=True).stdout
    for kernel in re.findall(r"#nvfp4\.kernel<[^>]*>", text):
        most = re.search(r"max_rows = (\d+)", kernel)
        if most is None or int(most[1]) >= rows:
            return kernel if "stream" in kernel else None
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    launches = {}
    for n, k in SHAPES:
        for rows in ROWS:
            kernel = choose(n, k, rows)
            if kernel is None:
                print(f"{n}x{k}, {rows} rows: no stream")
                continue
            kernels = Kernels(weights(n, k, kernel).replace("<?x", f"<{rows}x"), "sm_90a")
            shapes = [tuple(int(x) for x in type_.split("x")[:-1]) for type_ in kernels.types("k")]
            entry, grid, threads, shared = kernels.launch("k", shapes)
            name = f"{n}_{rows}"
            (folder / f"{name}.ptx").write_text(kernels.ptx)
            cluster = int((re.search(r"clusters = (\d+)", kernel) or [0, 1])[1])
            # Rows of the boxes in which activations come; 0 where threads bring them.
            box = int(re.search(r"tile = (\d+)x", kernel)[1]) if ".param .align 64" in kernels.ptx else 0
            launches[name] = {"entry": entry, "grid": grid, "threads": threads, "shared": shared, "cluster": cluster, "box": box}
            print(f"{n}x{k}, {rows} rows: {kernel}, grid {grid}")
    (folder / "kernels.json").write_text(json.dumps(launches, indent=1))


if __name__ == "__main__":
    main()
