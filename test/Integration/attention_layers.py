# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Modules of one attention with softmax: scaled scores, a mask that is added, and keys that come too late for a row."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Attention:
    """One attention; the batch and the number of keys are dynamic."""

    heads: int
    rows: int
    size: int
    columns: int
    element: str = "bf16"
    # Queries are what an element-wise op gives, which becomes part of the kernel.
    scaled: bool = False
    # Rows see no key beyond their own number plus this,
    distance: int | None = None
    # which is a number of so many bits, if any, read as unsigned or signed.
    bits: int | None = None
    is_signed: bool = False
    # So many heads share keys and values.
    sharing: int = 1

    @property
    def is_narrow(self) -> bool:
        return self.element != "f32"

    def repeat(self, name: str, source: str, narrow: str, wide: str) -> str:
        """Each head of keys or of values as often as heads share it."""
        apart = narrow.replace("x?x", f"x{self.sharing}x?x")
        return f"""
  %apart_{name}_init = tensor.empty(%b, %n) : {apart}
  %apart_{name} = linalg.broadcast ins({source} : {narrow}) outs(%apart_{name}_init : {apart}) dimensions = [2]
  %{name} = tensor.collapse_shape %apart_{name} [[0], [1, 2], [3], [4]] : {apart} into {wide}"""

    def compare(self) -> str:
        """Whether a key comes too late."""
        if self.bits is not None:
            return f"""%row_bits = arith.index_cast %row : index to i{self.bits}
      %last_bits = arith.addi %row_bits, %distance : i{self.bits}
      %last = arith.{"extsi" if self.is_signed else "extui"} %last_bits : i{self.bits} to i64
      %key_bits = arith.index_cast %key : index to i64
      %r = arith.cmpi sgt, %key_bits, %last : i64"""
        return """%last = arith.addi %row, %distance : index
      %r = arith.cmpi sgt, %key, %last : index"""

    def text(self) -> str:
        e, h, m, d, c = self.element, self.heads, self.rows, self.size, self.columns
        q, k, v = f"tensor<?x{h}x{m}x{d}x{e}>", f"tensor<?x{h}x?x{d}x{e}>", f"tensor<?x{h}x?x{c}x{e}>"
        few = h // self.sharing
        few_k, few_v = f"tensor<?x{few}x?x{d}x{e}>", f"tensor<?x{few}x?x{c}x{e}>"
        mask, s, r = f"tensor<?x{m}x?xf32>", f"tensor<?x{h}x{m}x?xf32>", f"tensor<?x{h}x{m}xf32>"
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
        keys, values = ("%keys", "%values") if self.sharing > 1 else ("%k", "%v")
        repeat = self.repeat("keys", "%k", few_k, k) + self.repeat("values", "%v", few_v, v) if self.sharing > 1 else ""
        masked, late = "%masked", ""
        if self.distance is not None:
            masked = "%seen"
            late = f"""
  %distance = arith.constant {self.distance} : {"index" if self.bits is None else f"i{self.bits}"}
  %el = tensor.empty(%n) : tensor<{m}x?xi1>
  %late = linalg.generic {{indexing_maps = [affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}} outs(%el : tensor<{m}x?xi1>) {{
    ^bb0(%o: i1):
      %row = linalg.index 0 : index
      %key = linalg.index 1 : index
      {self.compare()}
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
                %k: {few_k} {{nvfp4.name = "k", nvfp4.shape = ["b", {few}, "n", {d}]}},
                %v: {few_v} {{nvfp4.name = "v", nvfp4.shape = ["b", {few}, "n", {c}]}},
                %mask: {mask} {{nvfp4.name = "mask", nvfp4.shape = ["b", {m}, "n"]}})
    -> ({y} {{nvfp4.name = "y", nvfp4.shape = ["b", {m}, {h}, {c}]}}) {{
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %scale = arith.constant {d**-0.5:.8f} : f32
  %b = tensor.dim %k, %c0 : {few_k}
  %n = tensor.dim %k, %c2 : {few_k}
{scale_queries}{repeat}
  %es = tensor.empty(%b, %n) : {s}
  %zs = linalg.fill ins(%zero : f32) outs(%es : {s}) -> {s}
  %s = linalg.generic {{indexing_maps = [affine_map<(b, h, m, n, d) -> (b, h, m, d)>, affine_map<(b, h, m, n, d) -> (b, h, n, d)>,
      affine_map<(b, h, m, n, d) -> (b, h, m, n)>], iterator_types = {product}}} ins({queries}, {keys} : {q}, {k}) outs(%zs : {s}) {{
    ^bb0(%a: {e}, %w: {e}, %o: f32):
      {widen}
      %m = arith.mulf {x}, {w} : f32
      %r = arith.addf %o, %m : f32
      linalg.yield %r : f32
  }} -> {s}
  %masked = linalg.generic {{indexing_maps = [{full}, affine_map<(b, h, m, n) -> (b, m, n)>, {full}], iterator_types = {parallel}}}
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
      affine_map<(b, h, m, c, n) -> (b, h, m, c)>], iterator_types = {product}}} ins(%p, {values} : {p}, {v}) outs(%zo : {o}) {{
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
