# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Matmul kernels of 16-bit units: plain bf16 and f16 operands, and block-scaled weights that are decoded."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from matmul_cases import BLOCK, EXACT, VALUES, Matmul, corpus
from register_weights import codes_in_registers, scales_in_registers
from corpus import E2M1, F32, Close, from_bf16, pack_nibbles, tile_scales, to_bf16

PLAIN = "threads = 128, tile = 64x64x64, warps = 2x2x1, stages = 3"
PLAIN_SMALL = "threads = 128, tile = 16x32x128, warps = 1x1x4, stages = 2, swapped = true"
WEIGHTS = "threads = 128, tile = 64x64x64, warps = 2x2x1, stages = 3"
WEIGHTS_SMALL = "threads = 128, tile = 16x64x256, warps = 1x1x4, stages = 2, swapped = true"
# A warpgroup copies, one or two multiply.
WARPGROUPS = "threads = 384, tile = 256x128x64, warps = 1x8x1, stages = 3, swapped = true"
WARPGROUPS_SMALL = "threads = 256, tile = 64x128x64, warps = 4x1x1, stages = 4"
# e8m0: a tile of scales covers K = 128.
MX_WEIGHTS = "threads = 128, tile = 64x64x128, warps = 2x2x1, stages = 2"
MX_WEIGHTS_SMALL = "threads = 128, tile = 16x64x512, warps = 1x1x4, stages = 2, swapped = true"
# In tensor memory: operands of 16 bits, few rows of them in the unit's columns, and weights that are decoded to shared
# memory, on the unit's rows.
TENSOR_WIDE = "threads = 288, tile = 128x256x64, warps = 4x1x1, stages = 3"
TENSOR_FEW = "threads = 288, tile = 64x128x64, warps = 1x4x1, stages = 4, swapped = true"
TENSOR_DECODED = "threads = 288, tile = 256x128x64, warps = 1x4x1, stages = 3, swapped = true"


def convert(values: np.ndarray, element: str) -> np.ndarray:
    """f32 as it lies in memory."""
    return {"bf16": to_bf16, "f16": lambda x: x.astype(np.float16), "f32": lambda x: x.astype(F32)}[element](values)


def get_tile(schedule: str) -> tuple[int, int, int]:
    return tuple(int(x) for x in re.search(r"tile = (\d+)x(\d+)x(\d+)", schedule).groups())


@dataclass(frozen=True)
class FloatMatmul:
    """D[batch, M, N] = C + A[batch, M, K] B[batch, N, K]^T, all extents static but M, or as `dynamic` says."""

    n: int
    k: int
    batch: int = 0
    rhs_batched: bool = True
    element: str = "bf16"
    # Orders of dimensions: "mk" or "km", "nk" or "kn".
    lhs: str = "mk"
    rhs: str = "nk"
    has_init: bool = False
    # What operands are in memory: computed ones cannot be copied.
    source: str = ""
    dynamic: str = "m"
    # Where M is not dynamic.
    m: int = 0
    result: str = "f32"
    schedule: str = PLAIN
    chip: str = "sm_120a"

    @property
    def name(self) -> str:
        words = [self.element, self.source, self.lhs, self.rhs, f"N={self.n} K={self.k} batch={self.batch}"]
        return " ".join([*filter(None, words), "init" if self.has_init else "", self.schedule[20:]])

    def _dims(self, order: str, batched: bool) -> list[str]:
        return (["b"] if self.batch and batched else []) + list(order)

    def _type(self, dims: list[str], element: str) -> str:
        extents = {"b": self.batch, "n": self.n, "k": self.k, "m": self.m}
        return "tensor<" + "".join(f"{'?' if d in self.dynamic else extents[d]}x" for d in dims) + f"{element}>"

    def _arguments(self) -> list[tuple[str, list[str], str]]:
        source = self.source or self.element
        arguments = [
            ("a", self._dims(self.lhs, True), source),
            ("b", self._dims(self.rhs, self.rhs_batched), source),
        ]
        if self.has_init:
            arguments.append(("c", self._dims("mn", True), "f32"))
        return arguments + [("d", self._dims("mn", True), self.result)]

    def _converted(self, name: str, dims: list[str]) -> str:
        """An operand that is computed from an argument."""
        source, target = self._type(dims, self.source), self._type(dims, self.element)
        loops = ", ".join(f"d{i}" for i in range(len(dims)))
        identity = f"affine_map<({loops}) -> ({loops})>"
        text, sizes = "", []
        for i, dim in enumerate(dims):
            if dim in self.dynamic:
                text += f"  %{name}c{i} = arith.constant {i} : index\n"
                text += f"  %{name}s{i} = tensor.dim %{name}, %{name}c{i} : {source}\n"
                sizes.append(f"%{name}s{i}")
        parallel = ", ".join(['"parallel"'] * len(dims))
        return text + (
            f"  %{name}e = tensor.empty({', '.join(sizes)}) : {target}\n"
            f"  %{name}x = linalg.generic {{indexing_maps = [{identity}, {identity}], iterator_types = [{parallel}]}}\n"
            f"      ins(%{name} : {source}) outs(%{name}e : {target}) {{\n"
            f"  ^bb0(%v: {self.source}, %w: {self.element}):\n"
            f"    %t = arith.truncf %v : {self.source} to {self.element}\n    linalg.yield %t : {self.element}\n"
            f"  }} -> {target}\n"
        )

    def text(self) -> str:
        arguments = self._arguments()
        types = {name: self._type(dims, element) for name, dims, element in arguments}
        sums = self._type(self._dims("mn", True), "f32")
        loops = self._dims("mnk", True)
        of = lambda dims: "(" + ", ".join(f"d{loops.index(d)}" for d in dims) + ")"
        every = of(loops)
        maps = ", ".join(f"affine_map<{every} -> {of(dims)}>" for dims in (arguments[0][1], arguments[1][1], self._dims("mn", True)))
        iterators = ", ".join(['"reduction"' if d == "k" else '"parallel"' for d in loops])
        operands = [f"%{name}{'x' if self.source else ''}" for name in "ab"]
        inner = [self._type(arguments[i][1], self.element) for i in range(2)]
        before = "".join(self._converted(*arguments[i][:2]) for i in range(2)) if self.source else ""
        start = "%c"
        empty = "%d"
        if self.result != "f32":
            i = len(loops) - 3
            before += f"  %ci = arith.constant {i} : index\n  %rows = tensor.dim %d, %ci : {types['d']}\n"
            before += f"  %wide = tensor.empty(%rows) : {sums}\n"
            empty = "%wide"
        if not self.has_init:
            before += f"  %zero = arith.constant 0.0 : f32\n  %fill = linalg.fill ins(%zero : f32) outs({empty} : {sums}) -> {sums}\n"
            start = "%fill"
        after, value = "", "%r"
        if self.result != "f32":
            dims = ", ".join(f"d{i}" for i in range(len(loops) - 1))
            identity = f"affine_map<({dims}) -> ({dims})>"
            parallel = ", ".join(['"parallel"'] * (len(loops) - 1))
            after = (
                f"  %q = linalg.generic {{indexing_maps = [{identity}, {identity}], iterator_types = [{parallel}]}}\n"
                f"      ins(%r : {sums}) outs(%d : {types['d']}) {{\n  ^bb0(%v: f32, %w: {self.result}):\n"
                f"    %t = arith.truncf %v : f32 to {self.result}\n    linalg.yield %t : {self.result}\n  }} -> {types['d']}\n"
            )
            value = "%q"
        signature = ", ".join(f"%{name}: {type}" for name, type in types.items())
        buffers = signature.replace("tensor", "memref")
        inputs = ", ".join(f"%{name}" for name, _, _ in arguments[:-1])
        input_types = ", ".join(types[name].replace("tensor", "memref") for name, _, _ in arguments[:-1])
        return f"""module @kernels {{
func.func @mm({signature}) -> {types['d']}
    attributes {{nvfp4.kernel = [#nvfp4.kernel<matmul, {self.schedule}>]}} {{
{before}  %r = linalg.generic {{indexing_maps = [{maps}], iterator_types = [{iterators}]}}
      ins({operands[0]}, {operands[1]} : {inner[0]}, {inner[1]}) outs({start} : {sums}) {{
  ^bb0(%x: {self.element}, %y: {self.element}, %s: f32):
    %xw = arith.extf %x : {self.element} to f32
    %yw = arith.extf %y : {self.element} to f32
    %p = arith.mulf %xw, %yw : f32
    %sum = arith.addf %s, %p : f32
    linalg.yield %sum : f32
  }} -> {sums}
{after}  return {value} : {types['d']}
}}
}}
func.func @main({buffers}) {{
  nvfp4.dispatch @kernels::@mm ins({inputs} : {input_types}) outs(%d : {types['d'].replace("tensor", "memref")})
  return
}}
"""

    def case(self, rng, m: int) -> corpus.Case:
        slices = self.batch or 1
        # Small integers: every order of sums is exact.
        a = rng.integers(-4, 5, (slices, m, self.k)).astype(F32)
        b = rng.integers(-4, 5, (slices if self.rhs_batched else 1, self.n, self.k)).astype(F32)
        value = a @ b.transpose(0, 2, 1)
        turn = lambda x, order: x if order[1] == "k" else np.ascontiguousarray(x.transpose(0, 2, 1))
        source = self.source or self.element
        inputs = {"a": convert(turn(a, self.lhs), source), "b": convert(turn(b, self.rhs), source)}
        if self.has_init:
            inputs["c"] = rng.integers(-9, 10, value.shape).astype(F32)
            value = value + inputs["c"]
        args, extents = [], []
        known = {"b": self.batch, "m": m, "n": self.n, "k": self.k}
        for name, dims, _ in self._arguments():
            args.append(name)
            extents += [np.int64(known[d]) for d in dims if d in self.dynamic]
        tile_m, tile_n, _ = get_tile(self.schedule)
        grid = -(-m // tile_m) * -(-self.n // tile_n) * slices
        threads = int(re.search(r"threads = (\d+)", self.schedule).group(1))
        if self.chip == "sm_90a":
            # Blocks that compute several tiles, and blocks without any.
            grid = 3
        expected = {"d": convert(value, self.result)}
        case = corpus.Case(f"M={m}", "mm", (grid,), (threads,), args + extents, inputs, expected)
        if "clusters = 2" in self.schedule:
            # One pair, which computes several tiles.
            case.grid = case.cluster = (2, 1, 1)
        return case


@dataclass(frozen=True)
class WeightOnly(Matmul):
    """D[batch, M, N] = A[batch, M, K] B[N, K]^T with plain A and block-scaled B."""

    activations: str = "f32"
    # Rows of A are one-hot: results are the weights themselves.
    one_hot: bool = False
    # All scale bytes whose products are finite in turn; no batch.
    every_scale: bool = False

    @property
    def name(self) -> str:
        return f"{self.activations} x {super().name}"

    def operand(self, rng, rows: int, batched: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if not self.every_scale:
            return super().operand(rng, rows, batched)
        block = BLOCK[self.form]
        codes = rng.integers(0, 16, (1, rows, self.k)).astype(np.uint8)
        # Below 2^126 for e8m0, and below NaN for e4m3.
        count = {"nvfp4": 0x7F, "mxfp4": 253}[self.form]
        scales = np.arange(rows * -(-self.k // block)).reshape(1, rows, -1) % count
        dense = E2M1[codes].astype(np.float64) * VALUES[self.form][scales].astype(np.float64).repeat(block, 2)[..., : self.k]
        packed = np.zeros((1, rows, self.pitch), np.uint8)
        packed[..., : self.k // 2] = pack_nibbles(codes)
        return packed, tile_scales(scales[0].astype(np.uint8))[None], dense

    def text(self) -> str:
        lead = "".join(f"{x}x" for x in self.lead)
        tiles = -(-(-(-self.k // BLOCK[self.form])) // 4) * 512
        rlead = lead if self.rhs_batched else ""
        arguments = [
            ("a", f"tensor<{lead}?x{self.k}x{self.activations}>"),
            ("bc", f"tensor<{rlead}{self.n}x{self.pitch}xi8>"),
            ("bs", f"tensor<{rlead}{-(-self.n // 128) * tiles}xi8>"),
        ]
        if self.form == "nvfp4":
            arguments.append(("bg", "tensor<f32>"))
        result = f"tensor<{lead}?x{self.n}x{self.element}>"
        signature = ", ".join(f"%{name}: {type}" for name, type in [*arguments, ("d", result)])
        names = ", ".join(f"%{name}" for name, _ in arguments)
        types = ", ".join(type for _, type in arguments)
        return f"""module @kernels {{
func.func @mm({signature}) -> {result}
    attributes {{nvfp4.kernel = [#nvfp4.kernel<matmul, {self.schedule}>]}} {{
  %r = nvfp4.scaled_matmul rhs !nvfp4.tensor<{rlead}{self.n}x{self.k}, {self.form}, layout = tiled>
      ins({names} : {types}) outs(%d : {result}) -> {result}
  return %r : {result}
}}
}}
func.func @main({signature.replace("tensor", "memref")}) {{
  nvfp4.dispatch @kernels::@mm ins({names} : {types.replace("tensor", "memref")}) outs(%d : {result.replace("tensor", "memref")})
  return
}}
"""

    def case(self, rng, m: int) -> corpus.Case:
        slices = self.batch or 1
        bc, bs, b = self.operand(rng, self.n, self.rhs_batched)
        # Quarters with 7 significant bits survive bf16, and all sums of powers-of-two scales are exact.
        a = rng.integers(-64, 65, (slices, m, self.k)).astype(F32) / F32(4)
        if self.one_hot:
            a = np.zeros_like(a)
            a[:, np.arange(m), np.arange(m) % self.k] = 1
        inputs = {"a": convert(a, self.activations), "bc": bc, "bs": bs}
        alpha = F32(1)
        if self.form == "nvfp4":
            inputs["bg"] = F32(2.0) ** rng.integers(-3, 4, 1).astype(F32)
            alpha = inputs["bg"][0] * (F32(1) / F32(6 * 448))
        sums = a.astype(np.float64) @ b.transpose(0, 2, 1)
        value = sums.astype(F32) * alpha
        stored = convert(value, self.element)
        expected = stored
        if self.any_scale and not self.one_hot:
            magnitude = (np.abs(a) @ np.abs(b).transpose(0, 2, 1) * alpha).max(initial=0.0)
            expected = Close(value, 2.0**-22, self.k * 2.0**-25 * magnitude)
        args = [*inputs, "d", np.int64(m), np.int64(m)]
        tile_m, tile_n, _ = self.tile
        grid = -(-m // tile_m) * -(-self.n // tile_n) * slices
        grid = min(grid, self.blocks or grid)
        return corpus.Case(f"M={m}", "mm", (grid,), (self.threads,), args, inputs, {"d": expected})


@dataclass(frozen=True)
class RegisterWeights(WeightOnly):
    """The same with weights in the layout of registers, which warpgroups decode."""

    chip: str = "sm_90a"

    @property
    def tiles(self) -> int:
        return -(-self.n // 64) * -(-self.k // 128)

    def text(self) -> str:
        text = super().text().replace("layout = tiled", "layout = registers")
        rlead = "".join(f"{x}x" for x in self.lead) if self.rhs_batched else ""
        for name, of_tile in ("bc", 4096), ("bs", 512):
            text = re.sub(rf"(%{name}: (?:tensor|memref)<)[^>]*>", rf"\g<1>{rlead}{self.tiles * of_tile}xi8>", text)
        old = re.search(r"ins\(%a, [^:]*: ([^)]*)\) outs", super().text())[1].split(", ")
        new = [old[0], f"tensor<{rlead}{self.tiles * 4096}xi8>", f"tensor<{rlead}{self.tiles * 512}xi8>", *old[3:]]
        for kind in "tensor", "memref":
            text = text.replace(", ".join(old).replace("tensor", kind), ", ".join(new).replace("tensor", kind))
        return text

    def operand(self, rng, rows: int, batched: bool):
        slices = (self.batch or 1) if batched else 1
        block = BLOCK[self.form]
        codes = rng.integers(0, 16, (slices, rows, self.k)).astype(np.uint8)
        scales = rng.choice(EXACT[self.form], (slices, rows, -(-self.k // block))).astype(np.uint8)
        dense = E2M1[codes].astype(np.float64) * VALUES[self.form][scales].astype(np.float64).repeat(block, 2)[..., : self.k]
        stored = scales.repeat(block // 16, 2)[..., : -(-self.k // 16)]
        packed = [np.stack([pack(x) for x in part]) for pack, part in ((codes_in_registers, codes), (scales_in_registers, stored))]
        return packed[0], packed[1], dense

    def case(self, rng, m: int) -> corpus.Case:
        case = super().case(rng, m)
        case.grid = (3,)
        return case
