# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Block-scaled matmuls agree with float64 sums of the decoded operands, within f32 accumulation.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import numpy as np
from golden import F32, MXFP4, Format, global_scale, quantize
from harness import compile_module, expect, finish, from_bf16, group, run, to_bf16


def tensor(shape: tuple, element: str = "f32") -> str:
    return f"tensor<{''.join(f'{extent}x' for extent in shape)}{element}>"


def blocks(shape: tuple, form: Format) -> str:
    return f"!nvfp4.tensor<{'x'.join(map(str, shape))}, {form.text()}>"


def quantized(name: str, shape: tuple, form: Format, element: str) -> str:
    """The op that makes `%q<name>` of `%<name>`."""
    source = tensor(shape, element)
    if not form.has_global_scale:
        return f"  %q{name} = nvfp4.quantize %{name} : {source} -> {blocks(shape, form)}\n"
    g = tensor({"tensor": (), "slice": shape[:-2], "row": shape[:-1]}[form.granularity])
    return (
        f"  %g{name} = nvfp4.global_scale %{name} format <{form.text()}> : {source} -> {g}\n"
        f"  %q{name} = nvfp4.quantize %{name} global_scale %g{name} : {source}, {g} -> {blocks(shape, form)}\n"
    )


def build(a: tuple, a_form: Format | None, b: tuple, b_form: Format | None, element: str, result: str):
    """A package that multiplies `a` [.., M, K] by the transpose of `b` [.., N, K], each quantized if it has a format."""
    ops = ""
    operands, types = [], []
    for name, shape, form in [("a", a, a_form), ("b", b, b_form)]:
        if form:
            ops += quantized(name, shape, form, element)
        operands.append(f"%q{name}" if form else f"%{name}")
        types.append(blocks(shape, form) if form else tensor(shape, element))
    product = tensor((*a[:-1], b[-2]), result)
    return compile_module(f"""
func.func @main(%a: {tensor(a, element)} {{nvfp4.name = "a"}}, %b: {tensor(b, element)} {{nvfp4.name = "b"}})
    -> ({product} {{nvfp4.name = "d"}}) {{
{ops}  %d = nvfp4.matmul {", ".join(operands)} : {", ".join(types)} -> {product}
  return %d : {product}
}}
""")


def decoded(x: np.ndarray, form: Format | None) -> np.ndarray:
    """What the matmul sees, in float64."""
    if form:
        x = quantize(x, form, global_scale(x, form) if form.has_global_scale else None).dequantize()
    return x.astype(np.float64)


def check(what, package, a, a_form, b, b_form, element="f32", result="f32") -> None:
    """One product; both operands are f32 that `element` holds."""
    store = {"f32": lambda x: x, "bf16": to_bf16, "f16": lambda x: x.astype(np.float16)}[element]
    got = run(package, {"a": store(a), "b": store(b)})["d"]
    left, right = decoded(a, a_form), np.swapaxes(decoded(b, b_form), -1, -2)
    exact, size = left @ right, np.abs(left) @ np.abs(right)
    got = from_bf16(got) if result == "bf16" else got.astype(F32)
    # K roundings of sums, a few of scales, and one of the result.
    unit = {"f32": 2.0**-24, "bf16": 2.0**-8, "f16": 2.0**-11}[result]
    bound = (a.shape[-1] + 8) * 2.0**-24 * size + unit * np.abs(exact) + 1e-37
    expect(f"{what}: shape", got.shape == exact.shape, f"expected {exact.shape}, but got {got.shape}")
    error = np.abs(got - exact)
    expect(what, bool((error <= bound).all()), f"error {np.max(error / bound, initial=0)} times the bound")


def main() -> None:
    rng = np.random.default_rng(4)

    def values(shape: tuple[int, ...]) -> np.ndarray:
        rows = 10.0 ** rng.uniform(-2, 2, (*shape[:-1], 1))
        return from_bf16(to_bf16((rng.standard_normal(shape) * rows).astype(F32)))

    row = Format(granularity="row")
    cases = [
        ("W4A4", row, Format()),
        ("W4A4, tensor", Format(), Format()),
        ("W4A4, multiply", Format(convention="multiply"), Format(granularity="row")),
        ("W4A4, divide", Format(convention="divide", granularity="row"), Format(rows=16, convention="multiply")),
        ("weight only", None, Format()),
        ("weight only, row", None, Format(granularity="row", convention="divide")),
        ("activation only", row, None),
        ("mxfp4", MXFP4, MXFP4),
        ("mxfp4, weight only", None, MXFP4),
        ("bound 256", Format(bound=256), Format()),
    ]
    for index, (name, a_form, b_form) in enumerate(cases):
        for m, n, k in [(5, 48, 80), (1, 16, 16), (33, 16, 1024)][: 3 if index == 0 else 1]:
            what = f"{name} {m}x{n}x{k}"
            with group(what):
                check(what, build((m, k), a_form, (n, k), b_form, "f32", "f32"), values((m, k)), a_form, values((n, k)), b_form)

    for element, result in [("bf16", "bf16"), ("bf16", "f32"), ("f16", "f16"), ("f32", "bf16")]:
        for name, a_form in [("W4A4", row), ("weight only", None)]:
            what = f"{name} {element} to {result}"
            with group(what):
                package = build((5, 64), a_form, (32, 64), Format(), element, result)
                a = np.clip(values((5, 64)), -8, 8)
                check(what, package, a, a_form, np.clip(values((32, 64)), -8, 8), Format(), element, result)

    # One matrix for all of a batch, or one for each.
    for b_form, b_shape in [(Format(), (32, 64)), (Format(granularity="slice"), (3, 32, 64)), (MXFP4, (3, 32, 64))]:
        for a_form in [MXFP4 if b_form is MXFP4 else row, None]:
            what = f"batch {b_form.text()} {a_form}"
            with group(what):
                package = build((3, 5, 64), a_form, b_shape, b_form, "f32", "f32")
                check(what, package, values((3, 5, 64)), a_form, values(b_shape), b_form)

    # Dynamic M, and M = 0.
    for name, a_form in [("W4A4", row), ("tensor", Format()), ("weight only", None)]:
        with group(f"dynamic, {name}"):
            package = build(("?", 64), a_form, (32, 64), Format(), "f32", "f32")
            for m in [0, 1, 5, 130]:
                check(f"dynamic, {name}, {m}", package, values((m, 64)), a_form, values((32, 64)), Format())
    with group("dynamic batch"):
        package = build(("?", "?", 64), row, (32, 64), Format(), "f32", "f32")
        for shape in [(0, 3, 64), (2, 0, 64), (2, 3, 64)]:
            check(f"dynamic batch, {shape}", package, values(shape), row, values((32, 64)), Format())

    # A row of zeros gives zeros; an infinite or NaN element spoils its own row only.
    with group("special values"):
        package = build((4, 64), row, (32, 64), Format(), "f32", "f32")
        a, b = values((4, 64)), values((32, 64))
        a[1], a[2, 3] = 0, np.inf
        d = run(package, {"a": a, "b": b})["d"]
        expect("row of zeros", not d[1].any(), d[1])
        expect("infinite element", not np.isfinite(d[2]).any(), d[2])
        expect("other rows", bool(np.isfinite(d[[0, 3]]).all()), d)
    finish()


main()
