# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Stochastic rounding draws the bits that docs/Format.md, 3.6, says: the same bytes as Python's Philox.

RUN: %python %s
RUN: env NVFP4_TEST_TARGET=sm_120a %python %s
RUN: env NVFP4_TEST_TARGET=sm_100a %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import numpy as np
from golden import F32, MXFP4, Format, encode_e2m1_stochastic, global_scale, pack_codes, philox4x32, quantize
from harness import compile_module, expect, expect_bytes, finish, group, run


def build(form: Format, shape: tuple) -> str:
    """A package that quantizes `x` with the state `state`, and passes its codes and scales."""
    dims = "".join(f"{extent}x" for extent in shape)
    rows, columns = shape[-2:]
    block_rows = rows if rows == "?" else -(-rows // form.rows)
    lead = dims[: len(dims) - len(f"{rows}x{columns}x")]
    scales = f"tensor<{lead}{block_rows}x{-(-columns // form.columns)}xi8>"
    codes = f"tensor<{lead}{rows}x{columns // 2}xi8>"
    source, quantized = f"tensor<{dims}f32>", f"!nvfp4.tensor<{dims[:-1]}, {form.text()}>"
    results = f'({codes} {{nvfp4.name = "codes"}}, {scales} {{nvfp4.name = "scales"}})'
    header = f'func.func @main(%x: {source} {{nvfp4.name = "x"}}, %s: tensor<2xi64> {{nvfp4.name = "state"}}) -> {results} {{\n'
    if form.has_global_scale:
        kept = {"tensor": "", "row": f"{lead}{rows}x"}[form.granularity]
        body = f"""
  %g = nvfp4.global_scale %x format <{form.text()}> : {source} -> tensor<{kept}f32>
  %q = nvfp4.quantize %x global_scale %g rounding<stochastic> state %s
      : {source}, tensor<{kept}f32>, tensor<2xi64> -> {quantized}
  %c, %t, %h = nvfp4.disassemble %q : {quantized} -> {codes}, {scales}, tensor<{kept}f32>"""
    else:
        body = f"""
  %q = nvfp4.quantize %x rounding<stochastic> state %s : {source}, tensor<2xi64> -> {quantized}
  %c, %t = nvfp4.disassemble %q : {quantized} -> {codes}, {scales}"""
    return f"{header}{body}\n  return %c, %t : {codes}, {scales}\n}}\n"


def check(package, form: Format, x: np.ndarray, seed: int, offset: int) -> None:
    """Codes and scales of one draw."""
    state = np.array([seed, offset], np.uint64).view(np.int64)
    got = run(package, {"x": x, "state": state})
    g = global_scale(x, form) if form.has_global_scale else None
    golden = quantize(x, form, g, (seed, offset))
    what = f"{form.text()} {x.shape} seed {seed:#x} offset {offset:#x}"
    expect_bytes(f"{what}: codes", got["codes"], pack_codes(golden.codes))
    expect_bytes(f"{what}: scales", got["scales"], golden.scales)


def main() -> None:
    # Known answers of Random123.
    words = philox4x32(np.array([0]), 0)[0]
    expect("philox of zeros", words.tolist() == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8], words)

    # Example G of the fact sheet: 1.3 goes up iff r >= 103.
    codes = encode_e2m1_stochastic(np.full(256, 1.3, F32), np.arange(256))
    expect("example G", int(np.argmax(codes == 3)) == 103 and set(codes) == {2, 3}, codes)

    rng = np.random.default_rng(2)
    states = [(0, 0), (1, 0), (0x123456789ABCDEF0, 7), (0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFE)]
    for form, shape in [
        (Format(), (16, 64)),
        (Format(granularity="row", convention="divide"), (5, 48)),
        (Format(rows=16), (32, 48)),
        (Format(granularity="row"), (2, 3, 32)),
        (Format(rows=16), (2, 16, 32)),
        (MXFP4, (4, 64)),
        (MXFP4, (3, 48)),
    ]:
        with group(f"{form.text()} {shape}"):
            package = compile_module(build(form, shape))
            for seed, offset in states:
                check(package, form, rng.standard_normal(shape).astype(F32), seed, offset)
            special = rng.choice(np.array([np.nan, -np.nan, 0, -0.0, 1e-45, 6, -5.5, np.inf], F32), shape)
            check(package, form, special, 3, 1)

    with group("dynamic"):
        package = compile_module(build(Format(), ("?", 32)))
        for rows in [0, 1, 5]:
            check(package, Format(), rng.standard_normal((rows, 32)).astype(F32), 11, 13)

        # The mean of many draws is the value, but for less than 1/256 of a step downwards.
        x = np.full((512, 32), 1.3, F32)
        x[:, 0] = 6
        mean = quantize(x, Format(), np.float32(2688), (1, 2)).dequantize()[:, 1:].mean()
        expect("mean", abs(mean - 1.3) < 0.01, mean)
    finish()


main()
