# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Matmul layers compiled for chips and run in the simulator: bytes of quantized activations are the CPU's, products
are right within f32 rounding with exact accumulation and within 8e-3 of a row's scale with the hardware's.

One package serves every number of rows. What is run here is a part; all of it is

    gpu-matmul.py --full [--shard 1/4] [--chip sm_90a]

which takes hours: every N, K and kind, each with every M, in all orders of asynchrony. If ptxas is there, the PTX of
every package must assemble for all chips of its kind, without spills and local memory.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import argparse
import itertools
import re
import shutil
from collections.abc import Iterator

import numpy as np
from gpu_layers import CHIPS, KINDS, Compiled, Layer
from harness import finish, group

ROWS = (0, 1, 5, 16, 32, 127, 128, 129, 513)
COLUMNS = (1, 7, 8, 64, 100, 136, 384)
DEPTHS = (16, 48, 64, 80, 384, 1040)
# Of chips with tensor memory, for tiles of 192 columns, and for pairs of CTAs with 192 and with 256.
WIDE_COLUMNS = {"sm_100a": (1500, 2400, 3600)}
# Where CTAs share K.
LONG_DEPTHS = {"sm_100a": (2064, 4112)}
ORDERS = ("late", "early", "random:1", "random:2")

# A layer, and its numbers of rows.
REPRESENTATIVE = {}
REPRESENTATIVE["sm_120a"] = [
    (Layer("nvfp4-row", 136, 384, bias=True), (0, 1, 16, 129)),
    (Layer("nvfp4-row", 7, 80, element="bf16"), (5, 127)),
    (Layer("nvfp4-row", 100, 48, batch=3, bias=True), (5, 32)),
    (Layer("nvfp4-row", 64, 64, view="misaligned"), (5,)),
    (Layer("nvfp4-tensor", 64, 1040), (1, 32)),
    (Layer("nvfp4-tensor", 8, 16, view="strided"), (32,)),
    (Layer("nvfp4-tensor", 8, 64, batch=3, view="misaligned"), (5,)),
    (Layer("mxfp4", 100, 80, bias=True), (16, 128)),
    (Layer("mxfp4", 1, 48, element="bf16"), (5,)),
    (Layer("nvfp4-weight-only", 136, 80, bias=True), (1, 129)),
    (Layer("nvfp4-weight-only", 64, 384, element="bf16"), (16,)),
    (Layer("mxfp4-weight-only", 7, 64), (5,)),
    (Layer("mxfp4-weight-only", 100, 1040, batch=3), (5,)),
    (Layer("bf16", 100, 64, batch=3), (5, 33)),
    (Layer("bf16", 136, 80, element="bf16", bias=True), (0, 1, 129)),
    (Layer("bf16", 8, 48, view="misaligned"), (32,)),
]
# Streams of 2, 8, 16, 32 and 64 rows, and warpgroups: by tensor maps, by copies of threads, with a batch.
REPRESENTATIVE["sm_90a"] = [
    (Layer("nvfp4-weight-only", 136, 80, bias=True), (0, 1, 5, 129)),
    (Layer("nvfp4-weight-only", 64, 384, element="bf16"), (16, 33, 128)),
    (Layer("nvfp4-weight-only", 100, 1040, bias=True), (7, 32)),
    (Layer("nvfp4-weight-only", 1, 16, view="strided"), (5, 127)),
    (Layer("nvfp4-weight-only", 100, 48, batch=3, bias=True), (5, 129)),
    (Layer("nvfp4-weight-only", 136, 80, bias=True, rows=5), (5,)),
    (Layer("nvfp4-weight-only", 136, 80, element="bf16", rows=129), (129,)),
    (Layer("mxfp4-weight-only", 7, 64, element="bf16", bias=True), (5, 127)),
    (Layer("mxfp4-weight-only", 136, 384, view="misaligned"), (33, 129)),
    (Layer("nvfp4-row", 136, 384, bias=True), (1, 129)),
    (Layer("nvfp4-tensor", 100, 272, element="bf16"), (5, 33)),
    (Layer("mxfp4", 100, 80, batch=3), (5,)),
    (Layer("bf16", 136, 80, element="bf16", bias=True), (0, 1, 129)),
    (Layer("bf16", 136, 384), (5, 127)),
    (Layer("bf16", 8, 48, view="misaligned"), (32,)),
]
# The unit's columns are rows of the product, and its rows are; several tiles of K, and batches. Tiles of 192 columns, pairs of
# CTAs, and CTAs that share K.
REPRESENTATIVE["sm_100a"] = [
    (Layer("nvfp4-row", 136, 1040, bias=True), (0, 1, 65, 129)),
    (Layer("nvfp4-row", 7, 80, element="bf16"), (5, 300)),
    (Layer("nvfp4-row", 100, 48, batch=3, bias=True), (32, 70)),
    (Layer("nvfp4-tensor", 300, 16, view="strided"), (257,)),
    (Layer("mxfp4", 100, 80, bias=True), (16, 128)),
    (Layer("nvfp4-weight-only", 136, 80, bias=True), (5, 129)),
    (Layer("nvfp4-weight-only", 100, 48, batch=3, bias=True), (5, 33)),
    (Layer("mxfp4-weight-only", 136, 384, element="bf16"), (33, 257)),
    (Layer("mxfp4-weight-only", 100, 2064, batch=3), (5,)),
    (Layer("bf16", 100, 64, batch=3), (33,)),
    (Layer("mxfp4", 1500, 48), (257,)),
    (Layer("nvfp4-row", 2400, 272, bias=True), (257,)),
    (Layer("nvfp4-row", 136, 4112, bias=True), (5, 33)),
    (Layer("mxfp4", 300, 2064, element="bf16"), (1,)),
]


def list_everything(chip: str) -> Iterator[tuple[Layer, tuple[int, ...]]]:
    """All extents and kinds; element types, bias, batch and views take turns."""
    turns = itertools.cycle(
        [
            {},
            {"bias": True},
            {"element": "bf16"},
            {"batch": 3, "bias": True},
            {"view": "misaligned", "bias": True},
            {"element": "bf16", "bias": True},
            {"batch": 3, "element": "bf16"},
            {"view": "strided"},
            {"batch": 3, "view": "misaligned"},
        ]
    )
    for n, k, kind in itertools.chain(
        itertools.product(COLUMNS + WIDE_COLUMNS.get(chip, ()), DEPTHS, KINDS),
        itertools.product(COLUMNS, LONG_DEPTHS.get(chip, ()), KINDS),
    ):
        for _ in range(2):
            yield Layer(kind, n, k, **next(turns)), ROWS


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--shard", default="1/1", help="which part of how many")
    parser.add_argument("--filter", default="", help="a regular expression; layers whose description has none are left out")
    parser.add_argument("--chip", choices=CHIPS, help="default: one after the other")
    options = parser.parse_args()
    part, parts = map(int, options.shard.split("/"))
    rng = np.random.default_rng(part)
    orders = itertools.cycle(ORDERS)
    for chip in [options.chip] if options.chip else CHIPS:
        layers = list(list_everything(chip) if options.full else REPRESENTATIVE[chip])[part - 1 :: parts]
        for layer, all_rows in layers:
            if not re.search(options.filter, str(layer)):
                continue
            with group(f"{layer} {chip}"):
                compiled = Compiled(layer, rng, chip)
                for rows in all_rows:
                    compiled.run(rows, next(orders))
                if shutil.which("ptxas"):
                    compiled.assemble()
    finish()


main()
