# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# REQUIRES: numpy
# RUN: %python %s
"""Row kernels in the simulator against NumPy: chains of reductions on rows of every length."""

import numpy as np

from harness import from_bf16, to_bf16
from kernel_harness import Kernels

RNG = np.random.default_rng(7)
ATTRIBUTES = "attributes {nvfp4.kernel = [#nvfp4.kernel<row, threads = 128>]}"
FULL, ROW, COLUMN = ("affine_map<(d0, d1) -> (%s)>" % e for e in ("d0, d1", "d0", "d1"))


def generic(maps, reduces, ins, types, out, out_type, body):
    names = [f"%{n}: {t.split('x')[-1]}" for n, t in zip("abcdef", types)] + [f"%out: {out_type.split('x')[-1]}"]
    return f"""linalg.generic {{indexing_maps = [{", ".join(maps)}],
        iterator_types = ["parallel", "{"reduction" if reduces else "parallel"}"]}}
      ins({", ".join(ins)} : {", ".join(f"tensor<{t}>" for t in types)}) outs({out} : tensor<{out_type}>) {{
      ^bb0({", ".join(names)}):
        {body}
      }} -> tensor<{out_type}>"""


def softmax(name, columns):
    t = f"?x{columns}xf32"
    return f"""func.func @{name}(%x: tensor<{t}>, %i: tensor<{t}>) -> tensor<{t}> {ATTRIBUTES} {{
      %c0 = arith.constant 0 : index
      %low = arith.constant 0xFF800000 : f32
      %zero = arith.constant 0.0 : f32
      %d = tensor.dim %x, %c0 : tensor<{t}>
      %e = tensor.empty(%d) : tensor<?xf32>
      %lows = linalg.fill ins(%low : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
      %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
      %m = {generic([FULL, ROW], True, ["%x"], [t], "%lows", "?xf32",
                    "%r = arith.maximumf %a, %out : f32 linalg.yield %r : f32")}
      %p = {generic([FULL, ROW, FULL], False, ["%x", "%m"], [t, "?xf32"], "%i", t,
                    "%r = arith.subf %a, %b : f32 %q = math.exp %r : f32 linalg.yield %q : f32")}
      %s = {generic([FULL, ROW], True, ["%p"], [t], "%zeros", "?xf32",
                    "%r = arith.addf %out, %a : f32 linalg.yield %r : f32")}
      %y = {generic([FULL, ROW, FULL], False, ["%p", "%s"], [t, "?xf32"], "%i", t,
                    "%r = arith.divf %a, %b : f32 linalg.yield %r : f32")}
      return %y : tensor<{t}>
    }}"""


def layer_norm(name, columns, element):
    """Of x + residual, with the mean as a second result, on [batch, sequence, columns]."""
    t, e, f, flat = f"?x4x{columns}x{element}", f"?x4x{columns}xf32", f"?x{columns}xf32", f"?x{columns}x{element}"
    widen = "%w = arith.extf %a : bf16 to f32" if element == "bf16" else "%w = arith.mulf %a, %one : f32"
    return f"""func.func @{name}(%x: tensor<{t}>, %residual: tensor<{e}>, %scale: tensor<{columns}xf32>,
        %shift: tensor<{columns}xf32>, %i: tensor<{e}>, %j: tensor<?x4x1xf32>)
        -> (tensor<{e}>, tensor<?x4x1xf32>) {ATTRIBUTES} {{
      %c0 = arith.constant 0 : index
      %zero = arith.constant 0.0 : f32
      %one = arith.constant 1.0 : f32
      %n = arith.constant {columns}.0 : f32
      %eps = arith.constant 1.0e-5 : f32
      %xf = tensor.collapse_shape %x [[0, 1], [2]] : tensor<{t}> into tensor<{flat}>
      %rf = tensor.collapse_shape %residual [[0, 1], [2]] : tensor<{e}> into tensor<{f}>
      %d = tensor.dim %xf, %c0 : tensor<{flat}>
      %wide = tensor.empty(%d) : tensor<{f}>
      %thin = tensor.empty(%d) : tensor<?xf32>
      %zeros = linalg.fill ins(%zero : f32) outs(%thin : tensor<?xf32>) -> tensor<?xf32>
      %h = {generic([FULL] * 3, False, ["%xf", "%rf"], [flat, f], "%wide", f,
                    widen + " %r = arith.addf %w, %b : f32 linalg.yield %r : f32")}
      %s = {generic([FULL, ROW], True, ["%h"], [f], "%zeros", "?xf32",
                    "%r = arith.addf %a, %out : f32 linalg.yield %r : f32")}
      %m = {generic([ROW, ROW], False, ["%s"], ["?xf32"], "%thin", "?xf32",
                    "%r = arith.divf %a, %n : f32 linalg.yield %r : f32").replace("(d0, d1)", "(d0)").replace(', "parallel"', "")}
      %v = {generic([FULL, ROW, ROW], True, ["%h", "%m"], [f, "?xf32"], "%zeros", "?xf32",
                    "%c = arith.subf %a, %b : f32 %q = arith.mulf %c, %c : f32 %r = arith.addf %q, %out : f32 linalg.yield %r : f32")}
      %y = {generic([FULL, ROW, ROW, COLUMN, COLUMN, FULL], False, ["%h", "%m", "%v", "%scale", "%shift"],
                    [f, "?xf32", "?xf32", f"{columns}xf32", f"{columns}xf32"], "%wide", f,
                    '''%v0 = arith.divf %c, %n : f32 %v1 = arith.addf %v0, %eps : f32 %v2 = math.rsqrt %v1 : f32
                    %v3 = arith.subf %a, %b : f32 %v4 = arith.mulf %v3, %v2 : f32 %v5 = arith.mulf %v4, %d0 : f32
                    %v6 = arith.addf %v5, %e0 : f32 linalg.yield %v6 : f32''').replace("%d: f32", "%d0: f32").replace("%e: f32", "%e0: f32")}
      %batch = tensor.dim %x, %c0 : tensor<{t}>
      %z = tensor.expand_shape %y [[0, 1], [2]] output_shape [%batch, 4, {columns}] : tensor<{f}> into tensor<{e}>
      %mean = tensor.expand_shape %m [[0, 1, 2]] output_shape [%batch, 4, 1] : tensor<?xf32> into tensor<?x4x1xf32>
      return %z, %mean : tensor<{e}>, tensor<?x4x1xf32>
    }}"""


def reduce(name, element, op, start, columns):
    t = f"?x{columns}x{element}"
    start = start if element == "i1" else f"{start} : {element}"
    return f"""func.func @{name}(%x: tensor<{t}>, %i: tensor<?x{element}>) -> tensor<?x{element}> {ATTRIBUTES} {{
      %start = arith.constant {start}
      %init = linalg.fill ins(%start : {element}) outs(%i : tensor<?x{element}>) -> tensor<?x{element}>
      %y = {generic([FULL, ROW], True, ["%x"], [t], "%init", f"?x{element}",
                    f"%r = {op} %a, %out : {element} linalg.yield %r : {element}")}
      return %y : tensor<?x{element}>
    }}"""


def full(name, element, op, start):
    """Everything, to a scalar."""
    return f"""func.func @{name}(%x: tensor<?x32x{element}>, %i: tensor<{element}>) -> tensor<{element}> {ATTRIBUTES} {{
      %start = arith.constant {start} : {element}
      %init = linalg.fill ins(%start : {element}) outs(%i : tensor<{element}>) -> tensor<{element}>
      %y = linalg.generic {{indexing_maps = [{FULL}, affine_map<(d0, d1) -> ()>], iterator_types = ["reduction", "reduction"]}}
          ins(%x : tensor<?x32x{element}>) outs(%init : tensor<{element}>) {{
        ^bb0(%a: {element}, %out: {element}):
          %r = {op} %a, %out : {element}
          linalg.yield %r : {element}
      }} -> tensor<{element}>
      return %y : tensor<{element}>
    }}"""


# What torch-mlir makes of a maximum: the position, which nobody reads, comes with it.
ARGMAX = f"""func.func @argmax(%x: tensor<?x48xf32>, %i: tensor<?xf32>) -> tensor<?xf32> {ATTRIBUTES} {{
  %c0 = arith.constant 0 : index
  %low = arith.constant 0xFF800000 : f32
  %none = arith.constant 0 : i64
  %d = tensor.dim %x, %c0 : tensor<?x48xf32>
  %e = tensor.empty(%d) : tensor<?xi64>
  %lows = linalg.fill ins(%low : f32) outs(%i : tensor<?xf32>) -> tensor<?xf32>
  %nones = linalg.fill ins(%none : i64) outs(%e : tensor<?xi64>) -> tensor<?xi64>
  %m:2 = linalg.generic {{indexing_maps = [{FULL}, {ROW}, {ROW}], iterator_types = ["parallel", "reduction"]}}
      ins(%x : tensor<?x48xf32>) outs(%lows, %nones : tensor<?xf32>, tensor<?xi64>) {{
    ^bb0(%a: f32, %out: f32, %at: i64):
      %k = linalg.index 1 : index
      %p = arith.index_cast %k : index to i64
      %r = arith.maximumf %a, %out : f32
      %g = arith.cmpf ogt, %a, %out : f32
      %q = arith.select %g, %p, %at : i64
      linalg.yield %r, %q : f32, i64
  }} -> (tensor<?xf32>, tensor<?xi64>)
  return %m#0 : tensor<?xf32>
}}"""

LENGTHS = (1, 7, 48, 384, 1536, 6000)
REDUCTIONS = {
    # name: element, op, start, NumPy, values
    "sum_i32": ("i32", "arith.addi", 5, lambda x: x.sum(1, dtype=np.int32) + np.int32(5)),
    "max_i64": ("i64", "arith.maxsi", -(2**63), lambda x: x.max(1)),
    "min_i8": ("i8", "arith.minsi", 127, lambda x: x.min(1)),
    "all_i1": ("i1", "arith.andi", "true", lambda x: x.all(1)),
    "any_i1": ("i1", "arith.ori", "false", lambda x: x.any(1)),
    "max_f64": ("f64", "arith.maximumf", "0xFFF0000000000000", lambda x: x.max(1)),
    "min_f16": ("f16", "arith.minimumf", "0x7C00", lambda x: x.min(1)),
}
DTYPES = {"i1": np.bool_, "i8": np.int8, "i32": np.int32, "i64": np.int64, "f16": np.float16, "f32": np.float32, "f64": np.float64}

functions = [softmax(f"softmax_{k}", k) for k in LENGTHS] + [softmax("softmax_dynamic", "?"), ARGMAX]
functions += [layer_norm(f"norm_{k}_{e}", k, e) for k in LENGTHS for e in ("f32", "bf16")]
functions += [reduce(f"{n}_{k}", *r[:3], k) for n, r in REDUCTIONS.items() for k in (7, 1536)]
functions += [full("full_max", "i64", "arith.maxsi", -(2**63)), full("full_sum", "f32", "arith.addf", "0.0")]
kernels = Kernels("\n".join(functions))


def near(name, result, expected, scale=4e-6):
    error = np.abs(result - expected).max(initial=0)
    assert result.shape == expected.shape and error <= scale, (name, error)


def check_softmax(name, rows, columns):
    x = (RNG.standard_normal((rows, columns)) * 3).astype(np.float32)
    p = np.exp((x - x.max(1, keepdims=True)).astype(np.float64))
    (y,) = kernels.run(name, [x], [(x.shape, np.float32)])
    near((name, rows), y, p / p.sum(1, keepdims=True), 2e-7)


def check_norm(columns, element, batch):
    x, r = (RNG.standard_normal((batch, 4, columns)).astype(np.float32) for _ in range(2))
    scale, shift = (RNG.standard_normal(columns).astype(np.float32) for _ in range(2))
    bits = to_bf16(x) if element == "bf16" else x
    h = (from_bf16(bits) if element == "bf16" else x).astype(np.float64) + r
    mean = h.mean(2, keepdims=True)
    expected = (h - mean) / np.sqrt(h.var(2, keepdims=True) + 1e-5) * scale + shift
    name = f"norm_{columns}_{element}"
    y, m = kernels.run(name, [bits, r, scale, shift], [(x.shape, np.float32), ((batch, 4, 1), np.float32)])
    near((name, batch), m, mean, 2e-6)
    if columns > 1:
        near((name, batch), y, expected, 2e-5)


for k in LENGTHS:
    for rows in (0, 1, 5, 130) if k == 48 else (6,) if k < 6000 else (2,):
        check_softmax(f"softmax_{k}", rows, k)
    for element in ("f32", "bf16"):
        check_norm(k, element, 1 if k > 384 else 3)
for k in (1, 31, 100):
    check_softmax("softmax_dynamic", 5, k)

for name, (element, _, _, expect) in REDUCTIONS.items():
    for k in (7, 1536):
        low, high = (0, 2) if element == "i1" else (-100, 100)
        x = RNG.integers(low, high, (9, k)).astype(DTYPES[element])
        if element == "i1":
            x[:4] = name.startswith("all")
        (y,) = kernels.run(f"{name}_{k}", [x], [((9,), x.dtype)])
        assert np.array_equal(y, expect(x)), (name, k, y)

x = RNG.standard_normal((6, 48)).astype(np.float32)
(y,) = kernels.run("argmax", [x], [((6,), np.float32)])
assert np.array_equal(y, x.max(1))
for rows in (0, 1, 33):
    x = RNG.integers(-(2**40), 2**40, (rows, 32))
    (y,) = kernels.run("full_max", [x], [((), np.int64)])
    assert y == x.max(initial=-(2**63)), (rows, y)
    x = RNG.standard_normal((rows, 32)).astype(np.float32)
    (y,) = kernels.run("full_sum", [x], [((), np.float32)])
    near(("full_sum", rows), y, x.sum(dtype=np.float64), 2e-5)
    (again,) = kernels.run("full_sum", [x], [((), np.float32)], "--async=random:3")
    assert y.tobytes() == again.tobytes()
