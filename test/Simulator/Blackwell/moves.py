# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Data into and out of tensor memory: `tcgen05.ld`, `st`, `cp` and `shift` in every shape."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensor_memory
from corpus import Case

LANES = 128


# -----------------------------------------------------------------------------
# ld and st
# -----------------------------------------------------------------------------


def _owner(shape: str, lane: int, column: int, half: int) -> tuple[int, int]:
    """The thread and the register of a word, `column` within an access; `half` of two accesses."""
    if shape == "32x32b":
        return lane, column
    if shape == "16x64b":
        return 4 * (lane % 8) + 2 * (column % 2) + lane // 8, column // 2
    if shape == "16x128b":
        return 4 * (lane % 8) + column % 4, 2 * (column // 4) + lane // 8
    if shape == "16x256b":
        return 4 * (lane % 8) + column % 8 // 2, 4 * (column // 8) + 2 * (lane // 8) + column % 2
    return lane + 16 * half, column


def _words(shape: str, registers: int) -> list[tuple[int, int, int, int, int]]:
    """Lane, column, half, thread and register of every word of a warp."""
    lanes = 32 if shape == "32x32b" else 16
    halves = 2 if shape == "16x32bx2" else 1
    columns = registers * 32 // (lanes * halves)
    places = [(lane, column, half) for half in range(halves) for lane in range(lanes) for column in range(columns)]
    return [(*place, *_owner(shape, *place)) for place in places]


def _transfer(rng: np.random.Generator, shape: str, repeat: int, packed: bool, is_load: bool, lane: int = 0):
    registers = repeat * {"16x128b": 2, "16x256b": 4}.get(shape, 1)
    split, first, total = 40, 3, 112
    width = 2 if packed else 1
    before = rng.integers(0, 1 << 32, (1, LANES, total)).astype(np.uint32)
    values = rng.integers(0, 1 << 32, (LANES, registers)).astype(np.uint32)
    after, loaded = before.copy(), np.zeros_like(values)
    for warp in range(4):
        for row, column, half, thread, register in _words(shape, registers):
            at = (0, 32 * warp + lane + row, first + half * split + column * width)
            value = values[32 * warp + thread, register]
            cells = before[at[0], at[1], at[2] : at[2] + width]
            loaded[32 * warp + thread, register] = (cells[0] & 0xFFFF) | cells[1] << 16 if packed else cells[0]
            after[at] = value & 0xFFFF if packed else value
            if packed:
                after[0, at[1], at[2] + 1] = value >> 16
    names = "{" + ", ".join(f"%x{i}" for i in range(registers)) + "}"
    address = f"[%w+{(lane << 16) + first}]" + (f", {split}" if shape == "16x32bx2" else "")
    if is_load:
        pack = ".pack::16b" if packed else ""
        text = f"tcgen05.ld.sync.aligned.{shape}.x{repeat}{pack}.b32 {names}, {address};"
    else:
        pack = ".unpack::16b" if packed else ""
        text = f"tcgen05.st.sync.aligned.{shape}.x{repeat}{pack}.b32 {address}, {names};"
    wait = f"tcgen05.wait::{'ld' if is_load else 'st'}.sync.aligned;"
    program = tensor_memory.Program(
        (), (), total, mask=0xFFFF if packed and not is_load else 0xFFFFFFFF,
        warps=(text, wait), registers=registers, shows_registers=is_load,
    )  # fmt: skip
    image = np.zeros((1, -(-values.nbytes // 16) * 16), np.uint8)
    image[0, : values.nbytes] = values.reshape(-1).view(np.uint8)
    result = after
    if is_load:
        result = np.zeros_like(before)
        result[0, :, :registers] = loaded
    kind = "ld" if is_load else "st"
    name = f"{kind}_{shape}_x{repeat}{'_packed' if packed else ''}{f'_lane_{lane}' if lane else ''}"
    return program.ptx, program.case(name, image, before, result)


def _reduced_load(rng: np.random.Generator, operation: str, kind: str) -> tuple[str, Case]:
    """`ld.red`: the last register is the reduction of the others."""
    count, total = 8, 16
    if kind == "f32":
        numbers = (rng.integers(-1000, 1000, (1, LANES, total)) / 8).astype(np.float32)
        numbers[0, 5, 2], numbers[0, 6, :] = np.nan, np.nan
        before = numbers.view(np.uint32)
    else:
        before = rng.integers(0, 1 << 32, (1, LANES, total)).astype(np.uint32)
    words = before[0, :, :count]
    dtype = {"f32": np.float32, "u32": np.uint32, "s32": np.int32}[kind]
    typed = np.abs(words.view(dtype)) if ".abs" in operation else words.view(dtype)
    name = operation.split(".")[0]
    if kind == "f32":
        function = {"min": np.fmin, "max": np.fmax}[name]
        function = {"min": np.minimum, "max": np.maximum}[name] if ".NaN" in operation else function
    else:
        function = {"min": np.minimum, "max": np.maximum}[name]
    reduced = function.reduce(typed, 1)
    bits = np.where(np.isnan(reduced), np.uint32(0x7FFFFFFF), reduced.view(np.uint32)) if kind == "f32" else reduced
    after = np.zeros_like(before)
    after[0, :, :count], after[0, :, count] = words, np.asarray(bits).view(np.uint32)
    names = "{" + ", ".join(f"%x{i}" for i in range(count)) + "}"
    text = f"tcgen05.ld.red.sync.aligned.32x32b.x{count}.{operation}.{kind} {names}, %x{count}, [%w];"
    program = tensor_memory.Program(
        (), (), total, target="sm_103a", registers=count + 1, shows_registers=True,
        warps=(text, "tcgen05.wait::ld.sync.aligned;"),
    )  # fmt: skip
    image = np.zeros((1, LANES * 4 * (count + 1)), np.uint8)
    return program.ptx, program.case(f"ld_red_{operation}_{kind}", image, before, after)


# -----------------------------------------------------------------------------
# cp and shift
# -----------------------------------------------------------------------------

# Rows and bytes of a row, and the lanes that get row r.
COPIES = {
    "128x256b": (128, 32, lambda r: [r]),
    "128x128b": (128, 16, lambda r: [r]),
    "4x256b": (4, 32, lambda r: [32 * r]),
    "64x128b.warpx2::02_13": (64, 16, lambda r: [r, r + 64]),
    "64x128b.warpx2::01_23": (64, 16, lambda r: [r + r // 32 * 32, r + r // 32 * 32 + 32]),
    "32x128b.warpx4": (32, 16, lambda r: [r, r + 32, r + 64, r + 96]),
}


def _unpack(row: np.ndarray, source: str) -> np.ndarray:
    """16 elements of 4 or 6 bits in each 16 bytes, to bytes."""
    bits = {"b4x16_p64": 4, "b6x16_p32": 6}[source]
    result = np.zeros_like(row)
    for chunk in range(0, len(row), 16):
        whole = int.from_bytes(row[chunk : chunk + 16].tobytes(), "little")
        for i in range(16):
            element = whole >> bits * i & ((1 << bits) - 1)
            # e2m1 lies two bits higher.
            result[chunk + i] = element << 2 if bits == 4 else element
    return result


def _copy(rng: np.random.Generator, shape: str, ctas: int = 1, source: str = "", lane: int = 0) -> tuple[str, Case]:
    rows, size, lanes_of = COPIES[shape]
    total, first = 32, 5
    image = rng.integers(0, 256, (ctas, 16384)).astype(np.uint8)
    before = rng.integers(0, 1 << 32, (ctas, LANES, total)).astype(np.uint32)
    after = before.copy()
    # Chunks of a row 2048 bytes apart, groups of eight rows 128.
    for cta in range(ctas):
        for r in range(rows):
            places = [1024 + r * 16 + chunk * 2048 for chunk in range(size // 16)]
            row = np.concatenate([image[cta, at : at + 16] for at in places])
            row = _unpack(row, source) if source else row
            for target in lanes_of(r):
                after[cta, lane + target, first : first + size // 4] = row.view(np.uint32)
    unpacking = f".b8x16.{source}" if source else ""
    text = f"tcgen05.cp.$G.{shape}{unpacking} [%t+{(lane << 16) + first}], D0;"
    matrix = tensor_memory.descriptor(1024, 2048, 128)
    program = tensor_memory.Program((text,), (matrix,), total, ctas)
    name = f"cp_{shape.replace('::', '_').replace('.', '_')}{'_' + source if source else ''}{'_pair' * (ctas - 1)}"
    return program.ptx, program.case(name + (f"_lane_{lane}" if lane else ""), image, before, after)


def _shift(rng: np.random.Generator, ctas: int) -> tuple[str, Case]:
    total, first = 16, 2
    before = rng.integers(0, 1 << 32, (ctas, LANES, total)).astype(np.uint32)
    after = before.copy()
    after[:, 33:64, first : first + 8] = before[:, 32:63, first : first + 8]
    program = tensor_memory.Program((f"tcgen05.shift.$G.down [%t+{(32 << 16) + first}];",), (), total, ctas)
    return program.ptx, program.case(f"shift{'_pair' * (ctas - 1)}", np.zeros((ctas, 16), np.uint8), before, after)


def cases(rng: np.random.Generator) -> Iterator[tuple[str, Case]]:
    for is_load in (True, False):
        yield _transfer(rng, "32x32b", 1, False, is_load)
        yield _transfer(rng, "32x32b", 64, False, is_load)
        yield _transfer(rng, "32x32b", 8, True, is_load)
        yield _transfer(rng, "16x64b", 16, False, is_load)
        yield _transfer(rng, "16x64b", 4, True, is_load, 16)
        yield _transfer(rng, "16x128b", 8, False, is_load, 16)
        yield _transfer(rng, "16x256b", 4, False, is_load)
        yield _transfer(rng, "16x256b", 2, True, is_load)
        yield _transfer(rng, "16x32bx2", 16, False, is_load)
        yield _transfer(rng, "16x32bx2", 8, True, is_load, 16)
    for operation in ("min", "max", "max.abs", "min.NaN"):
        yield _reduced_load(rng, operation, "f32")
    yield _reduced_load(rng, "max", "u32")
    yield _reduced_load(rng, "min", "s32")
    for shape in COPIES:
        yield _copy(rng, shape)
    yield _copy(rng, "4x256b", lane=31)
    yield _copy(rng, "128x256b", source="b4x16_p64")
    yield _copy(rng, "64x128b.warpx2::01_23", source="b6x16_p32")
    yield _copy(rng, "32x128b.warpx4", ctas=2)
    yield _copy(rng, "128x128b", ctas=2)
    yield _shift(rng, 1)
    yield _shift(rng, 2)
