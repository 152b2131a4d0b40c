# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Write one safetensors file per kind of damage, FOLDER/KIND.safetensors, around a zero `w`, F32 [64, 32]."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

SIZE = 64 * 32 * 4
DATA = bytes(SIZE)
W = {"dtype": "F32", "shape": [64, 32], "data_offsets": [0, SIZE]}


def write(kind: str, header: object, data: bytes = DATA, length: int | None = None) -> None:
    """One file; `header` is an object or raw bytes, `length` what the file claims for it."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    size = struct.pack("<Q", len(text) if length is None else length)
    (Path(sys.argv[1]) / f"{kind}.safetensors").write_bytes(size + text + data)


def main() -> None:
    """Write all of them."""
    entry = json.dumps(W).encode()
    write("header-length", {"w": W}, length=1 << 40)
    write("header-beyond-file", {"w": W}, data=b"", length=5000)
    write("header-json", b'{"w": {')
    write("truncated-data", {"w": W}, data=DATA[:100])
    write("offset-range", {"w": W | {"data_offsets": [8, SIZE + 8]}})
    write("overlap", {"w": W, "v": W | {"data_offsets": [4096, 4096 + SIZE]}}, data=DATA + DATA[:4096])
    write("dtype", {"w": W | {"dtype": "F33"}})
    write("duplicate", b'{"w":' + entry + b',"w":' + entry + b"}")
    write("shape-and-size", {"w": W | {"shape": [64, 31]}})
    write("negative-shape", {"w": W | {"shape": [-64, 32]}})
    (Path(sys.argv[1]) / "tiny.safetensors").write_bytes(b"abc")
    # Nothing is wrong with these: a scalar, and tensors without elements.
    empty = {"dtype": "F32", "shape": [0, 4], "data_offsets": [SIZE, SIZE]}
    scalar = {"dtype": "I64", "shape": [], "data_offsets": [SIZE, SIZE + 8]}
    write("good", {"w": W, "empty": empty, "scalar": scalar}, data=DATA + bytes(8))


main()
