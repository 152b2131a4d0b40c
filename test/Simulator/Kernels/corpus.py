# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What every kernel of the corpus is described with; NumPy is all that it needs.

A kernel `name` is `name.cu`, the PTX compiled from it, and `name.py`, which says
everything else: `cases(rng)` returns launches with their inputs and what must come
out, by formulas of its own. `run_kernel.py` runs them in the simulator and
`hardware/run_all.py` on a GPU.
"""

from __future__ import annotations

import importlib
import json
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path
from collections.abc import Callable

import numpy as np

HERE = Path(__file__).resolve().parent
SEED = 20261122

F32 = np.float32

# -----------------------------------------------------------------------------
# Tensors and files
# -----------------------------------------------------------------------------

_NAMES = {
    "float32": "F32", "float64": "F64", "float16": "F16", "int8": "I8", "uint8": "U8", "int16": "I16",
    "uint16": "U16", "int32": "I32", "uint32": "U32", "int64": "I64", "uint64": "U64",
}  # fmt: skip
_TYPES = {name: np.dtype(dtype) for dtype, name in _NAMES.items()} | {
    "BF16": np.dtype(np.uint16), "F8_E4M3": np.dtype(np.uint8), "F8_E5M2": np.dtype(np.uint8),
}  # fmt: skip


def write_safetensors(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """Tensors in the order given, the data section aligned to 64 bytes."""
    header, offset = {}, 0
    for name, value in tensors.items():
        end = offset + value.nbytes
        header[name] = {"dtype": _NAMES[value.dtype.name], "shape": list(value.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-(len(text) + 8) % 64)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for value in tensors.values():
            file.write(np.ascontiguousarray(value).tobytes())


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    data = Path(path).read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    body, result = data[8 + length :], {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            result[name] = np.frombuffer(body[begin:end], _TYPES[entry["dtype"]]).reshape(entry["shape"])
    return result


# -----------------------------------------------------------------------------
# Launches
# -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Close:
    """An expectation with a tolerance: |got - value| <= absolute + relative * |value|."""

    value: np.ndarray
    relative: float = 0.0
    absolute: float = 0.0
    # What turns the stored tensor into numbers, for instance `from_bf16`; `decode.stored` is its type.
    decode: Callable[[np.ndarray], np.ndarray] | None = None


@dataclass(frozen=True)
class Holds:
    """An expectation that is a property: returns what is wrong, or nothing."""

    check: Callable[[np.ndarray], str | None]
    like: np.ndarray


Expectation = np.ndarray | Close | Holds


@dataclass(frozen=True)
class TensorMap:
    """A tiled tensor map as an argument. Extents in elements, innermost first; strides in bytes, of all
    dimensions but the innermost."""

    tensor: str
    dtype: str
    dims: tuple[int, ...]
    strides: tuple[int, ...]
    box: tuple[int, ...]
    element_strides: tuple[int, ...] = ()
    swizzle: str = "none"
    oob: str = "zero"
    offset: int = 0

    def launch(self) -> dict:
        return {
            "tensor": self.tensor,
            "offset": self.offset,
            "dtype": self.dtype,
            "dims": list(self.dims),
            "strides": list(self.strides),
            "box": list(self.box),
            "element_strides": list(self.element_strides or [1] * len(self.dims)),
            "swizzle": self.swizzle,
            "oob": self.oob,
        }


@dataclass
class Case:
    """One launch."""

    name: str
    entry: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    # Names of tensors, NumPy scalars, bytes of structs, and tensor maps.
    args: list
    inputs: dict[str, np.ndarray]
    # Outputs that are no inputs start as zeros.
    expected: dict[str, Expectation]
    cluster: tuple[int, ...] = (1, 1, 1)
    shared: int = 0
    # Further buffers of zeros that the kernel needs and nobody looks at.
    scratch: dict[str, np.ndarray] = field(default_factory=dict)
    # Outputs that no formula gives bit for bit, but that every run on a chip repeats and
    # the simulator reproduces: sums of matrix instructions.
    reproducible: bool = False

    def tensors(self) -> dict[str, np.ndarray]:
        """Every buffer as it is before the launch."""
        likes = {name: like_of(what) for name, what in self.expected.items() if name not in self.inputs} | self.scratch
        # np.zeros takes pages that cost nothing until they are touched; zeros_like fills them.
        return self.inputs | {name: np.zeros(like.shape, like.dtype) for name, like in likes.items()}

    def launch(self, ptx: str) -> dict:
        """The launch file."""
        return {
            "ptx": ptx,
            "entry": self.entry,
            "grid": _three(self.grid),
            "block": _three(self.block),
            "cluster": _three(self.cluster),
            "dynamic_shared_bytes": self.shared,
            "inputs": "in.safetensors",
            "args": [self._argument(arg) for arg in self.args],
            "outputs": list(self.expected),
        }

    def _argument(self, arg) -> dict:
        if isinstance(arg, bytes):
            return {"bytes": arg.hex()}
        if isinstance(arg, TensorMap):
            return {"tensor_map": arg.launch()}
        if isinstance(arg, np.generic):
            name = {"f": "f", "i": "i", "u": "i"}[arg.dtype.kind] + str(8 * arg.itemsize)
            if arg.dtype == np.uint64:
                return {"u64": int(arg)}
            if arg.dtype.kind == "u":
                arg = arg.view(arg.dtype.name[1:])
            return {name: arg.item()}
        if arg in self.inputs:
            return {"tensor": arg}
        value, name = self.tensors()[arg], arg
        return {"zeros": list(value.shape), "dtype": _NAMES[value.dtype.name], "name": name}

    def has_fixed_bits(self) -> bool:
        """Whether two machines must agree in every bit of the outputs."""
        return self.reproducible or all(isinstance(what, np.ndarray) for what in self.expected.values())


def _three(values: tuple[int, ...]) -> list[int]:
    return [*values, 1, 1][:3]


def like_of(expected: Expectation) -> np.ndarray:
    """An array of the shape and type that is stored."""
    if isinstance(expected, Close):
        return np.zeros(expected.value.shape, expected.decode.stored) if expected.decode else expected.value
    return expected.like if isinstance(expected, Holds) else expected


def compare(name: str, expected: Expectation, got: np.ndarray) -> str | None:
    """What differs, or nothing."""
    like = like_of(expected)
    if got.shape != like.shape or got.dtype.itemsize != like.dtype.itemsize:
        return f"'{name}': expected {like.dtype}{list(like.shape)}, but got {got.dtype}{list(got.shape)}"
    if isinstance(expected, Holds):
        return expected.check(got.view(like.dtype))
    if isinstance(expected, Close):
        value = np.asarray(expected.value, np.float64)
        stored = got.view(like.dtype)
        numbers = np.asarray(expected.decode(stored) if expected.decode else stored, np.float64)
        with np.errstate(invalid="ignore"):
            near = np.abs(numbers - value) <= expected.absolute + expected.relative * np.abs(value)
        wrong = ~(near | (numbers == value) | (np.isnan(numbers) & np.isnan(value)))
    else:
        # Bit for bit, so -0 is not 0 and a NaN has a payload.
        bits = np.dtype(f"u{like.dtype.itemsize}")
        numbers, value = got.view(like.dtype), like
        wrong = got.view(bits) != np.ascontiguousarray(like).view(bits)
    if not wrong.any():
        return None
    where = tuple(int(index[0]) for index in np.nonzero(wrong))
    bits = np.ascontiguousarray(got).view(np.dtype(f"u{got.dtype.itemsize}"))
    return (
        f"'{name}': {int(wrong.sum())} of {wrong.size} differ, the first at {list(where)}: "
        f"expected {value[where]}, but got {numbers[where]} (0x{int(bits[where]):x})"
    )


def load(name: str):
    """The module of a kernel."""
    if str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))
    return importlib.import_module(name)


def cases_of(name: str) -> list[Case]:
    return load(name).cases(np.random.default_rng(SEED))


def source_of(name: str) -> Path:
    """CUDA C++, or MLIR where a kernel shows what LLVM makes."""
    return next(path for path in (HERE / f"{name}.cu", HERE / f"{name}.mlir") if path.exists())


def arch_of(name: str) -> str:
    """The chip for which a kernel is compiled, from its `arch:` line."""
    source = source_of(name)
    for line in source.read_text().splitlines():
        if line.startswith("// arch: "):
            return line.removeprefix("// arch: ").strip()
    raise ValueError(f"{source.name}: expected a line '// arch: sm_…'")


def kernels() -> list[str]:
    return sorted(path.stem for suffix in ("cu", "mlir") for path in HERE.glob(f"*.{suffix}"))


# -----------------------------------------------------------------------------
# Formats
# -----------------------------------------------------------------------------


def to_bf16(x: np.ndarray) -> np.ndarray:
    """Bits of the nearest bf16, ties to even; NaN becomes 0x7fff."""
    bits = np.ascontiguousarray(x, F32).view(np.uint32).astype(np.uint64)
    rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return np.where(np.isnan(x), np.uint16(0x7FFF), rounded)


def from_bf16(bits: np.ndarray) -> np.ndarray:
    return (bits.view(np.uint16).astype(np.uint32) << 16).view(F32)


from_bf16.stored = np.uint16


def _minifloat(bits: int, exponent_bits: int, mantissa_bits: int) -> float:
    """A value with subnormals and neither infinity nor NaN; the caller replaces those."""
    sign = -1.0 if bits >> (exponent_bits + mantissa_bits) else 1.0
    exponent = bits >> mantissa_bits & ((1 << exponent_bits) - 1)
    mantissa = bits & ((1 << mantissa_bits) - 1)
    bias = (1 << (exponent_bits - 1)) - 1
    if exponent == 0:
        return sign * mantissa * 2.0 ** (1 - bias - mantissa_bits)
    return sign * ((1 << mantissa_bits) + mantissa) * 2.0 ** (exponent - bias - mantissa_bits)


E2M1 = np.array([_minifloat(code, 2, 1) for code in range(16)], F32)
E4M3 = np.array([np.nan if code & 0x7F == 0x7F else _minifloat(code, 4, 3) for code in range(256)], F32)
E5M2 = np.array(
    [
        _minifloat(code, 5, 2) if code & 0x7F < 0x7C else np.nan if code & 3 else (-1.0) ** (code >> 7) * np.inf
        for code in range(256)
    ],
    F32,
)
E8M0 = np.array([np.nan if code == 255 else 2.0 ** (code - 127) for code in range(256)])


def nearest_even(table: np.ndarray, magnitude: np.ndarray) -> np.ndarray:
    """Index of the nearest entry of an ascending table, ties to the even index, saturating."""
    middles = (table[1:].astype(np.float64) + table[:-1].astype(np.float64)) / 2
    wide = magnitude.astype(np.float64)
    below = np.searchsorted(middles, wide, side="left")
    tie = below != np.searchsorted(middles, wide, side="right")
    return np.where(tie & (below % 2 == 1), below + 1, below)


def to_e2m1(x: np.ndarray) -> np.ndarray:
    """Codes as the conversion instruction makes them: NaN gives +6."""
    nan = np.isnan(x)
    code = nearest_even(E2M1[:8], np.where(nan, np.inf, np.abs(x)))
    return (code | np.where(np.signbit(x) & ~nan, 8, 0)).astype(np.uint8)


def to_e4m3(x: np.ndarray) -> np.ndarray:
    """Bytes, saturating; NaN gives 0x7f."""
    nan = np.isnan(x)
    code = nearest_even(E4M3[:0x7F], np.where(nan, 0, np.abs(x)))
    return np.where(nan, 0x7F, code | np.where(np.signbit(x), 0x80, 0)).astype(np.uint8)


def to_e5m2(x: np.ndarray) -> np.ndarray:
    """Bytes, saturating to the largest finite value; NaN gives 0x7f."""
    nan = np.isnan(x)
    code = nearest_even(E5M2[:0x7C], np.where(nan, 0, np.abs(x)))
    return np.where(nan, 0x7F, code | np.where(np.signbit(x), 0x80, 0)).astype(np.uint8)


def pack_nibbles(codes: np.ndarray) -> np.ndarray:
    """Two codes to a byte along the last dimension, the first in the low nibble."""
    return (codes[..., 0::2] | codes[..., 1::2] << 4).astype(np.uint8)


def tile_scales(scales: np.ndarray) -> np.ndarray:
    """Scales [rows, blocks] in tiles of 128 by 4, padded with zeros, flat."""
    rows, blocks = scales.shape
    padded = np.zeros((-(-rows // 128) * 128, -(-blocks // 4) * 4), np.uint8)
    padded[:rows, :blocks] = scales
    tiles = padded.reshape(padded.shape[0] // 128, 4, 32, padded.shape[1] // 4, 4)
    return np.ascontiguousarray(tiles.transpose(0, 3, 2, 1, 4)).reshape(-1)
