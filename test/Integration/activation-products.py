# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Products of two activations, both quantized in the run, on simulated chips: right within f32 rounding. Codes and
scales that somebody else reads, too, are the CPU's, and so is what they are decoded to.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import numpy as np
from golden import MXFP4, Format, global_scale, quantize
from gpu_layers import make_values
from harness import compile_module, expect, expect_bytes, finish, group, run

ROW = Format(granularity="row")


def write_product(left: Format, right: Format, shapes: tuple[tuple, tuple], result: str = "f32") -> str:
    """@main: y = q(a) q(b)^T, with the extents of `shapes`, strings for dynamic ones."""

    def text(shape: tuple, element: str) -> str:
        return "tensor<" + "".join(f"{'?' if isinstance(extent, str) else extent}x" for extent in shape) + f"{element}>"

    arguments, body, types = [], "", []
    for name, form, shape in (("a", left, shapes[0]), ("b", right, shapes[1])):
        source = text(shape, "f32")
        extents = ", ".join(f'"{extent}"' if isinstance(extent, str) else str(extent) for extent in shape)
        arguments.append(f'%{name}: {source} {{nvfp4.name = "{name}", nvfp4.shape = [{extents}]}}')
        types.append("!nvfp4." + text(shape, form.text()).replace(f"x{form.text()}", f", {form.text()}"))
        given, operands = "", source
        if form.has_global_scale:
            g = text(shape[:-1] if form.granularity == "row" else (), "f32")
            body += f"  %g{name} = nvfp4.global_scale %{name} format <{form.text()}> : {source} -> {g}\n"
            given, operands = f" global_scale %g{name}", f"{source}, {g}"
        body += f"  %q{name} = nvfp4.quantize %{name}{given} : {operands} -> {types[-1]}\n"
    y = text((*shapes[0][:-1], shapes[1][-2]), result)
    return f"""
func.func @main({", ".join(arguments)}) -> ({y} {{nvfp4.name = "y"}}) {{
{body}  %d = nvfp4.matmul %qa, %qb : {types[0]}, {types[1]} -> {y}
  return %d : {y}
}}
"""


def decode(values: np.ndarray, form: Format) -> np.ndarray:
    scale = global_scale(values, form) if form.has_global_scale else None
    return quantize(values, form, scale).dequantize().astype(np.float64)


def check(chip: str, left: Format, right: Format, shapes: tuple[tuple, tuple], sizes: dict[str, int]) -> None:
    rng = np.random.default_rng(3)
    extents = [tuple(sizes.get(extent, extent) for extent in shape) for shape in shapes]
    what = f"{chip} {left.text()} {extents[0]} {right.text()} {extents[1]}"
    with group(what):
        a, b = (make_values(rng, shape) for shape in extents)
        package = compile_module(write_product(left, right, shapes), f"--target={chip}")
        got = run(package, {"a": a, "b": b}, options=["--device=sim", "--accumulate=exact"])["y"]
        lhs, rhs = decode(a, left), np.swapaxes(decode(b, right), -1, -2)
        exact, size = lhs @ rhs, np.abs(lhs) @ np.abs(rhs)
        bound = (a.shape[-1] + 8) * 2.0**-24 * size + 1e-37
        error = np.max(np.abs(got - exact) / bound, initial=0)
        expect(what, got.shape == exact.shape and error <= 1, f"error {error} times the bound")


def check_other_readers() -> None:
    """One tensor as both sides of a product, and its codes, scales and dequantized values as results."""
    t = f"!nvfp4.tensor<?x64, {ROW.text()}>"
    text = f"""
func.func @main(%x: tensor<?x64xf32> {{nvfp4.name = "x", nvfp4.shape = ["m", 64]}})
    -> (tensor<?x?xf32> {{nvfp4.name = "y"}}, tensor<?x32xi8> {{nvfp4.name = "codes"}}, tensor<?x4xi8> {{nvfp4.name = "scales"}},
        tensor<?x64xf32> {{nvfp4.name = "values"}}) {{
  %g = nvfp4.global_scale %x format <{ROW.text()}> : tensor<?x64xf32> -> tensor<?xf32>
  %q = nvfp4.quantize %x global_scale %g : tensor<?x64xf32>, tensor<?xf32> -> {t}
  %y = nvfp4.matmul %q, %q : {t}, {t} -> tensor<?x?xf32>
  %c, %s, %k = nvfp4.disassemble %q : {t} -> tensor<?x32xi8>, tensor<?x4xi8>, tensor<?xf32>
  %v = nvfp4.dequantize %q : {t} -> tensor<?x64xf32>
  return %y, %c, %s, %v : tensor<?x?xf32>, tensor<?x32xi8>, tensor<?x4xi8>, tensor<?x64xf32>
}}
"""
    with group("other readers"):
        inputs = {"x": make_values(np.random.default_rng(4), (5, 64))}
        expected = run(compile_module(text), inputs)
        got = run(compile_module(text, "--target=sm_90a"), inputs, options=["--device=sim", "--accumulate=exact"])
        for name in ("codes", "scales", "values"):
            expect_bytes(f"other readers: {name}", got[name], expected[name])
        size = np.abs(expected["values"]) @ np.abs(expected["values"].T)
        expect("other readers: y", bool((np.abs(got["y"] - expected["y"]) <= 2.0**-17 * size).all()))


def main() -> None:
    cases = [
        (ROW, ROW, (("m", 64), ("n", 64)), {"m": 5, "n": 7}),
        (ROW, Format(), ((128, 64), (72, 64)), {}),
        (Format(), ROW, ((3, "m", 48), (3, "n", 48)), {"m": 33, "n": 20}),
        (Format(rows=16), Format(rows=16), ((32, 80), (48, 80)), {}),
        (MXFP4, MXFP4, ((2, 17, 96), (2, 64, 96)), {}),
    ]
    for left, right, shapes, sizes in cases:
        check("sm_90a", left, right, shapes, sizes)
    check("sm_120a", *cases[0])
    check_other_readers()
    finish()


main()
