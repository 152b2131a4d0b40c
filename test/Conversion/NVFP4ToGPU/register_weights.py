# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Packs weights in the layout of registers."""

from __future__ import annotations

import numpy as np

# Bits of a code (m, e0, e1, s) in a word: of each pair the first and the second code; (5.5) of docs/Format.md.
PLACES = np.array(
    [
        [[6, 7, 8, 15], [22, 23, 24, 31]],
        [[3, 4, 5, 12], [19, 20, 21, 28]],
        [[0, 1, 2, 9], [16, 17, 18, 25]],
        [[30, 26, 27, 29], [14, 10, 11, 13]],
    ]
)


def codes_in_registers(codes: np.ndarray) -> np.ndarray:
    """Codes [N, K] as bytes."""
    n, k = codes.shape
    padded = np.zeros((-(-n // 64) * 64, -(-k // 128) * 128), np.uint64)
    padded[:n, :k] = codes
    # rows: tile, warp, second row, g; columns: tile, half, word, pair, q, e.
    parts = padded.reshape(-1, 4, 2, 8, padded.shape[1] // 128, 2, 2, 4, 4, 2)
    # tile, tile of columns, half, warp, g, q, second row, word, pair, e.
    parts = parts.transpose(0, 4, 5, 1, 3, 8, 2, 6, 7, 9)
    words = np.zeros(parts.shape[:-2], np.uint64)
    for pair in range(4):
        for e in range(2):
            for bit in range(4):
                words |= (parts[..., pair, e] >> np.uint64(bit) & np.uint64(1)) << np.uint64(PLACES[pair, e, bit])
    return words.astype("<u4").reshape(-1).view(np.uint8)


def scales_in_registers(scales: np.ndarray) -> np.ndarray:
    """Scales [N, K / 16] as bytes."""
    n, blocks = scales.shape
    padded = np.zeros((-(-n // 64) * 64, -(-blocks // 8) * 8), np.uint8)
    padded[:n, :blocks] = scales
    parts = padded.reshape(-1, 4, 2, 8, padded.shape[1] // 8, 2, 4)
    return np.ascontiguousarray(parts.transpose(0, 4, 1, 3, 6, 5, 2)).reshape(-1)
