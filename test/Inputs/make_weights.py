#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Write a small safetensors file for tests, with the standard library only.

    make_weights.py OUT NAME:DTYPE:SHAPE[:SPECIAL] …

DTYPE is F32, BF16 or I64, SHAPE is like 64x128 (empty for a scalar). Values are small and
vary; SPECIAL is `nan` or `inf` and replaces the third value.
"""

from __future__ import annotations

import json
import math
import struct
import sys


def encode(dtype: str, values: list[float]) -> bytes:
    """Bytes of values in a dtype; BF16 truncates, which is exact for those used here."""
    if dtype == "F32":
        return struct.pack(f"<{len(values)}f", *values)
    if dtype == "BF16":
        wide = struct.pack(f"<{len(values)}f", *values)
        return b"".join(wide[i + 2 : i + 4] for i in range(0, len(wide), 4))
    if dtype == "I64":
        return struct.pack(f"<{len(values)}q", *(int(value) for value in values))
    raise ValueError(f"expected F32, BF16 or I64, but got {dtype}")


def main() -> None:
    """Write the file that the arguments describe."""
    header: dict[str, object] = {}
    data = b""
    for argument in sys.argv[2:]:
        name, dtype, shape_text, *special = argument.split(":")
        shape = [int(extent) for extent in shape_text.split("x")] if shape_text else []
        values = [((i * 37) % 64 - 31) / 16 for i in range(math.prod(shape))]
        if special:
            values[2] = float(special[0])
        content = encode(dtype, values)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    with open(sys.argv[1], "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


if __name__ == "__main__":
    main()
