# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Block-scaled tensors through calls, branches and loops give the golden bytes.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import numpy as np
from golden import F32, MXFP4, Quantized, hadamard, pack_codes, quantize
from harness import compile_module, expect_bytes, finish, group, run

MODULE = """
func.func private @turn(%p: !nvfp4.tensor<4x64, mxfp4>) -> !nvfp4.tensor<4x64, mxfp4> {
  %y = nvfp4.dequantize %p : !nvfp4.tensor<4x64, mxfp4> -> tensor<4x64xf32>
  %h = nvfp4.hadamard %y signs<0xD7E8> : tensor<4x64xf32>
  %z = nvfp4.quantize %h : tensor<4x64xf32> -> !nvfp4.tensor<4x64, mxfp4>
  return %z : !nvfp4.tensor<4x64, mxfp4>
}
func.func @main(%x: tensor<4x64xf32> {nvfp4.name = "x"}, %n: tensor<i64> {nvfp4.name = "n"}, %c: tensor<i1> {nvfp4.name = "c"})
    -> (!nvfp4.tensor<4x64, mxfp4> {nvfp4.name = "loop"}, !nvfp4.tensor<4x64, mxfp4> {nvfp4.name = "branch"},
        !nvfp4.tensor<4x64, mxfp4> {nvfp4.name = "select"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n0 = tensor.extract %n[] : tensor<i64>
  %count = arith.index_cast %n0 : i64 to index
  %condition = tensor.extract %c[] : tensor<i1>
  %q = nvfp4.quantize %x : tensor<4x64xf32> -> !nvfp4.tensor<4x64, mxfp4>
  %r = scf.for %i = %c0 to %count step %c1 iter_args(%p = %q) -> !nvfp4.tensor<4x64, mxfp4> {
    %z = func.call @turn(%p) : (!nvfp4.tensor<4x64, mxfp4>) -> !nvfp4.tensor<4x64, mxfp4>
    scf.yield %z : !nvfp4.tensor<4x64, mxfp4>
  }
  %s = scf.if %condition -> !nvfp4.tensor<4x64, mxfp4> {
    scf.yield %r : !nvfp4.tensor<4x64, mxfp4>
  } else {
    %t = nvfp4.hadamard %x signs<0> : tensor<4x64xf32>
    %z = nvfp4.quantize %t : tensor<4x64xf32> -> !nvfp4.tensor<4x64, mxfp4>
    scf.yield %z : !nvfp4.tensor<4x64, mxfp4>
  }
  %u = arith.select %condition, %s, %q : !nvfp4.tensor<4x64, mxfp4>
  return %r, %s, %u : !nvfp4.tensor<4x64, mxfp4>, !nvfp4.tensor<4x64, mxfp4>, !nvfp4.tensor<4x64, mxfp4>
}
"""


def main() -> None:
    rng = np.random.default_rng(8)
    x = rng.standard_normal((4, 64)).astype(F32)
    with group("control flow"):
        package = compile_module(MODULE)

        def check(what: str, got: dict[str, np.ndarray], name: str, golden: Quantized) -> None:
            expect_bytes(f"{what}: codes of {name}", got[f"{name}.codes"], pack_codes(golden.codes))
            expect_bytes(f"{what}: scales of {name}", got[f"{name}.scales"], golden.scales)

        for count in [0, 1, 3]:
            for condition in [False, True]:
                what = f"{count} turns, {condition}"
                got = run(package, {"x": x, "n": np.array(count, np.int64), "c": np.array(condition)})
                start = turned = quantize(x, MXFP4)
                for _ in range(count):
                    turned = quantize(hadamard(turned.dequantize(), 0xD7E8), MXFP4)
                branch = turned if condition else quantize(hadamard(x, 0), MXFP4)
                check(what, got, "loop", turned)
                check(what, got, "branch", branch)
                check(what, got, "select", branch if condition else start)
    finish()


main()
