# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels that move codes and scales, or transform blocks, agree with NumPy, padding included.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import numpy as np
from golden import F32, MXFP4, Format, global_scale, hadamard, pack_codes, quantize, tile_scales
from harness import expect_bytes, finish, from_bf16, to_bf16
from kernel_harness import Kernels

SIGNS = 0xD7E8


def run_op(op: str, inputs: dict[str, str], outputs: dict[str, str], given: list, expected: list[np.ndarray], what: str) -> None:
    """One op in a kernel of the element schedule; `expected` are its results."""
    results = ", ".join(outputs.values())
    arguments = ", ".join(f"%{name}: {type_}" for name, type_ in (inputs | outputs).items())
    listed = lambda arrays: f"{', '.join(f'%{name}' for name in arrays)} : {', '.join(arrays.values())}"  # noqa: E731
    values = ", ".join(f"%r#{i}" for i in range(len(outputs))) if len(outputs) > 1 else "%r"
    kernels = Kernels(f"""
  func.func @op({arguments}) -> ({results}) attributes {{nvfp4.kernel = [#nvfp4.kernel<element, threads = 128>]}} {{
    %r{f":{len(outputs)}" * (len(outputs) > 1)} = {op} ins({listed(inputs)}) outs({listed(outputs)}) -> {results}
    return {values} : {results}
  }}""")
    got = kernels.run("op", given, [(array.shape, array.dtype) for array in expected])
    for name, array, wanted in zip(outputs, got, expected, strict=True):
        expect_bytes(f"{what}: {name}", array, wanted)


def components(form: Format, shape: tuple[int, ...], tiled: bool) -> tuple[str, str, str]:
    """Types: the block-scaled tensor, its codes, its scales."""
    dims = lambda *extents: "".join(f"{extent}x" for extent in extents)  # noqa: E731
    *lead, rows, columns = shape
    whole = f"!nvfp4.tensor<{dims(*shape)[:-1]}, {form.text()}{', layout = tiled' * tiled}>"
    blocks = -(-columns // form.columns)
    if not tiled:
        return whole, f"tensor<{dims(*lead, rows, columns // 2)}i8>", f"tensor<{dims(*lead, rows // form.rows, blocks)}i8>"
    run = -(-rows // 128) * 128 * (-(-blocks // 4) * 4)
    return whole, f"tensor<{dims(*lead, rows, -(-columns // 64) * 32)}i8>", f"tensor<{dims(*lead, run)}i8>"


def store(form: Format, codes: np.ndarray, scales: np.ndarray, tiled: bool) -> list[np.ndarray]:
    scales = tile_scales(scales, form.rows) if tiled else scales
    return [np.ascontiguousarray(array, np.uint8) for array in (pack_codes(codes, tiled), scales)]


def check_relayout(rng: np.random.Generator, form: Format, shape: tuple[int, ...], tiled: bool) -> None:
    x = rng.standard_normal(shape).astype(F32)
    golden = quantize(x, form, global_scale(x, form) if form.has_global_scale else None)
    (start, *given), (end, *wanted) = components(form, shape, not tiled), components(form, shape, tiled)
    run_op(
        f"nvfp4.relayout_into from {start} to {end}",
        dict(zip(["c", "s"], given, strict=True)),
        dict(zip(["codes", "scales"], wanted, strict=True)),
        store(form, golden.codes, golden.scales, not tiled),
        store(form, golden.codes, golden.scales, tiled),
        f"relayout {start} to {end}",
    )


def check_transpose(rng: np.random.Generator, form: Format, shape: tuple[int, ...], tiled: bool) -> None:
    x = rng.standard_normal(shape).astype(F32)
    golden = quantize(x, form, global_scale(x, form) if form.has_global_scale else None)
    start, *given = components(form, shape, tiled)
    _, *wanted = components(form, (*shape[:-2], shape[-1], shape[-2]), tiled)
    run_op(
        f"nvfp4.transpose_into from {start}",
        dict(zip(["c", "s"], given, strict=True)),
        dict(zip(["codes", "scales"], wanted, strict=True)),
        store(form, golden.codes, golden.scales, tiled),
        store(form, np.swapaxes(golden.codes, -1, -2), np.swapaxes(golden.scales, -1, -2), tiled),
        f"transpose {start}",
    )


def check_hadamard(rng: np.random.Generator, element: str, shape: tuple[int, ...]) -> None:
    x = rng.standard_normal(shape).astype(F32)
    x[..., 3] *= F32(1e-38)
    x[0, ..., 5] = np.inf if element == "f32" else 7
    stored = to_bf16(x) if element == "bf16" else x.astype(np.float16) if element == "f16" else x
    x = from_bf16(stored) if element == "bf16" else stored.astype(F32)
    with np.errstate(invalid="ignore"):
        result = hadamard(x, SIGNS)
    result = to_bf16(result) if element == "bf16" else result.astype(stored.dtype)
    type_ = f"tensor<{'x'.join(map(str, shape))}x{element}>"
    run_op(f"nvfp4.hadamard_into signs<{SIGNS:#06X}>".replace("0X", "0x"), {"x": type_}, {"y": type_}, [stored], [result], f"hadamard {type_}")


def main() -> None:
    rng = np.random.default_rng(3)
    square = Format(rows=16)
    for tiled in [False, True]:
        for form, shape in [(Format(), (5, 48)), (Format(), (144, 272)), (MXFP4, (3, 48)), (square, (48, 80)), (square, (3, 16, 32))]:
            check_relayout(rng, form, shape, tiled)
        for form, shape in [(square, (48, 80)), (square, (3, 32, 48)), (Format("mxfp4", rows=32, columns=32), (64, 96))]:
            check_transpose(rng, form, shape, tiled)
    for element, shape in [("f32", (5, 64)), ("bf16", (5, 64)), ("f16", (3, 16)), ("f32", (2, 3, 32))]:
        check_hadamard(rng, element, shape)
    finish()


main()
