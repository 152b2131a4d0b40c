# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Stream kernels, in the simulator, give what NumPy gives, bit for bit where sums are exact; their weights are packed by NumPy.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Integration"))
from float_cases import WeightOnly
from matmul_cases import BLOCK, EXACT, VALUES, Runner, corpus
from corpus import E2M1, from_bf16
from golden import codes_in_registers, scales_in_registers

# Serves the rows that are too many for a stream.
OTHERS = ", #nvfp4.kernel<matmul, threads = 256, tile = 64x64x64, warps = 1x4x1, stages = 2, swapped = true>"


@dataclass(frozen=True)
class Stream(WeightOnly):
    """D[M, N] = A[M, K] B[N, K]^T, weights in the registers layout."""

    m: int = 1
    tile: tuple[int, int, int] = (8, 64, 256)
    # Of warps, along K and, where activations come with the weights, along N.
    groups: int = 2
    groups_n: int = 1
    finishers: int = 1
    stages: int = 4
    clusters: int = 2
    # 0: the tile's.
    max_rows: int = 0
    chip: str = "sm_90a"
    # Activations of f32 that the kernel rounds; an extent M that the kernel learns at run time.
    computed: bool = False
    dynamic: bool = False

    @property
    def name(self) -> str:
        return f"{self.activations} {self.form} M={self.m} N={self.n} K={self.k} {self.element} {self.kernel}"

    @property
    def threads(self) -> int:
        return 32 * (4 * self.groups_n * self.groups + 1 + self.finishers)

    @property
    def kernel(self) -> str:
        tile = "x".join(map(str, self.tile))
        text = f"stream, threads = {self.threads}, tile = {tile}, warps = 1x{4 * self.groups_n}x{self.groups}, stages = {self.stages}"
        text += f", swapped = true, max_rows = {self.max_rows or self.tile[0]}"
        return f"#nvfp4.kernel<{text}, clusters = {self.clusters}>"

    @property
    def is_staged(self) -> bool:
        return self.tile[0] > 8 and self.tile[1] == 64 * self.groups_n and (self.groups_n > 1 or self.tile[2] == 128)

    @property
    def tiles(self) -> int:
        return -(-self.n // 64) * -(-self.k // 128)

    def text(self) -> str:
        m = "?" if self.dynamic else self.m
        activations = f"tensor<{m}x{self.k}x{self.activations}>"
        arguments = [
            ("a", activations.replace("bf16", "f32") if self.computed else activations),
            ("bc", f"tensor<{self.tiles * 4096}xi8>"),
            ("bs", f"tensor<{self.tiles * 512}xi8>"),
        ]
        if self.form == "nvfp4":
            arguments.append(("bg", "tensor<f32>"))
        result = f"tensor<{m}x{self.n}x{self.element}>"
        signature = ", ".join(f"%{name}: {type}" for name, type in [*arguments, ("d", result)])
        names = ", ".join(f"%{name}" for name, _ in arguments)
        types = ", ".join(type for _, type in arguments)
        inside = ", ".join([activations, *(type for _, type in arguments[1:])])
        operands, before = names, ""
        if self.computed:
            operands = names.replace("%a", "%ax", 1)
            identity = "affine_map<(i, j) -> (i, j)>"
            before = f"""  %e = tensor.empty({"%m" if self.dynamic else ""}) : {activations}
  %ax = linalg.generic {{indexing_maps = [{identity}, {identity}], iterator_types = ["parallel", "parallel"]}}
      ins(%a : {arguments[0][1]}) outs(%e : {activations}) {{
  ^bb0(%v: f32, %w: bf16):
    %t = arith.truncf %v : f32 to bf16
    linalg.yield %t : bf16
  }} -> {activations}
"""
            if self.dynamic:
                before = f"  %c0 = arith.constant 0 : index\n  %m = tensor.dim %a, %c0 : {arguments[0][1]}\n" + before
        return f"""module @kernels {{
func.func @mm({signature}) -> {result}
    attributes {{nvfp4.kernel = [{self.kernel}{OTHERS if self.dynamic else ""}]}} {{
{before}  %r = nvfp4.scaled_matmul rhs !nvfp4.tensor<{self.n}x{self.k}, {self.form}, layout = registers>
      ins({operands} : {inside}) outs(%d : {result}) -> {result}
  return %r : {result}
}}
}}
func.func @main({signature.replace("tensor", "memref")}) {{
  nvfp4.dispatch @kernels::@mm ins({names} : {types.replace("tensor", "memref")}) outs(%d : {result.replace("tensor", "memref")})
  return
}}
"""

    def operand(self, rng, rows: int, batched: bool):
        block = BLOCK[self.form]
        codes = rng.integers(0, 16, (rows, self.k)).astype(np.uint8)
        columns = -(-self.k // block)
        if self.every_scale:
            scales = np.arange(rows * columns) % {"nvfp4": 0x7F, "mxfp4": 253}[self.form]
            scales = scales.reshape(rows, columns).astype(np.uint8)
        else:
            scales = rng.choice(EXACT[self.form], (rows, columns)).astype(np.uint8)
        dense = E2M1[codes].astype(np.float64) * VALUES[self.form][scales].astype(np.float64).repeat(block, 1)[:, : self.k]
        return codes_in_registers(codes), scales_in_registers(scales, 1, block, self.k), dense[None]

    def case(self, rng, m: int) -> corpus.Case:
        case = super().case(rng, m)
        if self.computed:
            case.inputs["a"] = from_bf16(case.inputs["a"]).astype(np.float32)
        if not self.dynamic:
            case.args = [name for name in case.args if isinstance(name, str)]
        # Without the clusters that do nothing, unless the runner knows better.
        case.grid = (min(-(-self.n // 64), 120 // self.clusters) * self.clusters,)
        case.cluster = (self.clusters, 1, 1)
        return case


CASES = [
    # One tile; padding of both; more tiles than CTAs; K shared in the cluster and by groups; half a stage.
    Stream(64, 256),
    Stream(80, 176, form="nvfp4", activations="bf16", element="bf16", groups=1),
    Stream(200, 1424, m=3, groups=3, stages=3, activations="f16"),
    Stream(64 * 133, 160, m=1, activations="bf16"),
    Stream(136, 640, m=5),
    Stream(136, 640, m=2, max_rows=2, activations="bf16"),
    Stream(136, 784, m=8, clusters=4, groups=2, stages=2),
    Stream(128, 1920, m=7, clusters=8, groups=1, stages=2),
    Stream(128, 1024, form="mxfp4", m=2, stages=2),
    Stream(72, 208, form="mxfp4", m=1, groups=1),
    Stream(136, 640, m=16, tile=(16, 64, 256), finishers=2),
    Stream(80, 272, m=9, tile=(16, 64, 128), groups=2, finishers=2, activations="bf16"),
    Stream(192, 784, m=33, tile=(64, 64, 128), clusters=4, groups=1, finishers=4, stages=2, activations="bf16", element="bf16"),
    Stream(64 * 133, 512, m=2, groups=1, stages=2, activations="bf16"),
    # Several tiles at once: in the registers of a warp, and of several groups of warps.
    Stream(64 * 7, 640, m=16, tile=(16, 128, 256), finishers=2, stages=2, groups=1, activations="bf16", element="bf16"),
    Stream(64 * 5 + 8, 784, m=3, tile=(8, 192, 128), groups=2, max_rows=4),
    Stream(64 * 7, 640, m=64, tile=(64, 128, 128), finishers=3, stages=4, groups=2, groups_n=2, activations="bf16", element="bf16"),
    Stream(64 * 133 * 2 + 8, 272, m=13, tile=(16, 192, 128), finishers=2, stages=2, groups=1, groups_n=3, activations="bf16", element="bf16"),
    Stream(64 * 133 + 8, 1024, m=21, tile=(32, 256, 256), finishers=1, stages=2, groups=1, groups_n=4, activations="bf16"),
    Stream(200, 1424, m=40, tile=(64, 128, 128), clusters=4, finishers=2, stages=3, groups=1, groups_n=2, activations="bf16"),
    # The compiler's own: five groups, sixteen and twelve stages, which are used more than once; rounds of fewer stages than groups.
    Stream(64, 8400, m=2, groups=5, stages=15, max_rows=2, activations="bf16"),
    Stream(64 * 67 + 8, 1424, m=2, groups=5, stages=15, max_rows=2, activations="bf16", element="bf16"),
    Stream(72, 4624, m=8, tile=(8, 64, 128), groups=4, stages=16, activations="bf16"),
    Stream(136, 4624, m=2, tile=(8, 64, 128), groups=4, stages=16, max_rows=2, activations="bf16", computed=True, dynamic=True),
    Stream(64, 3472, m=7, tile=(8, 64, 128), groups=4, stages=12, activations="bf16"),
    Stream(64, 8400, form="mxfp4", m=5, tile=(8, 64, 512), groups=4, stages=8, max_rows=5, activations="bf16"),
    # Activations that warps write to the stages, and rows that are known late.
    Stream(64 * 5, 640, m=16, tile=(16, 128, 128), groups=2, groups_n=2, finishers=2, activations="bf16", computed=True),
    Stream(136, 272, m=64, tile=(64, 192, 128), groups=1, groups_n=3, finishers=3, stages=2, activations="bf16", computed=True, dynamic=True),
    Stream(136, 640, m=2, max_rows=2, dynamic=True),
    Stream(200, 784, m=64, tile=(64, 128, 128), groups=2, groups_n=2, finishers=3, activations="bf16", element="bf16", dynamic=True),
    Stream(64 * 7, 640, m=16, tile=(16, 128, 256), finishers=2, stages=2, groups=1, activations="bf16", dynamic=True),
    # All codes with all scales, exactly: rows of A pick one weight each.
    Stream(128, 192, m=64, tile=(64, 64, 128), groups=1, finishers=4, every_scale=True, one_hot=True),
    Stream(128, 192, form="mxfp4", m=64, tile=(64, 64, 128), groups=1, finishers=4, every_scale=True, one_hot=True),
]


class Streams(Runner):
    """The stream is the first kernel of its module."""

    def compile(self, matmul: Stream, folder: Path) -> int:
        shared = super().compile(matmul, folder)
        # The stream's, if it does not depend on the number of rows.
        grid = re.search(r"blocks in \(%c(\d+)", (folder / "device.mlir").read_text())
        self.grid = (int(grid[1]),) if grid and not matmul.dynamic else None
        if not matmul.is_staged or matmul.computed or matmul.activations != "bf16":
            self.maps = []
        return shared

    def launch(self, matmul: Stream, case: corpus.Case, folder: Path) -> None:
        case.grid = self.grid or case.grid
        super().launch(matmul, case, folder)


def main() -> int:
    runner = Streams()
    rng = np.random.default_rng(20261123)
    for i, matmul in enumerate(CASES):
        runner.order = ["late", "early", "random:7"][i % 3]
        rows = sorted({1, min(5, matmul.m), matmul.m}) if matmul.dynamic else [matmul.m]
        runner.run(matmul, rows, rng)
    print(f"{runner.launches} launches, {runner.failures} wrong")
    return runner.failures != 0


if __name__ == "__main__":
    sys.exit(main())
