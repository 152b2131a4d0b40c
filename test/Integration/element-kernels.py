# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# REQUIRES: numpy
# RUN: %python %s
"""Element kernels in the simulator against NumPy: every op that the element evaluator follows."""

import numpy as np

from harness import to_bf16
from kernel_harness import Kernels

ID = "affine_map<(d0, d1) -> (d0, d1)>"
KERNEL = "attributes {nvfp4.kernel = [#nvfp4.kernel<element, threads = 64>]}"
RNG = np.random.default_rng(5)


def generic(maps, iterators, ins, in_types, out, out_type, body):
    """A linalg.generic of one result; its block arguments are %a, %b, … and %out for the init."""
    arguments = [f"%{n}: {t.split('x')[-1]}" for n, t in zip("abcdef", in_types)] + [f"%out: {out_type.split('x')[-1]}"]
    types = ", ".join(f"tensor<{t}>" for t in in_types)
    ins = f"ins({', '.join(ins)} : {types})" if ins else ""
    return f"""linalg.generic {{indexing_maps = [{", ".join(maps)}], iterator_types = [{", ".join(f'"{i}"' for i in iterators)}]}}
      {ins} outs({out} : tensor<{out_type}>) {{
      ^bb0({", ".join(arguments)}):
        {body}
      }} -> tensor<{out_type}>"""


def function(name, inputs, outputs, body):
    arguments = [f"%x{i}: tensor<{t}>" for i, t in enumerate(inputs)]
    arguments += [f"%i{i}: tensor<{t}>" for i, t in enumerate(outputs)]
    results = ", ".join(f"tensor<{t}>" for t in outputs)
    results = results if len(outputs) == 1 else f"({results})"
    return f"func.func @{name}({', '.join(arguments)}) -> {results} {KERNEL} {{\n{body}\n}}"


FUNCTIONS = []
CASES = []


def case(name, inputs, outputs, body, expect, *shapes):
    """`shapes`: of the inputs, once per run."""
    FUNCTIONS.append(function(name, inputs, outputs, body))
    CASES.append((name, inputs, outputs, expect, shapes))


def make(type_, shape):
    element = type_.split("x")[-1]
    if element == "bf16":
        return to_bf16(RNG.standard_normal(shape).astype(np.float32))
    if element == "i1":
        return RNG.integers(0, 2, shape).astype(np.bool_)
    if element.startswith("i"):
        return RNG.integers(-100, 100, shape).astype(np.dtype(f"int{element[1:]}"))
    return RNG.standard_normal(shape).astype(np.dtype(f"float{element[1:]}"))


# Every element type, static and dynamic extents, tails.
for element, op in {
    "f32": "arith.addf",
    "f16": "arith.addf",
    "f64": "arith.addf",
    "i8": "arith.addi",
    "i32": "arith.addi",
    "i64": "arith.addi",
}.items():
    for extent, columns in (("48", 48), ("7", 7), ("?", 5), ("1", 1)):
        t = f"?x{extent}x{element}"
        body = f"""%y = {generic([ID] * 3, ["parallel"] * 2, ["%x0", "%x1"], [t, t], "%i0", t,
            f"%s = {op} %a, %b : {element} linalg.yield %s : {element}")}
            return %y : tensor<{t}>"""
        rows = (0, 1, 130) if element == "f32" else (9,)
        shapes = [((m, columns), (m, columns)) for m in rows]
        case(f"add_{element}_{columns}", [t, t], [t], body, lambda a, b: [a + b], *shapes)

# bf16 rounds as the CPU does; i1 is a byte.
t = "?x24xbf16"
body = f"""%y = {generic([ID, ID], ["parallel"] * 2, ["%x0"], [t], "%i0", "?x24xf32",
    "%w = arith.extf %a : bf16 to f32 linalg.yield %w : f32")}
  %n = {generic([ID, ID], ["parallel"] * 2, ["%y"], ["?x24xf32"], "%i1", t,
    '''%k = arith.constant 1.1 : f32
    %p = arith.mulf %a, %k : f32
    %q = arith.truncf %p : f32 to bf16 linalg.yield %q : bf16''')}
  return %y, %n : tensor<?x24xf32>, tensor<?x24xbf16>"""


def widen(a):
    return (a.astype(np.uint32) << 16).view(np.float32)


case("bf16", [t], ["?x24xf32", t], body,
     lambda a: [widen(a), to_bf16(widen(a) * np.float32(1.1))], ((33, 24),))

body = f"""%y = {generic([ID] * 4, ["parallel"] * 2, ["%x0", "%x1", "%x1"], ["?x32xi1", "?x32xf32", "?x32xf32"], "%i0", "?x32xf32",
    '''%n = arith.negf %b : f32
    %s = arith.select %a, %b, %n : f32 linalg.yield %s : f32''')}
  %l = {generic([ID, ID], ["parallel"] * 2, ["%x1"], ["?x32xf32"], "%i1", "?x32xi1",
    '''%k = arith.constant 0.0 : f32
    %s = arith.cmpf olt, %a, %k : f32 linalg.yield %s : i1''')}
  return %y, %l : tensor<?x32xf32>, tensor<?x32xi1>"""
case("masks", ["?x32xi1", "?x32xf32"], ["?x32xf32", "?x32xi1"], body,
     lambda a, b: [np.where(a, b, -b), b < 0], ((3, 32), (3, 32)))

# Broadcasts of a row, a column, a scalar; named ops.
t = "?x20xf32"
body = f"""%y = {generic([ID, "affine_map<(d0, d1) -> (d1)>", "affine_map<(d0, d1) -> (d0, 0)>", "affine_map<(d0, d1) -> ()>", ID],
    ["parallel"] * 2, ["%x0", "%x1", "%x2", "%x3"], [t, "20xf32", "?x1xf32", "f32"], "%i0", t,
    '''%p = arith.mulf %a, %b : f32
    %q = arith.addf %p, %c : f32
    %r = arith.subf %q, %d : f32 linalg.yield %r : f32''')}
  return %y : tensor<{t}>"""
case("broadcasts", [t, "20xf32", "?x1xf32", "f32"], [t], body,
     lambda a, b, c, d: [a * b + c - d], ((6, 20), (20,), (6, 1), ()))

body = """%c = arith.constant 2.5 : f32
  %e = tensor.empty() : tensor<8x12xf32>
  %f = linalg.fill ins(%c : f32) outs(%e : tensor<8x12xf32>) -> tensor<8x12xf32>
  %b = linalg.broadcast ins(%x1 : tensor<12xf32>) outs(%e : tensor<8x12xf32>) dimensions = [0]
  %p = linalg.mul ins(%f, %b : tensor<8x12xf32>, tensor<8x12xf32>) outs(%e : tensor<8x12xf32>) -> tensor<8x12xf32>
  %t = linalg.transpose ins(%x0 : tensor<12x8xf32>) outs(%e : tensor<8x12xf32>) permutation = [1, 0]
  %y = linalg.map { arith.addf } ins(%p, %t : tensor<8x12xf32>, tensor<8x12xf32>) outs(%i0 : tensor<8x12xf32>)
  return %y : tensor<8x12xf32>"""
case("named", ["12x8xf32", "12xf32"], ["8x12xf32"], body,
     lambda a, b: [a.T + np.float32(2.5) * b], ((12, 8), (12,)))

# A permutation that keeps the last dimension, through reshapes with a dynamic batch.
body = """%c0 = arith.constant 0 : index
  %d = tensor.dim %x0, %c0 : tensor<?x4x24xf32>
  %s = tensor.expand_shape %x0 [[0], [1], [2, 3]] output_shape [%d, 4, 3, 8] : tensor<?x4x24xf32> into tensor<?x4x3x8xf32>
  %e = tensor.empty(%d) : tensor<?x3x4x8xf32>
  %t = linalg.transpose ins(%s : tensor<?x4x3x8xf32>) outs(%e : tensor<?x3x4x8xf32>) permutation = [0, 2, 1, 3]
  %y = tensor.collapse_shape %t [[0, 1], [2, 3]] : tensor<?x3x4x8xf32> into tensor<?x32xf32>
  return %y : tensor<?x32xf32>"""
case("heads", ["?x4x24xf32"], ["?x32xf32"], body,
     lambda a: [a.reshape(-1, 4, 3, 8).transpose(0, 2, 1, 3).reshape(-1, 32)], ((5, 4, 24),), ((1, 4, 24),))

# Gathers: rows of a table, and single elements.
body = f"""%y = {generic(["affine_map<(d0, d1) -> (d0)>", ID], ["parallel"] * 2, ["%x0"], ["?xi64"], "%i0", "?x16xf32",
    '''%r = arith.index_cast %a : i64 to index
    %k = linalg.index 1 : index
    %v = tensor.extract %x1[%r, %k] : tensor<10x16xf32> linalg.yield %v : f32''')}
  %t = {generic(["affine_map<(d0, d1) -> (d0)>", ID], ["parallel"] * 2, ["%x0"], ["?xi64"], "%i1", "?x10xf32",
    '''%r = arith.index_cast %a : i64 to index
    %k = linalg.index 1 : index
    %v = tensor.extract %x1[%k, %r] : tensor<10x16xf32> linalg.yield %v : f32''')}
  return %y, %t : tensor<?x16xf32>, tensor<?x10xf32>"""
FUNCTIONS.append(function("gather", ["?xi64", "10x16xf32"], ["?x16xf32", "?x10xf32"], body))

# Views with edges: slices, pads, concatenations, aligned to runs and not.
body = """%s = tensor.extract_slice %x0[1, 4] [3, 16] [1, 1] : tensor<6x24xf32> to tensor<3x16xf32>
  %u = tensor.extract_slice %x0[0, 3] [3, 16] [2, 1] : tensor<6x24xf32> to tensor<3x16xf32>
  %v = tensor.extract_slice %x0[5, 0] [1, 16] [1, 1] : tensor<6x24xf32> to tensor<16xf32>
  %b = linalg.broadcast ins(%v : tensor<16xf32>) outs(%i0 : tensor<3x16xf32>) dimensions = [0]
  %p = linalg.add ins(%s, %u : tensor<3x16xf32>, tensor<3x16xf32>) outs(%i0 : tensor<3x16xf32>) -> tensor<3x16xf32>
  %y = linalg.sub ins(%p, %b : tensor<3x16xf32>, tensor<3x16xf32>) outs(%i0 : tensor<3x16xf32>) -> tensor<3x16xf32>
  return %y : tensor<3x16xf32>"""
case("slices", ["6x24xf32"], ["3x16xf32"], body,
     lambda a: [a[1:4, 4:20] + a[0:6:2, 3:19] - a[5, :16]], ((6, 24),))
body = """%c = arith.constant -1.5 : f32
  %y = tensor.pad %x0 low[1, 4] high[0, 8] { ^bb0(%a: index, %b: index): tensor.yield %c : f32 } : tensor<?x12xf32> to tensor<?x24xf32>
  %z = tensor.pad %x0 low[0, 1] high[0, 3] { ^bb0(%a: index, %b: index): tensor.yield %c : f32 } : tensor<?x12xf32> to tensor<?x16xf32>
  return %y, %z : tensor<?x24xf32>, tensor<?x16xf32>"""
case("pads", ["?x12xf32"], ["?x24xf32", "?x16xf32"], body,
     lambda a: [np.pad(a, ((1, 0), (4, 8)), constant_values=-1.5), np.pad(a, ((0, 0), (1, 3)), constant_values=-1.5)],
     ((4, 12),))
body = """%y = tensor.concat dim(1) %x0, %x1, %x0 : (tensor<?x4xf32>, tensor<?x8xf32>, tensor<?x4xf32>) -> tensor<?x16xf32>
  %z = tensor.concat dim(0) %x0, %x0 : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y, %z : tensor<?x16xf32>, tensor<?x4xf32>"""
case("concats", ["?x4xf32", "?x8xf32"], ["?x16xf32", "?x4xf32"], body,
     lambda a, b: [np.concatenate([a, b, a], 1), np.concatenate([a, a], 0)], ((3, 4), (3, 8)))
body = """%y = tensor.insert_slice %x0 into %x1[2, 3] [2, 5] [1, 1] : tensor<2x5xf32> into tensor<6x12xf32>
  return %y : tensor<6x12xf32>"""


def insert(a, b):
    b = b.copy()
    b[2:4, 3:8] = a
    return [b]


case("insert", ["2x5xf32", "6x12xf32"], ["6x12xf32"], body, insert, ((2, 5), (6, 12)))

# Constants, positions, arithmetic on tensors, scalars of the body.
body = f"""%k = arith.constant dense<[1.0, 2.0, 4.0, 8.0]> : tensor<4xf32>
  %two = arith.constant dense<2.0> : tensor<6x4xf32>
  %m = arith.mulf %x0, %two : tensor<6x4xf32>
  %c1 = arith.constant 1 : index
  %s = tensor.extract %x1[%c1] : tensor<3xf32>
  %y = {generic([ID, "affine_map<(d0, d1) -> (d1)>", ID], ["parallel"] * 2, ["%m", "%k"], ["6x4xf32", "4xf32"], "%i0", "6x4xf32",
    '''%i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %n = affine.apply affine_map<(d0, d1) -> (d0 * 10 + d1 mod 3)>(%i, %j)
    %h = arith.index_cast %n : index to i32
    %f = arith.sitofp %h : i32 to f32
    %p = arith.mulf %a, %b : f32
    %q = arith.addf %p, %f : f32
    %r = arith.addf %q, %s : f32 linalg.yield %r : f32''')}
  return %y : tensor<6x4xf32>"""
case("constants", ["6x4xf32", "3xf32"], ["6x4xf32"], body,
     lambda a, b: [(a * 2) * np.float32([1, 2, 4, 8]) + (np.arange(6)[:, None] * 10 + np.arange(4) % 3).astype(np.float32) + b[1]],
     ((6, 4), (3,)))

# Affine maps of inputs: strides and sums of loops.
body = f"""%y = {generic(["affine_map<(d0, d1) -> (d0 * 2 + 1, d1)>", "affine_map<(d0, d1) -> (d1 * 2)>", "affine_map<(d0, d1) -> (d0 + d1)>", ID],
    ["parallel"] * 2, ["%x0", "%x1", "%x2"], ["8x12xf32", "24xf32", "15xf32"], "%i0", "4x12xf32",
    '''%p = arith.addf %a, %b : f32
    %q = arith.addf %p, %c : f32 linalg.yield %q : f32''')}
  return %y : tensor<4x12xf32>"""
case("maps", ["8x12xf32", "24xf32", "15xf32"], ["4x12xf32"], body,
     lambda a, b, c: [a[1::2] + b[::2] + c[np.arange(4)[:, None] + np.arange(12)]], ((8, 12), (24,), (15,)))

# Sums of one thread, in the order of the loops.
t = "?x20xf32"
body = f"""%c = arith.constant 0.0 : f32
  %z = linalg.fill ins(%c : f32) outs(%i0 : tensor<?xf32>) -> tensor<?xf32>
  %y = {generic([ID, "affine_map<(d0, d1) -> (d0)>"], ["parallel", "reduction"], ["%x0"], [t], "%z", "?xf32",
    "%s = arith.addf %a, %out : f32 linalg.yield %s : f32")}
  %w = linalg.fill ins(%c : f32) outs(%i1 : tensor<20xf32>) -> tensor<20xf32>
  %v = {generic([ID, "affine_map<(d0, d1) -> (d1)>"], ["reduction", "parallel"], ["%x0"], [t], "%w", "20xf32",
    "%s = arith.addf %a, %out : f32 linalg.yield %s : f32")}
  return %y, %v : tensor<?xf32>, tensor<20xf32>"""


def sums(a):
    rows, columns = np.zeros(len(a), np.float32), np.zeros(20, np.float32)
    for j in range(20):
        rows = a[:, j] + rows
    for i in range(len(a)):
        columns = a[i] + columns
    return [rows, columns]


case("sums", [t], ["?xf32", "20xf32"], body, sums, ((7, 20),))
body = """%c = arith.constant 0.0 : f32
  %z = linalg.fill ins(%c : f32) outs(%i0 : tensor<?x5xf32>) -> tensor<?x5xf32>
  %y = linalg.matmul ins(%x0, %x1 : tensor<?x9xf32>, tensor<9x5xf32>) outs(%z : tensor<?x5xf32>) -> tensor<?x5xf32>
  return %y : tensor<?x5xf32>"""


def product(a, b):
    sum_ = np.zeros((len(a), 5), np.float32)
    for k in range(9):
        sum_ = sum_ + a[:, k, None] * b[k]
    return [sum_]


case("matmul", ["?x9xf32", "9x5xf32"], ["?x5xf32"], body, product, ((4, 9), (9, 5)))

kernels = Kernels("\n".join(FUNCTIONS))
for name, inputs, outputs, expect, runs in CASES:
    for shapes in runs:
        arrays = [make(t, shape) for t, shape in zip(inputs, shapes, strict=True)]
        expected = expect(*arrays)
        results = kernels.run(name, arrays, [(e.shape, e.dtype) for e in expected])
        for number, (result, value) in enumerate(zip(results, expected, strict=True)):
            assert result.dtype == value.dtype, (name, result.dtype, value.dtype)
            if not np.array_equal(result, value):
                raise AssertionError(f"{name} {shapes}, result {number}: {result} instead of {value}")

table, rows = make("f32", (10, 16)), np.array([3, 0, 9, 9], np.int64)
y, t = kernels.run("gather", [rows, table], [((4, 16), np.float32), ((4, 10), np.float32)])
assert np.array_equal(y, table[rows]) and np.array_equal(t, table[:, rows].T)
