# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A kernel that quantizes a matrix and its transpose writes the golden bytes of both, in the simulator.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import numpy as np
from golden import F32, MXFP4, Format, global_scale, pack_codes, quantize, tile_scales
from harness import expect_bytes, finish, from_bf16, to_bf16
from kernel_harness import Kernels

STATE = (0x123456789ABCDEF0, 7)


def dims(*extents: int | str) -> str:
    return "".join(f"{extent}x" for extent in extents)


class Way:
    """Types and text of one of the two quantizations."""

    def __init__(self, name: str, source: str, shape: tuple, form: Format, tiled: bool, stochastic: bool) -> None:
        self.form, self.tiled, self.stochastic = form, tiled, stochastic
        *lead, rows, columns = shape
        half = lambda extent, size: extent if extent == "?" else -(-extent // size)  # noqa: E731
        if tiled:
            self.codes = f"tensor<{dims(*lead, rows, -(-columns // 64) * 32)}i8>"
            run = "?" if rows == "?" else -(-rows // 128) * 128 * (-(-columns // form.columns // 4) * 4)
            self.scales = f"tensor<{dims(*lead, run)}i8>"
        else:
            self.codes = f"tensor<{dims(*lead, rows, half(columns, 2))}i8>"
            self.scales = f"tensor<{dims(*lead, rows, half(columns, form.columns))}i8>"
        self.inputs = {}
        if form.has_global_scale:
            self.inputs[f"{name}g"] = f"tensor<{dims(*lead) if form.granularity == 'slice' else ''}f32>"
        if stochastic:
            self.inputs[f"{name}s"] = "tensor<2xi64>"
        ins = "".join(f", %{n}" for n in self.inputs)
        types = "".join(f", {t}" for t in self.inputs.values())
        tensor = source.split(" : ")
        self.text = f"""
    %{name}:2 = nvfp4.quantize_into as !nvfp4.tensor<{dims(*shape)[:-1]}, {form.text()}{", layout = tiled" * tiled}>{" rounding<stochastic>" * stochastic}
        ins({tensor[0]}{ins} : {tensor[1]}{types}) outs(%{name}c, %{name}k : {self.codes}, {self.scales}) -> {self.codes}, {self.scales}"""

    def golden(self, x: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        inputs, g = [], None
        if self.form.has_global_scale:
            g = np.asarray(global_scale(x, self.form), F32)
            inputs.append(g)
        if self.stochastic:
            inputs.append(np.array(STATE, np.uint64).view(np.int64))
        golden = quantize(x, self.form, g, STATE if self.stochastic else None)
        scales = tile_scales(golden.scales, self.form.rows) if self.tiled else golden.scales
        return inputs, [pack_codes(golden.codes, self.tiled), scales]


def check(shape, size, element="bf16", forms=(Format(), Format()), tiled=(False, False), stochastic=False, threads=128, swapped=False, chip="sm_90a"):
    *lead, rows, columns = shape
    source, turned = f"tensor<{dims(*shape)}{element}>", f"tensor<{dims(*lead, columns, rows)}{element}>"
    a = Way("a", f"%x : {source}", shape, forms[0], tiled[0], stochastic)
    b = Way("b", f"%t : {turned}", (*lead, columns, rows), forms[1], tiled[1], stochastic)
    ways = {"b": b, "a": a} if swapped else {"a": a, "b": b}
    arguments = {"x": source}
    for way in ways.values():
        arguments |= way.inputs
    for name, way in ways.items():
        arguments |= {f"{name}c": way.codes, f"{name}k": way.scales}
    results = ", ".join(f"{way.codes}, {way.scales}" for way in ways.values())

    order = [*range(len(lead)), len(lead) + 1, len(lead)]
    sizes = "".join(f"\n    %c{i} = arith.constant {i} : index\n    %d{i} = tensor.dim %x, %c{i} : {source}" for i, e in enumerate(shape) if e == "?")
    dynamic = ", ".join(f"%d{i}" for i in order if shape[i] == "?")
    kernels = Kernels(
        f"""
  func.func @quantize({", ".join(f"%{n}: {t}" for n, t in arguments.items())}) -> ({results})
      attributes {{nvfp4.kernel = [#nvfp4.kernel<block, threads = {threads}>]}} {{{sizes}
    %e = tensor.empty({dynamic}) : {turned}
    %t = linalg.transpose ins(%x : {source}) outs(%e : {turned}) permutation = {order}{"".join(way.text for way in ways.values())}
    return {", ".join(f"%{name}#{i}" for name in ways for i in range(2))} : {results}
  }}""",
        chip,
    )

    rng = np.random.default_rng(1)
    x = (rng.standard_normal(size) * (10.0 ** rng.uniform(-6, 3, size))).astype(F32)
    x[..., 0, :3] = [np.nan, -0.0, 3e38]
    x[..., 16:32, 5] = 0
    stored = x
    if element == "bf16":
        stored = to_bf16(x)
        x = from_bf16(stored)
    elif element == "f16":
        with np.errstate(over="ignore"):
            stored = x.astype(np.float16)
        x = stored.astype(F32)
    inputs, outputs = [stored], []
    for name, way in ways.items():
        extra, golden = way.golden(x if name == "a" else np.ascontiguousarray(np.swapaxes(x, -1, -2)))
        inputs += extra
        outputs += golden
    got = kernels.run("quantize", inputs, [(array.shape, np.uint8) for array in outputs])
    what = f"{shape} {size} {element} {[form.text() for form in forms]} tiled {tiled} {'stochastic ' * stochastic}{threads} {chip}"
    for i, (mine, golden) in enumerate(zip(got, outputs, strict=True)):
        expect_bytes(f"{what}: result {i}", mine, golden)


def main() -> None:
    for tiled in [(False, False), (True, True), (True, False), (False, True)]:
        check((48, 80), (48, 80), tiled=tiled)
    check((128, 256), (128, 256), tiled=(True, True))
    check((64, 128), (64, 128), swapped=True)
    check((80, 144), (80, 144), "f32", tiled=(True, True))
    check((32, 48), (32, 48), "f16")
    check(("?", 64), (144, 64), tiled=(True, False))
    check((2, 32, 160), (2, 32, 160), forms=(Format(granularity="slice"), Format(granularity="slice")), tiled=(True, True))
    check((48, 96), (48, 96), forms=(MXFP4, Format()), tiled=(False, True))
    check((96, 48), (96, 48), forms=(Format(), MXFP4), chip="sm_120a")
    check((64, 32), (64, 32), stochastic=True)
    check((64, 64), (64, 64), threads=256)
    finish()


main()
