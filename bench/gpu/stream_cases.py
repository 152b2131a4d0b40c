# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Our products of few rows for hopper_table.py, from the folder that make_stream_kernels.py has filled.

The folder is `stream_kernels` here, or what STREAM_KERNELS says. Launches are programmatic, as a package's are: the next
one fetches its weights while the one before ends.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch
from gpubench import Module, read_launches
from matmul_cases import decode, draw_weights, error, lines

FOLDER = Path(os.environ.get("STREAM_KERNELS", Path(__file__).resolve().parent / "stream_kernels"))


def stream(n: int, k: int, m: int):
    launch = read_launches(FOLDER)[f"{n}_{m}"]
    kernel = Module.load(FOLDER / f"{n}_{m}.ptx").kernel(launch["entry"], shared=launch["shared"])
    codes, scales = draw_weights(n, k)
    a = torch.randn(m, k, device="cuda").to(torch.bfloat16)
    d = torch.empty(m, n, dtype=torch.bfloat16, device="cuda")
    # By the format's convention this is a factor of 1.
    scale = torch.tensor([2688.0], device="cuda")

    def run(i: int) -> None:
        maps = [lines(a, launch["box"])] if launch["box"] else []
        arguments = (a, codes[i], scales[i], scale, d, *maps)
        kernel(launch["grid"], launch["threads"], arguments, cluster=(launch["cluster"], 1, 1), programmatic=True)

    def check() -> float:
        run(0)
        return error(d, a, decode(codes[0], scales[0], n, k))

    return [lambda i=i: run(i) for i in range(len(codes))], check


def cases() -> list[dict]:
    shapes = [(28672, 8192), (8192, 8192), (4096, 4096)]
    made = read_launches(FOLDER)
    every = [{"what": f"W4A16 M={m}", "shape": shape, "m": m, "make": stream} for m in (1, 16, 64) for shape in shapes]
    return [case for case in every if f"{case['shape'][0]}_{case['m']}" in made]
