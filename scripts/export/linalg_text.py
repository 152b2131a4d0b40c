# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Turn torch-mlir's `linalg-on-tensors` output into a graph for `nvfp4-compile`.

torch-mlir knows neither the names of parameters nor those of inputs. This module
adds them as argument attributes, checks the parameters against the header of the
safetensors file that holds them, and writes constants inline, so that the result
is one plain text file without locations and without a resource section.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# What a dimension is called: an extent, or the name of a dynamic dimension.
Dim = int | str

MLIR_TO_SAFETENSORS = {
    "f32": "F32",
    "f16": "F16",
    "bf16": "BF16",
    "f64": "F64",
    "i64": "I64",
    "i32": "I32",
    "i8": "I8",
    "i1": "BOOL",
}


class ExportError(Exception):
    """The graph and what is known about it do not fit together."""


@dataclass(frozen=True)
class Weight:
    """An argument that is a tensor of the checkpoint."""

    name: str


@dataclass(frozen=True)
class Port:
    """An argument or result that a user of the package passes or gets."""

    name: str
    shape: tuple[Dim, ...]


def read_header(path: Path) -> dict[str, dict]:
    """Return the header of a safetensors file: name -> {dtype, shape, data_offsets}."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return header


def _parse_tensor_type(text: str) -> tuple[list[int | None], str]:
    """Split `tensor<?x32xi64>` into its extents (None where dynamic) and its element type."""
    match = re.fullmatch(r"tensor<((?:(?:\d+|\?)x)*)(\w+)>", text)
    if not match:
        raise ExportError(f"expected a ranked tensor type, but got `{text}`")
    dims = [None if d == "?" else int(d) for d in match[1].split("x")[:-1]]
    return dims, match[2]


def _port_attributes(port: Port, type_text: str) -> str:
    dims, _ = _parse_tensor_type(type_text)
    fits = len(dims) == len(port.shape) and all(
        isinstance(want, str) if have is None else have == want for have, want in zip(dims, port.shape)
    )
    if not fits:
        raise ExportError(f"expected `{port.name}` of shape {list(port.shape)}, but got `{type_text}`")
    shape = ", ".join(json.dumps(d) for d in port.shape)
    return f"{{nvfp4.name = {json.dumps(port.name)}, nvfp4.shape = [{shape}]}}"


def _weight_attributes(weight: Weight, type_text: str, header: dict[str, dict]) -> str:
    if weight.name not in header:
        raise ExportError(f"expected a tensor `{weight.name}` in the weights file, but got none")
    dims, element = _parse_tensor_type(type_text)
    entry = header[weight.name]
    if dims != entry["shape"] or MLIR_TO_SAFETENSORS.get(element) != entry["dtype"]:
        raise ExportError(
            f"expected `{weight.name}` to be {entry['dtype']} {entry['shape']} as in the weights file, "
            f"but got `{type_text}`"
        )
    return f"{{nvfp4.weight = {json.dumps(weight.name)}}}"


def _inline_resources(text: str) -> str:
    """Replace `dense_resource<key>` by a plain `dense<...>` and drop the resource section."""
    body, _, section = text.partition("\n{-#")
    blobs = dict(re.findall(r'([\w.]+): "0x([0-9A-Fa-f]*)"', section))

    def inline(match: re.Match) -> str:
        key, type_text = match[1], match[2]
        if key not in blobs:
            raise ExportError(f"expected a resource `{key}` at the end of the graph, but got none")
        dims, element = _parse_tensor_type(type_text)
        data = bytes.fromhex(blobs[key])[4:]  # the first four bytes are the alignment
        count = 1
        for dim in dims:
            count *= dim or 0
        size = len(data) // max(count, 1)
        if count == 0 or size * count != len(data):
            raise ExportError(f"expected whole elements in resource `{key}`, but got {len(data)} bytes")
        if data == data[:size] * count and element.startswith("i"):
            value = int.from_bytes(data[:size], "little", signed=True)
            literal = ("true" if value else "false") if element == "i1" else str(value)
            return f"dense<{literal}> : {type_text}"
        if element == "i1":
            raise ExportError(f"expected no mixed `i1` resource, but got `{key}`")
        return f'dense<"0x{data.hex().upper()}"> : {type_text}'

    return re.sub(r"dense_resource<([\w.]+)> : (tensor<[^>]*>)", inline, body)


def annotate(
    text: str,
    arguments: Sequence[Weight | Port],
    results: Sequence[Port],
    weights: Path | dict[str, dict],
    comment: str = "",
) -> str:
    """Name the arguments and results of `@main`.

    `arguments` and `results` are in the order of the function's signature. Every
    `Weight` is checked against `weights`, a safetensors file or the header of one.
    `comment` is put at the top. Raises `ExportError` if a name, shape or dtype does not fit.
    """
    header = read_header(weights) if isinstance(weights, Path) else weights
    text = re.sub(r" loc\([^()]*(?:\([^()]*\))*[^()]*\)|^#loc.*\n", "", text, flags=re.MULTILINE)
    text = _inline_resources(text)

    match = re.search(r"func\.func @main\((.*?)\) -> (.+?) \{\n", text)
    if not match:
        raise ExportError("expected a function `@main` with results, but got none")
    argument_types = re.findall(r"%arg\d+: (tensor<[^>]*>)", match[1])
    result_types = re.findall(r"tensor<[^>]*>", match[2])
    for what, have, want in (("arguments", argument_types, arguments), ("results", result_types, results)):
        if len(have) != len(want):
            raise ExportError(f"expected {len(want)} {what} of `@main`, but got {len(have)}")

    lines = []
    for index, (type_text, argument) in enumerate(zip(argument_types, arguments)):
        if isinstance(argument, Weight):
            attributes = _weight_attributes(argument, type_text, header)
        else:
            attributes = _port_attributes(argument, type_text)
        lines.append(f"      %arg{index}: {type_text} {attributes}")
    outcomes = ", ".join(f"{t} {_port_attributes(r, t)}" for t, r in zip(result_types, results))
    signature = "func.func @main(\n" + ",\n".join(lines) + f")\n      -> ({outcomes}) {{\n"
    text = text[: match.start()] + signature + text[match.end() :]
    note = "".join(f"// {line}".rstrip() + "\n" for line in comment.splitlines())
    return note + text.rstrip() + "\n"
