# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random programs, compiled for the CPU and for a chip, agree.

A program is a chain of element-wise ops, views, permutations, normalisations, sums and products, with some of what lies
between as results too. What only computes element by element agrees bit for bit. Sums agree within their rounding; what
is rounded to fewer bits after a sum may come out as the neighbour, so bounds grow with what a chain has seen.

    gpu-random.py --seeds 0:500         more programs; a failure names its seed
    gpu-random.py --seeds 7:8 --print   one of them, printed

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

import numpy as np
from harness import compile_module, expect, expect_bytes, finish, from_bf16, group, run, temporary, to_bf16, write_safetensors

CHIPS = ("sm_120a", "sm_121a")
EXTENTS = (1, 2, 3, 4, 7, 8, 16, 32, 33, 64, 96, 129)
ROWS = (0, 1, 3, 17)
UNARY = (
    "%r = math.tanh %a : T",
    "%r = math.absf %a : T",
    "%c = arith.constant 1.5 : T  %m = arith.mulf %a, %c : T  %r = arith.addf %m, %a : T",
    "%c = arith.constant 0.0 : T  %r = arith.maximumf %a, %c : T",
    "%n = arith.negf %a : T  %e = math.exp %n : T  %c = arith.constant 1.0 : T  %s = arith.addf %e, %c : T  %r = arith.divf %a, %s : T",
    "%e = math.erf %a : T  %r = arith.mulf %a, %e : T",
    "%c = arith.constant 0.0 : T  %p = arith.cmpf ogt, %a, %c : T  %m = arith.negf %a : T  %r = arith.select %p, %a, %m : T",
)
BINARY = ("addf", "subf", "mulf", "maximumf", "minimumf")
# Precision of a product, and the level of its result if its left operand is exact.
PRECISIONS = {
    None: 1,
    "bf16": 2,
    "nvfp4": 1,
    "nvfp4, activations = dynamic<tensor>": 1,
    "mxfp4": 1,
    "nvfp4_weight_only": 2,
    "mxfp4_weight_only": 2,
}
# Functions that use a device's instruction for powers of two.
APPROXIMATE = ("math.exp", "math.tanh", "math.erf")
# By level: computed element by element; with sums or such functions; rounded to 16 bits after a sum; to 4 bits after a sum.
EXACT, SUM, ROUNDED, FLIPPED = range(4)
TOLERANCES = (0, 2e-4, 6e-2, None)


@dataclass(frozen=True)
class Tensor:
    name: str
    shape: tuple[object, ...]  # "?" is the number of rows
    dtype: str
    level: int = EXACT

    @property
    def type(self) -> str:
        return f"tensor<{''.join(f'{extent}x' for extent in self.shape)}{self.dtype}>"


def store(values: np.ndarray, dtype: str) -> np.ndarray:
    return {"f32": values, "bf16": to_bf16(values), "f16": values.astype(np.float16)}[dtype]


def load(values: np.ndarray) -> np.ndarray:
    return (from_bf16(values) if values.dtype == np.uint16 else values).astype(np.float64)


def affine(rank: int, dims: list[object]) -> str:
    return f"affine_map<({', '.join(f'd{i}' for i in range(rank))}) -> ({', '.join(map(str, dims))})>"


class Program:
    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.count, self.lines, self.arguments = 0, [], []
        self.inputs: list[Tensor] = []
        self.weights: dict[str, np.ndarray] = {}
        self.products = 0

    def pick(self, options):
        return options[self.rng.integers(len(options))]

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.rng.standard_normal(shape).astype(np.float32)

    # -- Text -----------------------------------------------------------------

    def name(self) -> str:
        self.count += 1
        return f"%v{self.count}"

    def emit(self, text: str, shape, dtype: str, level: int) -> Tensor:
        result = Tensor(self.name(), tuple(shape), dtype, level)
        self.lines.append(f"{result.name} = {text}")
        return result

    def add_input(self, shape, dtype: str) -> Tensor:
        tensor = Tensor(f"%in{len(self.inputs)}", tuple(shape), dtype)
        extents = ", ".join('"n"' if extent == "?" else str(extent) for extent in shape)
        self.arguments.append(f'{tensor.name}: {tensor.type} {{nvfp4.name = "in{len(self.inputs)}", nvfp4.shape = [{extents}]}}')
        self.inputs.append(tensor)
        return tensor

    def add_weight(self, shape, dtype: str) -> Tensor:
        tensor = Tensor(f"%w{len(self.weights)}", tuple(shape), dtype)
        self.arguments.append(f'{tensor.name}: {tensor.type} {{nvfp4.weight = "w{len(self.weights)}"}}')
        self.weights[f"w{len(self.weights)}"] = store(self.values(shape), dtype)
        return tensor

    def empty(self, shape, dtype: str) -> Tensor:
        sizes = ", ".join("%rows" for extent in shape if extent == "?")
        return self.emit(f"tensor.empty({sizes}) : {Tensor('', tuple(shape), dtype).type}", shape, dtype, EXACT)

    def fill(self, value: str, shape, dtype: str) -> Tensor:
        empty, scalar = self.empty(shape, dtype), self.name()
        self.lines.append(f"{scalar} = arith.constant {value} : {dtype}")
        return self.emit(f"linalg.fill ins({scalar} : {dtype}) outs({empty.name} : {empty.type}) -> {empty.type}", shape, dtype, EXACT)

    def generic(self, operands: list[Tensor], maps: list[list], init: Tensor, out: list, body: str, level: int) -> Tensor:
        """A loop over the dims of the first operand. %a, %b are the operands' elements, %o the result's."""
        rank = len(maps[0])
        kinds = ", ".join('"parallel"' if f"d{i}" in out else '"reduction"' for i in range(rank))
        every = ", ".join(affine(rank, dims) for dims in [*maps, out])
        arguments = ", ".join(f"%{'abc'[i]}: {tensor.dtype}" for i, tensor in enumerate(operands))
        text = (
            f"linalg.generic {{indexing_maps = [{every}], iterator_types = [{kinds}]}} "
            f"ins({', '.join(t.name for t in operands)} : {', '.join(t.type for t in operands)}) outs({init.name} : {init.type}) {{\n"
            f"^bb0({arguments}, %o: {init.dtype}):\n{body.replace(': T', f': {init.dtype}').replace('  %', chr(10) + '%')}\n"
            f"linalg.yield %r : {init.dtype}\n}} -> {init.type}"
        )
        return self.emit(text, init.shape, init.dtype, level)

    def map(self, body: str, operands: list[Tensor], maps: list[list] | None = None, dtype: str | None = None) -> Tensor:
        x = operands[0]
        dims = [f"d{i}" for i in range(len(x.shape))]
        dtype, level = dtype or x.dtype, max(t.level for t in operands)
        if any(function in body for function in APPROXIMATE):
            level = max(level, SUM)
        if level == SUM and dtype != "f32":
            level = ROUNDED
        return self.generic(operands, maps or [dims] * len(operands), self.empty(x.shape, dtype), dims, body, level)

    def reduce(self, x: Tensor, axis: int, combine: str, start: str, level: int | None = None) -> Tensor:
        dims = [f"d{i}" for i in range(len(x.shape))]
        kept = dims[:axis] + dims[axis + 1 :]
        init = self.fill(start, [e for i, e in enumerate(x.shape) if i != axis], x.dtype)
        return self.generic([x], [dims], init, kept, combine, x.level if level is None else max(x.level, level))

    # -- Steps ----------------------------------------------------------------

    def unary(self, x: Tensor) -> Tensor:
        return self.map(self.pick(UNARY), [x])

    def binary(self, x: Tensor) -> Tensor:
        """With an input, of which some dims are missing."""
        dims = [f"d{i}" for i in range(len(x.shape))]
        kept = [i for i in range(len(dims)) if self.rng.random() < 0.6]
        other = self.add_input([x.shape[i] for i in kept], x.dtype)
        return self.map(f"%r = arith.{self.pick(BINARY)} %a, %b : T", [x, other], [dims, [dims[i] for i in kept]])

    def cast(self, x: Tensor) -> Tensor:
        if x.dtype != "f32":
            return self.map(f"%r = arith.extf %a : {x.dtype} to f32", [x], dtype="f32")
        dtype = self.pick(("bf16", "f16"))
        return self.map(f"%r = arith.truncf %a : f32 to {dtype}", [x], dtype=dtype)

    def transpose(self, x: Tensor) -> Tensor:
        order = [int(i) for i in self.rng.permutation(len(x.shape))]
        empty = self.empty([x.shape[i] for i in order], x.dtype)
        text = f"linalg.transpose ins({x.name} : {x.type}) outs({empty.name} : {empty.type}) permutation = {order}"
        return self.emit(text, empty.shape, x.dtype, x.level)

    def split(self, x: Tensor) -> Tensor | None:
        ways = [(i, k) for i, e in enumerate(x.shape) if e != "?" for k in (2, 3, 4, 16) if e % k == 0 and e > k]
        if not ways or len(x.shape) > 3:
            return None
        axis, factor = self.pick(ways)
        shape = [*x.shape[:axis], x.shape[axis] // factor, factor, *x.shape[axis + 1 :]]
        groups = [[i + (i > axis)] if i != axis else [i, i + 1] for i in range(len(x.shape))]
        result = Tensor("", tuple(shape), x.dtype)
        sizes = ", ".join("%rows" if e == "?" else str(e) for e in shape)
        return self.emit(f"tensor.expand_shape {x.name} {groups} output_shape [{sizes}] : {x.type} into {result.type}", shape, x.dtype, x.level)

    def join(self, x: Tensor) -> Tensor | None:
        ways = [i for i in range(len(x.shape) - 1) if "?" not in x.shape[i : i + 2] and x.shape[i] * x.shape[i + 1] < 600]
        if not ways:
            return None
        axis = self.pick(ways)
        shape = [*x.shape[:axis], x.shape[axis] * x.shape[axis + 1], *x.shape[axis + 2 :]]
        groups = [[i + (i > axis)] if i != axis else [i, i + 1] for i in range(len(shape))]
        return self.emit(f"tensor.collapse_shape {x.name} {groups} : {x.type} into {Tensor('', tuple(shape), x.dtype).type}", shape, x.dtype, x.level)

    def slice(self, x: Tensor) -> Tensor:
        offsets, shape, strides = [], [], []
        for extent in x.shape:
            stride = int(self.pick((1, 1, 1, 2))) if extent != "?" else 1
            offset = int(self.rng.integers(min(extent, 3))) if extent != "?" and self.rng.random() < 0.5 else 0
            offsets.append(offset)
            strides.append(stride)
            shape.append(extent if extent == "?" else -(-(extent - offset) // stride))
        sizes = ["%rows" if e == "?" else str(e) for e in shape]
        spec = " ".join(f"[{', '.join(map(str, part))}]" for part in (offsets, sizes, strides))
        return self.emit(f"tensor.extract_slice {x.name}{spec} : {x.type} to {Tensor('', tuple(shape), x.dtype).type}", shape, x.dtype, x.level)

    def pad(self, x: Tensor) -> Tensor:
        low = [int(self.rng.integers(3)) if e != "?" else 0 for e in x.shape]
        high = [int(self.rng.integers(3)) if e != "?" else 0 for e in x.shape]
        shape = [e if e == "?" else e + l + h for e, l, h in zip(x.shape, low, high)]
        scalar = self.name()
        self.lines.append(f"{scalar} = arith.constant 0.5 : {x.dtype}")
        indices = ", ".join(f"%i{i}: index" for i in range(len(shape)))
        text = (
            f"tensor.pad {x.name} low{low} high{high} {{\n^bb0({indices}):\ntensor.yield {scalar} : {x.dtype}\n}} : "
            f"{x.type} to {Tensor('', tuple(shape), x.dtype).type}"
        )
        return self.emit(text, shape, x.dtype, x.level)

    def concat(self, x: Tensor) -> Tensor | None:
        ways = [i for i, e in enumerate(x.shape) if e != "?" and e < 200]
        if not ways:
            return None
        axis = self.pick(ways)
        other = self.unary(x)
        shape = [*x.shape[:axis], 2 * x.shape[axis], *x.shape[axis + 1 :]]
        type_ = Tensor("", tuple(shape), x.dtype).type
        return self.emit(f"tensor.concat dim({axis}) {x.name}, {other.name} : ({x.type}, {x.type}) -> {type_}", shape, x.dtype, max(x.level, other.level))

    def norm(self, x: Tensor) -> Tensor | None:
        """Softmax, layer norm or RMS norm of the last dim, in f32."""
        if x.shape[-1] == "?":
            return None
        back = x.dtype
        if back != "f32":
            x = self.cast(x)
        last, dims = len(x.shape) - 1, [f"d{i}" for i in range(len(x.shape))]
        maps, rows = [dims, dims[:-1]], float(x.shape[-1])
        kind = self.pick(("softmax", "layer", "rms"))
        if kind == "softmax":
            largest = self.reduce(x, last, "%r = arith.maximumf %a, %o : T", "0xFF800000")
            y = self.map("%d = arith.subf %a, %b : T  %r = math.exp %d : T", [x, largest], maps)
            total = self.reduce(y, last, "%r = arith.addf %a, %o : T", "0.0", SUM)
            y = self.map("%r = arith.divf %a, %b : T", [y, total], maps)
        else:
            y = x
            if kind == "layer":
                total = self.reduce(y, last, "%r = arith.addf %a, %o : T", "0.0", SUM)
                y = self.map(f"%c = arith.constant {rows} : T  %m = arith.divf %b, %c : T  %r = arith.subf %a, %m : T", [y, total], maps)
            squares = self.map("%r = arith.mulf %a, %a : T", [y])
            total = self.reduce(squares, last, "%r = arith.addf %a, %o : T", "0.0", SUM)
            scale = f"%c = arith.constant {rows} : T  %m = arith.divf %b, %c : T  %e = arith.constant 1.0e-1 : T  %p = arith.addf %m, %e : T"
            y = self.map(f"{scale}  %s = math.rsqrt %p : T  %r = arith.mulf %a, %s : T", [y, total], maps)
        return self.map(f"%r = arith.truncf %a : f32 to {back}", [y], dtype=back) if back != "f32" else y

    def total(self, x: Tensor) -> Tensor | None:
        ways = [i for i, e in enumerate(x.shape) if e != "?"]
        if x.dtype != "f32" or len(x.shape) < 2 or not ways:
            return None
        if self.rng.random() < 0.5:
            return self.reduce(x, self.pick(ways), "%r = arith.maximumf %a, %o : T", "0xFF800000")
        return self.reduce(x, self.pick(ways), "%r = arith.addf %a, %o : T", "0.0", SUM)

    def product(self, x: Tensor) -> Tensor | None:
        """With a weight [N, K]."""
        if len(x.shape) != 2 or x.shape[-1] == "?" or self.products == 2 or x.dtype == "f16":
            return None
        k, n = x.shape[-1], int(self.pick(EXTENTS))
        precision = self.pick(tuple(PRECISIONS))
        # Blocks of what sums have touched come out otherwise: once is enough.
        level = max(PRECISIONS[precision], ROUNDED if x.dtype != "f32" else SUM, x.level)
        if precision and "fp4" in precision and "only" not in precision and x.level > EXACT:
            level = FLIPPED
        self.products += 1
        w = self.add_weight((n, k), x.dtype)
        turned = self.empty((k, n), x.dtype)
        t = self.emit(f"linalg.transpose ins({w.name} : {w.type}) outs({turned.name} : {turned.type}) permutation = [1, 0]", (k, n), x.dtype, EXACT)
        zeros = self.fill("0.0", (x.shape[0], n), x.dtype)
        attribute = f"{{nvfp4.precision = #nvfp4.precision<{precision}>}} " if precision else ""
        text = f"linalg.matmul {attribute}ins({x.name}, {t.name} : {x.type}, {t.type}) outs({zeros.name} : {zeros.type}) -> {zeros.type}"
        y = self.emit(text, zeros.shape, x.dtype, level)
        return self.map("%c = arith.constant 0.125 : T  %r = arith.mulf %a, %c : T", [y])

    def scores(self, x: Tensor) -> Tensor | None:
        """x times its transpose, in batches."""
        if len(x.shape) != 3 or self.products == 2 or x.dtype == "f16":
            return None
        self.products += 1
        b, m, k = x.shape
        turned = self.empty((b, k, m), x.dtype)
        t = self.emit(f"linalg.transpose ins({x.name} : {x.type}) outs({turned.name} : {turned.type}) permutation = [0, 2, 1]", (b, k, m), x.dtype, x.level)
        zeros = self.fill("0.0", (b, m, m), x.dtype)
        text = f"linalg.batch_matmul ins({x.name}, {t.name} : {x.type}, {t.type}) outs({zeros.name} : {zeros.type}) -> {zeros.type}"
        y = self.emit(text, zeros.shape, x.dtype, max(x.level, ROUNDED if x.dtype != "f32" else SUM))
        return self.map("%c = arith.constant 0.125 : T  %r = arith.mulf %a, %c : T", [y])

    # -- All ------------------------------------------------------------------

    STEPS = ("unary", "binary", "cast", "transpose", "split", "join", "slice", "pad", "concat", "norm", "norm", "total", "product", "product", "product", "scores")

    def build(self) -> str:
        rank = int(self.pick((2, 2, 3)))
        shape = ["?", *(int(self.pick(EXTENTS if rank == 2 else EXTENTS[:9])) for _ in range(rank - 1))]
        x = self.add_input(shape, self.pick(("f32", "f32", "bf16", "f16")))
        self.results = []
        for _ in range(self.rng.integers(2, 9)):
            y = getattr(self, self.pick(self.STEPS))(x)
            if y is None:
                continue
            if self.rng.random() < 0.15:
                self.results.append(y)
            x = y
        self.results.append(self.unary(x))
        results = ", ".join(f'{t.type} {{nvfp4.name = "r{i}"}}' for i, t in enumerate(self.results))
        body = "\n".join(self.lines)
        return (
            f"func.func @main({', '.join(self.arguments)}) -> ({results}) {{\n%c0 = arith.constant 0 : index\n"
            f"%rows = tensor.dim %in0, %c0 : {self.inputs[0].type}\n{body}\n"
            f"return {', '.join(t.name for t in self.results)} : {', '.join(t.type for t in self.results)}\n}}\n"
        )

    def make_inputs(self, rows: int) -> dict[str, np.ndarray]:
        return {
            f"in{i}": store(self.values([rows if e == "?" else e for e in tensor.shape]), tensor.dtype)
            for i, tensor in enumerate(self.inputs)
        }


def unify_nan(x: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(load(x)), x.dtype.type(0), x)


def compare(what: str, got: np.ndarray, expected: np.ndarray, level: int) -> None:
    if level == EXACT:
        expect_bytes(what, unify_nan(got), unify_nan(expected))
        return
    a, b = load(expected), load(got)
    expect(f"{what}: shape", a.shape == b.shape, (a.shape, b.shape))
    with np.errstate(invalid="ignore"):
        finite = np.isfinite(a) & np.isfinite(b)
        expect(f"{what}: NaN", level > SUM or bool(((a == b) | finite | (np.isnan(a) & np.isnan(b))).all()), "somewhere else")
    a, b = np.where(finite, a, 0), np.where(finite, b, 0)
    tolerance = TOLERANCES[level]
    if tolerance is not None:
        error = np.abs(a - b).max(initial=0) / max(np.abs(a).max(initial=0), 0.1)
        expect(what, error <= tolerance, f"error {error:.2e} of {tolerance}")
        return
    error = np.linalg.norm(a - b) / max(np.linalg.norm(a), 0.1)
    expect(what, error <= 0.3, f"error {error:.2e}")


def check(seed: int, shown: bool) -> None:
    program = Program(seed)
    text = program.build()
    if shown:
        print(text)
    with group(f"seed {seed}"):
        weights = temporary(".safetensors")
        write_safetensors(weights, program.weights)
        options = ("--policy=none", f"--weights={weights}")
        cpu = compile_module(text, *options)
        gpu = compile_module(text, *options, f"--target={CHIPS[seed % 2]}")
        for rows in ROWS:
            inputs = program.make_inputs(rows)
            order = program.pick(("late", "early", f"random:{seed}"))
            expected = run(cpu, inputs)
            got = run(gpu, inputs, None, ["--device=sim", f"--async={order}", "--accumulate=exact"])
            for i, tensor in enumerate(program.results):
                compare(f"seed {seed}, {rows} rows, {order}, r{i}, level {tensor.level}", got[f"r{i}"], expected[f"r{i}"], tensor.level)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", default="54:70")
    parser.add_argument("--print", action="store_true")
    options = parser.parse_args()
    first, last = map(int, options.seeds.split(":"))
    for seed in range(first, last):
        check(seed, options.print)
    finish()


main()
