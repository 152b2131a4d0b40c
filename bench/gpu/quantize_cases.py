# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Our quantize kernels for hopper_table.py, from the folder that make_quantize_kernels.py has filled.

The folder is `quantize_kernels` here, or what QUANTIZE_KERNELS says. Bytes are compared with those
that PyTorch computes by the same formula: the error is the share of bytes that differ.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import torch
from gpubench import Module, read_launches, rotation

FOLDER = Path(os.environ.get("QUANTIZE_KERNELS", Path(__file__).resolve().parent / "quantize_kernels"))
SQUARE = (8192, 8192)
SIGNS = 0xD7E8
FLT_MAX = torch.finfo(torch.float32).max


def load(name: str):
    """A function of the kernel's arguments."""
    launch = read_launches(FOLDER)[name]
    kernel = Module.load(FOLDER / f"{name}.ptx").kernel(launch["entry"], shared=launch["shared"])
    return lambda *arguments: kernel(launch["grid"], launch["threads"], arguments)


def reference(x: torch.Tensor, amax: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes and scales of blocks along rows, by the golden rule in f32."""
    x = x.float()
    sixth = torch.tensor(1 / 6, dtype=torch.float32, device=x.device)
    # `2688 / amax` would multiply by a reciprocal.
    encode = (torch.full_like(amax, 2688) / amax).clamp(max=FLT_MAX)
    decode = 1 / encode
    block = x.view(x.shape[0], -1, 16)
    scale = (block.abs().amax(-1) * (encode * sixth)).clamp(max=448).to(torch.float8_e4m3fn)
    factor = (1 / (scale.float() * decode)).clamp(max=FLT_MAX)
    y = (block * factor[..., None]).flatten(1)
    a = y.abs()
    code = sum((a > t).to(torch.uint8) for t in (0.25, 1.25, 2.5, 5)) + sum((a >= t).to(torch.uint8) for t in (0.75, 1.75, 3.5))
    code |= torch.signbit(y).to(torch.uint8) << 3
    return code[:, ::2] | code[:, 1::2] << 4, scale.view(torch.uint8)


def differing(got, expected) -> float:
    return max((a.view(-1) != b.reshape(-1)).float().mean().item() for a, b in zip(got, expected, strict=True))


class Buffers:
    def __init__(self, rows: int, columns: int, ways: int) -> None:
        size = rows * columns
        count = rotation(2 * size)
        self.x = [torch.randn(rows, columns, device="cuda").to(torch.bfloat16) for _ in range(count)]
        make = lambda bytes_: [torch.empty(bytes_, dtype=torch.uint8, device="cuda") for _ in range(count)]  # noqa: E731
        self.results = list(zip(*(make(size // share) for _ in range(ways) for share in (2, 16)), strict=True))
        self.amax = torch.tensor([4.5], device="cuda")


def unchanged(x: torch.Tensor) -> torch.Tensor:
    return x


def transformed(x: torch.Tensor) -> torch.Tensor:
    """The random Hadamard transform of groups of 16, summed in order."""
    matrix = torch.ones(1, 1)
    while len(matrix) < 16:
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)])
    signs = torch.tensor([-0.25 if SIGNS >> j & 1 else 0.25 for j in range(16)])
    matrix = (signs[:, None] * matrix).to(x.device)
    groups = x.float().view(-1, 16)
    total = torch.zeros_like(groups)
    for j in range(16):
        total += groups[:, j : j + 1] * matrix[j]
    return total.to(x.dtype).view(x.shape)


def one_pass(rows: int, columns: int, _, name: str = "bf16", change=unchanged):
    buffers, kernel = Buffers(rows, columns, 1), load(name)
    launchers = [lambda x=x, r=r: kernel(x, buffers.amax, *r) for x, r in zip(buffers.x, buffers.results, strict=True)]

    def check() -> float:
        launchers[0]()
        return differing(buffers.results[0], reference(change(buffers.x[0]), buffers.amax))

    return launchers, check


def unchecked(rows: int, columns: int, _, name: str, *extra):
    buffers, kernel = Buffers(rows, columns, 1), load(name)
    return [lambda x=x, r=r: kernel(x, buffers.amax, *extra, *r) for x, r in zip(buffers.x, buffers.results, strict=True)], None


def two_passes(rows: int, columns: int, _, name: str = "bf16", amax: str = "amax_rows", change=unchanged):
    buffers, kernel = Buffers(rows, columns, 1), load(name)
    of_rows, of_all = load(amax), load("amax_all")
    row_amax = torch.empty(rows, device="cuda")

    def launch(x, results) -> None:
        of_rows(x, row_amax)
        of_all(row_amax, buffers.amax)
        kernel(x, buffers.amax, *results)

    launchers = [lambda x=x, r=r: launch(x, r) for x, r in zip(buffers.x, buffers.results, strict=True)]

    def check() -> float:
        launchers[0]()
        return differing(buffers.results[0], reference(change(buffers.x[0]), change(buffers.x[0]).float().abs().max()))

    return launchers, check


def both_ways(rows: int, columns: int, _):
    buffers, kernel = Buffers(rows, columns, 2), load("both_ways")
    launchers = [lambda x=x, r=r: kernel(x, buffers.amax, *r) for x, r in zip(buffers.x, buffers.results, strict=True)]

    def check() -> float:
        launchers[0]()
        x, results = buffers.x[0], buffers.results[0]
        return max(
            differing(results[:2], reference(x, buffers.amax)),
            differing(results[2:], reference(x.t().contiguous(), buffers.amax)),
        )

    return launchers, check


def cases() -> list[dict]:
    read_launches(FOLDER)
    makers = {
        "one pass": one_pass,
        "two passes": two_passes,
        "rows and columns": both_ways,
        "16x16": partial(unchecked, name="square"),
        "stochastic": lambda *shape: unchecked(*shape, "stochastic", torch.zeros(2, dtype=torch.int64, device="cuda")),
        "Hadamard": partial(one_pass, name="hadamard", change=transformed),
        "Hadamard, two passes": partial(two_passes, name="hadamard", amax="amax_hadamard", change=transformed),
    }
    return [{"what": f"quantize, {name}", "shape": SQUARE, "make": make} for name, make in makers.items()]
