#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times the kernels of make_layer_kernels.py beside a copy of as many bytes, and beside PyTorch.

    time_layers.py FOLDER [--only TEXT]

The copy reads and writes as much as the kernel, in the same way: many launches in one graph, over
buffers that the L2 cache does not hold. Shapes that fit into it are timed on one set of buffers, too.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import torch
import torch.nn.functional as F
from gpubench import Module, read_launches, require_gpu, rotation, time_launches
from hopper_table import vector_launchers

TYPES = {"bf16": torch.bfloat16, "f32": torch.float32}
L2_BYTES = 16 << 20
REFERENCES = {
    "add": torch.add,
    "gelu": F.gelu,
    "silu": lambda a, b: F.silu(a.float()) * b.float(),
    "softmax": lambda x: torch.softmax(x, 1),
    "rms": lambda x, g: F.rms_norm(x, x.shape[1:], g, 1e-5),
    "norm": lambda x, g, h: F.layer_norm(x, x.shape[1:], g, h, 1e-5),
}


def make(type_: str, name: str) -> torch.Tensor:
    *extents, element = type_.split("x")
    return torch.randn(*map(int, extents), device="cuda").to(TYPES[element])


def copy_us(inputs: int, size: int, count: int) -> float | None:
    """`inputs` tensors read, one written, all of `size` bytes."""
    times = []
    for scale in (1, 2, 4):
        name = f"copy_{inputs * scale}_{scale}"
        for suffix in ("", "_streaming"):
            for threads in (128, 256, 512):
                if size % (16 * scale * threads) == 0:
                    sources = [torch.zeros(inputs * size, dtype=torch.uint8, device="cuda") for _ in range(count)]
                    targets = [torch.empty(size, dtype=torch.uint8, device="cuda") for _ in range(count)]
                    times.append(time_launches(vector_launchers(name + suffix, inputs * scale, sources, targets, targets, threads, 0)))
    return min(times, default=None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="a regular expression for names of kernels")
    parser.add_argument("--once", action="store_true", help="launch each kernel once, for a profiler")
    arguments = parser.parse_args()
    require_gpu()
    copies = {}
    for name, launch in read_launches(arguments.folder).items():
        if not re.search(arguments.only, name):
            continue
        *ins, out = launch["types"]
        kernel = Module.load(arguments.folder / f"{name}.ptx").kernel(launch["entry"], shared=launch["shared"])
        full = [type_ for type_ in ins if type_ == out]
        size = make(out, "y").nbytes
        count = 1 if arguments.once else rotation(size * (len(full) + 1)) if size > L2_BYTES / 16 else 4
        sets = [[make(type_, name) for type_ in (*ins, out)] for _ in range(count)]
        call = lambda s: kernel(launch["grid"], launch["threads"], s)  # noqa: E731
        call(sets[0])
        *sources, result = sets[0]
        reference = REFERENCES[launch["kind"]]
        error = (result.float() - reference(*sources).float()).abs().max().item()
        if arguments.once:
            continue
        ours = time_launches([lambda s=s: call(s) for s in sets])
        theirs = time_launches([lambda s=s: reference(*s[:-1]) for s in sets])
        key = (len(full), size)
        if key not in copies:
            copies[key] = copy_us(len(full), size, count)
        copy = copies[key]
        share = f"{copy / ours:5.2f} of {copy:6.2f}" if copy else ""
        print(f"{name:34} {ours:8.2f} us  copy {share:16} PyTorch {theirs:8.2f}  error {error:.1e}", flush=True)
        del sets
        torch.cuda.empty_cache()


main()
