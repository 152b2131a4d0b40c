# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operands of products in 4 bits are the same numbers on a chip that multiplies bf16 as on one that multiplies blocks.

Each case compiles one module for both. What sm_120a multiplies are codes and scales; what sm_90a multiplies are bf16
values, which must be code times block scale bit for bit, and the same global scales. Both are run in the simulator.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import numpy as np
from golden import MXFP4, Format, decode_e2m1
from golden import DECODED_SCALES, unpack_codes
from gpu_layers import make_values
from harness import compile_module, expect, expect_bytes, finish, from_bf16, group, run, to_bf16

BLOCKS, BF16 = "sm_120a", "sm_90a"
STATE = np.array([0x123456789ABCDEF, 7], np.int64)


class Case:
    """How activations of [.., K] are quantized."""

    def __init__(self, form: Format, k: int, batch: int = 1, given: bool = False, stochastic: bool = False, signs: int = 0) -> None:
        self.form, self.k, self.batch = form, k, batch
        self.given, self.stochastic, self.signs = given, stochastic, signs
        names = ["given"] * given + ["stochastic"] * stochastic + ["hadamard"] * bool(signs)
        self.what = " ".join([form.text(), f"K={k}", f"batch {batch}", *names])

    def write(self) -> str:
        """@codes and @values of one input."""
        form, lead = self.form, f"{self.batch}x" if self.batch > 1 else ""
        x = f"tensor<{lead}?x{self.k}xf32>"
        g = f"tensor<{lead}?xf32>" if form.granularity == "row" else "tensor<f32>"
        t = f"!nvfp4.tensor<{lead}?x{self.k}, {form.text()}>"
        unscaled = Format(form.name, form.rows, form.columns, "tensor", "multiply", form.bound)
        u = f"!nvfp4.tensor<{lead}?x{self.k}, {unscaled.text()}>"
        codes = f"tensor<{lead}?x{self.k // 2}xi8>"
        scales = f"tensor<{lead}?x{-(-self.k // form.columns)}xi8>"
        extents = ", ".join([str(self.batch)] * (self.batch > 1) + ['"rows"', str(self.k)])
        arguments = [f'%input: {x} {{nvfp4.name = "x", nvfp4.shape = [{extents}]}}']
        body, source, operands, types = "", "%input", "", [x]
        if self.signs:
            body += f"  %h = nvfp4.hadamard %input signs<{self.signs}> : {x}\n"
            source = "%h"
        if form.has_global_scale:
            if self.given:
                arguments.append('%g: tensor<f32> {nvfp4.name = "g"}')
            else:
                body += f"  %g = nvfp4.global_scale {source} format <{form.text()}> : {x} -> {g}\n"
            operands, types = operands + " global_scale %g", [*types, g]
        if self.stochastic:
            arguments.append('%state: tensor<2xi64> {nvfp4.name = "state"}')
            operands, types = operands + " rounding<stochastic> state %state", [*types, "tensor<2xi64>"]
        body += f"  %q = nvfp4.quantize {source}{operands} : {', '.join(types)} -> {t}\n"
        parts = "%c, %s, %k" if form.has_global_scale else "%c, %s"
        part_types = [codes, scales, *([g] if form.has_global_scale else [])]
        body += f"  {parts} = nvfp4.disassemble %q : {t} -> {', '.join(part_types)}\n"
        names = [f'{type_} {{nvfp4.name = "{name}"}}' for type_, name in zip(part_types, ("codes", "scales", "global"))]
        one = "  %one = arith.constant dense<1.0> : tensor<f32>\n" if form.has_global_scale else ""
        again, again_type = (" global_scale %one", ", tensor<f32>") if form.has_global_scale else ("", "")
        values = f"tensor<{lead}?x{self.k}xbf16>"
        kept, kept_type = (", %k", f', {g} {{nvfp4.name = "global"}}') if form.has_global_scale else ("", "")
        return f"""
func.func @codes({", ".join(arguments)}) -> ({", ".join(names)}) {{
{body}  return {parts} : {", ".join(part_types)}
}}
func.func @values({", ".join(arguments)}) -> ({values} {{nvfp4.name = "values"}}{kept_type}) {{
{body}{one}  %u = nvfp4.assemble %c, %s{again} : {codes}, {scales}{again_type} -> {u}
  %v = nvfp4.dequantize %u : {u} -> {values}
  return %v{kept} : {values}{", " + g if kept else ""}
}}
"""

    def check(self, rng: np.random.Generator, rows: int) -> None:
        lead = (self.batch,) if self.batch > 1 else ()
        x = make_values(rng, (*lead, rows, self.k))
        inputs = {"x": x}
        if self.given:
            inputs["g"] = np.float32(np.abs(x).max(initial=0) / 3)
        if self.stochastic:
            inputs["state"] = STATE
        sim = ["--device=sim"]
        blocks = run(compile_module(self.write(), f"--target={BLOCKS}"), inputs, "codes", sim)
        plain = run(compile_module(self.write(), f"--target={BF16}"), inputs, "values", sim)
        scales = DECODED_SCALES[self.form.name][blocks["scales"]]
        scales = scales.repeat(self.form.rows, axis=-2).repeat(self.form.columns, axis=-1)[..., :rows, : self.k]
        exact = decode_e2m1(unpack_codes(blocks["codes"], self.k)) * scales
        bits = to_bf16(exact)
        expect_bytes(f"{self.what}: exact in bf16", from_bf16(bits), exact)
        expect_bytes(f"{self.what} M={rows}: values", plain["values"], bits)
        if self.form.has_global_scale:
            expect_bytes(f"{self.what} M={rows}: global scales", plain["global"], blocks["global"])
        expect(f"{self.what}: not all zero", rows == 0 or bool((bits & 0x7FFF).any()))


def main() -> None:
    rng = np.random.default_rng(0)
    cases = [
        (Case(Format(granularity="row"), 384), (0, 1, 33)),
        (Case(Format(granularity="row"), 80, batch=3), (5,)),
        (Case(Format(), 64), (5,)),
        (Case(Format(convention="multiply"), 384, given=True), (17,)),
        (Case(Format(rows=16), 48), (32,)),
        (Case(Format(granularity="row"), 64, stochastic=True), (5,)),
        (Case(Format(), 48, stochastic=True, signs=0xD7E8), (5,)),
        (Case(MXFP4, 96), (5,)),
    ]
    for case, counts in cases:
        for rows in counts:
            with group(f"{case.what} M={rows}"):
                case.check(rng, rows)
    finish()


main()
