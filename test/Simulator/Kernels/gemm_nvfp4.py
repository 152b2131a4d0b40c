# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Block-scaled GEMM: scales that are small powers of two make every sum exact.

RUN: %python %S/run_kernel.py %s
"""

from __future__ import annotations

import numpy as np
from corpus import E2M1, E4M3, E8M0, F32, Case, Close, Expectation, pack_nibbles, tile_scales
from gemm_bf16 import shape_bytes

TILE, STAGES = 128, 3
BLOCK = {"nvfp4": 16, "mxfp4": 32}
VALUES = {"nvfp4": E4M3, "mxfp4": E8M0}


def cases(rng: np.random.Generator) -> list[Case]:
    # Scales 1/4 … 4: e4m3 0x28 … 0x48 in steps of a binade, e8m0 125 … 129.
    exact = {"nvfp4": np.arange(0x28, 0x50, 8), "mxfp4": np.arange(125, 130)}
    # Every finite e4m3 scale but the negative ones.
    any_e4m3 = np.arange(0x7F)
    return [
        gemm(rng, "nvfp4", 128, 128, 128, exact["nvfp4"]),
        gemm(rng, "nvfp4", 150, 136, 448, exact["nvfp4"]),
        gemm(rng, "nvfp4", 128, 40, 320, any_e4m3),
        gemm(rng, "mxfp4", 128, 128, 256, exact["mxfp4"]),
        gemm(rng, "mxfp4", 70, 130, 320, exact["mxfp4"]),
        selectors(rng),
    ]


def gemm(rng: np.random.Generator, form: str, m: int, n: int, k: int, scales: np.ndarray) -> Case:
    block = BLOCK[form]
    inputs, dense = {}, []
    for name, rows in (("a", m), ("b", n)):
        codes = rng.integers(0, 16, (rows, k)).astype(np.uint8)
        bytes_ = rng.choice(scales, (rows, k // block)).astype(np.uint8)
        inputs[name], inputs["sf" + name] = pack_nibbles(codes), tile_scales(bytes_)
        dense.append(E2M1[codes].astype(np.float64) * VALUES[form][bytes_].astype(np.float64).repeat(block, 1))
    alpha = F32(0.125)
    inputs["alpha"] = np.array([alpha])
    product = dense[0] @ dense[1].T * np.float64(alpha)
    expected: Expectation = product.astype(F32)
    if len(scales) > 5:
        # Each step of K = 64 cuts the sum toward zero, by a unit in the last place of
        # a partial sum, which may be as large as the sum of all magnitudes.
        magnitude = np.abs(dense[0]) @ np.abs(dense[1]).T * np.float64(alpha)
        expected = Close(expected, absolute=k / 64 * 2.0**-22 * magnitude.max())
    args = ["a", "sfa", "b", "sfb", "d", "alpha", shape_bytes(m, n, k // 2, k // 2)]
    stage = 2 * (TILE * 64 + (2 if form == "nvfp4" else 1) * 512)
    return Case(
        f"{form}_{m}x{n}x{k}" + ("_any_scale" if len(scales) > 5 else ""),
        f"gemm_{form}",
        (-(-n // TILE), -(-m // TILE)),
        (256,),
        args,
        inputs,
        {"d": expected},
        shared=STAGES * stage,
    )


def selectors(rng: np.random.Generator) -> Case:
    """Fragments are built here from the tables of the manual, element by element."""
    a, b = (rng.integers(0, 16, shape).astype(np.uint8) for shape in ((16, 64), (64, 8)))
    sfa, sfb = (rng.choice(np.arange(0x28, 0x50, 8), (32, 4)).astype(np.uint8) for _ in range(2))
    registers = {"a": np.zeros((4, 32), np.uint32), "b": np.zeros((2, 32), np.uint32)}
    for lane in range(32):
        g, t = lane >> 2, lane & 3
        for j in range(8):
            for r in range(4):
                code = a[g + 8 * (r & 1), 32 * (r >> 1) + 8 * t + j]
                registers["a"][r, lane] |= np.uint32(int(code) << 4 * j)
            for r in range(2):
                registers["b"][r, lane] |= np.uint32(int(b[32 * r + 8 * t + j, g]) << 4 * j)
    d = np.zeros((2, 4, 4, 32), F32)
    for i in range(2):
        # Row m of A has its scales in lane 4 (m mod 8) + 2 tid + m / 8.
        rows = np.array([4 * (m % 8) + 2 * i + m // 8 for m in range(16)])
        dense_a = E2M1[a] * E4M3[sfa[rows]].repeat(16, 1)
        for j in range(4):
            dense_b = E2M1[b] * E4M3[sfb[4 * np.arange(8) + j]].repeat(16, 1).T
            product = dense_a @ dense_b
            for lane in range(32):
                g, t = lane >> 2, lane & 3
                d[i, j, :, lane] = product[[g, g, g + 8, g + 8], [2 * t, 2 * t + 1, 2 * t, 2 * t + 1]]
    inputs = {
        "a": registers["a"],
        "b": registers["b"],
        "sfa": sfa.view(np.uint32)[:, 0],
        "sfb": sfb.view(np.uint32)[:, 0],
    }
    return Case("selectors", "selectors", (1,), (32,), ["a", "b", "sfa", "sfb", "d"], inputs, {"d": d})
