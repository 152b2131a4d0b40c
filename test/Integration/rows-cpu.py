# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Loops over rows on the CPU: sums have the documented order, any extents work, any number of threads gives the same bits.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import numpy as np
from harness import compile_module, expect, expect_bytes, finish, from_bf16, group, run, to_bf16

MAPS = """
#row = affine_map<(m, n) -> (m, n)>
#one = affine_map<(m, n) -> (m)>
#column = affine_map<(m, n) -> (n)>
"""
SIZES = """
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = tensor.dim %x, %c0 : {x}
  %n = tensor.dim %x, %c1 : {x}
"""


def reduction(name: str, element: str, result: str, initial: str, body: str) -> str:
    """An entry that reduces the rows of x, from the values of y on."""
    return f"""
func.func @{name}(%x: tensor<?x?x{element}> {{nvfp4.name = "x", nvfp4.shape = ["m", "n"]}}) -> (tensor<?x{result}> {{nvfp4.name = "y"}}) {{
  {SIZES.format(x=f"tensor<?x?x{element}>")}
  %initial = arith.constant {initial} : {result}
  %e = tensor.empty(%m) : tensor<?x{result}>
  %f = linalg.fill ins(%initial : {result}) outs(%e : tensor<?x{result}>) -> tensor<?x{result}>
  %y = linalg.generic {{indexing_maps = [#row, #one], iterator_types = ["parallel", "reduction"]}}
      ins(%x : tensor<?x?x{element}>) outs(%f : tensor<?x{result}>) {{
  ^bb0(%in: {element}, %out: {result}):
    {body}
    linalg.yield %r : {result}
  }} -> tensor<?x{result}>
  return %y : tensor<?x{result}>
}}
"""


REDUCTIONS = MAPS + "".join(
    [
        reduction("sum_f32", "f32", "f32", "1.5", "%r = arith.addf %in, %out : f32"),
        reduction("squares_f32", "f32", "f32", "0.0", "%p = arith.mulf %in, %in : f32\n    %r = arith.addf %out, %p : f32"),
        reduction("sum_f64", "f64", "f64", "0.0", "%r = arith.addf %in, %out : f64"),
        reduction("max_f32", "f32", "f32", "0xFF800000", "%r = arith.maximumf %in, %out : f32"),
        reduction("sum_i32", "i8", "i32", "7", "%w = arith.extsi %in : i8 to i32\n    %r = arith.addi %w, %out : i32"),
        reduction("sum_bf16", "bf16", "bf16", "0.0", "%r = arith.addf %in, %out : bf16"),
    ]
)


def sum_in_order(terms: np.ndarray, initial: float, lanes: int) -> np.ndarray:
    """One sum per lane, lanes in halves, the initial value, what is left over."""
    dtype = terms.dtype.type
    whole = terms.shape[1] // lanes * lanes
    sums = np.zeros((terms.shape[0], lanes), dtype)
    for begin in range(0, whole, lanes):
        sums = terms[:, begin : begin + lanes] + sums
    while sums.shape[1] > 1:
        half = sums.shape[1] // 2
        sums = sums[:, :half] + sums[:, half:]
    total = dtype(initial) + sums[:, 0]
    for column in range(whole, terms.shape[1]):
        total = terms[:, column] + total
    return total.astype(dtype)


def check_reductions(rng: np.random.Generator) -> None:
    package = compile_module(REDUCTIONS, "--keep-f64")
    for m, n in [(3, 0), (0, 5), (1, 1), (5, 16), (2, 33), (129, 384)]:
        x = rng.standard_normal((m, n)).astype(np.float32)
        what = f"{m} x {n}"
        expect_bytes(f"{what}: sum_f32", run(package, {"x": x}, "sum_f32")["y"], sum_in_order(x, 1.5, 16))
        expect_bytes(f"{what}: squares_f32", run(package, {"x": x}, "squares_f32")["y"], sum_in_order(x * x, 0.0, 16))
        wide = rng.standard_normal((m, n))
        expect_bytes(f"{what}: sum_f64", run(package, {"x": wide}, "sum_f64")["y"], sum_in_order(wide, 0.0, 8))
        x[:1, n // 2 :: 7] = np.nan
        largest = np.maximum.reduce(x, axis=1, initial=-np.inf)
        got = run(package, {"x": x}, "max_f32")["y"]
        expect(f"{what}: max_f32", np.array_equal(got, largest, equal_nan=True), got)
        small = rng.integers(-128, 128, (m, n)).astype(np.int8)
        total = (small.astype(np.int32).sum(axis=1) + 7).astype(np.int32)
        expect_bytes(f"{what}: sum_i32", run(package, {"x": small}, "sum_i32")["y"], total)
        narrow = to_bf16(rng.standard_normal((m, n)).astype(np.float32))
        total = np.zeros(m, np.uint16)
        for column in range(n):
            total = to_bf16(from_bf16(narrow[:, column]) + from_bf16(total))
        expect_bytes(f"{what}: sum_bf16", run(package, {"x": narrow}, "sum_bf16")["y"], total)


# A bias, an exponential, its row's sum, a quotient and a product with a mask; the
# result is transposed, so that rows are written across.
CHAIN = (
    MAPS
    + f"""
#across = affine_map<(m, n) -> (n, m)>
func.func @main(%x: tensor<?x?xf32> {{nvfp4.name = "x", nvfp4.shape = ["m", "n"]}}, %b: tensor<?xf32> {{nvfp4.name = "b", nvfp4.shape = ["n"]}},
                %k: tensor<?xi1> {{nvfp4.name = "k", nvfp4.shape = ["m"]}}, %ids: tensor<?xi64> {{nvfp4.name = "ids", nvfp4.shape = ["m"]}})
    -> (tensor<?x?xf32> {{nvfp4.name = "y"}}, tensor<?x?xf32> {{nvfp4.name = "g"}}) {{
  {SIZES.format(x="tensor<?x?xf32>")}
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%m, %n) : tensor<?x?xf32>
  %1 = linalg.generic {{indexing_maps = [#row, #column, #row], iterator_types = ["parallel", "parallel"]}}
      ins(%x, %b : tensor<?x?xf32>, tensor<?xf32>) outs(%e : tensor<?x?xf32>) {{
  ^bb0(%in: f32, %bias: f32, %out: f32):
    %s = arith.addf %in, %bias : f32
    %t = math.exp %s : f32
    linalg.yield %t : f32
  }} -> tensor<?x?xf32>
  %es = tensor.empty(%m) : tensor<?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%es : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {{indexing_maps = [#row, #one], iterator_types = ["parallel", "reduction"]}}
      ins(%1 : tensor<?x?xf32>) outs(%f : tensor<?xf32>) {{
  ^bb0(%in: f32, %out: f32):
    %s = arith.addf %in, %out : f32
    linalg.yield %s : f32
  }} -> tensor<?xf32>
  %et = tensor.empty(%n, %m) : tensor<?x?xf32>
  %y = linalg.generic {{indexing_maps = [#row, #one, #one, #across], iterator_types = ["parallel", "parallel"]}}
      ins(%1, %sum, %k : tensor<?x?xf32>, tensor<?xf32>, tensor<?xi1>) outs(%et : tensor<?x?xf32>) {{
  ^bb0(%in: f32, %total: f32, %keep: i1, %out: f32):
    %q = arith.divf %in, %total : f32
    %r = arith.select %keep, %q, %zero : f32
    linalg.yield %r : f32
  }} -> tensor<?x?xf32>
  %g = linalg.generic {{indexing_maps = [#one, #row], iterator_types = ["parallel", "parallel"]}}
      ins(%ids : tensor<?xi64>) outs(%e : tensor<?x?xf32>) {{
  ^bb0(%id: i64, %out: f32):
    %i = arith.index_cast %id : i64 to index
    %j = linalg.index 1 : index
    %v = tensor.extract %1[%i, %j] : tensor<?x?xf32>
    linalg.yield %v : f32
  }} -> tensor<?x?xf32>
  return %y, %g : tensor<?x?xf32>, tensor<?x?xf32>
}}
"""
)


def check_chain(rng: np.random.Generator) -> None:
    package = compile_module(CHAIN)
    for m, n in [(0, 7), (4, 0), (1, 1), (5, 13), (129, 40), (700, 130)]:
        inputs = {
            "x": rng.standard_normal((m, n)).astype(np.float32),
            "b": rng.standard_normal(n).astype(np.float32),
            "k": rng.integers(0, 2, m).astype(np.bool_),
            "ids": rng.permutation(m).astype(np.int64),
        }
        e = np.exp(inputs["x"].astype(np.float64) + inputs["b"])
        y = np.where(inputs["k"][:, None], e / e.sum(axis=1, keepdims=True), 0).T
        results = [run(package, inputs, options=["--threads", threads]) for threads in (1, 2, 5)]
        for name, expected in [("y", y), ("g", e[inputs["ids"]])]:
            got = results[0][name]
            expect(f"{m} x {n}: shape of {name}", got.shape == expected.shape, got.shape)
            expect(f"{m} x {n}: {name}", np.allclose(got, expected, rtol=1e-5, atol=0), np.abs(got - expected).max(initial=0))
            for more in results[1:]:
                expect_bytes(f"{m} x {n}: {name} on more threads", more[name], got)


def main() -> None:
    rng = np.random.default_rng(9)
    with group("reductions"):
        check_reductions(rng)
    with group("chain"):
        check_chain(rng)
    finish()


main()
