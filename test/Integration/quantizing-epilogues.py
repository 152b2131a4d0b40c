# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Products whose kernels quantize their results write the bytes that a kernel behind them would, padding included.

Each module has three entries: the product and its quantization, the product alone, and the quantization alone.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from golden import F32, MXFP4, Format
from harness import call, compile_module, expect, expect_bytes, finish, group, run, temporary, write_safetensors

STATIC = Format(convention="multiply")


@dataclass(frozen=True)
class Case:
    """y[M, N] = (x[M, K] w[N, K]^T + b) * r quantized to `form`, and `also` to another one, or three heads of bf16, `merged`
    side by side or `apart`. `kept`: y is a result, too, as `it` is or `turned`. `sibling`: so is z = x u^T, quantized."""

    n: int
    k: int
    form: Format = STATIC
    precision: str = 'nvfp4, activations = static<"s">'
    also: Format | None = None
    kept: str = ""
    sibling: bool = False
    stochastic: bool = False
    heads: str = ""
    rows: object = "?"
    sizes: tuple[int, ...] = (1, 5, 129)

    def __str__(self) -> str:
        return (
            f"{self.form.text()} N={self.n} K={self.k} {self.precision} {self.kept}"
            f"{' twice' * bool(self.also)}{' sibling' * self.sibling}{' stochastic' * self.stochastic}{self.heads} {self.rows}"
        )

    @property
    def columns(self) -> int:
        return 3 * self.n if self.heads == "merged" else self.n

    def inputs(self, names: list[str]) -> str:
        dim = '"rows"' if self.rows == "?" else self.rows
        lead, three = ("3x", "3, ") if self.heads else ("", "")
        types = {
            "x": (f"tensor<{lead}{self.rows}x{self.k}xf32>", f"[{three}{dim}, {self.k}]"),
            "v": (f"tensor<3x{self.k}x{self.n}xf32>", f"[3, {self.k}, {self.n}]"),
            "r": (f"tensor<{self.rows}x{self.n}xf32>", f"[{dim}, {self.n}]"),
            "y": (self.type, f"[{self.lead.replace('x', ', ')}{dim}, {self.columns}]"),
            "z": (self.type, f"[{dim}, {self.columns}]"),
            "g": (self.scale_type, f"[{dim}]" if self.form.granularity == "row" else "[]"),
            "state": ("tensor<2xi64>", "[2]"),
        }
        weights = {name: f"tensor<{self.n}x{self.k}xf32>" for name in "wu"} | {"b": f"tensor<{self.n}xf32>"}
        texts = [f'%{n}: {types[n][0]} {{nvfp4.name = "{n}", nvfp4.shape = {types[n][1]}}}' for n in names if n in types]
        return ", ".join(texts + [f'%{n}: {weights[n]} {{nvfp4.weight = "{n}"}}' for n in names if n in weights])

    @property
    def lead(self) -> str:
        return "3x" if self.heads == "apart" else ""

    @property
    def type(self) -> str:
        return f"tensor<{self.lead}{self.rows}x{self.columns}xf32>"

    @property
    def scale_type(self) -> str:
        return f"tensor<{self.rows}xf32>" if self.form.granularity == "row" else "tensor<f32>"

    @property
    def sources(self) -> list[str]:
        """What is quantized."""
        return ["y", "z"] if self.sibling else ["y"]

    @property
    def quantizations(self) -> list[tuple[str, Format, str]]:
        """What is quantized, to what, and how names of the parts end."""
        return [(source, self.form, source * (source != "y")) for source in self.sources] + [("y", self.also, "2")] * bool(self.also)

    def product(self) -> str:
        """Ops that compute %y and %z."""
        rows = "%rows" if self.rows == "?" else ""
        at, lead = (1, "3x") if self.heads else (0, "")
        dim = f"  %rows = tensor.dim %x, %c{at} : tensor<{lead}{self.rows}x{self.k}xf32>\n"
        text = "  %c0 = arith.constant 0 : index\n  %c1 = arith.constant 1 : index\n  %zero = arith.constant 0.0 : f32\n"
        text += dim * (self.rows == "?")
        if self.heads:
            result = "y" if self.lead else "d"
            d, t = f"tensor<3x{self.rows}x{self.n}xf32>", f"tensor<{self.rows}x3x{self.n}xf32>"
            return text + f"""
  %empty = tensor.empty({rows}) : {d}
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : {d}) -> {d}
  %{result} = linalg.batch_matmul {{nvfp4.precision = #nvfp4.precision<bf16>}}
      ins(%x, %v : tensor<3x{self.rows}x{self.k}xf32>, tensor<3x{self.k}x{self.n}xf32>) outs(%zeros : {d}) -> {d}
""" + ("" if self.lead else f"""\
  %other = tensor.empty({rows}) : {t}
  %t = linalg.transpose ins(%d : {d}) outs(%other : {t}) permutation = [1, 0, 2]
  %y = tensor.collapse_shape %t [[0], [1, 2]] : {t} into {self.type}
""")
        maps = "affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>"
        turned = f"tensor<{self.k}x{self.n}xf32>"
        return text + f"""
  %we = tensor.empty() : {turned}
  %wt = linalg.transpose ins(%w : tensor<{self.n}x{self.k}xf32>) outs(%we : {turned}) permutation = [1, 0]
  %empty = tensor.empty({rows}) : {self.type}
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : {self.type}) -> {self.type}
  %d = linalg.matmul {{nvfp4.precision = #nvfp4.precision<{self.precision}>}}
      ins(%x, %wt : tensor<{self.rows}x{self.k}xf32>, {turned}) outs(%zeros : {self.type}) -> {self.type}
  %y = linalg.generic {{indexing_maps = [{maps}], iterator_types = ["parallel", "parallel"]}}
      ins(%d, %b, %r : {self.type}, tensor<{self.n}xf32>, {self.type}) outs(%empty : {self.type}) {{
  ^bb0(%e: f32, %f: f32, %h: f32, %o: f32):
    %s = arith.addf %e, %f : f32
    %p = arith.mulf %s, %h : f32
    linalg.yield %p : f32
  }} -> {self.type}
""" + f"""
  %ut = linalg.transpose ins(%u : tensor<{self.n}x{self.k}xf32>) outs(%we : {turned}) permutation = [1, 0]
  %z = linalg.matmul {{nvfp4.precision = #nvfp4.precision<{self.precision}>}}
      ins(%x, %ut : tensor<{self.rows}x{self.k}xf32>, {turned}) outs(%zeros : {self.type}) -> {self.type}
""" * self.sibling

    @property
    def operands(self) -> list[str]:
        """What the product reads."""
        return ["x", "v"] if self.heads else ["x", "r", "w", "b"] + ["u"] * self.sibling

    @property
    def given_operands(self) -> list[str]:
        """What of it is no weight."""
        return [name for name in self.operands if name in "xrv"]

    @property
    def given(self) -> list[str]:
        """What the quantization reads beside y."""
        return ["g"] * self.form.has_global_scale + ["state"] * self.stochastic

    def quantization(self, source: str, form: Format, end: str) -> tuple[str, dict[str, str]]:
        """Ops that quantize %source, and types of the parts by name."""
        q = f"!nvfp4.tensor<{self.lead}{self.rows}x{self.columns}, {form.text()}, layout = tiled>"
        if self.rows == "?":
            scales = "?"
        else:
            scales = -(-self.rows // 128) * 128 * (-(-self.columns // form.columns // 4) * 4)
        types = {
            f"codes{end}": f"tensor<{self.lead}{self.rows}x{-(-self.columns // 64) * 32}xi8>",
            f"scales{end}": f"tensor<{self.lead}{scales}xi8>",
        }
        scaled = [self.scale_type] * form.has_global_scale
        scale = " global_scale %g" * len(scaled)
        rounding = " rounding<stochastic> state %state" if self.stochastic else ""
        operands = [self.type, *scaled] + ["tensor<2xi64>"] * self.stochastic
        parts = [*(f"%{name}" for name in types), *[f"%same{end}"] * len(scaled)]
        return f"""  %q{end} = nvfp4.quantize %{source}{scale}{rounding} : {", ".join(operands)} -> {q}
  {", ".join(parts)} = nvfp4.disassemble %q{end} : {q} -> {", ".join([*types.values(), *scaled])}
""", types

    def text(self) -> str:
        def entry(name: str, inputs: list[str], ops: str, results: dict[str, str]) -> str:
            types = ", ".join(f'{type} {{nvfp4.name = "{result}"}}' for result, type in results.items())
            values, returned = ", ".join(f"%{result}" for result in results), ", ".join(results.values())
            return f"func.func @{name}({self.inputs(inputs)}) -> ({types}) {{\n{ops}  return {values} : {returned}\n}}\n"

        quantization, parts, kept = "", {}, ""
        for source in self.quantizations:
            text, types = self.quantization(*source)
            quantization, parts = quantization + text, parts | types
        fused, sources = dict(parts), dict.fromkeys(self.sources, self.type)
        if self.kept == "it":
            fused["y"] = self.type
        elif self.kept:
            fused["turned"] = f"tensor<{self.columns}x{self.rows}xf32>"
            kept = f"""  %te = tensor.empty({"%rows" if self.rows == "?" else ""}) : {fused["turned"]}
  %turned = linalg.transpose ins(%y : {self.type}) outs(%te : {fused["turned"]}) permutation = [1, 0]
"""
        return (
            entry("fused", self.operands + self.given, self.product() + quantization + kept, fused)
            + entry("product", self.operands, self.product(), sources)
            + entry("quantization", self.sources + self.given, quantization, parts)
        )


STAGES = ["--nvfp4-normalize", "--nvfp4-policy", "--nvfp4-quantize"]
DISPATCHES = ["expand-tensors", "decode-activations", "fuse-elementwise", "form-dispatches"]


def count_fused(text: str, chip: str) -> int:
    """Quantizations in the kernel of the product in @fused."""
    source, dispatches = temporary(".mlir"), temporary(".mlir")
    source.write_text(text)
    passes = [*STAGES, f"--nvfp4-kernels=chip={chip}", *[f"--nvfp4-{name}" for name in DISPATCHES]]
    call("nvfp4-opt", source, *passes, "-o", dispatches)
    kernels = re.findall(r"func\.func @matmul_.*?\n {4}}", dispatches.read_text(), re.DOTALL)
    return max(kernel.count("nvfp4.quantize_into") for kernel in kernels)


def make_inputs(case: Case, rows: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    def normal(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) * 10.0 ** rng.uniform(-2, 2, (*shape[:-1], 1))).astype(F32)

    inputs = {"x": normal(*([3] if case.heads else []), rows, case.k), "g": np.array(0.0078125 * 3, F32)}
    if case.form.granularity == "row":
        inputs["g"] = (0.0078125 * 2.0 ** rng.uniform(-2, 2, rows)).astype(F32)
    inputs["state"] = np.array([0x123456789ABCDEF0, 1 << 40], np.int64)
    if case.heads:
        return inputs | {"v": normal(3, case.k, case.n)}
    r = normal(rows, case.n)
    # Blocks of zeros with either sign, of little, with NaN and with infinity.
    for i, value in enumerate([-0.0, 0.0, 1e-38, np.nan, np.inf, -np.inf]):
        r[i % max(rows, 1) :: 7, 32 * i % case.n : 32 * i % case.n + 20 - 3 * i] = value
    return inputs | {"r": r}


def check(case: Case, chip: str, rng: np.random.Generator) -> None:
    weights = temporary(".safetensors")
    w = (rng.standard_normal((case.n, case.k)) / 8).astype(F32)
    b = rng.standard_normal(case.n).astype(F32)
    u = np.ascontiguousarray(w[::-1])
    write_safetensors(weights, {"w": w, "u": u, "b": b, "s": np.array(0.03125, F32)})
    expect(f"{chip} {case}: one kernel", count_fused(case.text(), chip) == len(case.quantizations))
    package = compile_module(case.text(), "--weights", weights, f"--target={chip}")
    for i, rows in enumerate(case.sizes if case.rows == "?" else [case.rows]):
        options = ["--device=sim", f"--async={['late', 'early', 'random:7'][i % 3]}"]
        inputs = make_inputs(case, rows, rng)

        def compute(entry: str, names: list[str]) -> dict[str, np.ndarray]:
            return run(package, {name: inputs[name] for name in names}, entry, options)

        got = compute("fused", case.given_operands + case.given)
        inputs |= compute("product", case.given_operands)
        expected = compute("quantization", case.sources + case.given)
        if case.kept == "it":
            expected["y"] = inputs["y"]
        elif case.kept:
            expected["turned"] = np.ascontiguousarray(inputs["y"].T)
        for name, array in expected.items():
            expect_bytes(f"{chip} {case} M={rows}: {name}", got[name], array)


WARPS, WARPGROUPS, TENSOR = "sm_120a", "sm_90a", "sm_100a"
BY_ROW = Format(convention="multiply", granularity="row")
CASES = [
    (Case(384, 320), (WARPS, WARPGROUPS, TENSOR)),
    (Case(208, 64, kept="turned", sizes=(0, 1, 300)), (WARPS, TENSOR)),
    (Case(80, 64, precision="bf16", sizes=(5, 130)), (WARPS, WARPGROUPS)),
    (Case(192, 128, MXFP4, "mxfp4", sizes=(5, 129)), (WARPS, TENSOR)),
    (Case(288, 80, MXFP4, sizes=(33,)), (TENSOR, WARPGROUPS)),
    (Case(144, 64, stochastic=True, sizes=(3, 129)), (WARPS, TENSOR)),
    (Case(32, 64, heads="merged", sizes=(1, 70)), (WARPS, TENSOR)),
    (Case(80, 64, heads="apart", sizes=(33,)), (WARPS, TENSOR)),
    (Case(256, 128, rows=256), (TENSOR,)),
    # Many rows: by pairs of CTAs.
    (Case(2704, 64, sizes=(300,)), (TENSOR,)),
    (Case(400, 192, rows=40), (WARPS,)),
    # A scale for each row, blocks of 16 and of 32, and y, which other kernels read.
    (Case(96, 64, BY_ROW, also=MXFP4, kept="it", sizes=(5, 130)), (WARPS, WARPGROUPS, TENSOR)),
    # Few rows, where CTAs share K.
    (Case(160, 2048, also=MXFP4, sizes=(1, 40)), (TENSOR,)),
    # Products of one launch.
    (Case(96, 64, sibling=True, sizes=(5, 130)), (WARPS, TENSOR)),
]


def main() -> None:
    rng = np.random.default_rng(6)
    for case, chips in CASES:
        for chip in chips:
            with group(f"{chip} {case}"):
                check(case, chip, rng)
    finish()


if __name__ == "__main__":
    main()
