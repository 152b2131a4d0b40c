# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention of few rows in one kernel, in the simulator against NumPy: heads and keys of every size, a mask, computed
queries, another layout of the result, rows whose keys are all masked but one, more keys than scores have room for.

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

    def text(self) -> str:
        e, h, m, d, c = self.element, self.heads, self.rows, self.size, self.columns
        q, k, v = f"tensor<?x{h}x{m}x{d}x{e}>", f"tensor<?x{h}x?x{d}x{e}>", f"tensor<?x{h}x?x{c}x{e}>"
        mask, s, r = "tensor<?x?xf32>", f"tensor<?x{h}x{m}x?xf32>", f"tensor<?x{h}x{m}xf32>"
        p, o, y = f"tensor<?x{h}x{m}x?x{e}>", f"tensor<?x{h}x{m}x{c}xf32>", f"tensor<?x{m}x{h}x{c}xf32>"
        widen = "%wide_a = arith.extf %a : bf16 to f32 %wide_w = arith.extf %w : bf16 to f32" if e == "bf16" else ""
        x, w = ("%wide_a", "%wide_w") if e == "bf16" else ("%a", "%w")
        narrow = "%t = arith.truncf %r : f32 to bf16 linalg.yield %t : bf16" if e == "bf16" else "linalg.yield %r : f32"
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
  }} -> {s}
  %er = tensor.empty(%b) : {r}
  %lows = linalg.fill ins(%low : f32) outs(%er : {r}) -> {r}
  %zeros = linalg.fill ins(%zero : f32) outs(%er : {r}) -> {r}
  %max = linalg.generic {{indexing_maps = [{full}, {row}], iterator_types = {reduce}}} ins(%masked : {s}) outs(%lows : {r}) {{
    ^bb0(%a: f32, %o: f32):
      %m = arith.maximumf %a, %o : f32
      linalg.yield %m : f32
  }} -> {r}
  %e = linalg.generic {{indexing_maps = [{full}, {row}, {full}], iterator_types = {parallel}}} ins(%masked, %max : {s}, {r}) outs(%es : {s}) {{
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
    def draw(*shape):
        values = RNG.standard_normal(shape).astype(np.float32)
        return to_bf16(values) if layer.element == "bf16" else values

    def wide(x):
        return (from_bf16(x) if layer.element == "bf16" else x).astype(np.float64)

    q = draw(batch, layer.heads, layer.rows, layer.size)
    k, v = draw(batch, layer.heads, keys, layer.size), draw(batch, layer.heads, keys, layer.columns)
    mask = np.where(RNG.random((batch, keys)) < 0.2, -np.inf, 0).astype(np.float32)
    mask[:, keys // 2 :][:, :1] = 0
    scores = np.einsum("bhmd,bhnd->bhmn", wide(q), wide(k)) * layer.size**-0.5 * (1 + layer.scaled) + mask[:, None, None]
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    want = np.einsum("bhmn,bhnc->bmhc", weights, wide(v))
    got = run(package, {"q": q, "k": k, "v": v, "mask": mask}, options=["--device=sim", f"--async={order}"])["y"]
    error = np.abs(got - want).max(initial=0) / np.abs(want).max(initial=1e-9)
    limit = 5e-3 if layer.element == "bf16" else 1e-5
    expect(f"{layer}, {chip}, {batch} x {keys} keys, {order}", got.shape == want.shape and error <= limit, error)


def main() -> None:
    layers = {
        Layer(2, 1, 128, 128): ((1, 1), (2, 7), (1, 300)),
        Layer(3, 4, 64, 32, scaled=True): ((1, 5), (2, 131)),
        Layer(1, 2, 8, 16, "f32"): ((3, 40), (0, 5), (1, 33000)),
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
