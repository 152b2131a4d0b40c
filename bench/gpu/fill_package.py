# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Send a package without its weights to a machine for benchmarks, and make random ones there.

    fill_package.py strip MODEL.nvfp4pkg SMALL      the same folder, with the header of weights.safetensors alone
    fill_package.py fill  SMALL MODEL.nvfp4pkg      the same folder, with random weights of the right names and shapes

Codes are any bytes, scales lie between 128 and 448, and global scales make weights of deviation K^-1/2; norms are 1,
biases 0. A tensor depends on its name alone, so that packages for different devices agree where they hold it alike.
The checksum of the weights in the manifest no longer holds: open with `--skip-checksums`, or `skip_checksums` of the C
API. Needs numpy.
"""

from __future__ import annotations

import argparse
import json
import shutil
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from math import prod
from pathlib import Path

import numpy as np

WEIGHTS, HEADER = "weights.safetensors", "weights.header"
CHUNK = 1 << 24  # elements drawn at a time
# What code * scale is on average, with the 6 * 448 that a global scale divides by.
TYPICAL_WEIGHT = 2.9 * 270 / (6 * 448)
SUFFIX = ".global_scale"


def read_header(path: Path) -> bytes:
    """The length and the JSON text."""
    with path.open("rb") as file:
        length = file.read(8)
        return length + file.read(struct.unpack("<Q", length)[0])


def copy_rest(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name in ("manifest.json", "program.so"):
        shutil.copyfile(source / name, target / name)


def strip(source: Path, target: Path) -> None:
    copy_rest(source, target)
    (target / HEADER).write_bytes(read_header(source / WEIGHTS))


def read_depths(package: Path) -> dict[str, int]:
    """K of the weights that products read, by name."""
    report = json.loads((package / "manifest.json").read_text())["report"]
    return {row["weight"]: row["shape"][-1] for row in report if row.get("weight") and isinstance(row["shape"][-1], int)}


def get_value(name: str, shape: list[int], depths: dict[str, int]) -> float | None:
    """What all elements of a float tensor are, or nothing for random ones."""
    if name.endswith(SUFFIX):
        return depths.get(name.removesuffix(SUFFIX), 4096) ** -0.5 / TYPICAL_WEIGHT
    if len(shape) <= 1:
        return 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
    return None


def draw(name: str, dtype: str, shape: list[int], depths: dict[str, int]) -> Iterator[np.ndarray]:
    """The elements of a tensor, as bytes of the file, one chunk after the other."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    value = get_value(name, shape, depths)
    total = prod(shape)
    for start in range(0, total, CHUNK):
        count = min(CHUNK, total - start)
        if dtype == "F8_E4M3":
            yield generator.integers(0x70, 0x7F, count, dtype=np.uint8)
        elif dtype in ("U8", "I8", "F8_E8M0"):
            yield generator.integers(0, 256, count, dtype=np.uint8)
        elif dtype == "I64":
            yield np.arange(start, start + count, dtype="<i8")
        elif dtype in ("F32", "BF16", "F16"):
            if value is not None:
                values = np.full(count, value, np.float32)
            else:
                values = generator.standard_normal(count, dtype=np.float32) * np.float32(shape[-1] ** -0.5)
            if dtype == "BF16":
                values = (values.view(np.uint32) >> 16).astype("<u2")
            yield values.astype("<f2") if dtype == "F16" else values
        else:
            raise SystemExit(f"{name}: expected a dtype of packed weights, but got {dtype}")


def fill(source: Path, target: Path) -> None:
    copy_rest(source, target)
    text = (source / HEADER).read_bytes()
    header, depths = json.loads(text[8:]), read_depths(source)
    header.pop("__metadata__", None)
    (target / WEIGHTS).write_bytes(text)

    def fill_tensor(name: str) -> None:
        with (target / WEIGHTS).open("r+b") as file:
            file.seek(len(text) + header[name]["data_offsets"][0])
            for chunk in draw(name, header[name]["dtype"], header[name]["shape"], depths):
                file.write(chunk.tobytes())

    # The largest first: NumPy draws without holding the interpreter's lock.
    names = sorted(header, key=lambda name: -prod(header[name]["shape"]))
    with ThreadPoolExecutor() as pool:
        list(pool.map(fill_tensor, names))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("strip", "fill"))
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    {"strip": strip, "fill": fill}[options.what](options.source, options.target)


main()
