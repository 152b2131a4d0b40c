# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles modules with nvfp4-compile, runs them with nvfp4-run and compares bytes.

The environment variable NVFP4_TEST_TARGET may name a chip: programs are then compiled for it,
and run on the device `sim`.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

# bf16 and f8 have no NumPy dtype: their bits are held as integers.
_DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": np.uint16,
    "I64": np.int64,
    "I32": np.int32,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
    "F8_E4M3": np.uint8,
    "F8_E8M0": np.uint8,
}
_NAMES = {
    np.dtype(np.float64): "F64",
    np.dtype(np.float32): "F32",
    np.dtype(np.float16): "F16",
    np.dtype(np.uint16): "BF16",
    np.dtype(np.int64): "I64",
    np.dtype(np.int32): "I32",
    np.dtype(np.int8): "I8",
    np.dtype(np.uint8): "U8",
    np.dtype(np.bool_): "BOOL",
}


def write_safetensors(path: Path, tensors: dict[str, np.ndarray], dtypes: dict[str, str] | None = None) -> None:
    """Writes arrays; a u16 array is bf16 unless `dtypes` says otherwise."""
    header, offset = {}, 0
    for name, array in tensors.items():
        size = array.nbytes
        header[name] = {
            "dtype": (dtypes or {}).get(name, _NAMES[array.dtype]),
            "shape": list(array.shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in tensors.values():
            file.write(np.ascontiguousarray(array).tobytes())


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Reads all arrays; bf16 and f8 as their bits."""
    data = Path(path).read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        tensors[name] = np.frombuffer(data[begin:end], _DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def to_bf16(x: np.ndarray) -> np.ndarray:
    """Bits of f32 values in bf16: nearest even, NaN quiet (docs/Format.md, 1.7)."""
    bits = x.astype(np.float32).view(np.uint32)
    rounded = ((bits.astype(np.uint64) + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
    return np.where(np.isnan(x), (bits >> 16 | 0x40).astype(np.uint16), rounded)


def from_bf16(bits: np.ndarray) -> np.ndarray:
    """f32 values of bf16 bits."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


_TARGET = os.environ.get("NVFP4_TEST_TARGET")
_TARGET_OPTIONS = [f"--target={_TARGET}"] if _TARGET else []
_DEVICE_OPTIONS = ["--device=sim"] if _TARGET else []

_counter = itertools.count()
_folder = Path(tempfile.mkdtemp(prefix="nvfp4-test-"))


def temporary(suffix: str = "") -> Path:
    """A path in a folder that `finish` removes."""
    return _folder / f"{next(_counter)}{suffix}"


class CommandError(Exception):
    """A command that ended in another way than expected, with what it wrote."""


# Behind a policy's name: with products of attention in f32.
F32_ATTENTION = "-f32-attention"


def find_policy(name: str) -> str | Path:
    """The policy of that name, as --policy takes it."""
    base = name.removesuffix(F32_ATTENTION)
    if base == name:
        return name
    policy = temporary(".json")
    rule = {"match": {"class": "attention"}, "precision": "f32"}
    policy.write_text(json.dumps({"version": 1, "name": name, "extends": base, "rules": [rule]}))
    return policy


def call(*command: object, fails: bool = False) -> str:
    """Runs a command, that must succeed, or fail if `fails`; what it wrote to stderr."""
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if (result.returncode != 0) != fails:
        output = "\n".join(line[:300] for line in (result.stdout + result.stderr).splitlines()[:8])
        raise CommandError(f"{' '.join(map(str, command))}\nended with {result.returncode}:\n{output}")
    return result.stderr


def compile_module(text: str, *arguments: object) -> Path:
    """Compiles the text of a module to a package."""
    source, package = temporary(".mlir"), temporary(".nvfp4pkg")
    source.write_text(text)
    call("nvfp4-compile", source, "--quiet", "-o", package, *_TARGET_OPTIONS, *arguments)
    return package


def run(
    package: Path, inputs: dict[str, np.ndarray], entry: str | None = None, options: Sequence[object] = ()
) -> dict[str, np.ndarray]:
    """Runs a package on arrays, with more options of nvfp4-run, and returns the results by name."""
    given, got = temporary(".safetensors"), temporary(".safetensors")
    write_safetensors(given, inputs)
    select = [f"--entry={entry}"] if entry else []
    call("nvfp4-run", package, *_DEVICE_OPTIONS, "--input", given, "--output", got, *select, *options)
    return read_safetensors(got)


_failures: list[str] = []
_checks = 0


def bits(array: np.ndarray) -> np.ndarray:
    """The array as unsigned integers of its width, so that NaN equals NaN and -0 differs from 0."""
    array = np.ascontiguousarray(array)
    return array.view(f"u{array.dtype.itemsize}")


def expect_bytes(what: str, got: np.ndarray, expected: np.ndarray) -> None:
    """Records a failure unless both arrays have the same shape and bits."""
    global _checks
    _checks += 1
    if got.shape != expected.shape or got.dtype.itemsize != expected.dtype.itemsize:
        _failures.append(f"{what}: expected {expected.dtype} {expected.shape}, but got {got.dtype} {got.shape}")
        return
    wrong = np.argwhere(np.atleast_1d(bits(got) != bits(expected)))
    if len(wrong):
        first = tuple(wrong[0]) if expected.ndim else ()
        _failures.append(
            f"{what}: {len(wrong)} of {expected.size} differ, first at {[int(i) for i in first]}: "
            f"expected {int(bits(expected)[first]):#x}, but got {int(bits(got)[first]):#x}"
        )


def expect(what: str, condition: bool, detail: object = "") -> None:
    """Records a failure unless the condition holds."""
    global _checks
    _checks += 1
    if not condition:
        _failures.append(f"{what}: {detail}")


@contextlib.contextmanager
def group(what: str) -> Iterator[None]:
    """Checks that share a command: if it fails, that is one failure, and the next group goes on."""
    global _checks
    try:
        yield
    except CommandError as error:
        _checks += 1
        _failures.append(f"{what}: {error}")


def finish() -> None:
    """Reports, removes temporary files and ends the test."""
    shutil.rmtree(_folder, ignore_errors=True)
    for failure in _failures:
        print(failure)
    print(f"{_checks - len(_failures)} of {_checks} checks hold")
    sys.stdout.flush()
    sys.exit(1 if _failures or not _checks else 0)


def inputs_folder() -> Path:
    """test/Inputs."""
    return Path(os.path.dirname(__file__)).parent / "Inputs"
