# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What anybody can write in an afternoon: NVFP4 matmuls and quantizers in Triton and PyTorch, as peers.

Weights are N x K/2 bytes of codes (the first element of a pair in the low half), N x K/16 scales in
e4m3, and a global scale. Results are X Wt, X of bf16.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl


@triton.jit
def _decode(codes, scales, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """ROWS x COLUMNS of bf16 from bytes of codes and of scales; exact, without the global scale."""
    both = tl.interleave(codes & 0xF, codes >> 4).to(tl.int32)
    # Exponent and mantissa to where f32 has them; the subnormal comes out right, too.
    magnitude = ((both & 7) << 22).to(tl.float32, bitcast=True) * 8.507059173023462e37
    value = tl.where((both & 8) != 0, -magnitude, magnitude)
    scale = scales.to(tl.float8e4nv, bitcast=True).to(tl.float32)
    blocks = tl.reshape(value, (ROWS, COLUMNS // 16, 16)) * scale[:, :, None]
    return tl.reshape(blocks, (ROWS, COLUMNS)).to(tl.bfloat16)


@triton.jit
def _matmul_kernel(
    x_ptr, codes_ptr, scales_ptr, out_ptr, global_scale, M, N, K, SPLIT_K: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    pid_m, pid_n, pid_k = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    rows = pid_m * BLOCK_M + tl.arange(0, BLOCK_M)
    columns = (pid_n * BLOCK_N + tl.arange(0, BLOCK_N)).to(tl.int64)
    k = tl.arange(0, BLOCK_K)
    total = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for step in range(pid_k, tl.cdiv(K, BLOCK_K), SPLIT_K):
        start = step * BLOCK_K
        x = tl.load(x_ptr + rows[:, None] * K + start + k[None, :], mask=rows[:, None] < M, other=0.0)
        codes = tl.load(codes_ptr + columns[:, None] * (K // 2) + start // 2 + tl.arange(0, BLOCK_K // 2)[None, :])
        scales = tl.load(scales_ptr + columns[:, None] * (K // 16) + start // 16 + tl.arange(0, BLOCK_K // 16)[None, :])
        w = _decode(codes, scales, BLOCK_N, BLOCK_K)
        total = tl.dot(x, tl.trans(w), total)
    place = out_ptr + rows[:, None] * N + columns[None, :]
    total *= global_scale
    if SPLIT_K == 1:
        tl.store(place, total.to(out_ptr.dtype.element_ty), mask=rows[:, None] < M)
    else:
        tl.atomic_add(place, total, mask=rows[:, None] < M)


@triton.jit
def _dequantize_kernel(codes_ptr, scales_ptr, out_ptr, K, BLOCK: tl.constexpr):
    row, start = tl.program_id(0).to(tl.int64), tl.program_id(1) * BLOCK
    codes = tl.load(codes_ptr + row * (K // 2) + start // 2 + tl.arange(0, BLOCK // 2))
    scales = tl.load(scales_ptr + row * (K // 16) + start // 16 + tl.arange(0, BLOCK // 16))
    both = _decode(tl.reshape(codes, (1, BLOCK // 2)), tl.reshape(scales, (1, BLOCK // 16)), 1, BLOCK)
    tl.store(out_ptr + row * K + start + tl.arange(0, BLOCK), tl.reshape(both, (BLOCK,)))


@triton.jit
def _amax_kernel(x_ptr, out_ptr, COLUMNS: tl.constexpr):
    row = tl.program_id(0)
    x = tl.load(x_ptr + row * COLUMNS + tl.arange(0, COLUMNS)).to(tl.float32)
    tl.store(out_ptr + row, tl.max(tl.abs(x), 0))


@triton.jit
def _quantize_kernel(x_ptr, amax_ptr, codes_ptr, scales_ptr, row_stride, column_stride, columns, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)[:, None]
    first = tl.program_id(1) * COLUMNS
    x = tl.load(x_ptr + row * row_stride + (first + tl.arange(0, COLUMNS)[None, :]) * column_stride).to(tl.float32)
    encode = 2688.0 / tl.load(amax_ptr)
    blocks = tl.reshape(x, (ROWS, COLUMNS // 16, 16))
    scale = tl.minimum(tl.max(tl.abs(blocks), 2) * (encode / 6.0), 448.0).to(tl.float8e4nv)
    factor = tl.minimum(1.0 / (scale.to(tl.float32) * (1.0 / encode)), 3.4e38)
    y = blocks * factor[:, :, None]
    a = tl.abs(y)
    code = (a > 0.25).to(tl.uint8) + (a >= 0.75).to(tl.uint8) + (a > 1.25).to(tl.uint8) + (a >= 1.75).to(tl.uint8)
    code += (a > 2.5).to(tl.uint8) + (a >= 3.5).to(tl.uint8) + (a > 5.0).to(tl.uint8)
    code |= (y.to(tl.int32, bitcast=True) < 0).to(tl.uint8) << 3
    low, high = tl.split(tl.reshape(code, (ROWS, COLUMNS // 2, 2)))
    tl.store(codes_ptr + row * (columns // 2) + first // 2 + tl.arange(0, COLUMNS // 2)[None, :], low | (high << 4))
    place = scales_ptr + row * (columns // 16) + first // 16 + tl.arange(0, COLUMNS // 16)[None, :]
    tl.store(place, scale.to(tl.uint8, bitcast=True))


# ROWS, COLUMNS, warps
QUANTIZE_CONFIGS = [(1, 2048, 4), (4, 512, 4), (16, 128, 4), (64, 64, 4), (64, 64, 8)]
# BLOCK_M, BLOCK_N, BLOCK_K, SPLIT_K, warps, stages
CONFIGS = {
    16: [(16, 64, 128, 1, 4, 4), (16, 32, 256, 1, 4, 3), (16, 128, 128, 1, 8, 3)],
    64: [(64, 64, 128, 1, 4, 3), (64, 128, 128, 1, 8, 3)],
    256: [(128, 128, 64, 1, 8, 3)],
    4096: [(128, 256, 64, 1, 8, 3), (128, 128, 64, 1, 8, 3)],
}


def make_weights(n: int, k: int, generator: torch.Generator | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Random codes and finite scales around 1."""
    codes = torch.randint(0, 256, (n, k // 2), dtype=torch.uint8, device="cuda", generator=generator)
    scales = torch.randint(0x30, 0x40, (n, k // 16), dtype=torch.uint8, device="cuda", generator=generator)
    return codes, scales


def triton_matmul(x, codes, scales, out, global_scale: float, config) -> None:
    m, k = x.shape
    n = codes.shape[0]
    block_m, block_n, block_k, split, warps, stages = config
    _matmul_kernel[(triton.cdiv(m, block_m), n // block_n, split)](
        x, codes, scales, out, global_scale, m, n, k, split, block_m, block_n, block_k, num_warps=warps, num_stages=stages
    )  # fmt: skip


def triton_quantize(x, amax, codes, scales, config) -> None:
    """`x` may be the view of a transpose."""
    rows, columns = x.shape
    block_rows, block_columns, warps = config
    grid = (rows // block_rows, columns // block_columns)
    _quantize_kernel[grid](x, amax, codes, scales, *x.stride(), columns, block_rows, block_columns, num_warps=warps)


def triton_amax(x, of_rows, amax) -> None:
    _amax_kernel[(x.shape[0],)](x, of_rows, x.shape[1], num_warps=8)
    _amax_kernel[(1,)](of_rows, amax, x.shape[0], num_warps=8)


def dequantize(codes, scales, out) -> None:
    """To bf16, without the global scale."""
    n, k = out.shape
    _dequantize_kernel[(n, k // 2048)](codes, scales, out, k, 2048, num_warps=4)


def dequantized_reference(codes, scales) -> torch.Tensor:
    """The same by PyTorch, in f32."""
    values = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6], device=codes.device)
    both = torch.stack([codes & 15, codes >> 4], dim=-1).flatten(1).long()
    value = values[both & 7] * torch.where(both >= 8, -1.0, 1.0)
    scale = scales.view(torch.float8_e4m3fn).float().repeat_interleave(16, dim=1)
    return value * scale
