# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Write a safetensors file: tensors.py OUT NAME:DTYPE:SHAPE:VALUE,VALUE,… …; the values repeat."""

from __future__ import annotations

import json
import math
import struct
import sys

CODES = {"F32": "f", "F64": "d", "I64": "q", "I32": "i"}


def main() -> None:
    """Write the file that the arguments describe."""
    header, data = {}, b""
    for argument in sys.argv[2:]:
        name, dtype, shape_text, values_text = argument.split(":")
        shape = [int(extent) for extent in shape_text.split("x")]
        values = [float(value) if dtype[0] == "F" else int(value) for value in values_text.split(",")]
        count = math.prod(shape)
        values = (values * count)[:count]
        packed = struct.pack(f"<{count}{CODES[dtype]}", *values)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    text = json.dumps(header).encode()
    with open(sys.argv[1], "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


main()
