# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Decoding, transposition, other layouts and the Hadamard transform give the golden bits.

RUN: %python %s
RUN: env NVFP4_TEST_TARGET=sm_120a %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import numpy as np
from golden import F32, MXFP4, SCALES, Format, Quantized, hadamard, pack_codes, tile_scales, unpack_codes
from harness import compile_module, expect, expect_bytes, finish, from_bf16, group, run, to_bf16


def random_quantized(rng: np.random.Generator, shape: tuple[int, ...], form: Format, whole: bool = False) -> Quantized:
    """Random codes and random finite scales; `whole` lists every scale byte, NaN included."""
    codes = rng.integers(0, 16, shape).astype(np.uint8)
    block_rows, block_columns = -(-shape[-2] // form.rows), -(-shape[-1] // form.columns)
    scales = rng.integers(0, len(SCALES[form.name]), (*shape[:-2], block_rows, block_columns)).astype(np.uint8)
    if whole:
        scales = np.resize(np.arange(256, dtype=np.uint8), scales.shape)
    kept = {"tensor": (), "slice": shape[:-2], "row": shape[:-1]}[form.granularity]
    g = (10.0 ** rng.uniform(-3, 3, kept)).astype(F32) if form.has_global_scale else None
    return Quantized(form, codes, scales, g)


def assembled(form: Format, shape: tuple[int, ...], tiled: bool = False) -> tuple[str, str, dict]:
    """Arguments `codes`, `scales`, `global` and the op that makes `%q` of them."""
    dims = "".join(f"{extent}x" for extent in shape[:-2])
    rows, columns = shape[-2:]
    block_rows, block_columns = -(-rows // form.rows), -(-columns // form.columns)
    quantized = f"!nvfp4.tensor<{dims}{rows}x{columns}, {form.text()}{', layout = tiled' if tiled else ''}>"
    codes = f"tensor<{dims}{rows}x{-(-columns // 64) * 32 if tiled else columns // 2}xi8>"
    scales = f"tensor<{dims}{block_rows}x{block_columns}xi8>"
    if tiled:
        scales = f"tensor<{dims}{-(-rows // 128) * 128 * -(-block_columns // 4) * 4}xi8>"
    arguments = f'%c: {codes} {{nvfp4.name = "codes"}}, %s: {scales} {{nvfp4.name = "scales"}}'
    if not form.has_global_scale:
        body = f"  %q = nvfp4.assemble %c, %s : {codes}, {scales} -> {quantized}\n"
        return arguments, body, {"codes": codes, "scales": scales, "quantized": quantized}
    kept = {"tensor": "", "slice": dims, "row": f"{dims}{rows}x"}[form.granularity]
    g = f"tensor<{kept}f32>"
    arguments += f', %g: {g} {{nvfp4.name = "global"}}'
    body = f"  %q = nvfp4.assemble %c, %s global_scale %g : {codes}, {scales}, {g} -> {quantized}\n"
    return arguments, body, {"codes": codes, "scales": scales, "quantized": quantized, "global": g}


def stored(q: Quantized, tiled: bool = False) -> dict[str, np.ndarray]:
    """The components as inputs of a package."""
    scales = tile_scales(q.scales, q.form.rows) if tiled else q.scales
    tensors = {"codes": pack_codes(q.codes, tiled).view(np.int8), "scales": scales.view(np.int8)}
    return tensors | ({"global": q.global_scale} if q.global_scale is not None else {})


def check_dequantize(rng: np.random.Generator, form: Format, shape: tuple[int, ...], tiled: bool = False) -> None:
    """Values in f32, bf16 and f16."""
    arguments, body, types = assembled(form, shape, tiled)
    dims = "".join(f"{extent}x" for extent in shape)
    elements = ["f32", "bf16", "f16"]
    results = ", ".join(f'tensor<{dims}{e}> {{nvfp4.name = "{e}"}}' for e in elements)
    ops = "".join(f"  %{e} = nvfp4.dequantize %q : {types['quantized']} -> tensor<{dims}{e}>\n" for e in elements)
    values, value_types = ", ".join(f"%{e}" for e in elements), ", ".join(f"tensor<{dims}{e}>" for e in elements)
    what = f"dequantize {form.text()} {shape}{' tiled' if tiled else ''}"
    with group(what):
        package = compile_module(f"func.func @main({arguments}) -> ({results}) {{\n{body}{ops}  return {values} : {value_types}\n}}\n")
        for whole in [False, True]:
            q = random_quantized(rng, shape, form, whole)
            got, golden = run(package, stored(q, tiled)), q.dequantize()
            finite = ~np.isnan(golden)
            expect(f"{what}: NaN", np.array_equal(np.isnan(got["f32"]), ~finite))
            expect_bytes(f"{what}: f32", np.where(finite, got["f32"], F32(0)), np.where(finite, golden, F32(0)))
            bf16 = from_bf16(got["bf16"])
            expect(f"{what}: NaN in bf16", np.array_equal(np.isnan(bf16), ~finite))
            expect_bytes(f"{what}: bf16", np.where(finite, got["bf16"], 0), np.where(finite, to_bf16(golden), 0))
            with np.errstate(over="ignore", under="ignore"):
                f16 = golden.astype(np.float16)
            expect_bytes(f"{what}: f16", np.where(finite, got["f16"], np.float16(0)), np.where(finite, f16, np.float16(0)))


def check_transpose(rng: np.random.Generator, form: Format, shape: tuple[int, ...]) -> None:
    """Square blocks: the transpose has the transposed codes and scales."""
    arguments, body, types = assembled(form, shape)
    _, _, turned = assembled(form, (*shape[:-2], shape[-1], shape[-2]))
    what = f"transpose {form.text()} {shape}"
    with group(what):
        package = compile_module(f"""
func.func @main({arguments}) -> ({turned["codes"]} {{nvfp4.name = "tc"}}, {turned["scales"]} {{nvfp4.name = "ts"}}, {turned["global"]} {{nvfp4.name = "tg"}}) {{
{body}  %t = nvfp4.transpose %q : {types["quantized"]} -> {turned["quantized"]}
  %tc, %ts, %tg = nvfp4.disassemble %t : {turned["quantized"]} -> {turned["codes"]}, {turned["scales"]}, {turned["global"]}
  return %tc, %ts, %tg : {turned["codes"]}, {turned["scales"]}, {turned["global"]}
}}
""")
        q = random_quantized(rng, shape, form)
        got = run(package, stored(q))
        expect_bytes(f"{what}: codes", got["tc"], pack_codes(np.swapaxes(q.codes, -1, -2)))
        expect_bytes(f"{what}: scales", got["ts"], np.ascontiguousarray(np.swapaxes(q.scales, -1, -2)))
        expect_bytes(f"{what}: global scale", got["tg"], q.global_scale)


def check_relayout(rng: np.random.Generator, form: Format, shape: tuple[int, ...]) -> None:
    """To the tiled layout, whose padding is zero, and back."""
    arguments, body, types = assembled(form, shape)
    _, _, tiled = assembled(form, shape, tiled=True)
    more = f", {types['global']}" if form.has_global_scale else ""
    g, h = (", %g1", ", %g2") if form.has_global_scale else ("", "")
    what = f"relayout {form.text()} {shape}"
    with group(what):
        package = compile_module(f"""
func.func @main({arguments}) -> ({tiled["codes"]} {{nvfp4.name = "tc"}}, {tiled["scales"]} {{nvfp4.name = "ts"}},
                                 {types["codes"]} {{nvfp4.name = "bc"}}, {types["scales"]} {{nvfp4.name = "bs"}}) {{
{body}  %t = nvfp4.relayout %q : {types["quantized"]} -> {tiled["quantized"]}
  %tc, %ts{g} = nvfp4.disassemble %t : {tiled["quantized"]} -> {tiled["codes"]}, {tiled["scales"]}{more}
  // Padding that is not zero must not matter.
  %b = nvfp4.relayout %t : {tiled["quantized"]} -> {types["quantized"]}
  %bc, %bs{h} = nvfp4.disassemble %b : {types["quantized"]} -> {types["codes"]}, {types["scales"]}{more}
  return %tc, %ts, %bc, %bs : {tiled["codes"]}, {tiled["scales"]}, {types["codes"]}, {types["scales"]}
}}
""")
        q = random_quantized(rng, shape, form)
        got = run(package, stored(q))
        expect_bytes(f"{what}: tiled codes", got["tc"], pack_codes(q.codes, tiled=True))
        expect_bytes(f"{what}: tiled scales", got["ts"], tile_scales(q.scales, form.rows))
        expect_bytes(f"{what}: codes", got["bc"], pack_codes(q.codes))
        expect_bytes(f"{what}: scales", got["bs"], q.scales)


def check_linearize(rng: np.random.Generator, form: Format, shape: tuple[int, ...]) -> None:
    """From the tiled layout, whatever its padding holds."""
    arguments, body, types = assembled(form, shape, tiled=True)
    _, _, linear = assembled(form, shape)
    more, g = (f", {linear['global']}", ", %h") if form.has_global_scale else ("", "")
    what = f"linearize {form.text()} {shape}"
    with group(what):
        package = compile_module(f"""
func.func @main({arguments}) -> ({linear["codes"]} {{nvfp4.name = "lc"}}, {linear["scales"]} {{nvfp4.name = "ls"}}) {{
{body}  %l = nvfp4.relayout %q : {types["quantized"]} -> {linear["quantized"]}
  %lc, %ls{g} = nvfp4.disassemble %l : {linear["quantized"]} -> {linear["codes"]}, {linear["scales"]}{more}
  return %lc, %ls : {linear["codes"]}, {linear["scales"]}
}}
""")
        q = random_quantized(rng, shape, form)
        inputs = stored(q, tiled=True)
        marker = tile_scales(np.full(q.scales.shape, 1, np.uint8), form.rows)
        inputs["scales"] = np.where(marker == 0, 0x55, inputs["scales"]).astype(np.int8)
        wide = unpack_codes(inputs["codes"].view(np.uint8), -(-shape[-1] // 64) * 64).copy()
        wide[..., shape[-1] :] = 9
        inputs["codes"] = pack_codes(wide).view(np.int8)
        got = run(package, inputs)
        expect_bytes(f"{what}: codes", got["lc"], pack_codes(q.codes))
        expect_bytes(f"{what}: scales", got["ls"], q.scales)


def check_hadamard(rng: np.random.Generator, shape: tuple[int, ...], signs: int) -> None:
    """f32, and bf16 and f16 rounded at the end; twice with all signs + is the identity."""
    dims = "".join(f"{extent}x" for extent in shape)
    elements = ["f32", "bf16", "f16"]
    arguments = ", ".join(f'%{e}: tensor<{dims}{e}> {{nvfp4.name = "{e}"}}' for e in elements)
    results = ", ".join(f'tensor<{dims}{e}> {{nvfp4.name = "{e}.out"}}' for e in elements)
    ops = "".join(f"  %{e}.out = nvfp4.hadamard %{e} signs<{signs}> : tensor<{dims}{e}>\n" for e in elements)
    values, types = ", ".join(f"%{e}.out" for e in elements), ", ".join(f"tensor<{dims}{e}>" for e in elements)
    what = f"hadamard {shape} {signs:#06x}"
    with group(what):
        package = compile_module(f"func.func @main({arguments}) -> ({results}) {{\n{ops}  return {values} : {types}\n}}\n")
        x = rng.standard_normal(shape).astype(F32)
        f16, bf16 = x.astype(np.float16), to_bf16(x)
        got = run(package, {"f32": x, "bf16": bf16, "f16": f16})
        expect_bytes(f"{what}: f32", got["f32.out"], hadamard(x, signs))
        expect_bytes(f"{what}: bf16", got["bf16.out"], to_bf16(hadamard(from_bf16(bf16), signs)))
        expect_bytes(f"{what}: f16", got["f16.out"], hadamard(f16.astype(F32), signs).astype(np.float16))
        matrix = hadamard(np.eye(16, dtype=F32), signs).astype(np.float64)
        expect(f"{what}: orthogonal", np.array_equal(matrix @ matrix.T, np.eye(16)))


def main() -> None:
    rng = np.random.default_rng(3)
    forms = [Format(granularity=g, convention=c) for g in ["tensor", "row"] for c in ["amax", "multiply", "divide"]]
    for form in [*forms, Format(bound=256), Format("nvfp4_ue5m3", bound=61440), MXFP4]:
        check_dequantize(rng, form, (16, 256))
    check_dequantize(rng, Format(rows=16), (32, 80))
    check_dequantize(rng, MXFP4, (3, 48))
    check_dequantize(rng, Format(granularity="slice"), (3, 5, 32))
    check_dequantize(rng, Format(granularity="row", convention="divide"), (2, 130, 48), tiled=True)
    check_dequantize(rng, Format(rows=16), (32, 80), tiled=True)

    check_transpose(rng, Format(rows=16), (32, 80))
    check_transpose(rng, Format(rows=16, granularity="slice", convention="multiply"), (3, 16, 48))

    for form, shape in [
        (Format(), (16, 64)),
        (Format(granularity="row"), (130, 80)),
        (Format(rows=16), (144, 48)),
        (Format(granularity="slice"), (3, 5, 32)),
        (MXFP4, (3, 48)),
    ]:
        check_relayout(rng, form, shape)
        check_linearize(rng, form, shape)

    for shape in [(4, 64), (16,), (2, 3, 48)]:
        for signs in [0xD7E8, 0, 0xFFFF]:
            check_hadamard(rng, shape, signs)
    finish()


main()
