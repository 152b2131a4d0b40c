# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Write safetensors files of random weights without holding them in memory."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

CHUNK = 1 << 20  # elements drawn at a time
SIZES = {"F32": 4, "BF16": 2, "I64": 8}


@dataclass(frozen=True)
class TensorSpec:
    """Name, shape and dtype (`F32`, `BF16` or `I64`) of a tensor."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def bytes(self) -> int:
        return prod(self.shape) * SIZES[self.dtype]


def _draw(spec: TensorSpec, generator: np.random.Generator) -> Iterator[bytes]:
    """Yield the data: normal numbers with deviation K^-1/2; I64 counts from 0."""
    deviation = np.float32(spec.shape[-1] ** -0.5)
    for start in range(0, prod(spec.shape), CHUNK):
        count = min(CHUNK, prod(spec.shape) - start)
        if spec.dtype == "I64":
            yield np.arange(start, start + count, dtype="<i8").tobytes()
            continue
        values = generator.standard_normal(count, dtype=np.float32) * deviation
        if spec.dtype == "BF16":
            # Truncation will do: the values are random anyway.
            yield (values.view(np.uint32) >> 16).astype("<u2").tobytes()
        else:
            yield values.astype("<f4").tobytes()


def write(path: Path, specs: list[TensorSpec], generator: np.random.Generator) -> None:
    """Write one safetensors file."""
    header, offset = {}, 0
    for spec in specs:
        header[spec.name] = {
            "dtype": spec.dtype,
            "shape": list(spec.shape),
            "data_offsets": [offset, offset + spec.bytes],
        }
        offset += spec.bytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for spec in specs:
            for data in _draw(spec, generator):
                file.write(data)


def write_sharded(directory: Path, specs: list[TensorSpec], shard_bytes: int, seed: int) -> None:
    """Write shards of at most `shard_bytes` (one tensor at least) and their index file."""
    shards: list[list[TensorSpec]] = [[]]
    for spec in specs:
        if shards[-1] and sum(s.bytes for s in shards[-1]) + spec.bytes > shard_bytes:
            shards.append([])
        shards[-1].append(spec)
    generator = np.random.Generator(np.random.SFC64(seed))
    weight_map = {}
    for number, shard in enumerate(shards, start=1):
        name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        write(directory / name, shard, generator)
        weight_map |= {spec.name: name for spec in shard}
    index = {"metadata": {"total_size": sum(spec.bytes for spec in specs)}, "weight_map": weight_map}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
