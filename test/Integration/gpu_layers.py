# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers with one matrix product, as modules for a CPU and for a chip, and what is right of their results."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, replace

import numpy as np
from golden import F32, MXFP4, Format, global_scale, quantize
from harness import call, compile_module, expect, expect_bytes, from_bf16, group, run, temporary, to_bf16, write_safetensors

ROW, TENSOR = Format(granularity="row"), Format()
# Kind of layer: what is written as its precision, and the formats of activation and weight.
KINDS = {
    "nvfp4-row": ("nvfp4", ROW, Format()),
    "nvfp4-tensor": ("nvfp4, activations = dynamic<tensor>", TENSOR, Format()),
    "mxfp4": ("mxfp4", MXFP4, MXFP4),
    "nvfp4-weight-only": ("nvfp4_weight_only", None, Format()),
    "mxfp4-weight-only": ("mxfp4_weight_only", None, MXFP4),
    "bf16": ("bf16", None, None),
}
# Chips whose kernels are run, and those for which these must assemble. The unit of the first multiplies blocks, that of
# the second bf16: what is quantized is decoded for it. The third keeps its sums in tensor memory.
CHIPS = {"sm_120a": ("sm_120a", "sm_121a"), "sm_90a": ("sm_90a",), "sm_100a": ("sm_100a", "sm_103a", "sm_110a")}


@dataclass(frozen=True)
class Layer:
    """y[.., M, N] = x[.., M, K] * w[.., N, K] (+ bias). `view`: x is the whole of an input, or all columns but the first
    (misaligned), or every second one (strided). `rows`: M, if the compiler knows it."""

    kind: str
    n: int
    k: int
    batch: int = 1
    element: str = "f32"
    bias: bool = False
    view: str = "whole"
    rows: int | None = None

    def __str__(self) -> str:
        batch, rows = f"batch {self.batch}" * (self.batch > 1), "" if self.rows is None else f"of {self.rows} rows"
        tail = "".join(f" {part}" for part in (batch, "bias" * self.bias, rows) if part)
        return f"{self.kind} N={self.n} K={self.k} {self.element}{tail} {self.view}"

    @property
    def extent(self) -> object:
        """Of rows, in a type."""
        return "?" if self.rows is None else self.rows

    @property
    def columns(self) -> int:
        """Of the input that `x` is a view of."""
        return {"whole": self.k, "misaligned": self.k + 1, "strided": 2 * self.k}[self.view]

    def take(self, x: np.ndarray) -> np.ndarray:
        return {"whole": x, "misaligned": x[..., 1:], "strided": x[..., ::2]}[self.view]


# -----------------------------------------------------------------------------
# Modules
# -----------------------------------------------------------------------------


def shaped(layer: Layer, rows: object, columns: int, element: str | None = None) -> str:
    lead = f"{layer.batch}x" if layer.batch > 1 else ""
    return f"tensor<{lead}{rows}x{columns}x{element or layer.element}>"


def write_view(layer: Layer) -> str:
    """The ops between the input %input and the activation %x."""
    source, target = shaped(layer, layer.extent, layer.columns), shaped(layer, layer.extent, layer.k)
    rank = 3 if layer.batch > 1 else 2
    rows = f"  %rows = tensor.dim %input, %c{rank - 2} : {source}\n"
    if layer.view == "whole":
        return rows + f"  %x = tensor.cast %input : {source} to {target}\n"
    offset, stride = (1, 1) if layer.view == "misaligned" else (0, 2)
    lead = lambda value: f"{value}, " if rank == 3 else ""
    extent = "%rows" if layer.rows is None else layer.rows
    return rows + (
        f"  %x = tensor.extract_slice %input[{lead(0)}0, {offset}] [{lead(layer.batch)}{extent}, {layer.k}] "
        f"[{lead(1)}1, {stride}] : {source} to {target}\n"
    )


def write_input(layer: Layer) -> str:
    extents = ([layer.batch] if layer.batch > 1 else []) + ['"rows"' if layer.rows is None else layer.rows, layer.columns]
    shape = ", ".join(map(str, extents))
    return f'%input: {shaped(layer, layer.extent, layer.columns)} {{nvfp4.name = "x", nvfp4.shape = [{shape}]}}'


def write_bias(layer: Layer) -> tuple[str, str]:
    """The op that adds %b to %d, and the name of the result."""
    if not layer.bias:
        return "", "%d"
    loops = "b, m, n" if layer.batch > 1 else "m, n"
    parallel = ", ".join(['"parallel"'] * (3 if layer.batch > 1 else 2))
    y, element = shaped(layer, layer.extent, layer.n), layer.element
    return (
        f"""
  %y = linalg.generic {{indexing_maps = [affine_map<({loops}) -> ({loops})>, affine_map<({loops}) -> (n)>,
      affine_map<({loops}) -> ({loops})>], iterator_types = [{parallel}]}}
      ins(%d, %b : {y}, tensor<{layer.n}x{element}>) outs(%empty : {y}) {{
  ^bb0(%l: {element}, %r: {element}, %o: {element}):
    %s = arith.addf %l, %r : {element}
    linalg.yield %s : {element}
  }} -> {y}""",
        "%y",
    )


def write_layer(layer: Layer) -> str:
    """@main, the layer."""
    x, y, element = shaped(layer, layer.extent, layer.k), shaped(layer, layer.extent, layer.n), layer.element
    w, wt = shaped(layer, layer.n, layer.k), shaped(layer, layer.k, layer.n)
    op, permutation = ("linalg.batch_matmul", "[0, 2, 1]") if layer.batch > 1 else ("linalg.matmul", "[1, 0]")
    add, result = write_bias(layer)
    bias = f', %b: tensor<{layer.n}x{element}> {{nvfp4.weight = "b"}}' if layer.bias else ""
    return f"""
func.func @main({write_input(layer)}, %w: {w} {{nvfp4.weight = "w"}}{bias}) -> ({y} {{nvfp4.name = "y"}}) {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : {element}
{write_view(layer)}
  %turned = tensor.empty() : {wt}
  %t = linalg.transpose ins(%w : {w}) outs(%turned : {wt}) permutation = {permutation}
  %empty = tensor.empty({"%rows" if layer.rows is None else ""}) : {y}
  %zeros = linalg.fill ins(%zero : {element}) outs(%empty : {y}) -> {y}
  %d = {op} {{nvfp4.precision = #nvfp4.precision<{KINDS[layer.kind][0]}>}} ins(%x, %t : {x}, {wt}) outs(%zeros : {y}) -> {y}{add}
  return {result} : {y}
}}
"""


def write_bytes(layer: Layer) -> str:
    """@bytes, the quantized activation as matrix units read it."""
    form = KINDS[layer.kind][1]
    x, lead = shaped(layer, layer.extent, layer.k), f"{layer.batch}x" if layer.batch > 1 else ""
    q = f"!nvfp4.tensor<{lead}?x{layer.k}, {form.text()}, layout = tiled>"
    codes, scales = f"tensor<{lead}?x{-(-layer.k // 64) * 32}xi8>", f"tensor<{lead}?xi8>"
    names = ["codes", "scales"] + ["g"] * form.has_global_scale
    scale, given, g = "", "", []
    if form.has_global_scale:
        g = [f"tensor<{lead}?xf32>" if form.granularity == "row" else "tensor<f32>"]
        scale = f"  %g = nvfp4.global_scale %x format <{form.text()}> : {x} -> {g[0]}\n"
        given = " global_scale %g"
    types = [codes, scales, *g]
    results = ", ".join(f'{type} {{nvfp4.name = "{name}"}}' for type, name in zip(types, names))
    values = ", ".join(f"%p{index}" for index in range(len(types)))
    return f"""
func.func @bytes({write_input(layer)}) -> ({results}) {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
{write_view(layer)}{scale}  %q = nvfp4.quantize %x{given} : {", ".join([x, *g])} -> {q}
  {values} = nvfp4.disassemble %q : {q} -> {", ".join(types)}
  return {values} : {", ".join(types)}
}}
"""


# -----------------------------------------------------------------------------
# Numbers
# -----------------------------------------------------------------------------


def make_values(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """f32 values that bf16 holds, rows of different size."""
    size = 10.0 ** rng.uniform(-2, 2, (*shape[:-1], 1))
    return from_bf16(to_bf16((rng.standard_normal(shape) * size).astype(F32)))


def store(values: np.ndarray, element: str) -> np.ndarray:
    return to_bf16(values) if element == "bf16" else values


def decode(values: np.ndarray, form: Format | None) -> np.ndarray:
    """What the product sees, in float64."""
    if form:
        values = quantize(values, form, global_scale(values, form) if form.has_global_scale else None).dequantize()
    return values.astype(np.float64)


class Compiled:
    """A layer with its weights, as packages for the CPU and for a chip of CHIPS."""

    def __init__(self, layer: Layer, rng: np.random.Generator, chip: str, weight: np.ndarray | None = None) -> None:
        self.layer, self.rng, self.chip = layer, rng, chip
        _, self.form, self.weight_form = KINDS[layer.kind]
        if self.weight_form and self.weight_form.has_global_scale and layer.batch > 1:
            self.weight_form = replace(self.weight_form, granularity="slice")
        lead = (layer.batch,) if layer.batch > 1 else ()
        self.w, self.b = make_values(rng, (*lead, layer.n, layer.k)), make_values(rng, (layer.n,))
        self.w = self.w if weight is None else weight
        self.weights = temporary(".safetensors")
        write_safetensors(self.weights, {"w": store(self.w, layer.element), "b": store(self.b, layer.element)})
        self.text = write_layer(layer) + (write_bytes(layer) if self.form else "")
        self.cpu = compile_module(self.text, "--weights", self.weights)
        self.gpu = compile_module(self.text, "--weights", self.weights, f"--target={chip}")

    def run(self, rows: int, order: str) -> None:
        """Everything that is checked for a number of rows."""
        layer = self.layer
        lead = (layer.batch,) if layer.batch > 1 else ()
        given = make_values(self.rng, (*lead, rows, layer.columns))
        self.run_on(given, f"{layer} M={rows} {order}", order)

    def run_on(self, given: np.ndarray, what: str, order: str) -> None:
        """Everything that is checked for an input."""
        layer = self.layer
        inputs = {"x": store(given, layer.element)}
        sim = ["--device=sim", f"--async={order}"]
        with group(what):
            if self.form:
                expected = run(self.cpu, inputs, "bytes")
                got = run(self.gpu, inputs, "bytes", sim)
                for name in expected:
                    expect_bytes(f"{what}: {name}", got[name], expected[name])
            entry = "main" if self.form else None
            for accumulate in ("exact", "hardware"):
                got = run(self.gpu, inputs, entry, [*sim, f"--accumulate={accumulate}"])["y"]
                right = self.is_right(layer.take(given), got, accumulate)
                expect(f"{what} {accumulate}", *right)

    def is_right(self, x: np.ndarray, got: np.ndarray, accumulate: str) -> tuple[bool, str]:
        """Whether `got` is the layer of the activation `x`, and what is wrong."""
        layer = self.layer
        left, right = decode(x, self.form), np.swapaxes(decode(self.w, self.weight_form), -1, -2)
        product, size = left @ right, np.abs(left) @ np.abs(right)
        exact = product + (self.b if layer.bias else 0)
        got = from_bf16(got) if layer.element == "bf16" else got
        if got.shape != exact.shape:
            return False, f"expected {exact.shape}, but got {got.shape}"
        # Every addition may round, and so may scales; the result does, with a bias twice.
        unit = 2.0**-8 if layer.element == "bf16" else 2.0**-24
        rounding = unit * (np.abs(exact) + layer.bias * np.abs(product)) + 1e-37
        if accumulate == "exact":
            bound = (layer.k + 8) * 2.0**-24 * size + rounding
        else:
            # Of a row: its largest element, or the typical one if all happen to be small.
            norms = np.linalg.norm(left, axis=-1, keepdims=True) * np.linalg.norm(right, axis=-2, keepdims=True)
            typical = norms.mean(axis=-1, keepdims=True) / np.sqrt(layer.k)
            bound = 8e-3 * np.maximum(np.abs(product).max(axis=-1, keepdims=True), typical) + rounding
        error = np.abs(got - exact)
        return bool((error <= bound).all()), f"error {np.max(error / bound, initial=0)} times the bound"

    def assemble(self) -> None:
        """ptxas takes the PTX, and needs neither spills nor local memory."""
        for chip in CHIPS[self.chip]:
            with group(f"{self.layer} {chip}"):
                source, ptx = temporary(".mlir"), temporary(".ptx")
                source.write_text(self.text)
                call("nvfp4-compile", source, "--quiet", f"--target={chip}", "--emit=ptx", "-o", ptx)
                done = subprocess.run(
                    ["ptxas", "-v", f"-arch={chip}", str(ptx), "-o", "/dev/null"], capture_output=True, text=True
                )
                expect(f"{self.layer}: ptxas for {chip}", done.returncode == 0, done.stderr[:500])
                # A unit of warpgroups that waits for registers that others change.
                expect(f"{self.layer}: nothing is serialized for {chip}", "serializ" not in done.stderr, done.stderr[:500])
                for name, used in re.findall(r"Function properties for (\w+)\n(.*)", done.stderr):
                    expect(f"{self.layer}: {name} on {chip}", not re.search(r"[1-9]\d* bytes", used), used.strip())
