# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention in one kernel, of few rows and of many, in the simulator against NumPy: heads and keys of every size, a
mask, later keys that rows do not see, computed queries, shared keys, another layout of the result, rows whose keys are
all masked or all but the first or the last one, more keys than scores have room for; and scores that move between the
products, which the kernel does not compute.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import numpy as np
from attention_layers import Attention
from harness import call, compile_module, expect, finish, from_bf16, group, run, temporary, to_bf16

RNG = np.random.default_rng(11)
ORDERS = ("late", "early", "random:1")


def check(layer: Attention, chip: str, batch: int, keys: int, order: str, package) -> None:
    """Every weight of many rows is rounded once, by half a unit of its type; logits and exponentials add less."""
    narrow = {"bf16": to_bf16, "f16": lambda x: x.astype(np.float16), "f32": lambda x: x}[layer.element]

    def draw(*shape):
        return narrow(RNG.standard_normal(shape).astype(np.float32))

    def wide(x):
        return (from_bf16(x) if layer.element == "bf16" else x).astype(np.float64)

    heads = layer.heads // layer.sharing
    q = draw(batch, layer.heads, layer.rows, layer.size)
    k, v = draw(batch, heads, keys, layer.size), draw(batch, heads, keys, layer.columns)
    mask = np.where(RNG.random((batch, layer.rows, keys)) < 0.2, -np.inf, 0).astype(np.float32)
    mask[..., keys // 2 :][..., :1] = 0
    if layer.rows > 3 and keys > 0:
        # Of the last rows, which see the most keys: none, the first key, and the last one.
        mask[:, -3:] = -np.inf
        mask[:, -2, 0] = mask[:, -1, -1] = 0
    many_k, many_v = (np.repeat(wide(x), layer.sharing, axis=1) for x in (k, v))
    scores = np.einsum("bhmd,bhnd->bhmn", wide(q), many_k) * layer.size**-0.5 * (1 + layer.scaled) + mask[:, None]
    if layer.distance is not None:
        last = np.arange(layer.rows) + layer.distance
        if layer.bits is not None:
            lowest = -(2 ** (layer.bits - 1)) if layer.is_signed else 0
            last = (last - lowest) % 2**layer.bits + lowest
        scores[:, :, np.arange(keys) > last[:, None]] = -np.inf
    with np.errstate(invalid="ignore"):
        weights = np.exp(scores - scores.max(-1, keepdims=True, initial=-np.inf))
        weights /= weights.sum(-1, keepdims=True)
    want = np.einsum("bhmn,bhnc->bmhc", weights, many_v)
    got = run(package, {"q": q, "k": k, "v": v, "mask": mask}, options=["--device=sim", f"--async={order}"])["y"]
    unit = {"bf16": 2**-8, "f16": 2**-11, "f32": 0}[layer.element]
    bound = (unit + 2**-16) * np.einsum("bhmn,bhnc->bmhc", weights, np.abs(many_v))
    with np.errstate(invalid="ignore"):
        fits = (np.isnan(got) & np.isnan(want)) | (np.abs(got - want) <= bound)
    wrong = np.argwhere(~fits)[:3]
    expect(f"{layer}, {chip}, {batch} x {keys} keys, {order}", got.shape == want.shape and not len(wrong),
           [(tuple(at), got[tuple(at)], want[tuple(at)], bound[tuple(at)]) for at in wrong])


# For scores [3, 2, 32] of h, m, n: what gives %t, its shape, and the dimensions of %t and of the result.
MOVES = {
    "transpose": (
        """%et = tensor.empty() : tensor<2x3x32xf32>
  %t = linalg.transpose ins(%s : tensor<3x2x32xf32>) outs(%et : tensor<2x3x32xf32>) permutation = [1, 0, 2]""",
        (2, 3, 32), "m, h, n", "m, h, c"),
    "permuted generic": (
        """%et = tensor.empty() : tensor<2x3x32xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(m, h, n) -> (h, m, n)>, affine_map<(m, h, n) -> (m, h, n)>],
      iterator_types = ["parallel", "parallel", "parallel"]} ins(%s : tensor<3x2x32xf32>) outs(%et : tensor<2x3x32xf32>) {
    ^bb0(%a: f32, %o: f32):
      %r = arith.addf %a, %a : f32
      linalg.yield %r : f32
  } -> tensor<2x3x32xf32>""",
        (2, 3, 32), "m, h, n", "m, h, c"),
    "reshape": (
        """%flat = tensor.collapse_shape %s [[0], [1, 2]] : tensor<3x2x32xf32> into tensor<3x64xf32>
  %split = tensor.expand_shape %flat [[0], [1, 2]] output_shape [3, 32, 2] : tensor<3x64xf32> into tensor<3x32x2xf32>
  %et = tensor.empty() : tensor<3x2x32xf32>
  %t = linalg.transpose ins(%split : tensor<3x32x2xf32>) outs(%et : tensor<3x2x32xf32>) permutation = [0, 2, 1]""",
        (3, 2, 32), "h, m, n", "h, m, c"),
    "order of the result": (
        """%et = tensor.empty() : tensor<3x2x32xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(h, m, n) -> (h, m, n)>, affine_map<(h, m, n) -> (h, m, n)>],
      iterator_types = ["parallel", "parallel", "parallel"]} ins(%s : tensor<3x2x32xf32>) outs(%et : tensor<3x2x32xf32>) {
    ^bb0(%a: f32, %o: f32):
      %r = arith.addf %a, %a : f32
      linalg.yield %r : f32
  } -> tensor<3x2x32xf32>""",
        (3, 2, 32), "h, m, n", "m, h, c"),
}


def move(name: str, scores: np.ndarray) -> np.ndarray:
    """What MOVES computes, in NumPy."""
    if name == "reshape":
        return scores.reshape(3, 32, 2).transpose(0, 2, 1)
    factor = 1 if name == "transpose" else 2
    return factor * (scores if name == "order of the result" else scores.transpose(1, 0, 2))


def moved_text(name: str) -> str:
    ops, shape, dims, result = MOVES[name]
    t, r = (f"tensor<{'x'.join(map(str, s))}xf32>" for s in (shape, shape[:-1]))
    y = f"tensor<{'2x3' if result.startswith('m') else '3x2'}x16xf32>"
    q, k, s = "tensor<3x2x16xf32>", "tensor<3x32x16xf32>", "tensor<3x2x32xf32>"
    full, row = "affine_map<(i, j, n) -> (i, j, n)>", "affine_map<(i, j, n) -> (i, j)>"

    def product(lhs: str, rhs: str, out: str, loops: str) -> str:
        maps = ", ".join(f"affine_map<({loops}) -> ({dims})>" for dims in (lhs, rhs, out))
        return f"""linalg.generic {{indexing_maps = [{maps}],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]}}"""

    multiply = """{
    ^bb0(%a: f32, %w: f32, %o: f32):
      %m = arith.mulf %a, %w : f32
      %r = arith.addf %o, %m : f32
      linalg.yield %r : f32
  }"""
    return f"""
func.func @main(%q: {q} {{nvfp4.name = "q"}}, %k: {k} {{nvfp4.name = "k"}}, %v: {k} {{nvfp4.name = "v"}})
    -> ({y} {{nvfp4.name = "y"}}) {{
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %es = tensor.empty() : {s}
  %zs = linalg.fill ins(%zero : f32) outs(%es : {s}) -> {s}
  %s = {product("h, m, d", "h, n, d", "h, m, n", "h, m, n, d")} ins(%q, %k : {q}, {k}) outs(%zs : {s}) {multiply} -> {s}
  {ops}
  %er = tensor.empty() : {r}
  %lows = linalg.fill ins(%low : f32) outs(%er : {r}) -> {r}
  %max = linalg.generic {{indexing_maps = [{full}, {row}], iterator_types = ["parallel", "parallel", "reduction"]}}
      ins(%t : {t}) outs(%lows : {r}) {{
    ^bb0(%a: f32, %o: f32):
      %m = arith.maximumf %a, %o : f32
      linalg.yield %m : f32
  }} -> {r}
  %ep = tensor.empty() : {t}
  %p = linalg.generic {{indexing_maps = [{full}, {row}, {full}], iterator_types = ["parallel", "parallel", "parallel"]}}
      ins(%t, %max : {t}, {r}) outs(%ep : {t}) {{
    ^bb0(%a: f32, %w: f32, %o: f32):
      %m = arith.subf %a, %w : f32
      %r = math.exp %m : f32
      linalg.yield %r : f32
  }} -> {t}
  %ey = tensor.empty() : {y}
  %zy = linalg.fill ins(%zero : f32) outs(%ey : {y}) -> {y}
  %y = {product(dims, "h, n, c", result, "h, m, c, n")} ins(%p, %v : {t}, {k}) outs(%zy : {y}) {multiply} -> {y}
  return %y : {y}
}}"""


def check_moved(name: str, chip: str) -> None:
    """Values are those of the graph, in however many kernels."""
    q, k, v = (RNG.standard_normal(shape).astype(np.float32) for shape in ((3, 2, 16), (3, 32, 16), (3, 32, 16)))
    scores = move(name, np.einsum("hmd,hnd->hmn", q.astype(np.float64), k))
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    labels = [dims.replace(", ", "") for dims in MOVES[name][2:]]
    want = np.einsum(f"{labels[0]},hnc->{labels[1]}", weights, v)
    package = compile_module(moved_text(name), f"--target={chip}", "--policy=none")
    got = run(package, {"q": q, "k": k, "v": v}, options=["--device=sim"])["y"]
    error = np.abs(got - want).max() / np.abs(want).max()
    expect(f"{name}, {chip}", got.shape == want.shape and error <= 1e-4, error)


def main() -> None:
    for name in MOVES:
        with group(name):
            check_moved(name, "sm_120a")
    chips = ("sm_120a", "sm_90a")
    layers = {
        Attention(2, 1, 128, 128): (chips, ((1, 1), (2, 7), (1, 300))),
        Attention(3, 4, 64, 32, scaled=True): (chips, ((1, 5), (2, 131))),
        Attention(1, 2, 8, 16, "f32"): (chips, ((3, 40), (0, 5), (1, 33000))),
        Attention(2, 70, 64, 80): (chips, ((1, 1), (2, 131))),
        Attention(1, 130, 128, 64, scaled=True, distance=0): (chips, ((1, 200), (1, 0))),
        Attention(3, 9, 16, 32, "f16", distance=-2): (chips, ((1, 5), (2, 70))),
        Attention(1, 33, 48, 256, distance=70): (chips, ((1, 120),)),
        # Numbers that wrap: the first two rows see all keys.
        Attention(1, 9, 16, 16, distance=-2, bits=32): (chips[:1], ((1, 130),)),
        # Rows from 3 on see none.
        Attention(1, 9, 16, 16, distance=2**31 - 3, bits=32, is_signed=True): (chips[:1], ((1, 130),)),
        # Rows from 156 on see few.
        Attention(1, 160, 16, 16, distance=100, bits=8): (chips[:1], ((1, 270),)),
        Attention(2, 20, 256, 256, distance=0, sharing=2): ((*chips, "sm_100a"), ((1, 70),)),
        Attention(2, 40, 80, 80): ((*chips, "sm_100a"), ((1, 130),)),
    }
    for number, (layer, (targets, sizes)) in enumerate(layers.items()):
        for chip in targets:
            with group(f"{layer}, {chip}"):
                package = compile_module(layer.text(), f"--target={chip}", "--policy=none")
                ptx = temporary(".ptx")
                source = temporary(".mlir")
                source.write_text(layer.text())
                call("nvfp4-compile", source, "--quiet", "--emit=ptx", f"--target={chip}", "--policy=none", "-o", ptx)
                entries = ptx.read_text().count(".entry")
                expect(f"{layer}, {chip}: one kernel", entries == 1, entries)
                for batch, keys in sizes:
                    for order in ORDERS if keys < 100 else ORDERS[number % 3 :][:1]:
                        check(layer, chip, batch, keys, order, package)
    finish()


main()
