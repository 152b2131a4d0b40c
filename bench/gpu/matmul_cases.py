# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Our products of many rows for hopper_table.py, from the folder that make_matmul_kernels.py has filled.

The folder is `matmul_kernels` here, or what MATMUL_KERNELS says. Results are compared with products in f64 of the same
weights, decoded from the layout of registers (include/nvfp4/Support/RegisterLayout.h).
"""

from __future__ import annotations

import os
from pathlib import Path

import torch
from gpubench import Module, read_launches, rotation, tensor_map

FOLDER = Path(os.environ.get("MATMUL_KERNELS", Path(__file__).resolve().parent / "matmul_kernels"))
MASK = 0x81C081C0
# The tile that nvfp4-select-kernels chooses for the rows.
ROWS = {(28672, 256): 256, (8192, 256): 128, (28672, 4096): 256, (8192, 4096): 256}


def decode(codes: torch.Tensor, scales: torch.Tensor, n: int, k: int) -> torch.Tensor:
    """Weights without their global scale, in bf16, exactly."""
    tiles, steps = n // 64, k // 128
    word = codes.view(torch.int32).view(tiles, steps, 2, 4, 8, 4, 2, 2).to(torch.int64) & 0xFFFFFFFF
    turned = ((word << 6) | (word >> 26)) & 0xFFFFFFFF
    pairs = [word & MASK, (word << 3) & MASK, turned & MASK, ((turned & 0x001B001B) * 0x1084) & MASK]
    pairs = torch.stack(pairs, -1)
    pairs = torch.where(pairs >= 2**31, pairs - 2**32, pairs).to(torch.int32)
    values = pairs.unsqueeze(-1).view(torch.bfloat16).view(*pairs.shape, 2).float() * 2.0**63 * 2.0**63
    values = values.permute(0, 3, 6, 4, 1, 2, 7, 8, 5, 9).reshape(n, steps, 2, 4, 16)
    scale = scales.view(torch.float8_e4m3fn).float().view(tiles, steps, 4, 8, 4, 2, 2)
    scale = scale.permute(0, 2, 6, 3, 1, 5, 4).reshape(n, steps, 2, 4, 1)
    return (values * scale).reshape(n, k).to(torch.bfloat16)


def load(kind: str, n: int, m: int):
    rows = ROWS[n, m]
    launch = read_launches(FOLDER)[f"{kind}_{n}_{rows}"]
    kernel = Module.load(FOLDER / f"{kind}_{n}_{rows}.ptx").kernel(launch["entry"], shared=launch["shared"])
    return rows, lambda *arguments: kernel(launch["grid"], launch["threads"], arguments)


def lines(matrix: torch.Tensor, rows: int) -> bytes:
    """The map of a matrix in boxes of 64 columns."""
    m, k = matrix.shape
    return tensor_map(matrix, (k, m), (2 * k,), (64, rows), swizzle=128)


def error(got: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> float:
    """The largest difference from the product in f64: 1 is what rounding it to bf16 may take, half a unit in the last place,
    and what sums in f32 may be off by."""
    wide, size = b.double(), b.abs().float()
    worst = 0.0
    for rows, part in zip(a.split(512), got.split(512), strict=True):
        exact = rows.double() @ wide.T
        _, exponent = torch.frexp(exact)
        half_unit = torch.ldexp(torch.ones_like(exact), exponent - 9)
        allowed = half_unit + 2.0**-20 * (rows.abs().float() @ size.T)
        worst = max(worst, ((part.double() - exact).abs() / allowed).max().item())
    return worst


def draw_weights(n: int, k: int) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Codes and scales of as many weights as must take turns."""
    size = n * k // 2
    count = rotation(size + size // 8)
    codes = [torch.randint(0, 256, (size,), dtype=torch.uint8, device="cuda") for _ in range(count)]
    return codes, [torch.randint(0x28, 0x48, (size // 8,), dtype=torch.uint8, device="cuda") for _ in range(count)]


def weight_only(n: int, k: int, m: int):
    rows, kernel = load("w4", n, m)
    codes, scales = draw_weights(n, k)
    a = torch.randn(m, k, device="cuda").to(torch.bfloat16)
    d = torch.empty(m, n, dtype=torch.bfloat16, device="cuda")
    # By the format's convention this is a factor of 1.
    scale = torch.tensor([2688.0], device="cuda")
    run = lambda i: kernel(a, codes[i], scales[i], scale, d, m, m, lines(a, rows))  # noqa: E731

    def check() -> float:
        run(0)
        return error(d, a, decode(codes[0], scales[0], n, k))

    return [lambda i=i: run(i) for i in range(len(codes))], check


def bf16(n: int, k: int, m: int):
    rows, kernel = load("bf16", n, m)
    count = rotation(2 * n * k)
    b = [torch.randn(n, k, device="cuda").to(torch.bfloat16) for _ in range(count)]
    a = torch.randn(m, k, device="cuda").to(torch.bfloat16)
    d = torch.empty(m, n, dtype=torch.bfloat16, device="cuda")
    run = lambda i: kernel(a, b[i], d, m, m, lines(a, rows), lines(b[i], 128))  # noqa: E731

    def check() -> float:
        run(0)
        return error(d, a, b[0])

    return [lambda i=i: run(i) for i in range(count)], check


def cases() -> list[dict]:
    read_launches(FOLDER)
    shapes = [(28672, 8192), (8192, 8192)]
    found = [{"what": f"W4A16 M={m}", "shape": shape, "m": m, "make": weight_only} for m in (256, 4096) for shape in shapes]
    return found + [{"what": "BF16 M=4096", "shape": shape, "m": 4096, "make": bf16} for shape in shapes]
