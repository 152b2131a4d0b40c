# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs for a chip, run in the simulator, agree with those for the CPU.

What is computed element by element agrees bit for bit; sums agree within their rounding.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import numpy as np
from harness import (
    call,
    compile_module,
    expect,
    expect_bytes,
    finish,
    group,
    run,
    temporary,
    to_bf16,
    write_safetensors,
)

CHIPS = ("sm_120a", "sm_121a")


def unify_nan(x: np.ndarray) -> np.ndarray:
    """The array with one NaN for all: which one an operation gives is the processor's choice."""
    if x.dtype == np.uint16:  # bf16
        return np.where((x & 0x7FFF) > 0x7F80, np.uint16(0x7FC0), x)
    return np.where(np.isnan(x), x.dtype.type(np.nan), x) if x.dtype.kind == "f" else x


def rank(x: np.ndarray) -> np.ndarray:
    """The place of each f32 among all of them: neighbours are one apart."""
    bits = x.view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def check(
    what: str,
    text: str,
    inputs: dict[str, np.ndarray],
    *arguments: object,
    chip: str = CHIPS[0],
    tolerance: float | None = None,
    units: int = 0,
) -> None:
    """Compares all results of a module: bits, values of f32 up to `units` in the last place, or values up to `tolerance` times the largest."""
    with group(what):
        expected = run(compile_module(text, "--target=cpu", *arguments), inputs)
        got = run(compile_module(text, f"--target={chip}", *arguments), inputs, options=["--device=sim"])
        expect(f"{what}: names", got.keys() == expected.keys(), list(got))
        for name, value in expected.items():
            if units:
                distance = np.abs(rank(unify_nan(got[name])) - rank(unify_nan(value))).max(initial=0)
                expect(f"{what}: {name}", distance <= units, f"{distance} units")
            elif tolerance is None:
                expect_bytes(f"{what}: {name}", unify_nan(got[name]), unify_nan(value))
            else:
                error = np.abs(got[name] - value).max(initial=0)
                expect(f"{what}: {name}", error <= tolerance * np.abs(value).max(initial=1), error)


def elementwise(dtype: str, body: str) -> str:
    """A module that computes `body`, of %a and %b to %r, for every element."""
    return f"""
#map = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d1)>
func.func @main(%x: tensor<?x37x{dtype}> {{nvfp4.name = "x", nvfp4.shape = ["n", 37]}},
                %y: tensor<37x{dtype}> {{nvfp4.name = "y"}}) -> (tensor<?x37x{dtype}> {{nvfp4.name = "z"}}) {{
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x37x{dtype}>
  %empty = tensor.empty(%n) : tensor<?x37x{dtype}>
  %z = linalg.generic {{indexing_maps = [#map, #row, #map], iterator_types = ["parallel", "parallel"]}}
      ins(%x, %y : tensor<?x37x{dtype}>, tensor<37x{dtype}>) outs(%empty : tensor<?x37x{dtype}>) {{
  ^bb0(%a: {dtype}, %b: {dtype}, %out: {dtype}):
    {body}
    linalg.yield %r : {dtype}
  }} -> tensor<?x37x{dtype}>
  return %z : tensor<?x37x{dtype}>
}}
"""


QUOTIENTS = """
#map = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
func.func @main(%x: tensor<5x32xf32> {nvfp4.name = "x"}, %y: tensor<5xf32> {nvfp4.name = "y"})
    -> (tensor<5x32xf32> {nvfp4.name = "z"}) {
  %empty = tensor.empty() : tensor<5x32xf32>
  %z = linalg.generic {indexing_maps = [#map, #row, #map], iterator_types = ["parallel", "parallel"]}
      ins(%x, %y : tensor<5x32xf32>, tensor<5xf32>) outs(%empty : tensor<5x32xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %q = arith.divf %a, %b : f32
    linalg.yield %q : f32
  } -> tensor<5x32xf32>
  return %z : tensor<5x32xf32>
}
"""

# Of f32 these use the device's instruction for powers of two, within 4 units; the sum of "gelu" may cancel two bits of them.
UNITS = {"exp": 4, "gelu": 16, "tanh": 4}

FLOATS = {
    "exp": "%r = math.exp %a : T",
    "gelu": "%e = math.erf %a : T  %m = arith.mulf %a, %e : T  %r = arith.addf %m, %b : T",
    "divide": "%q = arith.divf %a, %b : T  %s = arith.mulf %q, %q : T  %t = arith.addf %s, %a : T  %r = math.sqrt %t : T",
    "tanh": "%t = math.tanh %a : T  %r = arith.maximumf %t, %b : T",
    "fma": "%r = math.fma %a, %b, %a : T",
    "round": "%f = math.floor %a : T  %g = math.roundeven %b : T  %r = arith.subf %f, %g : T",
}
INTEGERS = {
    "divide": "%q = arith.divsi %a, %b : T  %m = arith.remsi %a, %b : T  %r = arith.addi %q, %m : T",
    "shift": "%c = arith.constant 3 : T  %s = arith.shrsi %a, %c : T  %r = arith.xori %s, %b : T",
}


def check_elements(rng: np.random.Generator) -> None:
    for name, body in FLOATS.items():
        for dtype in ("f32", "bf16", "f16") if name != "fma" else ("f32", "f16"):
            x, y = (4 * rng.standard_normal(shape).astype(np.float32) for shape in ((5, 37), (37,)))
            x[0, :6] = [np.inf, -np.inf, np.nan, 0, -0.0, 1e-40]
            convert = {"f32": lambda v: v, "bf16": to_bf16, "f16": lambda v: v.astype(np.float16)}[dtype]
            inputs = {"x": convert(x), "y": convert(y)}
            units = UNITS.get(name, 0) if dtype == "f32" else 0
            check(f"{name} of {dtype}", elementwise(dtype, body.replace("T", dtype)), inputs, units=units)
    y = np.array([3, -7, 1e-30, np.inf, np.nan], np.float32)
    x = np.tile(np.float32([-0.0, 0, np.inf, -np.inf, np.nan, 1, -2.5, 1e30]), (5, 4))
    check("quotients by one divisor", QUOTIENTS, {"x": x, "y": y})
    for name, body in INTEGERS.items():
        for dtype, numpy_type in (("i32", np.int32), ("i64", np.int64)):
            x = rng.integers(-99, 99, (5, 37)).astype(numpy_type)
            y = rng.integers(1, 9, 37).astype(numpy_type)
            check(f"{name} of {dtype}", elementwise(dtype, body.replace("T", dtype)), {"x": x, "y": y})
    check("other chip", elementwise("f32", FLOATS["exp"].replace("T", "f32")), {"x": x.astype(np.float32), "y": y.astype(np.float32)}, chip=CHIPS[1], units=UNITS["exp"])
    check("no rows", elementwise("f32", FLOATS["exp"].replace("T", "f32")), {"x": np.zeros((0, 37), np.float32), "y": np.zeros(37, np.float32)})


COPIES = """
func.func @main(%x: tensor<?x4xf32> {nvfp4.name = "x", nvfp4.shape = ["n", 4]})
    -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x2x2xf32>, tensor<3x5xi32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %y = math.absf %x : tensor<?x4xf32>
  %z = tensor.expand_shape %x [[0], [1, 2]] output_shape [%n, 2, 2] : tensor<?x4xf32> into tensor<?x2x2xf32>
  %seven = arith.constant 7 : i32
  %empty = tensor.empty() : tensor<3x5xi32>
  %sevens = linalg.fill ins(%seven : i32) outs(%empty : tensor<3x5xi32>) -> tensor<3x5xi32>
  return %y, %y, %z, %sevens : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x2x2xf32>, tensor<3x5xi32>
}
"""

GATHER = """
#map = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
func.func @main(%ids: tensor<?xi64> {nvfp4.name = "ids", nvfp4.shape = ["n"]},
                %table: tensor<10x4xf32> {nvfp4.name = "table"}) -> (tensor<?x4xf32> {nvfp4.name = "y"}) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %ids, %c0 : tensor<?xi64>
  %empty = tensor.empty(%n) : tensor<?x4xf32>
  %y = linalg.generic {indexing_maps = [#row, #map], iterator_types = ["parallel", "parallel"]}
      ins(%ids : tensor<?xi64>) outs(%empty : tensor<?x4xf32>) {
  ^bb0(%id: i64, %out: f32):
    %i = arith.index_cast %id : i64 to index
    %j = linalg.index 1 : index
    %v = tensor.extract %table[%i, %j] : tensor<10x4xf32>
    linalg.yield %v : f32
  } -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
"""


def check_gather(rng: np.random.Generator) -> None:
    """Bad data ends as the same error on both devices, and the next run is good again."""
    table = rng.standard_normal((10, 4)).astype(np.float32)
    check("gather", GATHER, {"ids": np.array([3, 0, 9, 3], np.int64), "table": table})
    bad = temporary(".safetensors")
    write_safetensors(bad, {"ids": np.array([3, 10, 0], np.int64), "table": table})
    with group("bad index"):
        said = [
            call("nvfp4-run", compile_module(GATHER, f"--target={target}"), "--input", bad, "--output", temporary(), f"--device={device}", fails=True)
            for target, device in (("cpu", "cpu"), (CHIPS[0], "sim"))
        ]
        expect("bad index", said[0] == said[1] and "index out of range" in said[0], said)


UNTIED = """
func.func @main(%x: tensor<?xf32> {nvfp4.name = "x", nvfp4.shape = ["n"]}, %y: tensor<?xf32> {nvfp4.name = "y", nvfp4.shape = ["m"]})
    -> (tensor<?xf32> {nvfp4.name = "z"}) {
  %z = arith.addf %x, %y : tensor<?xf32>
  return %z : tensor<?xf32>
}
"""


def check_untied(rng: np.random.Generator) -> None:
    """Extents that must agree are compared before anything is launched."""
    x = rng.standard_normal(5).astype(np.float32)
    check("equal extents", UNTIED, {"x": x, "y": x})
    other = temporary(".safetensors")
    write_safetensors(other, {"x": x, "y": x[:3]})
    with group("other extents"):
        for target, device in (("cpu", "cpu"), (CHIPS[0], "sim")):
            said = call("nvfp4-run", compile_module(UNTIED, f"--target={target}"), "--input", other, "--output", temporary(), f"--device={device}", fails=True)
            expect(f"other extents on {device}", "expected dimension 0 of 'y' (m) to equal dimension 0 of 'x' (n)" in said, said)


SOFTMAX = """
#map = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
func.func @main(%x: tensor<?x200xf32> {nvfp4.name = "x", nvfp4.shape = ["n", 200]}) -> (tensor<?x200xf32> {nvfp4.name = "y"}) {
  %c0 = arith.constant 0 : index
  %low = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x200xf32>
  %rows = tensor.empty(%n) : tensor<?xf32>
  %all = tensor.empty(%n) : tensor<?x200xf32>
  %lows = linalg.fill ins(%low : f32) outs(%rows : tensor<?xf32>) -> tensor<?xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%rows : tensor<?xf32>) -> tensor<?xf32>
  %max = linalg.generic {indexing_maps = [#map, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x200xf32>) outs(%lows : tensor<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %m = arith.maximumf %a, %b : f32
    linalg.yield %m : f32
  } -> tensor<?xf32>
  %e = linalg.generic {indexing_maps = [#map, #row, #map], iterator_types = ["parallel", "parallel"]}
      ins(%x, %max : tensor<?x200xf32>, tensor<?xf32>) outs(%all : tensor<?x200xf32>) {
  ^bb0(%a: f32, %m: f32, %out: f32):
    %d = arith.subf %a, %m : f32
    %v = math.exp %d : f32
    linalg.yield %v : f32
  } -> tensor<?x200xf32>
  %sum = linalg.generic {indexing_maps = [#map, #row], iterator_types = ["parallel", "reduction"]}
      ins(%e : tensor<?x200xf32>) outs(%zeros : tensor<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<?xf32>
  %y = linalg.generic {indexing_maps = [#map, #row, #map], iterator_types = ["parallel", "parallel"]}
      ins(%e, %sum : tensor<?x200xf32>, tensor<?xf32>) outs(%all : tensor<?x200xf32>) {
  ^bb0(%a: f32, %s: f32, %out: f32):
    %q = arith.divf %a, %s : f32
    linalg.yield %q : f32
  } -> tensor<?x200xf32>
  return %y : tensor<?x200xf32>
}
"""

LINEAR = """
func.func @main(%x: tensor<?x96xf32> {nvfp4.name = "x", nvfp4.shape = ["n", 96]},
                %w: tensor<40x96xf32> {nvfp4.weight = "w"}) -> (tensor<?x40xf32> {nvfp4.name = "y"}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x96xf32>
  %flipped = tensor.empty() : tensor<96x40xf32>
  %t = linalg.transpose ins(%w : tensor<40x96xf32>) outs(%flipped : tensor<96x40xf32>) permutation = [1, 0]
  %init = tensor.empty(%n) : tensor<?x40xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%init : tensor<?x40xf32>) -> tensor<?x40xf32>
  %y = linalg.matmul ins(%x, %t : tensor<?x96xf32>, tensor<96x40xf32>) outs(%zeros : tensor<?x40xf32>) -> tensor<?x40xf32>
  return %y : tensor<?x40xf32>
}
"""


def check_linear(rng: np.random.Generator) -> None:
    weights = temporary(".safetensors")
    write_safetensors(weights, {"w": rng.standard_normal((40, 96)).astype(np.float32)})
    for rows in (0, 1, 7, 130):
        x = rng.standard_normal((rows, 96)).astype(np.float32)
        check(f"linear, {rows} rows", LINEAR, {"x": x}, "--policy=inference", f"--weights={weights}", tolerance=1e-5)


CONVOLUTION = """
func.func @main(%x: tensor<2x3x9x9xf32> {nvfp4.name = "x"}, %w: tensor<4x3x3x3xf32> {nvfp4.weight = "w"}) -> (tensor<2x4x4x4xf32> {nvfp4.name = "y"}) {
  %zero = arith.constant 0.0 : f32
  %init = tensor.empty() : tensor<2x4x4x4xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%init : tensor<2x4x4x4xf32>) -> tensor<2x4x4x4xf32>
  %y = linalg.conv_2d_nchw_fchw {strides = dense<2> : tensor<2xi64>} ins(%x, %w : tensor<2x3x9x9xf32>, tensor<4x3x3x3xf32>)
      outs(%zeros : tensor<2x4x4x4xf32>) -> tensor<2x4x4x4xf32>
  return %y : tensor<2x4x4x4xf32>
}
"""


def check_convolution(rng: np.random.Generator) -> None:
    weights = temporary(".safetensors")
    write_safetensors(weights, {"w": rng.standard_normal((4, 3, 3, 3)).astype(np.float32)})
    x = rng.standard_normal((2, 3, 9, 9)).astype(np.float32)
    check("convolution", CONVOLUTION, {"x": x}, "--policy=inference", f"--weights={weights}", tolerance=1e-6)


def check_errors() -> None:
    with group("wrong suffix"):
        source = temporary(".mlir")
        source.write_text(COPIES)
        said = call("nvfp4-compile", source, "--target=sm_120", "-o", temporary(), fails=True)
        expect("wrong suffix", "write 'sm_120a'" in said, said)
    with group("on the CPU"):
        package = compile_module(GATHER, f"--target={CHIPS[0]}")
        said = call("nvfp4-run", package, "--input", temporary(), fails=True)
        expect("on the CPU", "cuda" in said, said)


def main() -> None:
    rng = np.random.default_rng(7)
    check_elements(rng)
    check("copies", COPIES, {"x": rng.standard_normal((6, 4)).astype(np.float32)})
    check_gather(rng)
    check_untied(rng)
    check("softmax", SOFTMAX, {"x": 3 * rng.standard_normal((9, 200)).astype(np.float32)}, tolerance=1e-6)
    check_linear(rng)
    check_convolution(rng)
    check_errors()
    finish()


main()
