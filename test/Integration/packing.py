# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights that are quantized when a package is written have the golden bytes, through any view, shard and dtype.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import json

import numpy as np
from golden import F32, MXFP4, Format, codes_in_registers, global_scale, pack_codes, quantize, scales_in_registers, tile_scales
from harness import compile_module, expect, expect_bytes, finish, from_bf16, group, read_safetensors, run, temporary, to_bf16, write_safetensors


LAYOUTS = ["linear", "tiled", "registers"]


def tensor(shape: tuple, element: str) -> str:
    return f"tensor<{''.join(f'{extent}x' for extent in shape)}{element}>"


def pack(what, form, stored: dict[str, np.ndarray], arguments: str, view: str, element: str, x: np.ndarray, layout="linear"):
    """Quantizes `%x`, which `view` makes of weights, and compares with the golden quantizer on `x`.

    The entry returns the tensor as it is: its components are results `q.codes` and so on.
    """
    shape = x.shape
    source = tensor(shape, element)
    quantized = f"!nvfp4.tensor<{'x'.join(map(str, shape))}, {form.text()}{f', layout = {layout}' if layout != 'linear' else ''}>"
    body = view
    if form.has_global_scale:
        g = tensor({"tensor": (), "slice": shape[:-2], "row": shape[:-1]}[form.granularity], "f32")
        body += f"  %g = nvfp4.global_scale %x format <{form.text()}> : {source} -> {g}\n"
        body += f"  %q = nvfp4.quantize %x global_scale %g : {source}, {g} -> {quantized}\n"
    else:
        body += f"  %q = nvfp4.quantize %x : {source} -> {quantized}\n"
    text = f"""func.func @main({arguments}) -> ({quantized} {{nvfp4.name = "q"}}) {{
{body}  return %q : {quantized}
}}
"""
    with group(what):
        weights = temporary(".safetensors")
        write_safetensors(weights, stored)
        package = compile_module(text, f"--weights={weights}", "--policy=none")
        got = run(package, {})
        golden = quantize(x, form, global_scale(x, form) if form.has_global_scale else None)
        codes, scales = pack_codes(golden.codes, layout == "tiled"), golden.scales
        if layout == "tiled":
            scales = tile_scales(scales, form.rows)
        elif layout == "registers":
            codes = codes_in_registers(golden.codes)
            scales = scales_in_registers(scales, form.rows, form.columns, x.shape[-1])
        expect_bytes(f"{what}: codes", got["q.codes"], codes)
        expect_bytes(f"{what}: scales", got["q.scales"], scales)
        if form.has_global_scale:
            expect_bytes(f"{what}: global scale", got["q.global_scale"], golden.global_scale)
        names = set(read_safetensors(package / "weights.safetensors"))
        expect(f"{what}: nothing else is stored", len(names) == (3 if form.has_global_scale else 2), names)


def main() -> None:
    rng = np.random.default_rng(6)

    def values(*shape: int) -> np.ndarray:
        blocks = 10.0 ** rng.uniform(-6, 4, (*shape[:-1], -(-shape[-1] // 16)))
        return (rng.standard_normal(shape) * blocks.repeat(16, axis=-1)[..., : shape[-1]]).astype(F32)

    # Every format and layout, and weights that are larger than a panel of the packer.
    forms = [Format(granularity=g, convention=c) for g in ["tensor", "row"] for c in ["amax", "multiply", "divide"]]
    forms += [Format(bound=256), Format("nvfp4_ue5m3", bound=61440), MXFP4]
    for form in forms:
        for layout in LAYOUTS:
            w = values(130, 80)
            pack(f"{form.text()} {layout}", form, {"w": w}, '%x: tensor<130x80xf32> {nvfp4.weight = "w"}', "", "f32", w, layout)
    for layout in LAYOUTS:
        w = values(144, 80)
        square = Format(rows=16)
        pack(f"square {layout}", square, {"w": w}, '%x: tensor<144x80xf32> {nvfp4.weight = "w"}', "", "f32", w, layout)
        # Padded to whole tiles of registers, smaller ones would be larger than their source.
        n, k = (60, 112) if layout == "registers" else (20, 48)
        w = values(3, n, k) * np.array([1, 1e4, 0], F32)[:, None, None]
        for form in [Format(granularity="slice"), Format(granularity="row"), Format(), MXFP4]:
            pack(f"{form.text()} batch {layout}", form, {"w": w}, f'%x: tensor<3x{n}x{k}xf32> {{nvfp4.weight = "w"}}', "", "f32", w, layout)
    large = values(2048, 1040)
    pack("large", Format(), {"w": large}, '%x: tensor<2048x1040xf32> {nvfp4.weight = "w"}', "", "f32", large)

    # Stored in bf16 or f16.
    bf16, f16 = to_bf16(values(16, 64)), np.clip(values(16, 64), -6e4, 6e4).astype(np.float16)
    pack("bf16", Format(), {"w": bf16}, '%x: tensor<16x64xbf16> {nvfp4.weight = "w"}', "", "bf16", from_bf16(bf16))
    pack("f16", MXFP4, {"w": f16}, '%x: tensor<16x64xf16> {nvfp4.weight = "w"}', "", "f16", f16.astype(F32))

    # Views: a transpose, a slice, a concatenation, another shape.
    w = values(64, 32)
    view = """  %e = tensor.empty() : tensor<32x64xf32>
  %x = linalg.transpose ins(%w : tensor<64x32xf32>) outs(%e : tensor<32x64xf32>) permutation = [1, 0]
"""
    pack("transpose", Format(), {"w": w}, '%w: tensor<64x32xf32> {nvfp4.weight = "w"}', view, "f32", np.ascontiguousarray(w.T))
    view = "  %x = tensor.extract_slice %w[8, 16] [24, 16] [2, 1] : tensor<64x32xf32> to tensor<24x16xf32>\n"
    pack("slice", Format(), {"w": w}, '%w: tensor<64x32xf32> {nvfp4.weight = "w"}', view, "f32", np.ascontiguousarray(w[8:56:2, 16:]))
    a, b = values(8, 32), values(24, 32)
    view = "  %x = tensor.concat dim(0) %a, %b : (tensor<8x32xf32>, tensor<24x32xf32>) -> tensor<32x32xf32>\n"
    arguments = '%a: tensor<8x32xf32> {nvfp4.weight = "a"}, %b: tensor<24x32xf32> {nvfp4.weight = "b"}'
    pack("concat", Format(granularity="row"), {"a": a, "b": b}, arguments, view, "f32", np.concatenate([a, b]))
    view = "  %x = tensor.collapse_shape %w [[0, 1], [2]] : tensor<4x8x32xf32> into tensor<32x32xf32>\n"
    w = values(4, 8, 32)
    pack("reshape", Format(), {"w": w}, '%w: tensor<4x8x32xf32> {nvfp4.weight = "w"}', view, "f32", w.reshape(32, 32))

    # A constant of the module is a weight too: it needs no file.
    with group("constant"):
        c = values(64, 32)
        data = c.tobytes().hex().upper()
        package = compile_module(
            f"""func.func @main() -> (!nvfp4.tensor<64x32, nvfp4> {{nvfp4.name = "q"}}) {{
  %x = arith.constant dense<"0x{data}"> : tensor<64x32xf32>
  %g = nvfp4.global_scale %x : tensor<64x32xf32> -> tensor<f32>
  %q = nvfp4.quantize %x global_scale %g : tensor<64x32xf32>, tensor<f32> -> !nvfp4.tensor<64x32, nvfp4>
  return %q : !nvfp4.tensor<64x32, nvfp4>
}}
""",
            "--policy=none",
        )
        got, golden = run(package, {}), quantize(c, Format(), global_scale(c, Format()))
        expect_bytes("constant: codes", got["q.codes"], pack_codes(golden.codes))
        expect_bytes("constant: scales", got["q.scales"], golden.scales)

    # Shards, with and without an index; other dtypes are carried as they are.
    with group("shards"):
        folder = temporary()
        folder.mkdir()
        a, ids = values(16, 32), np.arange(7, dtype=np.int64) - 3
        flags = np.array([True, False, True])
        write_safetensors(folder / "model-1.safetensors", {"a": a})
        write_safetensors(folder / "model-2.safetensors", {"ids": ids, "flags": flags})
        text = """func.func @main(%a: tensor<16x32xf32> {nvfp4.weight = "a"}, %ids: tensor<7xi64> {nvfp4.weight = "ids"}, %flags: tensor<3xi1> {nvfp4.weight = "flags"})
    -> (tensor<16x32xf32> {nvfp4.name = "a"}, tensor<7xi64> {nvfp4.name = "ids"}, tensor<3xi1> {nvfp4.name = "flags"}) {
  return %a, %ids, %flags : tensor<16x32xf32>, tensor<7xi64>, tensor<3xi1>
}
"""
        for index in [False, True]:
            if index:
                names = {"a": "model-1.safetensors", "ids": "model-2.safetensors", "flags": "model-2.safetensors"}
                (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))
            got = run(compile_module(text, f"--weights={folder}", "--policy=none"), {})
            expect_bytes(f"shards, index {index}: f32", got["a"], a)
            expect_bytes(f"shards, index {index}: i64", got["ids"], ids)
            expect_bytes(f"shards, index {index}: bool", got["flags"], flags)
    finish()


main()
