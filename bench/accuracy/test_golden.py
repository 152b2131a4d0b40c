# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Worked examples for the NumPy quantizer: `python3 -m unittest discover bench/accuracy`."""

from __future__ import annotations

import unittest

import golden
import numpy as np


def row(*values: float) -> np.ndarray:
    """One row of f32, padded with zeros to whole blocks."""
    out = np.zeros((1, -(-len(values) // golden.BLOCK) * golden.BLOCK), np.float32)
    out[0, : len(values)] = values
    return out


class GoldenQuantizer(unittest.TestCase):
    def test_every_tie(self) -> None:
        block = [3, -3, 0.125, -0.125, 0.375, 0.625, 0.875, 1.25, 1.75, 2.5, -2.5, 0.25, 0.5, 0.75, 1, 0]
        q = golden.quantize(row(*block, 21))
        self.assertEqual(q.scales.tolist(), [[0x68, 0x7E]])
        self.assertEqual(q.codes[0, :16].tolist(), [7, 15, 0, 8, 2, 2, 4, 4, 6, 6, 14, 1, 2, 3, 4, 0])

    def test_scale_rounding(self) -> None:
        for block_max, scale in ((21, 0x7E), (0.78125, 0x58), (0.8125, 0x59), (0.796875, 0x58)):
            q = golden.quantize(row(*[block_max] * 16, 21))
            self.assertEqual(q.scales[0, 0], scale)

    def test_operation_order(self) -> None:
        # The exact scale is a tie; only the golden order of operations gives 352.
        q = golden.quantize(row(*[0.8203125] * 16, 1.09375))
        self.assertEqual(q.scales[0, 0], 0x7B)

    def test_underflow_and_zero(self) -> None:
        q = golden.quantize(row(2**-11 * 6 / 128, -(2**-12) * 6 / 128, *[0] * 14, 21))
        self.assertEqual((q.scales[0, 0], *q.codes[0, :3].tolist()), (0, 7, 15, 0))
        zero = golden.quantize(row(0))
        self.assertFalse(zero.codes.any() or zero.scales.any() or zero.dequantize().any())

    def test_rows_are_independent(self) -> None:
        x = np.random.default_rng(0).standard_normal((5, 64)).astype(np.float32)
        together = golden.quantize(x, per_row=True)
        for index in range(len(x)):
            alone = golden.quantize(x[index : index + 1])
            self.assertTrue((alone.codes[0] == together.codes[index]).all())
            self.assertTrue((alone.scales[0] == together.scales[index]).all())

    def test_rejects_nan(self) -> None:
        with self.assertRaisesRegex(ValueError, "1 NaN or Inf"):
            golden.quantize(row(1, float("nan")))


if __name__ == "__main__":
    unittest.main()
