# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Block-scaled tensors of dynamic extents: what fits gives golden bytes, what does not fit is an error before the run.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import numpy as np
from golden import F32, Format, global_scale, pack_codes, quantize, tile_scales
from harness import call, compile_module, expect, expect_bytes, finish, group, read_safetensors, run, temporary, write_safetensors


def fails(what: str, package, inputs: dict[str, np.ndarray], message: str) -> None:
    """Running ends with an error that contains `message`."""
    path = temporary(".safetensors")
    write_safetensors(path, inputs)
    text = call("nvfp4-run", package, "--input", path, "--output", temporary(), fails=True)
    expect(what, text.startswith("nvfp4-run: error:") and message in text, text)


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, F32)


def check_columns(rng: np.random.Generator) -> None:
    """Both extents of a matrix are dynamic; columns come in multiples of 16."""
    package = compile_module("""
func.func @main(%x: tensor<?x?xf32> {nvfp4.name = "x", nvfp4.shape = ["m", "k"]})
    -> (!nvfp4.tensor<?x?, nvfp4<global = row>> {nvfp4.name = "q"}, !nvfp4.tensor<?x?, mxfp4> {nvfp4.name = "p", nvfp4.shape = ["m", "k"]}) {
  %g = nvfp4.global_scale %x per_row : tensor<?x?xf32> -> tensor<?xf32>
  %q = nvfp4.quantize %x global_scale %g : tensor<?x?xf32>, tensor<?xf32> -> !nvfp4.tensor<?x?, nvfp4<global = row>>
  %p = nvfp4.quantize %x : tensor<?x?xf32> -> !nvfp4.tensor<?x?, mxfp4>
  return %q, %p : !nvfp4.tensor<?x?, nvfp4<global = row>>, !nvfp4.tensor<?x?, mxfp4>
}
""")
    row, mxfp4 = Format(granularity="row"), Format("mxfp4", columns=32)
    for shape in [(3, 48), (1, 16), (5, 64), (0, 32), (4, 0)]:
        x = rng.standard_normal(shape).astype(F32)
        got = run(package, {"x": x})
        for name, form in [("q", row), ("p", mxfp4)]:
            golden = quantize(x, form, global_scale(x, form) if name == "q" else None)
            expect_bytes(f"columns {shape} {name}: codes", got[f"{name}.codes"], pack_codes(golden.codes))
            expect_bytes(f"columns {shape} {name}: scales", got[f"{name}.scales"], golden.scales)
    fails("columns", package, {"x": ones(3, 40)}, "dimension 1 of 'x' (k) to be a multiple of 16")


def check_rows(rng: np.random.Generator) -> None:
    """Square blocks want whole blocks of rows; tiles of scales are padded."""
    package = compile_module("""
func.func @main(%x: tensor<?x64xf32> {nvfp4.name = "x", nvfp4.shape = ["m", 64]})
    -> (!nvfp4.tensor<?x64, nvfp4<block = 16x16>> {nvfp4.name = "q", nvfp4.shape = ["m", 64]},
        !nvfp4.tensor<64x?, nvfp4<block = 16x16>> {nvfp4.name = "t", nvfp4.shape = [64, "m"]},
        !nvfp4.tensor<?x64, nvfp4<block = 16x16>, layout = tiled> {nvfp4.name = "l", nvfp4.shape = ["m", 64]}) {
  %g = nvfp4.global_scale %x : tensor<?x64xf32> -> tensor<f32>
  %q = nvfp4.quantize %x global_scale %g : tensor<?x64xf32>, tensor<f32> -> !nvfp4.tensor<?x64, nvfp4<block = 16x16>>
  %t = nvfp4.transpose %q : !nvfp4.tensor<?x64, nvfp4<block = 16x16>> -> !nvfp4.tensor<64x?, nvfp4<block = 16x16>>
  %l = nvfp4.relayout %q : !nvfp4.tensor<?x64, nvfp4<block = 16x16>> -> !nvfp4.tensor<?x64, nvfp4<block = 16x16>, layout = tiled>
  return %q, %t, %l : !nvfp4.tensor<?x64, nvfp4<block = 16x16>>, !nvfp4.tensor<64x?, nvfp4<block = 16x16>>,
      !nvfp4.tensor<?x64, nvfp4<block = 16x16>, layout = tiled>
}
""")
    form = Format(rows=16)
    for rows in [16, 144, 0]:
        x = rng.standard_normal((rows, 64)).astype(F32)
        golden = quantize(x, form, global_scale(x, form))
        got = run(package, {"x": x})
        expect_bytes(f"rows {rows}: codes", got["q.codes"], pack_codes(golden.codes))
        expect_bytes(f"rows {rows}: scales", got["q.scales"], golden.scales)
        expect_bytes(f"rows {rows}: transposed codes", got["t.codes"], pack_codes(golden.codes.T))
        expect_bytes(f"rows {rows}: transposed scales", got["t.scales"], np.ascontiguousarray(golden.scales.T))
        expect_bytes(f"rows {rows}: tiled scales", got["l.scales"], tile_scales(golden.scales, 16))
    fails("rows", package, {"x": ones(40, 64)}, "")


def check_agreement() -> None:
    """Extents of different inputs that an op needs to be equal."""
    package = compile_module("""
func.func @main(%c: tensor<?x32xi8> {nvfp4.name = "c", nvfp4.shape = ["m", 32]}, %s: tensor<?x4xi8> {nvfp4.name = "s", nvfp4.shape = ["n", 4]},
                %g: tensor<f32> {nvfp4.name = "g"}) -> (tensor<?x64xf32> {nvfp4.name = "d"}) {
  %q = nvfp4.assemble %c, %s global_scale %g : tensor<?x32xi8>, tensor<?x4xi8>, tensor<f32> -> !nvfp4.tensor<?x64, nvfp4>
  %d = nvfp4.dequantize %q : !nvfp4.tensor<?x64, nvfp4> -> tensor<?x64xf32>
  return %d : tensor<?x64xf32>
}
""")
    codes, scales, g = np.zeros((4, 32), np.int8), np.zeros((2, 4), np.int8), np.array(1, F32)
    expect("assemble", run(package, {"c": codes[:2], "s": scales, "g": g})["d"].shape == (2, 64))
    fails("assemble", package, {"c": codes, "s": scales, "g": g}, "dimension 0 of 's' (n) to equal m")

    package = compile_module("""
func.func @main(%a: tensor<?x5x64xf32> {nvfp4.name = "a", nvfp4.shape = ["p", 5, 64]}, %b: tensor<?x32x64xf32> {nvfp4.name = "b", nvfp4.shape = ["q", 32, 64]})
    -> (tensor<?x5x32xf32> {nvfp4.name = "d"}) {
  %g = nvfp4.global_scale %b per_slice : tensor<?x32x64xf32> -> tensor<?xf32>
  %q = nvfp4.quantize %b global_scale %g : tensor<?x32x64xf32>, tensor<?xf32> -> !nvfp4.tensor<?x32x64, nvfp4<global = slice>>
  %d = nvfp4.matmul %a, %q : tensor<?x5x64xf32>, !nvfp4.tensor<?x32x64, nvfp4<global = slice>> -> tensor<?x5x32xf32>
  return %d : tensor<?x5x32xf32>
}
""")
    expect("matmul", run(package, {"a": ones(2, 5, 64), "b": ones(2, 32, 64)})["d"].shape == (2, 5, 32))
    fails("matmul", package, {"a": ones(3, 5, 64), "b": ones(2, 32, 64)}, "(q) to equal dimension 0 of 'a' (p)")

    package = compile_module("""
func.func @main(%x: tensor<?x64xf32> {nvfp4.name = "x", nvfp4.shape = ["m", 64]}, %g: tensor<?xf32> {nvfp4.name = "g", nvfp4.shape = ["n"]})
    -> (!nvfp4.tensor<?x64, nvfp4<global = row>> {nvfp4.name = "q"}) {
  %q = nvfp4.quantize %x global_scale %g : tensor<?x64xf32>, tensor<?xf32> -> !nvfp4.tensor<?x64, nvfp4<global = row>>
  return %q : !nvfp4.tensor<?x64, nvfp4<global = row>>
}
""")
    expect("global scale", run(package, {"x": ones(3, 64), "g": ones(3)})["q.codes"].shape == (3, 32))
    fails("global scale", package, {"x": ones(3, 64), "g": ones(2)}, "")

    package = compile_module("""
func.func @main(%x: tensor<?x64xf32> {nvfp4.name = "x", nvfp4.shape = ["m", 64]}) -> (!nvfp4.tensor<16x64, mxfp4> {nvfp4.name = "q"}) {
  %q = nvfp4.quantize %x : tensor<?x64xf32> -> !nvfp4.tensor<?x64, mxfp4>
  %c = nvfp4.cast %q : !nvfp4.tensor<?x64, mxfp4> to !nvfp4.tensor<16x64, mxfp4>
  return %c : !nvfp4.tensor<16x64, mxfp4>
}
""")
    expect("cast", run(package, {"x": ones(16, 64)})["q.codes"].shape == (16, 32))
    fails("cast", package, {"x": ones(3, 64)}, "to equal dimension 0 of a result of nvfp4.cast (16)")


def check_arguments(rng: np.random.Generator) -> None:
    """A quantized tensor as an input: its components are inputs, which share its rows."""
    package = compile_module("""
func.func @main(%q: !nvfp4.tensor<?x64, nvfp4<global = row>> {nvfp4.name = "q", nvfp4.shape = ["m", 64]}) -> (tensor<?x64xf32> {nvfp4.name = "d"}) {
  %d = nvfp4.dequantize %q : !nvfp4.tensor<?x64, nvfp4<global = row>> -> tensor<?x64xf32>
  return %d : tensor<?x64xf32>
}
""")
    form = Format(granularity="row")
    x = rng.standard_normal((5, 64)).astype(F32)
    golden = quantize(x, form, global_scale(x, form))
    inputs = {"q.codes": pack_codes(golden.codes), "q.scales": golden.scales, "q.global_scale": golden.global_scale}
    path, results = temporary(".safetensors"), temporary(".safetensors")
    write_safetensors(path, inputs, {"q.scales": "F8_E4M3"})
    call("nvfp4-run", package, "--input", path, "--output", results)
    expect_bytes("quantized input", read_safetensors(results)["d"], golden.dequantize())
    write_safetensors(path, inputs | {"q.scales": golden.scales[:3]}, {"q.scales": "F8_E4M3"})
    text = call("nvfp4-run", package, "--input", path, "--output", results, fails=True)
    expect("rows of a quantized input", "input 'q.scales': expected shape [m=5, 4], but got [3, 4]" in text, text)


def main() -> None:
    rng = np.random.default_rng(7)
    for what, check in [("columns", check_columns), ("rows", check_rows), ("arguments", check_arguments)]:
        with group(what):
            check(rng)
    with group("agreement"):
        check_agreement()
    finish()


main()
