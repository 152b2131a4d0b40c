# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention in one kernel, of few rows and of many, in the simulator against NumPy: heads and keys of every size, a
mask, later keys that rows do not see, computed queries, another layout of the result, rows whose keys are all masked or
all but one, more keys than scores have room for; and scores that move between the products, which the kernel does not
compute.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from harness import call, compile_module, expect, finish, from_bf16, group, run, temporary, to_bf16

RNG = np.random.default_rng(11)
ORDERS = ("late", "early", "random:1")


@dataclass(frozen=True)
class Layer:
    """One attention; keys are dynamic, and the batch with `heads`."""

    heads: int
    rows: int
    size: int
    columns: int
    element: str = "bf16"
    # Queries are what an element-wise op gives, which becomes part of the kernel.
    scaled: bool = False
    # Rows see no key beyond their own number plus this.
    distance: int | None = None

    @property
    def is_narrow(self) -> bool:
        return self.element != "f32"

    def text(self) -> str:
        e, h, m, d, c = self.element, self.heads, self.rows, self.size, self.columns
        q, k, v = f"tensor<?x{h}x{m}x{d}x{e}>", f"tensor<?x{h}x?x{d}x{e}>", f"tensor<?x{h}x?x{c}x{e}>"
        mask, s, r = "tensor<?x?xf32>", f"tensor<?x{h}x{m}x?xf32>", f"tensor<?x{h}x{m}xf32>"
        p, o, y = f"tensor<?x{h}x{m}x?x{e}>", f"tensor<?x{h}x{m}x{c}xf32>", f"tensor<?x{m}x{h}x{c}xf32>"
        widen = f"%wide_a = arith.extf %a : {e} to f32 %wide_w = arith.extf %w : {e} to f32" if self.is_narrow else ""
        x, w = ("%wide_a", "%wide_w") if self.is_narrow else ("%a", "%w")
        narrow = f"%t = arith.truncf %r : f32 to {e} linalg.yield %t : {e}" if self.is_narrow else "linalg.yield %r : f32"
        full = "affine_map<(b, h, m, n) -> (b, h, m, n)>"
        row = "affine_map<(b, h, m, n) -> (b, h, m)>"
        parallel = '["parallel", "parallel", "parallel", "parallel"]'
        reduce = '["parallel", "parallel", "parallel", "reduction"]'
        product = '["parallel", "parallel", "parallel", "parallel", "reduction"]'
        scale_queries = ""
        if self.scaled:
            scale_queries = f"""
  %two = arith.constant 2.0 : {e}
  %eq = tensor.empty(%b) : {q}
  %queries = linalg.generic {{indexing_maps = [{full}, {full}], iterator_types = {parallel}}} ins(%q : {q}) outs(%eq : {q}) {{
    ^bb0(%a: {e}, %o: {e}):
      %m = arith.mulf %a, %two : {e}
      linalg.yield %m : {e}
  }} -> {q}"""
        queries = "%queries" if self.scaled else "%q"
        masked, late = "%masked", ""
        if self.distance is not None:
            masked = "%seen"
            late = f"""
  %distance = arith.constant {self.distance} : index
  %el = tensor.empty(%n) : tensor<{m}x?xi1>
  %late = linalg.generic {{indexing_maps = [affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}} outs(%el : tensor<{m}x?xi1>) {{
    ^bb0(%o: i1):
      %row = linalg.index 0 : index
      %key = linalg.index 1 : index
      %last = arith.addi %row, %distance : index
      %r = arith.cmpi sgt, %key, %last : index
      linalg.yield %r : i1
  }} -> tensor<{m}x?xi1>
  %seen = linalg.generic {{indexing_maps = [affine_map<(b, h, m, n) -> (m, n)>, {full}, {full}], iterator_types = {parallel}}}
      ins(%late, %masked : tensor<{m}x?xi1>, {s}) outs(%es : {s}) {{
    ^bb0(%w: i1, %a: f32, %o: f32):
      %r = arith.select %w, %low, %a : f32
      linalg.yield %r : f32
  }} -> {s}"""
        return f"""
func.func @main(%q: {q} {{nvfp4.name = "q", nvfp4.shape = ["b", {h}, {m}, {d}]}},
                %k: {k} {{nvfp4.name = "k", nvfp4.shape = ["b", {h}, "n", {d}]}},
                %v: {v} {{nvfp4.name = "v", nvfp4.shape = ["b", {h}, "n", {c}]}},
                %mask: {mask} {{nvfp4.name = "mask", nvfp4.shape = ["b", "n"]}})
    -> ({y} {{nvfp4.name = "y", nvfp4.shape = ["b", {m}, {h}, {c}]}}) {{
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %scale = arith.constant {d**-0.5:.8f} : f32
  %b = tensor.dim %k, %c0 : {k}
  %n = tensor.dim %k, %c2 : {k}
{scale_queries}
  %es = tensor.empty(%b, %n) : {s}
  %zs = linalg.fill ins(%zero : f32) outs(%es : {s}) -> {s}
  %s = linalg.generic {{indexing_maps = [affine_map<(b, h, m, n, d) -> (b, h, m, d)>, affine_map<(b, h, m, n, d) -> (b, h, n, d)>,
      affine_map<(b, h, m, n, d) -> (b, h, m, n)>], iterator_types = {product}}} ins({queries}, %k : {q}, {k}) outs(%zs : {s}) {{
    ^bb0(%a: {e}, %w: {e}, %o: f32):
      {widen}
      %m = arith.mulf {x}, {w} : f32
      %r = arith.addf %o, %m : f32
      linalg.yield %r : f32
  }} -> {s}
  %masked = linalg.generic {{indexing_maps = [{full}, affine_map<(b, h, m, n) -> (b, n)>, {full}], iterator_types = {parallel}}}
      ins(%s, %mask : {s}, {mask}) outs(%es : {s}) {{
    ^bb0(%a: f32, %w: f32, %o: f32):
      %m = arith.mulf %a, %scale : f32
      %r = arith.addf %m, %w : f32
      linalg.yield %r : f32
  }} -> {s}{late}
  %er = tensor.empty(%b) : {r}
  %lows = linalg.fill ins(%low : f32) outs(%er : {r}) -> {r}
  %zeros = linalg.fill ins(%zero : f32) outs(%er : {r}) -> {r}
  %max = linalg.generic {{indexing_maps = [{full}, {row}], iterator_types = {reduce}}} ins({masked} : {s}) outs(%lows : {r}) {{
    ^bb0(%a: f32, %o: f32):
      %m = arith.maximumf %a, %o : f32
      linalg.yield %m : f32
  }} -> {r}
  %e = linalg.generic {{indexing_maps = [{full}, {row}, {full}], iterator_types = {parallel}}} ins({masked}, %max : {s}, {r}) outs(%es : {s}) {{
    ^bb0(%a: f32, %w: f32, %o_: f32):
      %m = arith.subf %a, %w : f32
      %r = math.exp %m : f32
      linalg.yield %r : f32
  }} -> {s}
  %sum = linalg.generic {{indexing_maps = [{full}, {row}], iterator_types = {reduce}}} ins(%e : {s}) outs(%zeros : {r}) {{
    ^bb0(%a: f32, %o: f32):
      %m = arith.addf %a, %o : f32
      linalg.yield %m : f32
  }} -> {r}
  %ep = tensor.empty(%b, %n) : {p}
  %p = linalg.generic {{indexing_maps = [{full}, {row}, {full}], iterator_types = {parallel}}} ins(%e, %sum : {s}, {r}) outs(%ep : {p}) {{
    ^bb0(%a: f32, %w: f32, %o_: {e}):
      %r = arith.divf %a, %w : f32
      {narrow}
  }} -> {p}
  %eo = tensor.empty(%b) : {o}
  %zo = linalg.fill ins(%zero : f32) outs(%eo : {o}) -> {o}
  %o = linalg.generic {{indexing_maps = [affine_map<(b, h, m, c, n) -> (b, h, m, n)>, affine_map<(b, h, m, c, n) -> (b, h, n, c)>,
      affine_map<(b, h, m, c, n) -> (b, h, m, c)>], iterator_types = {product}}} ins(%p, %v : {p}, {v}) outs(%zo : {o}) {{
    ^bb0(%a: {e}, %w: {e}, %o_: f32):
      {widen}
      %m = arith.mulf {x}, {w} : f32
      %r = arith.addf %o_, %m : f32
      linalg.yield %r : f32
  }} -> {o}
  %ey = tensor.empty(%b) : {y}
  %y = linalg.transpose ins(%o : {o}) outs(%ey : {y}) permutation = [0, 2, 1, 3]
  return %y : {y}
}}"""


def check(layer: Layer, chip: str, batch: int, keys: int, order: str, package) -> None:
    """Every weight of many rows is rounded once, by half a unit of its type; logits and exponentials add less."""
    narrow = {"bf16": to_bf16, "f16": lambda x: x.astype(np.float16), "f32": lambda x: x}[layer.element]

    def draw(*shape):
        return narrow(RNG.standard_normal(shape).astype(np.float32))

    def wide(x):
        return (from_bf16(x) if layer.element == "bf16" else x).astype(np.float64)

    q = draw(batch, layer.heads, layer.rows, layer.size)
    k, v = draw(batch, layer.heads, keys, layer.size), draw(batch, layer.heads, keys, layer.columns)
    mask = np.where(RNG.random((batch, keys)) < 0.2, -np.inf, 0).astype(np.float32)
    mask[:, keys // 2 :][:, :1] = 0
    scores = np.einsum("bhmd,bhnd->bhmn", wide(q), wide(k)) * layer.size**-0.5 * (1 + layer.scaled) + mask[:, None, None]
    if layer.distance is not None:
        scores[:, :, np.arange(keys) > np.arange(layer.rows)[:, None] + layer.distance] = -np.inf
    with np.errstate(invalid="ignore"):
        weights = np.exp(scores - scores.max(-1, keepdims=True, initial=-np.inf))
        weights /= weights.sum(-1, keepdims=True)
    want = np.einsum("bhmn,bhnc->bmhc", weights, wide(v))
    got = run(package, {"q": q, "k": k, "v": v, "mask": mask}, options=["--device=sim", f"--async={order}"])["y"]
    unit = {"bf16": 2**-8, "f16": 2**-11, "f32": 0}[layer.element]
    bound = (unit + 2**-16) * np.einsum("bhmn,bhnc->bmhc", weights, np.abs(wide(v)))
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
    layers = {
        Layer(2, 1, 128, 128): ((1, 1), (2, 7), (1, 300)),
        Layer(3, 4, 64, 32, scaled=True): ((1, 5), (2, 131)),
        Layer(1, 2, 8, 16, "f32"): ((3, 40), (0, 5), (1, 33000)),
        Layer(2, 70, 64, 80): ((1, 1), (2, 131)),
        Layer(1, 130, 128, 64, scaled=True, distance=0): ((1, 200), (1, 0)),
        Layer(3, 9, 16, 32, "f16", distance=-2): ((1, 5), (2, 70)),
        Layer(1, 33, 48, 256, distance=70): ((1, 120),),
    }
    for number, (layer, sizes) in enumerate(layers.items()):
        for chip in ("sm_120a", "sm_90a"):
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
