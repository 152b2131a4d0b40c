# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers in every form a model may write them in, compiled with weights, agree with golden quantized operands.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import numpy as np
from golden import F32, MXFP4, Format, global_scale, quantize
from harness import compile_module, expect, finish, from_bf16, group, run, temporary, to_bf16, write_safetensors

ROW = Format(granularity="row")
SLICE = Format(granularity="slice")
TENSOR = Format()


def decode(x: np.ndarray, form: Format | None) -> np.ndarray:
    """What an operand is after quantization; bf16 for None."""
    if form is None:
        return from_bf16(to_bf16(x)).astype(np.float64)
    return quantize(x, form, global_scale(x, form) if form.has_global_scale else None).dequantize().astype(np.float64)


def check(
    what: str, text: str, weights: dict[str, np.ndarray], inputs: dict[str, np.ndarray], exact: np.ndarray, scale: float = 1e-5
) -> None:
    """Compiles with the attributes that the module's contractions carry, runs and compares."""
    with group(what):
        path = temporary(".safetensors")
        write_safetensors(path, weights)
        package = compile_module(text, "--policy=none", f"--weights={path}")
        got = run(package, inputs)["y"]
        expect(f"{what}: shape", got.shape == exact.shape, f"expected {exact.shape}, but got {got.shape}")
        if got.shape == exact.shape:
            error = np.abs(got - exact).max(initial=0)
            expect(what, error <= scale * max(1, np.abs(exact).max(initial=0)), error)


def matmul(op: str, precision: str, a: str, b: str, d: str, zeros: str = "%zeros") -> str:
    """One named op on `%a` and `%b`."""
    return f"  %y = linalg.{op} {{nvfp4.precision = #nvfp4.precision<{precision}>}} ins(%a, %b : {a}, {b}) outs({zeros} : {d}) -> {d}\n"


def function(arguments: str, result: str, body: str, shape: str = "") -> str:
    """`@main` with zeros of type `result`, which body may use."""
    attrs = f', nvfp4.shape = {shape}' if shape else ""
    extent = "%rows" if "?" in result else ""
    return f"""func.func @main({arguments}) -> ({result} {{nvfp4.name = "y"{attrs}}}) {{
  %zero = arith.constant 0.0 : f32
{body.replace("ZEROS", f"  %init = tensor.empty({extent}) : {result}{chr(10)}  %zeros = linalg.fill ins(%zero : f32) outs(%init : {result}) -> {result}{chr(10)}")}  return %y : {result}
}}
"""


def main() -> None:
    rng = np.random.default_rng(5)

    def values(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) * 10.0 ** rng.uniform(-2, 2, (*shape[:-1], 1))).astype(F32)

    x, w = values(5, 64), values(32, 64)
    wt = np.ascontiguousarray(w.T)

    # The weight on the right, [K, N], in every precision.
    forms = [
        ("nvfp4", ROW, TENSOR),
        ("nvfp4, activations = dynamic<tensor>", TENSOR, TENSOR),
        ("mxfp4", MXFP4, MXFP4),
        ("bf16", None, None),
    ]
    for precision, a_form, b_form in forms:
        text = function(
            '%a: tensor<5x64xf32> {nvfp4.name = "x"}, %b: tensor<64x32xf32> {nvfp4.weight = "w"}',
            "tensor<5x32xf32>",
            "ZEROS" + matmul("matmul", precision, "tensor<5x64xf32>", "tensor<64x32xf32>", "tensor<5x32xf32>"),
        )
        check(precision, text, {"w": wt}, {"x": x}, decode(x, a_form) @ decode(w, b_form).T)
        if b_form:
            text = text.replace(f"<{precision}>", f"<{precision.split(',')[0]}_weight_only>")
            check(f"{precision}, weight only", text, {"w": wt}, {"x": x}, x.astype(np.float64) @ decode(w, b_form).T)

    # The weight stored in bf16 or f16: the same values.
    for dtype, store in [("bf16", to_bf16(w)), ("f16", np.clip(w, -1e4, 1e4).astype(np.float16))]:
        plain = from_bf16(store) if dtype == "bf16" else store.astype(F32)
        text = function(
            f'%a: tensor<5x64xf32> {{nvfp4.name = "x"}}, %w: tensor<32x64x{dtype}> {{nvfp4.weight = "w"}}',
            "tensor<5x32xf32>",
            f"""  %wide = tensor.empty() : tensor<32x64xf32>
  %f = linalg.generic {{indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}}
      ins(%w : tensor<32x64x{dtype}>) outs(%wide : tensor<32x64xf32>) {{
  ^bb0(%in: {dtype}, %out: f32):
    %e = arith.extf %in : {dtype} to f32
    linalg.yield %e : f32
  }} -> tensor<32x64xf32>
  %turned = tensor.empty() : tensor<64x32xf32>
  %b = linalg.transpose ins(%f : tensor<32x64xf32>) outs(%turned : tensor<64x32xf32>) permutation = [1, 0]
ZEROS"""
            + matmul("matmul", "nvfp4", "tensor<5x64xf32>", "tensor<64x32xf32>", "tensor<5x32xf32>"),
        )
        check(f"weight in {dtype}", text, {"w": store}, {"x": x}, decode(x, ROW) @ decode(plain, TENSOR).T)

    # The weight on the left: Y = W X.
    text = function(
        '%b: tensor<64x5xf32> {nvfp4.name = "x"}, %a: tensor<32x64xf32> {nvfp4.weight = "w"}',
        "tensor<32x5xf32>",
        "ZEROS" + matmul("matmul", "nvfp4", "tensor<32x64xf32>", "tensor<64x5xf32>", "tensor<32x5xf32>"),
    )
    check("weight on the left", text, {"w": w}, {"x": np.ascontiguousarray(x.T)}, decode(w, TENSOR) @ decode(x, ROW).T)

    # A bias that the contraction accumulates into.
    bias = values(5, 32)
    text = function(
        '%a: tensor<5x64xf32> {nvfp4.name = "x"}, %b: tensor<64x32xf32> {nvfp4.weight = "w"}, %bias: tensor<5x32xf32> {nvfp4.weight = "bias"}',
        "tensor<5x32xf32>",
        matmul("matmul", "nvfp4", "tensor<5x64xf32>", "tensor<64x32xf32>", "tensor<5x32xf32>", "%bias"),
    )
    check("bias", text, {"w": wt, "bias": bias}, {"x": x}, decode(x, ROW) @ decode(w, TENSOR).T + bias)

    # A calibrated scale of the activation, stored as a multiplier.
    multiply = Format(convention="multiply")
    scale = np.array(np.abs(x).max() / 2688 * 0.7, F32)
    text = function(
        '%a: tensor<5x64xf32> {nvfp4.name = "x"}, %b: tensor<64x32xf32> {nvfp4.weight = "w"}',
        "tensor<5x32xf32>",
        "ZEROS" + matmul("matmul", 'nvfp4, activations = static<"x_scale">', "tensor<5x64xf32>", "tensor<64x32xf32>", "tensor<5x32xf32>"),
    )
    exact = quantize(x, multiply, scale).dequantize().astype(np.float64) @ decode(w, TENSOR).T
    check("static scale", text, {"w": wt, "x_scale": scale}, {"x": x}, exact)
    check("static scale, [1]", text, {"w": wt, "x_scale": scale.reshape(1)}, {"x": x}, exact)

    # A batch of activations and one repeated weight; batches of experts.
    batch = values(3, 5, 64)
    text = function(
        '%a: tensor<?x5x64xf32> {nvfp4.name = "x", nvfp4.shape = ["batch", 5, 64]}, %w: tensor<32x64xf32> {nvfp4.weight = "w"}',
        "tensor<?x5x32xf32>",
        """  %c0 = arith.constant 0 : index
  %rows = tensor.dim %a, %c0 : tensor<?x5x64xf32>
  %turned = tensor.empty() : tensor<64x32xf32>
  %t = linalg.transpose ins(%w : tensor<32x64xf32>) outs(%turned : tensor<64x32xf32>) permutation = [1, 0]
  %many = tensor.empty(%rows) : tensor<?x64x32xf32>
  %b = linalg.broadcast ins(%t : tensor<64x32xf32>) outs(%many : tensor<?x64x32xf32>) dimensions = [0]
ZEROS"""
        + matmul("batch_matmul", "nvfp4", "tensor<?x5x64xf32>", "tensor<?x64x32xf32>", "tensor<?x5x32xf32>"),
        '["batch", 5, 32]',
    )
    for count in [3, 1, 0]:
        check(f"repeated weight, batch {count}", text, {"w": w}, {"x": batch[:count]}, decode(batch[:count], ROW) @ decode(w, TENSOR).T)

    experts = values(3, 32, 64) * np.array([1, 100, 1e-3], F32)[:, None, None]
    turned = np.ascontiguousarray(np.swapaxes(experts, 1, 2))
    for precision, a_form, b_form in [("nvfp4", ROW, SLICE), ("mxfp4", MXFP4, MXFP4)]:
        text = function(
            '%a: tensor<3x5x64xf32> {nvfp4.name = "x"}, %b: tensor<3x64x32xf32> {nvfp4.weight = "w"}',
            "tensor<3x5x32xf32>",
            "ZEROS" + matmul("batch_matmul", precision, "tensor<3x5x64xf32>", "tensor<3x64x32xf32>", "tensor<3x5x32xf32>"),
        )
        exact = decode(batch, a_form) @ np.swapaxes(decode(experts, b_form), 1, 2)
        check(f"experts, {precision}", text, {"w": turned}, {"x": batch}, exact)

    # Loops in another order, and a result in another.
    text = function(
        '%a: tensor<3x5x64xf32> {nvfp4.name = "x"}, %b: tensor<32x64xf32> {nvfp4.weight = "w"}',
        "tensor<32x3x5xf32>",
        """ZEROS  %y = linalg.generic {
      indexing_maps = [affine_map<(k, i, n, j) -> (i, j, k)>, affine_map<(k, i, n, j) -> (n, k)>, affine_map<(k, i, n, j) -> (n, i, j)>],
      iterator_types = ["reduction", "parallel", "parallel", "parallel"]}
      ins(%a, %b : tensor<3x5x64xf32>, tensor<32x64xf32>) outs(%zeros : tensor<32x3x5xf32>)
      attrs = {nvfp4.precision = #nvfp4.precision<nvfp4>} {
  ^bb0(%p: f32, %q: f32, %sum: f32):
    %term = arith.mulf %p, %q : f32
    %next = arith.addf %sum, %term : f32
    linalg.yield %next : f32
  } -> tensor<32x3x5xf32>
""",
    )
    exact = np.transpose(decode(batch, ROW) @ decode(w, TENSOR).T, (2, 0, 1))
    check("generic", text, {"w": w}, {"x": batch}, exact)

    # Activations alone, as in attention: bf16 operands, f32 sums.
    q, k = values(3, 12, 16), values(3, 16, 12)
    text = function(
        '%a: tensor<3x12x16xf32> {nvfp4.name = "q"}, %b: tensor<3x16x12xf32> {nvfp4.name = "k"}',
        "tensor<3x12x12xf32>",
        "ZEROS" + matmul("batch_matmul", "bf16", "tensor<3x12x16xf32>", "tensor<3x16x12xf32>", "tensor<3x12x12xf32>"),
    )
    check("attention", text, {}, {"q": q, "k": k}, decode(q, None) @ decode(k, None))
    finish()


main()
