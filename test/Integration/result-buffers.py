# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Results that overwrite one tensor, that return it, or that are one value, all keep their values.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import numpy as np
from harness import compile_module, expect_bytes, finish, group, run

VECTOR = "tensor<5xi64>"


def reduce(name: str, kind: str, init: str) -> str:
    return f"%{name} = linalg.reduce {{arith.{kind}}} ins(%x : tensor<5x33xi64>) outs(%{init} : {VECTOR}) dimensions = [1]\n"


def module(results: tuple[str, ...]) -> str:
    types = ", ".join(f'{VECTOR} {{nvfp4.name = "r{i}"}}' for i in range(len(results)))
    body = reduce("y", "addi", "z") + reduce("m", "maxsi", "z")
    body += reduce("a", "addi", "v") + reduce("b", "maxsi", "v") + reduce("c", "addi", "a") + reduce("d", "addi", "given")
    return f"""
func.func @main(%x: tensor<5x33xi64> {{nvfp4.name = "x"}}, %given: {VECTOR} {{nvfp4.name = "given"}}) -> ({types}) {{
  %zero = arith.constant 0 : i64
  %e = tensor.empty() : {VECTOR}
  %z = linalg.fill ins(%zero : i64) outs(%e : {VECTOR}) -> {VECTOR}
  %v = linalg.add ins(%given, %given : {VECTOR}, {VECTOR}) outs(%e : {VECTOR}) -> {VECTOR}
  {body}
  return {", ".join(f"%{name}" for name in results)} : {", ".join([VECTOR] * len(results))}
}}
"""


CASES = ("ym", "my", "ymz", "zy", "ab", "ba", "av", "va", "ac", "ca", "cv", "vcab", "d given", "given d", "aavv", "zzy", "bcmyd", "cbazm")


def main() -> None:
    x = np.random.default_rng(3).integers(0, 99, (5, 33))
    given = 30 * np.arange(5)
    total, largest, v = x.sum(1), x.max(1), 2 * given
    values = {"y": total, "m": largest, "z": 0 * v, "v": v, "a": v + total, "b": np.maximum(v, largest), "c": v + 2 * total}
    values |= {"d": given + total, "given": given}
    for case in CASES:
        results = tuple(case.split()) if " " in case else tuple(case)
        with group(case):
            got = run(compile_module(module(results)), {"x": x, "given": given})
            for i, name in enumerate(results):
                expect_bytes(f"{case}: {name}", got[f"r{i}"], values[name])
    finish()


main()
