# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Stream kernels, in the simulator, give what NumPy gives, bit for bit where sums are exact; their weights are packed by NumPy.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Integration"))
from float_cases import WeightOnly
from matmul_cases import BLOCK, EXACT, VALUES, Runner, corpus
from corpus import E2M1
from golden import codes_in_registers, scales_in_registers

@dataclass(frozen=True)
class Stream(WeightOnly):
    """D[M, N] = A[M, K] B[N, K]^T, weights in the registers layout."""

    m: int = 1
    tile: tuple[int, int, int] = (8, 64, 256)
    groups: int = 2
    finishers: int = 1
    stages: int = 4
    clusters: int = 1
    # 0: the tile's.
    max_rows: int = 0
    chip: str = "sm_90a"

    @property
    def name(self) -> str:
        return f"{self.activations} {self.form} M={self.m} N={self.n} K={self.k} {self.element} {self.kernel}"

    @property
    def threads(self) -> int:
        return 32 * (4 * self.groups + 1 + self.finishers)

    @property
    def kernel(self) -> str:
        tile = "x".join(map(str, self.tile))
        text = f"stream, threads = {self.threads}, tile = {tile}, warps = 1x4x{self.groups}, stages = {self.stages}"
        text += f", swapped = true, max_rows = {self.max_rows or self.tile[0]}"
        return f"#nvfp4.kernel<{text}{f', clusters = {self.clusters}' if self.clusters > 1 else ''}>"

    @property
    def tiles(self) -> int:
        return -(-self.n // 64) * -(-self.k // 128)

    def text(self) -> str:
        arguments = [
            ("a", f"tensor<{self.m}x{self.k}x{self.activations}>"),
            ("bc", f"tensor<{self.tiles * 4096}xi8>"),
            ("bs", f"tensor<{self.tiles * 512}xi8>"),
        ]
        if self.form == "nvfp4":
            arguments.append(("bg", "tensor<f32>"))
        result = f"tensor<{self.m}x{self.n}x{self.element}>"
        signature = ", ".join(f"%{name}: {type}" for name, type in [*arguments, ("d", result)])
        names = ", ".join(f"%{name}" for name, _ in arguments)
        types = ", ".join(type for _, type in arguments)
        return f"""module @kernels {{
func.func @mm({signature}) -> {result}
    attributes {{nvfp4.kernel = [{self.kernel}]}} {{
  %r = nvfp4.scaled_matmul rhs !nvfp4.tensor<{self.n}x{self.k}, {self.form}, layout = registers>
      ins({names} : {types}) outs(%d : {result}) -> {result}
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
        case = super().case(rng, self.m)
        # No extent is dynamic. As many clusters as an H200 holds.
        case.args = [name for name in case.args if isinstance(name, str)]
        resident = 264 if self.clusters <= 2 else 240
        case.grid = (min(-(-self.n // 64), resident // self.clusters) * self.clusters,)
        case.cluster = (self.clusters, 1, 1)
        return case


CASES = [
    # One tile; padding of both; more tiles than CTAs; K shared in the cluster and by groups; half a stage.
    Stream(64, 128),
    Stream(80, 48, form="nvfp4", activations="bf16", element="bf16", groups=1),
    Stream(200, 1424, m=3, groups=3, stages=3, activations="f16"),
    Stream(64 * 265, 128, m=1, activations="bf16"),
    Stream(136, 640, m=5, clusters=2),
    Stream(136, 640, m=2, clusters=2, max_rows=2, activations="bf16"),
    Stream(136, 784, m=8, clusters=4, groups=2, stages=2),
    Stream(128, 1920, m=7, clusters=8, groups=1, stages=2),
    Stream(128, 1024, form="mxfp4", m=2, clusters=2, stages=2),
    Stream(72, 80, form="mxfp4", m=1, groups=1),
    Stream(136, 640, m=16, tile=(16, 64, 256), clusters=2, finishers=2),
    Stream(80, 272, m=9, tile=(16, 64, 128), groups=2, finishers=2, activations="bf16"),
    Stream(192, 784, m=33, tile=(64, 64, 256), clusters=4, groups=1, finishers=4, stages=2, activations="bf16", element="bf16"),
    Stream(64 * 133, 512, m=2, clusters=2, groups=1, stages=2, activations="bf16"),
    # All codes with all scales, exactly: rows of A pick one weight each.
    Stream(128, 64, m=64, tile=(64, 64, 128), groups=1, finishers=4, every_scale=True, one_hot=True),
    Stream(128, 64, form="mxfp4", m=64, tile=(64, 64, 128), groups=1, finishers=4, every_scale=True, one_hot=True),
]


def main() -> int:
    runner = Runner()
    rng = np.random.default_rng(20261123)
    for i, matmul in enumerate(CASES):
        runner.order = ["late", "early", "random:7"][i % 3]
        runner.run(matmul, [matmul.m], rng)
    print(f"{runner.launches} launches, {runner.failures} wrong")
    return runner.failures != 0


if __name__ == "__main__":
    sys.exit(main())
