# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Matmul kernels of given shape, format, schedule and epilogue: their text, launches, and what must come out."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Simulator" / "Kernels"))
import corpus
from corpus import E2M1, E4M3, E8M0, F32, Close, from_bf16, pack_nibbles, tile_scales, to_bf16

LARGE = "threads = 128, tile = 128x128x128, warps = 2x2x1, stages = 4"
SMALL = "threads = 128, tile = 16x64x512, warps = 1x1x4, stages = 3, swapped = true, max_rows = 16"
# In tensor memory: one tile's sums overlap the next one's, they do not, and few rows in the unit's columns.
OVERLAPPED = "threads = 288, tile = 128x256x256, warps = 4x1x1, stages = 3"
PAIRS = OVERLAPPED + ", clusters = 2"
# Tiles of columns that begin in the middle of a tile of scales, every other one.
MIDDLE = "threads = 288, tile = 128x192x256, warps = 4x1x1, stages = 3"
MIDDLE_PAIRS = MIDDLE + ", clusters = 2"
SEPARATE = "threads = 288, tile = 128x128x256, warps = 4x1x1, stages = 4"
SWAPPED = "threads = 288, tile = 16x128x256, warps = 1x4x1, stages = 3, swapped = true, max_rows = 16"
SWAPPED_MANY = "threads = 288, tile = 64x128x256, warps = 1x4x1, stages = 3, swapped = true"
# Few rows, where CTAs share K.
SHARED = SWAPPED + ", clusters = 4"
BLOCK = {"nvfp4": 16, "mxfp4": 32}
# Scales 1/4 … 4: e4m3 0x28 … 0x48 in steps of a binade, e8m0 125 … 129.
EXACT = {"nvfp4": np.arange(0x28, 0x50, 8), "mxfp4": np.arange(125, 130)}
VALUES = {"nvfp4": E4M3, "mxfp4": E8M0}
# 6 * 448, of both operands: what a global scale is divided by.
MAX_PRODUCTS = F32(F32(6 * 448) * F32(6 * 448))


@dataclass(frozen=True)
class Matmul:
    """D[batch, M, N] = A[batch, M, K] B[batch, N, K]^T with dynamic M."""

    n: int
    k: int
    form: str = "nvfp4"
    batch: int = 0
    rhs_batched: bool = True
    element: str = "f32"
    # "", "bias", "rational" (bias, then s / (s s + 1)), "heads" (split into 64 and transposed).
    epilogue: str = ""
    schedule: str = LARGE
    lhs_global: str = "row"
    chip: str = "sm_120a"
    # Of persistent kernels, or of clusters of them; 0: as many as there are tiles.
    blocks: int = 0
    # Any finite scale, so that sums round.
    any_scale: bool = False

    @property
    def name(self) -> str:
        return (
            f"{self.form} N={self.n} K={self.k} batch={self.batch} {self.element} {self.epilogue or 'plain'} "
            f"{'swapped' if 'swapped = true' in self.schedule else 'straight'}"
        )

    @property
    def lead(self) -> tuple[int, ...]:
        return (self.batch,) if self.batch else ()

    @property
    def pitch(self) -> int:
        return -(-self.k // 64) * 32

    @property
    def tile(self) -> tuple[int, int, int]:
        return tuple(int(x) for x in re.search(r"tile = (\d+)x(\d+)x(\d+)", self.schedule).groups())

    @property
    def threads(self) -> int:
        return int(re.search(r"threads = (\d+)", self.schedule).group(1))

    @property
    def clusters(self) -> int:
        found = re.search(r"clusters = (\d+)", self.schedule)
        return int(found.group(1)) if found else 1

    def _body(self, product: str) -> tuple[str, str]:
        """Ops after the matmul `%d` and the type of the result."""
        lead = "".join(f"{x}x" for x in self.lead)
        rank = len(self.lead) + 2
        dims = ", ".join(f"d{i}" for i in range(rank))
        identity, last = f"affine_map<({dims}) -> ({dims})>", f"affine_map<({dims}) -> (d{rank - 1})>"
        wide = f"tensor<{lead}?x{self.n}xf32>"
        loops = ", ".join(['"parallel"'] * rank)
        if self.epilogue in ("bias", "rational"):
            steps = "    %s = arith.addf %x, %y : f32\n"
            if self.epilogue == "rational":
                steps += "    %one = arith.constant 1.0 : f32\n    %sq = arith.mulf %s, %s : f32\n"
                steps += "    %den = arith.addf %sq, %one : f32\n    %q = arith.divf %s, %den : f32\n"
            value = "%q" if self.epilogue == "rational" else "%s"
            if self.element == "bf16":
                steps += f"    %t = arith.truncf {value} : f32 to bf16\n"
                value = "%t"
            text = (
                f"  %r = linalg.generic {{indexing_maps = [{identity}, {last}, {identity}], iterator_types = [{loops}]}}\n"
                f"      ins(%d, %bias : {wide}, tensor<{self.n}xf32>) outs(%init : {product}) {{\n"
                f"  ^bb0(%x: f32, %y: f32, %z: {self.element}):\n{steps}    linalg.yield {value} : {self.element}\n"
                f"  }} -> {product}\n"
            )
            return text, product
        if self.epilogue == "heads":
            heads = self.n // 64
            split = f"tensor<{lead}?x{heads}x64x{self.element}>"
            turned = f"tensor<{lead}{heads}x?x64x{self.element}>"
            b = len(self.lead)
            groups = [f"[{i}]" for i in range(b + 1)] + [f"[{b + 1}, {b + 2}]"]
            shape = ", ".join([*map(str, self.lead), "%m", str(heads), "64"])
            order = [*range(b), b + 1, b, b + 2]
            text = (
                f"  %cm = arith.constant {b} : index\n  %m = tensor.dim %ac, %cm : tensor<{lead}?x{self.pitch}xi8>\n"
                f"  %e = tensor.expand_shape %d [{', '.join(groups)}] output_shape [{shape}] : {product} into {split}\n"
                f"  %r = linalg.transpose ins(%e : {split}) outs(%init : {turned}) permutation = {order}\n"
            )
            return text, turned
        return "", product

    def text(self) -> str:
        """The kernel and its dispatch. A schedule for few rows needs one for the others."""
        lead = "".join(f"{x}x" for x in self.lead)
        rlead = lead if self.rhs_batched else ""
        scale_cols = -(-self.k // BLOCK[self.form])
        tiles = -(-scale_cols // 4) * 512
        product = f"tensor<{lead}?x{self.n}x{self.element}>"
        nv = self.form == "nvfp4"
        a_form = f"nvfp4{'<global = row>' if self.lhs_global == 'row' else ''}" if nv else "mxfp4"
        a_type = f"!nvfp4.tensor<{lead}?x{self.k}, {a_form}, layout = tiled>"
        b_type = f"!nvfp4.tensor<{rlead}{self.n}x{self.k}, {self.form}, layout = tiled>"
        args = [("ac", f"tensor<{lead}?x{self.pitch}xi8>"), ("as", f"tensor<{lead}?xi8>")]
        if nv:
            args.append(("ag", f"tensor<{f'{lead}?x' if self.lhs_global == 'row' else ''}f32>"))
        b_bytes = -(-self.n // 128) * tiles
        args += [("bc", f"tensor<{rlead}{self.n}x{self.pitch}xi8>"), ("bs", f"tensor<{rlead}{b_bytes}xi8>")]
        if nv:
            args.append(("bg", "tensor<f32>"))
        ins = ", ".join(f"%{name}" for name, _ in args) + " : " + ", ".join(type for _, type in args)
        wide = self.epilogue in ("bias", "rational")
        ops, result = self._body(product)
        if wide:
            args.append(("bias", f"tensor<{self.n}xf32>"))
        args.append(("init", result))
        value = "%r" if ops else "%d"
        if wide and self.element == "bf16" or self.epilogue == "heads":
            out = f"tensor<{lead}?x{self.n}x{'f32' if wide else self.element}>"
            dynamic = f"  %c{len(self.lead)} = arith.constant {len(self.lead)} : index\n"
            empty = (
                dynamic
                + f"  %rows = tensor.dim %ac, %c{len(self.lead)} : {args[0][1]}\n  %empty = tensor.empty(%rows) : {out}\n"
            )
            init = "%empty"
        else:
            out, empty, init = product, "", "%init"
        if wide:
            out = f"tensor<{lead}?x{self.n}xf32>"
        signature = ", ".join(f"%{name}: {type}" for name, type in args)
        large = SEPARATE if self.threads == 288 else LARGE
        others = f", #nvfp4.kernel<matmul, {large}>" if "max_rows = 16" in self.schedule else ""
        buffers = ", ".join(f"%{name}: {type.replace('tensor', 'memref')}" for name, type in args)
        names = ", ".join(f"%{name}" for name, _ in args[:-1])
        types = ", ".join(type.replace("tensor", "memref") for _, type in args[:-1])
        return f"""module @kernels {{
func.func @mm({signature}) -> {result}
    attributes {{nvfp4.kernel = [#nvfp4.kernel<matmul, {self.schedule}>{others}]}} {{
{empty}  %d = nvfp4.scaled_matmul lhs {a_type} rhs {b_type}
      ins({ins}) outs({init} : {out}) -> {out}
{ops}  return {value} : {result}
}}
}}
func.func @main({buffers}) {{
  nvfp4.dispatch @kernels::@mm ins({names} : {types}) outs(%init : {result.replace("tensor", "memref")})
  return
}}
"""

    def signature(self) -> list[tuple[str, list[int]]]:
        """Arguments, and which of their extents are dynamic: (name, dims)."""
        b = len(self.lead)
        nv = self.form == "nvfp4"
        result = [("ac", [b]), ("as", [b])]
        if nv:
            result.append(("ag", [b] if self.lhs_global == "row" else []))
        result += [("bc", []), ("bs", [])] + ([("bg", [])] if nv else [])
        if self.epilogue in ("bias", "rational"):
            result.append(("bias", []))
        return result + [("d", [b + (self.epilogue == "heads")])]

    def operand(self, rng, rows: int, batched: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Codes and scales as stored, and the decoded values [slices, rows, k] in float64."""
        slices = (self.batch or 1) if batched else 1
        block = BLOCK[self.form]
        columns = -(-self.k // block)
        codes = rng.integers(0, 16, (slices, rows, self.k)).astype(np.uint8)
        choice = (np.arange(0x7F) if self.form == "nvfp4" else np.arange(107, 147)) if self.any_scale else EXACT[self.form]
        scales = rng.choice(choice, (slices, rows, columns)).astype(np.uint8)
        packed = np.zeros((slices, rows, self.pitch), np.uint8)
        packed[..., : self.k // 2] = pack_nibbles(codes)
        dense = E2M1[codes].astype(np.float64)
        dense *= VALUES[self.form][scales].astype(np.float64).repeat(block, 2)[..., : self.k]
        tiled = np.stack([tile_scales(part) for part in scales])
        return packed, tiled, dense

    def case(self, rng, m: int) -> corpus.Case:
        slices = self.batch or 1
        ac, as_, a = self.operand(rng, m, True)
        bc, bs, b = self.operand(rng, self.n, self.rhs_batched)
        inputs = {"ac": ac, "as": as_, "bc": bc, "bs": bs}
        alpha = np.ones((slices, m, 1), F32)
        if self.form == "nvfp4":
            # Powers of two, so that alpha is the same however it is multiplied.
            inputs["ag"] = F32(2.0) ** rng.integers(
                -3, 4, (slices, m) if self.lhs_global == "row" else (1, 1)
            ).astype(F32)
            inputs["bg"] = F32(2.0) ** rng.integers(-3, 4, 1).astype(F32)
            ag = np.broadcast_to(inputs["ag"], (slices, m))[:, :, None]
            bg = np.broadcast_to(inputs["bg"], slices)[:, None, None]
            alpha = (ag * bg).astype(F32) * (F32(1) / MAX_PRODUCTS)
        sums = a @ b.transpose(0, 2, 1)
        value = sums.astype(F32) * alpha
        tolerance = 0.0
        if self.any_scale:
            magnitude = (np.abs(a) @ np.abs(b).transpose(0, 2, 1) * alpha).max(initial=0.0)
            tolerance = (self.k / 64 + 1) * 2.0**-22 * magnitude
        if self.epilogue in ("bias", "rational"):
            inputs["bias"] = rng.standard_normal(self.n).astype(F32)
            if self.any_scale:
                inputs["bias"] *= F32(magnitude)
            value = value + inputs["bias"]
            if self.epilogue == "rational":
                value = value / (value * value + F32(1))
        if self.epilogue == "heads":
            value = value.reshape(slices, m, self.n // 64, 64).transpose(0, 2, 1, 3)
        value = np.ascontiguousarray(value)
        stored = to_bf16(value) if self.element == "bf16" else value
        expected = stored
        if self.any_scale:
            relative = 2.0**-8 if self.element == "bf16" else 2.0**-22
            wide = value.astype(np.float64)
            expected = Close(wide, relative, tolerance, from_bf16 if self.element == "bf16" else None)
            if self.element == "f32":
                expected = Close(value, relative, tolerance)
        args, extents = [], []
        shapes = {name: array.shape for name, array in inputs.items()} | {"d": value.shape}
        for name, dims in self.signature():
            args.append(name)
            # Slices are dimension 0 of every array here, also without a batch.
            for dim in dims:
                extents.append(np.int64(shapes[name][dim + (0 if self.batch else 1)]))
        tile_m, tile_n, _ = self.tile
        grid = -(-m // (tile_m * self.clusters)) * -(-self.n // tile_n) * slices
        grid = min(grid, self.blocks or grid) * self.clusters
        case = corpus.Case(f"M={m}", "mm", (grid,), (self.threads,), args + extents, inputs, {"d": expected})
        case.cluster = (self.clusters, 1, 1)
        return case


_MAPS = re.compile(r"nvfp4\.tensor_maps = \[(.*?)\]")
_MAP = re.compile(
    r"box = array<i64: ([^>]*)>, dims = affine_map<\(([^)]*)\) -> \((.*?)\)>, dtype = (\d+) : i64, operand = (\d+) : i64, "
    r"strides = affine_map<\([^)]*\) -> \((.*?)\)>, swizzle = (\d+) : i64"
)
_DTYPES = {0: "U8", 4: "U64", 6: "F16", 9: "BF16"}
_SWIZZLES = ["none", "32B", "64B", "128B"]


@dataclass(frozen=True)
class MapTemplate:
    """A tensor map as the kernel's function describes it: extents are expressions."""

    argument: int
    dtype: str
    swizzle: str
    box: tuple[int, ...]
    names: tuple[str, ...]
    dims: tuple[str, ...]
    strides: tuple[str, ...]

    def make(self, args: list) -> corpus.TensorMap:
        extents = [int(arg) for arg in args if isinstance(arg, np.int64)]
        values = dict(zip(self.names, extents, strict=True))
        upwards = lambda text: re.sub(r"(\w+) ceildiv (\d+)", r"-(-\1 // \2)", text)
        number = lambda text: eval(upwards(text).replace("floordiv", "//"), {}, values)
        dims = tuple(max(1, number(dim)) for dim in self.dims)
        strides = tuple(number(stride) for stride in self.strides[1:])
        return corpus.TensorMap(args[self.argument], self.dtype, dims, strides, self.box, swizzle=self.swizzle)


def parse_maps(ir: str) -> list[MapTemplate]:
    """Of the only kernel of a module."""
    found = _MAPS.search(ir[ir.index("gpu.module") :])
    split = lambda text: tuple(part.strip() for part in text.split(","))
    return [
        MapTemplate(
            int(argument),
            _DTYPES[int(dtype)],
            _SWIZZLES[int(swizzle)],
            tuple(int(extent) for extent in split(box)),
            split(names) if names else (),
            split(dims),
            split(strides),
        )
        for box, names, dims, dtype, argument, strides, swizzle in (_MAP.findall(found[1]) if found else [])
    ]


@dataclass
class Runner:
    """Compiles and simulates."""

    options: list[str] = field(default_factory=list)
    # Of asynchronous effects.
    order: str = "late"
    failures: int = 0
    launches: int = 0
    # Of the kernel that was compiled last.
    maps: list[MapTemplate] = field(default_factory=list)

    def compile(self, matmul: Matmul, folder: Path) -> int:
        """Writes kernel.ptx; returns the bytes of shared memory that the host asks for."""
        (folder / "kernel.mlir").write_text(matmul.text())
        chip = f"chip={matmul.chip}"
        launch = ["nvfp4-opt", folder / "kernel.mlir", f"--convert-nvfp4-kernels-to-gpu={chip}", "--mlir-print-local-scope"]
        ir = self._call([*launch, "-o", folder / "device.mlir"], folder / "device.mlir")
        self.maps = parse_maps(ir)
        lower = ["nvfp4-opt", folder / "device.mlir", f"--nvfp4-lower-device={chip} assemble=false"]
        ptx = self._call([*lower, "--nvfp4-print-device", "-o", "/dev/null"])
        (folder / "kernel.ptx").write_text(ptx)
        return int(re.search(r"dynamic_shared_memory_size %c(\d+)_i32", ir).group(1))

    @staticmethod
    def _call(command: list, output: Path | None = None) -> str:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr[:800])
        return output.read_text() if output else done.stdout

    def run(self, matmul: Matmul, rows: list[int], rng) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            try:
                shared = self.compile(matmul, folder)
            except RuntimeError as error:
                self.failures += 1
                print(f"FAIL {matmul.name}: {error}")
                return
            for m in rows:
                case = matmul.case(rng, m)
                case.shared = shared
                case.args = [*case.args, *(template.make(case.args) for template in self.maps)]
                self.launch(matmul, case, folder)

    def launch(self, matmul: Matmul, case: corpus.Case, folder: Path) -> None:
        self.launches += 1
        corpus.write_safetensors(folder / "in.safetensors", case.inputs)
        launch = case.launch("kernel.ptx")
        for argument in launch["args"]:
            if argument.get("name") == "d":
                argument["undefined"] = argument.pop("zeros")
        (folder / "launch.json").write_text(json.dumps(launch))
        output = folder / "out.safetensors"
        output.unlink(missing_ok=True)
        command = ["nvfp4-sim", folder / "launch.json", "--output", output, f"--async={self.order}", *self.options]
        done = subprocess.run(command, capture_output=True, text=True)
        wrong = done.stderr[:400] if done.returncode or done.stderr else ""
        if not wrong:
            wrong = corpus.compare("d", case.expected["d"], corpus.read_safetensors(output)["d"]) or ""
        if wrong:
            self.failures += 1
            print(f"FAIL {matmul.name} {case.name} {self.order}: {wrong}")
