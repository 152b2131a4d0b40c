# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels of the block schedule write the golden bytes, padding included, in the simulator.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import numpy as np
from golden import F32, MXFP4, Format, global_scale, pack_codes, quantize, tile_scales
from harness import expect_bytes, finish, from_bf16, group, to_bf16
from kernels import THREADS, Array, Cases

UE5M3 = Format("nvfp4_ue5m3", bound=61440)
STATE = (0x123456789ABCDEF0, 0xFFFFFFFFFFFFFFFE)


def dims(*extents: int | str) -> str:
    """A tensor shape without element type: `4x32x`."""
    return "".join(f"{extent}x" for extent in extents)


class Case:
    """One kernel: a format, a shape that may have `?`, and how the source lies."""

    def __init__(
        self,
        cases: Cases,
        form: Format,
        shape: tuple,
        element: str = "f32",
        tiled: bool = False,
        stochastic: bool = False,
        transposed: bool = False,
        threads: int = THREADS,
        sizes: list[tuple[int, ...]] | None = None,
    ) -> None:
        self.cases, self.form, self.element, self.tiled = cases, form, element, tiled
        self.stochastic, self.transposed, self.threads = stochastic, transposed, threads
        self.sizes = sizes or [shape]
        self.name = f"quantize_{len(cases)}"
        self.what = f"{form.text()} {element} {shape}{' tiled' * tiled}{' stochastic' * stochastic}{' transposed' * transposed}"
        *lead, rows, columns = shape
        blocks = lambda extent, size: extent if extent == "?" else -(-extent // size)  # noqa: E731
        source = Array("x", f"tensor<{dims(*shape)}{element}>")
        if tiled:
            codes = f"tensor<{dims(*lead, rows, -(-columns // 64) * 32)}i8>"
            run = "?" if rows == "?" else -(-rows // 128) * 128 * (-(-columns // form.columns // 4) * 4)
            scales = f"tensor<{dims(*lead, run)}i8>"
        else:
            codes = f"tensor<{dims(*lead, rows, blocks(columns, 2))}i8>"
            scales = f"tensor<{dims(*lead, blocks(rows, form.rows), blocks(columns, form.columns))}i8>"
        outputs = [Array("codes", codes), Array("scales", scales)]
        operands = [source]
        if form.has_global_scale:
            kept = {"tensor": [], "slice": lead, "row": [*lead, rows]}[form.granularity]
            operands.append(Array("g", f"tensor<{dims(*kept)}f32>"))
        if stochastic:
            operands.append(Array("state", "tensor<2xi64>"))
        body, inputs = "", operands
        if transposed:
            stored = Array("stored", f"tensor<{dims(*lead, columns, rows)}{element}>")
            inputs = [stored, *operands[1:]]
            permutation = [*range(len(lead)), len(lead) + 1, len(lead)]
            body = f"""
      %empty = tensor.empty() : {source.type}
      %x = linalg.transpose ins(%stored : {stored.type}) outs(%empty : {source.type}) permutation = {permutation}"""
        layout = ", layout = tiled" if tiled else ""
        rounding = " rounding<stochastic>" if stochastic else ""
        body += f"""
      %q:2 = nvfp4.quantize_into as !nvfp4.tensor<{dims(*shape)[:-1]}, {form.text()}{layout}>{rounding}
          ins({", ".join("%" + array.name for array in operands)} : {", ".join(array.type for array in operands)})
          outs(%codes, %scales : {codes}, {scales}) -> {codes}, {scales}"""
        cases.add(self.name, inputs, outputs, body, "%q#0, %q#1", "block", threads)

    def grid(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """A warp has 16 rows, or those of a block, and 64 columns; padding has threads, too."""
        *lead, rows, columns = shape
        if self.tiled:
            rows, columns = -(-rows // 128) * 128, -(-columns // self.form.columns // 4) * 4 * self.form.columns
        block_rows = self.threads // 32 * max(16, self.form.rows)
        return (int(np.prod(lead, initial=1)) * -(-rows // block_rows), -(-columns // 64), 1)

    def check(self, ptx, what: str, x: np.ndarray) -> None:
        stored = x
        if self.element == "bf16":
            stored = to_bf16(x)
            x = from_bf16(stored)
        elif self.element == "f16":
            with np.errstate(over="ignore"):
                stored = x.astype(np.float16)
            x = stored.astype(F32)
        inputs = {"x": stored}
        if self.transposed:
            inputs = {"stored": np.ascontiguousarray(np.swapaxes(stored, -1, -2))}
        g = None
        if self.form.has_global_scale:
            g = inputs["g"] = np.asarray(global_scale(x, self.form), F32)
        if self.stochastic:
            inputs["state"] = np.array(STATE, np.uint64).view(np.int64)
        golden = quantize(x, self.form, g, STATE if self.stochastic else None)
        codes = pack_codes(golden.codes, self.tiled)
        scales = tile_scales(golden.scales, self.form.rows) if self.tiled else golden.scales
        outputs = {"codes": (codes.shape, "U8"), "scales": (scales.shape, "U8")}
        got = self.cases.run(ptx, self.name, inputs, outputs, self.grid(x.shape))
        expect_bytes(f"{self.what} {x.shape} {what}: codes", got["codes"], codes)
        expect_bytes(f"{self.what} {x.shape} {what}: scales", got["scales"], scales)


def inputs(rng: np.random.Generator, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Blocks of very different magnitudes; every tie of e2m1; what is not finite or not normal."""
    scattered = rng.standard_normal(shape) * (10.0 ** rng.uniform(-8, 4, (*shape[:-1], shape[-1] // 16))).repeat(16, axis=-1)
    row = [3, -3, 0.125, -0.125, 0.375, 0.625, 0.875, 1.25, 1.75, 2.5, -2.5, 0.25, 0.5, 0.75, 1, 0]
    ties = np.tile(np.array(row, F32), (*shape[:-1], shape[-1] // 16))
    ties.reshape(-1)[-1] = 21
    values = [0, -0.0, np.nan, -np.nan, 1e-45, -1e-40, 6, -5, 0.25, 1e-30, 3e38, -3.4028235e38, np.inf, -np.inf]
    special = rng.choice(np.array(values, F32), shape)
    finite = np.where(np.isinf(special), F32(1), special)
    return {
        "scattered": scattered.astype(F32),
        "ties": ties,
        "special": special,
        "not normal": finite,
        "zeros": np.full(shape, -0.0, F32),
    }


def main() -> None:
    cases, every = Cases(), []

    def add(*arguments, **options) -> None:
        every.append(Case(cases, *arguments, **options))

    for tiled in [False, True]:
        for shape in [(5, 48), (144, 272)]:
            add(Format(), shape, tiled=tiled)
        for form in [Format(granularity="row", convention="divide"), Format(convention="multiply", bound=256), MXFP4, UE5M3]:
            add(form, (5, 48), tiled=tiled)
        add(Format(rows=16), (48, 80), tiled=tiled)
        add(Format("mxfp4", rows=32, columns=32), (64, 48), tiled=tiled)
        add(Format(granularity="slice"), (3, 32, 32), tiled=tiled)
        add(Format(rows=16, granularity="slice"), (3, 32, 48), tiled=tiled)
        for element in ["bf16", "f16"]:
            add(Format(), (3, 64), element, tiled=tiled)
        add(Format(), ("?", 64), tiled=tiled, sizes=[(1, 64), (129, 64)])
        add(MXFP4, ("?", 48), tiled=tiled, sizes=[(130, 48)])
        add(Format(granularity="slice"), ("?", "?", 32), tiled=tiled, sizes=[(1, 1, 32), (2, 130, 32)])
        add(Format(), (48, 80), tiled=tiled, transposed=True)
        add(Format(rows=16), (48, 80), "bf16", tiled=tiled, transposed=True)
        for form, shape in [(Format(), (16, 64)), (Format(granularity="row"), (2, 3, 32)), (Format(rows=16), (32, 48)), (MXFP4, (3, 48))]:
            add(form, shape, tiled=tiled, stochastic=True)
    for form in [Format(), MXFP4]:
        add(form, ("?", "?"), sizes=[(3, 16), (65, 144)])
    for threads in [32, 256]:
        add(Format(), (100, 64), tiled=True, threads=threads)

    rng = np.random.default_rng(1)
    with group("lower"):
        ptx = cases.lower()
        for case in every:
            for size in case.sizes:
                for what, x in inputs(rng, size).items():
                    with group(case.what):
                        case.check(ptx, what, x)
    finish()


main()
