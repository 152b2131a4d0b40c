# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Codes, scales and global scales of compiled quantizers equal the golden ones, byte for byte.

RUN: %python %s
RUN: env NVFP4_TEST_TARGET=sm_120a %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import numpy as np
from golden import F32, MXFP4, Format, global_scale, pack_codes, quantize, tile_scales
from harness import compile_module, expect_bytes, finish, from_bf16, group, run, to_bf16

SCALE_TYPES = {"nvfp4": "f8E4M3FN", "mxfp4": "f8E8M0FNU", "nvfp4_ue5m3": "i8"}


def dims(*extents: int | str) -> str:
    """A tensor shape without element type: `4x32x`."""
    return "".join(f"{extent}x" for extent in extents)


def quantizer(index: int, form: Format, shape: tuple, element: str, tiled: bool) -> tuple[str, str, list[str], list[str]]:
    """The ops that quantize `%x` and give its components: body, names, their types, their names as results."""
    *lead, rows, columns = shape
    ceil = lambda x, n: x if x == "?" else -(-x // n)  # noqa: E731
    layout = ", layout = tiled" if tiled else ""
    source = f"tensor<{dims(*shape)}{element}>"
    quantized = f"!nvfp4.tensor<{dims(*shape)[:-1]}, {form.text()}{layout}>"
    if tiled:
        codes = f"tensor<{dims(*lead, rows, -(-columns // 64) * 32)}i8>"
        run_length = "?" if rows == "?" else -(-rows // 128) * 128 * (-(-columns // form.columns // 4) * 4)
        scales = f"tensor<{dims(*lead, run_length)}{SCALE_TYPES[form.name]}>"
    else:
        codes = f"tensor<{dims(*lead, rows, columns // 2)}i8>"
        scales = f"tensor<{dims(*lead, ceil(rows, form.rows), ceil(columns, form.columns))}{SCALE_TYPES[form.name]}>"
    n = index
    if not form.has_global_scale:
        body = f"""
  %q{n} = nvfp4.quantize %x : {source} -> {quantized}
  %c{n}, %s{n} = nvfp4.disassemble %q{n} : {quantized} -> {codes}, {scales}"""
        return body, f"%c{n}, %s{n}", [codes, scales], [f"codes{n}", f"scales{n}"]
    kept = {"tensor": [], "slice": lead, "row": [*lead, rows]}[form.granularity]
    g = f"tensor<{dims(*kept)}f32>"
    body = f"""
  %g{n} = nvfp4.global_scale %x format <{form.text()}> : {source} -> {g}
  %q{n} = nvfp4.quantize %x global_scale %g{n} : {source}, {g} -> {quantized}
  %c{n}, %s{n}, %h{n} = nvfp4.disassemble %q{n} : {quantized} -> {codes}, {scales}, {g}"""
    return body, f"%c{n}, %s{n}, %h{n}", [codes, scales, g], [f"codes{n}", f"scales{n}", f"global{n}"]


def build(cases: list[tuple[Format, bool]], shape: tuple, element: str):
    """A package that quantizes its input `x` in every way of `cases`, (format, tiled)."""
    bodies, values, results = "", [], []
    for index, (form, tiled) in enumerate(cases):
        body, names, types, result_names = quantizer(index, form, shape, element, tiled)
        bodies += body
        values.append(names)
        results += [f'{t} {{nvfp4.name = "{name}"}}' for t, name in zip(types, result_names, strict=True)]
    types = [result.split(" {")[0] for result in results]
    return compile_module(
        f'func.func @main(%x: tensor<{dims(*shape)}{element}> {{nvfp4.name = "x"}}) -> ({", ".join(results)}) {{{bodies}\n'
        f"  return {', '.join(values)} : {', '.join(types)}\n}}\n"
    )


def check(what: str, package, cases: list[tuple[Format, bool]], x: np.ndarray, stored: np.ndarray | None = None) -> None:
    """Runs on `stored` (default x itself), whose values are x, and compares with the golden quantizer."""
    got = run(package, {"x": x if stored is None else stored})
    for index, (form, tiled) in enumerate(cases):
        g = global_scale(x, form) if form.has_global_scale else None
        golden = quantize(x, form, g)
        where = f"{what}, {form.text()}{', tiled' if tiled else ''}"
        scales = tile_scales(golden.scales, form.rows) if tiled else golden.scales
        expect_bytes(f"{where}: codes", got[f"codes{index}"], pack_codes(golden.codes, tiled))
        expect_bytes(f"{where}: scales", got[f"scales{index}"], scales)
        if g is not None:
            expect_bytes(f"{where}: global scale", got[f"global{index}"], g)


def decades(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normal values; each block of 16 has a magnitude of its own, over 12 decades."""
    x = rng.standard_normal(shape)
    blocks = 10.0 ** rng.uniform(-8, 4, (*shape[:-1], shape[-1] // 16))
    return (x * blocks.repeat(16, axis=-1)).astype(F32)


def special(rng: np.random.Generator, shape: tuple[int, ...], infinite: bool) -> np.ndarray:
    """NaN of both signs, denormals, both zeros, the largest float and, if wanted, infinities."""
    values = [0.0, -0.0, np.nan, 1e-45, -1e-40, 1.1754944e-38, 6.0, 5.0, -2.5, 0.25, 1e-30, 3e38, -3.4028235e38]
    if infinite:
        values += [np.inf, -np.inf]
    x = rng.choice(np.array(values, F32), shape)
    x[..., :1, :] = np.where(np.isfinite(x[..., :1, :]), x[..., :1, :], F32(1))
    flip = rng.random(shape) < 0.5
    return np.where(flip & np.isnan(x), -x, x)


def ties(shape: tuple[int, ...]) -> np.ndarray:
    """Example A of the fact sheet: every tie of e2m1 under the scale 64, the tensor's maximum being 21."""
    row = [3, -3, 0.125, -0.125, 0.375, 0.625, 0.875, 1.25, 1.75, 2.5, -2.5, 0.25, 0.5, 0.75, 1, 0]
    x = np.tile(np.array(row, F32), (*shape[:-1], shape[-1] // 16))
    x.reshape(-1)[-1] = 21
    return x


def inputs(rng: np.random.Generator, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Named inputs of one shape."""
    small = np.full(shape, 1e-39, F32)
    small[..., ::3] *= -0.3
    # Scale bytes that are ties: amax 21 gives S_enc = 128, and 17 lies between 16 and 18.
    scale_ties = rng.choice(np.array([0.796875, 0.78125, 0.8125, 0.5, 2.0**-11 * 6 / 128], F32), shape)
    scale_ties.reshape(-1)[0] = 21
    order = np.full(shape, 0.8203125, F32)
    order[..., 0, :16] = 1.09375
    return {
        "decades": decades(rng, shape),
        "normal": rng.standard_normal(shape).astype(F32),
        "ties": ties(shape),
        "scale ties": scale_ties,
        "order of operations": order,
        "zeros": np.zeros(shape, F32),
        "negative zeros": np.full(shape, -0.0, F32),
        "below the smallest normal": small,
        "largest": np.full(shape, 3.4028235e38, F32),
        "special": special(rng, shape, infinite=False),
        "infinite": special(rng, shape, infinite=True),
        "all NaN": np.full(shape, np.nan, F32),
    }


def check_all(shape: tuple[int, ...], element: str, cases: list[tuple[Format, bool]], rng: np.random.Generator) -> None:
    """All inputs of one static shape, stored as `element`."""
    with group(f"{element} {shape}"):
        package = build(cases, shape, element)
        for name, x in inputs(rng, shape).items():
            stored = x
            if element == "bf16":
                stored, x = to_bf16(x), from_bf16(to_bf16(x))
            elif element == "f16":
                with np.errstate(over="ignore"):
                    stored = x.astype(np.float16)
                x = stored.astype(F32)
            check(f"{element} {shape} {name}", package, cases, x, stored)


def main() -> None:
    rng = np.random.default_rng(1)
    conventions = ["amax", "multiply", "divide"]
    every = [
        (Format(granularity=granularity, convention=convention, bound=bound), False)
        for granularity in ["tensor", "row"]
        for convention in conventions
        for bound in [448, 256]
    ]
    square = [(Format(rows=16, convention=convention), tiled) for convention in conventions for tiled in [False, True]]

    # All ways to store a global scale; MXFP4 with and without a half-filled last block.
    for shape in [(16, 64), (5, 48)]:
        cases = every + [(MXFP4, False), (Format("nvfp4_ue5m3", bound=61440), False)]
        check_all(shape, "f32", cases, rng)

    # Square blocks, and the layout of block-scaled MMA units, whose padding is zero.
    for shape in [(16, 64), (48, 80), (144, 272)]:
        check_all(shape, "f32", [*square, (Format(granularity="row"), True), (MXFP4, True)], rng)
    large = Format("mxfp4", rows=32, columns=32)
    check_all((64, 48), "f32", [(large, False), (large, True)], rng)

    # Batches: a global scale per tensor, per matrix and per row.
    cases = [(Format(granularity=granularity), tiled) for granularity in ["tensor", "slice", "row"] for tiled in [False, True]]
    cases += [(Format(rows=16, granularity="slice", convention="divide"), False), (MXFP4, False), (MXFP4, True)]
    check_all((3, 32, 32), "f32", cases, rng)

    # Sources in bf16 and f16 are converted first, exactly.
    cases = [(Format(), False), (Format(granularity="row", convention="divide"), False), (MXFP4, False)]
    for shape in [(16, 64), (3, 16)]:
        check_all(shape, "bf16", cases, rng)
        check_all(shape, "f16", cases, rng)

    # Dynamic rows and batches, none included.
    cases = [(Format(), False), (Format(granularity="row"), False), (Format(), True), (MXFP4, False)]
    with group("dynamic rows"):
        package = build(cases, ("?", 64), "f32")
        for rows in [0, 1, 5, 129]:
            check(f"dynamic rows, {rows}", package, cases, decades(rng, (rows, 64)))
    cases = [(Format(granularity=granularity), False) for granularity in ["tensor", "slice", "row"]]
    with group("dynamic batch"):
        package = build(cases, ("?", "?", 32), "f32")
        for shape in [(0, 2, 32), (2, 0, 32), (1, 1, 32), (3, 5, 32)]:
            check(f"dynamic batch, {shape}", package, cases, decades(rng, shape))
    finish()


main()
