# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels of the block schedule write the golden bytes, padding included, in the simulator, and what these stand for.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from golden import F32, MXFP4, Format, Quantized, decode_e2m1, global_scale, hadamard, pack_codes, quantize, tile_scales
from harness import expect_bytes, finish, from_bf16, to_bf16
from kernel_harness import Kernels

UE5M3 = Format("nvfp4_ue5m3", bound=61440)
THREADS = 128
STATE = (0x123456789ABCDEF0, 0xFFFFFFFFFFFFFFFE)
SIGNS = 0xD7E8


def dims(*extents: int | str) -> str:
    """A tensor shape without element type: `4x32x`."""
    return "".join(f"{extent}x" for extent in extents)


class Case:
    """One kernel: a format, a shape that may have `?`, and how the source lies."""

    def __init__(
        self,
        form: Format,
        shape: tuple,
        element: str = "f32",
        tiled: bool = False,
        stochastic: bool = False,
        transposed: bool = False,
        transformed: bool = False,
        threads: int = THREADS,
        sizes: list[tuple[int, ...]] | None = None,
        chip: str = "sm_120a",
        decoded: str = "",
    ) -> None:
        """`decoded`: values are stored `instead` of bytes, or `beside` them."""
        self.form, self.element, self.tiled = form, element, tiled
        self.stochastic, self.transposed, self.transformed, self.decoded = stochastic, transposed, transformed, decoded
        self.sizes = sizes or [shape]
        self.what = f"{form.text()} {element} {shape}{' tiled' * tiled}{' stochastic' * stochastic}{' transposed' * transposed}{' transformed' * transformed} {decoded} {chip}"
        *lead, rows, columns = shape
        blocks = lambda extent, size: extent if extent == "?" else -(-extent // size)  # noqa: E731
        source = f"tensor<{dims(*shape)}{element}>"
        if tiled:
            codes = f"tensor<{dims(*lead, rows, -(-columns // 64) * 32)}i8>"
            run = "?" if rows == "?" else -(-rows // 128) * 128 * (-(-columns // form.columns // 4) * 4)
            scales = f"tensor<{dims(*lead, run)}i8>"
        else:
            codes = f"tensor<{dims(*lead, rows, blocks(columns, 2))}i8>"
            scales = f"tensor<{dims(*lead, blocks(rows, form.rows), blocks(columns, form.columns))}i8>"
        operands = {"x": source}
        if form.has_global_scale:
            kept = {"tensor": [], "slice": lead, "row": [*lead, rows]}[form.granularity]
            operands["g"] = f"tensor<{dims(*kept)}f32>"
        if stochastic:
            operands["state"] = "tensor<2xi64>"
        values = f"tensor<{dims(*shape)}bf16>"
        inits = {"codes": codes, "scales": scales} if decoded != "instead" else {}
        if decoded:
            inits["values"] = values
        body, arguments = "", {**operands, **inits}
        if transposed:
            stored = f"tensor<{dims(*lead, columns, rows)}{element}>"
            arguments["x"] = stored
            permutation = [*range(len(lead)), len(lead) + 1, len(lead)]
            body = f"""
    %empty = tensor.empty() : {source}
    %turned = linalg.transpose ins(%x : {stored}) outs(%empty : {source}) permutation = {permutation}"""
        operand = "%turned" if transposed else "%x"
        if transformed:
            body += f"""
    %other = tensor.empty() : {source}
    %transformed = nvfp4.hadamard_into signs<{SIGNS}> ins({operand} : {source}) outs(%other : {source}) -> {source}"""
            operand = "%transformed"
        layout = ", layout = tiled" if tiled else ""
        rounding = " rounding<stochastic>" if stochastic else ""
        names = [operand, *(f"%{name}" for name in list(operands)[1:])]
        # Codes and scales that nobody reads have no memory.
        if decoded == "instead":
            body += self.write_empty(codes, "codes") + self.write_empty(scales, "scales")
        decode = self.write_decode(layout, dims(*shape)[:-1], codes, scales, values) if decoded else ""
        kept = {"": "%q#0, %q#1", "beside": "%q#0, %q#1, %v", "instead": "%v"}[decoded]
        results = ", ".join(inits.values())
        self.kernels = Kernels(f"""
  func.func @quantize({", ".join(f"%{name}: {type_}" for name, type_ in arguments.items())}) -> ({results})
      attributes {{nvfp4.kernel = [#nvfp4.kernel<block, threads = {threads}>]}} {{{body}
    %q:2 = nvfp4.quantize_into as !nvfp4.tensor<{dims(*shape)[:-1]}, {form.text()}{layout}>{rounding}
        ins({", ".join(names)} : {", ".join(operands.values())})
        outs(%codes, %scales : {codes}, {scales}) -> {codes}, {scales}{decode}
    return {kept} : {results}
  }}""", chip)

    @staticmethod
    def write_empty(type_: str, name: str) -> str:
        """An empty tensor, which has the rows of %x where they are dynamic."""
        return f"""
    %{name} = tensor.empty() : {type_}"""

    def write_decode(self, layout: str, shape: str, codes: str, scales: str, values: str) -> str:
        """The op that makes %v of the codes and scales, without a global scale."""
        form = replace(self.form, granularity="tensor", convention="multiply")
        one, given, kind = "", "", ""
        if form.has_global_scale:
            one, given, kind = """
    %one = arith.constant dense<1.0> : tensor<f32>""", ", %one", ", tensor<f32>"
        return f"""{one}
    %v = nvfp4.dequantize_into from !nvfp4.tensor<{shape}, {form.text()}{layout}>
        ins(%q#0, %q#1{given} : {codes}, {scales}{kind}) outs(%values : {values}) -> {values}"""

    def check(self, what: str, x: np.ndarray) -> None:
        stored = x
        if self.element == "bf16":
            stored = to_bf16(x)
            x = from_bf16(stored)
        elif self.element == "f16":
            with np.errstate(over="ignore"):
                stored = x.astype(np.float16)
            x = stored.astype(F32)
        inputs = [np.ascontiguousarray(np.swapaxes(stored, -1, -2)) if self.transposed else stored]
        if self.transformed:
            x = hadamard(x, SIGNS)
            x = from_bf16(to_bf16(x)) if self.element == "bf16" else x
        g = None
        if self.form.has_global_scale:
            g = np.asarray(global_scale(x, self.form), F32)
            inputs.append(g)
        if self.stochastic:
            inputs.append(np.array(STATE, np.uint64).view(np.int64))
        golden = quantize(x, self.form, g, STATE if self.stochastic else None)
        codes = pack_codes(golden.codes, self.tiled)
        scales = tile_scales(golden.scales, self.form.rows) if self.tiled else golden.scales
        expected = {} if self.decoded == "instead" else {"codes": codes, "scales": scales}
        if self.decoded:
            expected["values"] = decode(golden, self.form)
        got = self.kernels.run("quantize", inputs, [(array.shape, array.dtype.type) for array in expected.values()])
        for array, (name, bits) in zip(got, expected.items(), strict=True):
            expect_bytes(f"{self.what} {x.shape} {what}: {name}", array, bits)


def decode(golden: Quantized, form: Format) -> np.ndarray:
    """Code times block scale as bf16 bits, which must be exact."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = decode_e2m1(golden.codes) * golden.block_scales()
    bits = to_bf16(values)
    expect_bytes(f"{form.text()} is exact in bf16", from_bf16(bits), values)
    return bits


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


def check_transformed(rng: np.random.Generator) -> None:
    """The transform of groups whose sums are exact, and of others, and its largest magnitudes."""
    shape = (7, 80)
    sources = {"near": rng.standard_normal(shape), "far": rng.standard_normal(shape) * 10.0 ** rng.uniform(-9, 3, shape)}
    sources["few"] = np.where(rng.random(shape) < 0.7, -0.0, sources["near"])
    sources["zeros"] = np.full(shape, -0.0)
    sources["small"] = sources["near"] * 1e-38
    for chip in ["sm_90a", "sm_120a"]:
        for element, transposed in [("bf16", False), ("bf16", True), ("f32", False)]:
            case = Case(Format(), shape, element, transposed=transposed, transformed=True, chip=chip)
            for what, x in sources.items():
                case.check(what, x.astype(F32))
    source = f"tensor<{dims(*shape)}bf16>"
    kernels = Kernels(f"""
  func.func @largest(%x: {source}, %g: tensor<7xf32>) -> tensor<7xf32>
      attributes {{nvfp4.kernel = [#nvfp4.kernel<row, threads = 128>]}} {{
    %e = tensor.empty() : {source}
    %h = nvfp4.hadamard_into signs<{SIGNS}> ins(%x : {source}) outs(%e : {source}) -> {source}
    %r = nvfp4.global_scale_into format <nvfp4<global = row>> ins(%h : {source}) outs(%g : tensor<7xf32>) -> tensor<7xf32>
    return %r : tensor<7xf32>
  }}""", "sm_90a")
    for what, x in sources.items():
        stored = to_bf16(x.astype(F32))
        golden = global_scale(from_bf16(to_bf16(hadamard(from_bf16(stored), SIGNS))), Format(granularity="row"))
        (got,) = kernels.run("largest", [stored], [((7,), F32)])
        expect_bytes(f"largest of the transform, {what}", got, np.asarray(golden, F32))


def main() -> None:
    rng = np.random.default_rng(1)

    def add(*arguments, **options) -> None:
        case = Case(*arguments, **options)
        for size in case.sizes:
            for what, x in inputs(rng, size).items():
                case.check(what, x)

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
    # A chip without conversions of e2m1.
    for form, shape, element in [
        (Format(), (16, 64), "f32"),
        (Format(), (7, 80), "bf16"),
        (Format(), (3, 64), "f16"),
        (Format(rows=16), (32, 48), "bf16"),
        (MXFP4, (5, 64), "f32"),
        (UE5M3, (5, 64), "bf16"),
    ]:
        for stochastic in [False, True]:
            add(form, shape, element, tiled=shape[0] == 16, stochastic=stochastic, chip="sm_90a")
    # Values that codes and scales stand for.
    for decoded in ["instead", "beside"]:
        for form, shape, options in [
            (Format(), (5, 48), {}),
            (Format(granularity="row"), (3, 80), {"tiled": True}),
            (Format(rows=16), (32, 48), {"element": "bf16"}),
            (MXFP4, (5, 48), {}),
            (Format(granularity="slice"), (3, 16, 32), {"stochastic": True}),
            (Format(), (48, 80), {"transposed": True}),
        ]:
            for chip in ["sm_90a", "sm_120a"][: 1 + (decoded == "beside")]:
                add(form, shape, decoded=decoded, chip=chip, **options)
    check_transformed(rng)
    every = from_bf16(np.arange(1 << 16, dtype=np.uint16).reshape(256, 256))
    for x in [every, np.nan_to_num(every, posinf=1, neginf=-1) % 6]:
        Case(Format(), (256, 256), "bf16", chip="sm_90a").check("every bf16", x)
    finish()


main()
