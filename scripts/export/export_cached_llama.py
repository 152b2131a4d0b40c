#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Export a Llama-style decoder in BF16 that keeps keys and values, by default of the shape of Llama 3 8B.

    export_cached_llama.py --layers 4 -o build/llama8b

Writes `prefill.mlir` (a sequence of dynamic length; the cache is empty) and `decode.mlir` (one token; keys and values
of `context` tokens, dynamic, come in), and `weights.json`: name -> shape of the weights that both take, all BF16. The
weights themselves are not made here: a model of that size is given random ones where it runs.

Inputs are `input_ids` i64 [batch, seq], `position_ids` i64 [batch, seq] and, for decode, for each layer i
`past_key.i` and `past_value.i`, bf16 [batch, kv_heads, context, head_size]. Results are `logits` f32 [batch, vocabulary]
of the last token, and `key.i` and `value.i`, bf16 [batch, kv_heads, seq, head_size], which the caller appends to its
cache. Needs torch and torch-mlir; no weight takes memory.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch
import torch_mlir.fx
from linalg_text import Port, Weight, annotate
from torch import Tensor, nn

ROTARY_BASE, EPSILON = 500000.0, 1e-5


@dataclass(frozen=True)
class Shape:
    """The sizes of a decoder."""

    layers: int
    hidden: int = 4096
    feed_forward: int = 14336
    heads: int = 32
    kv_heads: int = 8
    vocabulary: int = 128256

    @property
    def head_size(self) -> int:
        return self.hidden // self.heads


class RMSNorm(nn.Module):
    """Root-mean-square norm over the last dimension, computed in f32."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + EPSILON)
        return self.weight * wide.to(x.dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply the rotary embedding to `x` [batch, heads, seq, head_size]; halves are rotated, as in Llama."""
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), dim=-1) * sin


class Attention(nn.Module):
    """Grouped-query attention over the cache and the new tokens."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
        self.q_proj = nn.Linear(shape.hidden, queries, bias=False)
        self.k_proj = nn.Linear(shape.hidden, keys, bias=False)
        self.v_proj = nn.Linear(shape.hidden, keys, bias=False)
        self.o_proj = nn.Linear(queries, shape.hidden, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, past: tuple[Tensor, Tensor] | None):
        batch, seq = x.shape[0], x.shape[1]
        size = self.shape.head_size
        query = rotate(self.q_proj(x).view(batch, seq, self.shape.heads, size).transpose(1, 2), cos, sin)
        key = rotate(self.k_proj(x).view(batch, seq, self.shape.kv_heads, size).transpose(1, 2), cos, sin)
        value = self.v_proj(x).view(batch, seq, self.shape.kv_heads, size).transpose(1, 2)
        keys = key if past is None else torch.cat((past[0], key), dim=2)
        values = value if past is None else torch.cat((past[1], value), dim=2)
        scores = torch.matmul(query, self._repeat(keys).transpose(2, 3)) * size**-0.5
        if past is None:
            places = torch.arange(seq, device=x.device)
            scores = scores.masked_fill(places[None, :] > places[:, None], -torch.inf)
        weights = torch.softmax(scores.float(), dim=-1).to(x.dtype)
        mixed = torch.matmul(weights, self._repeat(values))
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, seq, -1)), key, value

    def _repeat(self, x: Tensor) -> Tensor:
        batch, kv_heads, seq, size = x.shape
        group = self.shape.heads // kv_heads
        return x[:, :, None].expand(batch, kv_heads, group, seq, size).reshape(batch, self.shape.heads, seq, size)


class FeedForward(nn.Module):
    """SwiGLU."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.feed_forward, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.feed_forward, bias=False)
        self.down_proj = nn.Linear(shape.feed_forward, shape.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(nn.functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    """One decoder layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.mlp = FeedForward(shape)
        self.input_layernorm = RMSNorm(shape.hidden)
        self.post_attention_layernorm = RMSNorm(shape.hidden)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, past: tuple[Tensor, Tensor] | None):
        mixed, key, value = self.self_attn(self.input_layernorm(x), cos, sin, past)
        x = x + mixed
        return x + self.mlp(self.post_attention_layernorm(x)), key, value


class Model(nn.Module):
    """The decoder without its head."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.hidden)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = RMSNorm(shape.hidden)


class Decoder(nn.Module):
    """The decoder with its head, which sees the last token only."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.model = Model(shape)
        self.lm_head = nn.Linear(shape.hidden, shape.vocabulary, bias=False)

    def forward(self, input_ids: Tensor, position_ids: Tensor, cache: list[Tensor]) -> list[Tensor]:
        half = torch.arange(0, self.shape.head_size, 2, dtype=torch.float32, device=input_ids.device)
        angles = position_ids[:, None, :, None].float() * torch.pow(ROTARY_BASE, -half / self.shape.head_size)
        angles = torch.cat((angles, angles), dim=-1)
        x = self.model.embed_tokens(input_ids)
        cos, sin = torch.cos(angles).to(x.dtype), torch.sin(angles).to(x.dtype)
        fresh = []
        for index, layer in enumerate(self.model.layers):
            past = (cache[2 * index], cache[2 * index + 1]) if cache else None
            x, key, value = layer(x, cos, sin, past)
            fresh += [key, value]
        return [self.lm_head(self.model.norm(x[:, -1])).float(), *fresh]


class Functional(nn.Module):
    """A model whose parameters are arguments of `forward`."""

    def __init__(self, model: nn.Module, names: list[str]) -> None:
        super().__init__()
        # Not a registered child, otherwise its parameters would be captured as well.
        object.__setattr__(self, "_model", model)
        self._names = names

    def forward(self, tensors: list[Tensor], input_ids: Tensor, position_ids: Tensor, cache: list[Tensor]):
        state = dict(zip(self._names, tensors))
        return torch.func.functional_call(self._model, state, (input_ids, position_ids, cache))


def make_decoder(shape: Shape, device: str) -> Decoder:
    """Return a decoder in BF16 on `device`; its weights are not set."""
    with torch.device(device):
        return Decoder(shape).eval().to(torch.bfloat16)


def export(shape: Shape, decode: bool) -> str:
    """Return the text of a graph."""
    model = make_decoder(shape, "meta")
    weights = dict(model.named_parameters())
    # Extents that occur nowhere else in the model, where they are dynamic.
    batch, seq, context = 1, 1 if decode else 19, 23
    sequence = None if decode else torch.export.Dim("seq", min=2)
    ids = torch.zeros(batch, seq, dtype=torch.int64, device="meta")
    past = [(f"past_{kind}.{i}") for i in range(shape.layers) for kind in ("key", "value")] if decode else []
    cache = [
        torch.zeros(batch, shape.kv_heads, context, shape.head_size, dtype=torch.bfloat16, device="meta") for _ in past
    ]
    dim = torch.export.Dim("context", min=1)
    program = torch.export.export(
        Functional(model, list(weights)),
        ([*weights.values()], ids, ids.clone(), cache),
        dynamic_shapes=([None] * len(weights), {1: sequence}, {1: sequence}, [{2: dim} for _ in past]),
        strict=False,
    )
    # With its default decompositions torch-mlir 20261001 takes a dynamic sequence for 1.
    module = torch_mlir.fx.export_and_import(
        program, output_type="linalg-on-tensors", func_name="main", decomposition_table={}
    )
    length = 1 if decode else "seq"
    rows = (batch, shape.kv_heads)
    ports = [Port(name, (batch, length)) for name in ("input_ids", "position_ids")]
    ports += [Port(name, (*rows, "context", shape.head_size)) for name in past]
    results = [Port("logits", (batch, shape.vocabulary))]
    results += [
        Port(f"{kind}.{i}", (*rows, length, shape.head_size)) for i in range(shape.layers) for kind in ("key", "value")
    ]
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "torch-mlir"))
    comment = f"A Llama-style decoder. Generated by scripts/export/export_cached_llama.py\nwith {packages}."
    header = {name: {"dtype": "BF16", "shape": list(w.shape)} for name, w in weights.items()}
    return annotate(str(module), [Weight(n) for n in weights] + ports, results, header, comment)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True, help="directory to write to")
    parser.add_argument("--layers", type=int, default=4)
    for name in ("hidden", "feed-forward", "heads", "kv-heads", "vocabulary"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Shape, name.replace("-", "_")))
    options = vars(parser.parse_args())
    directory = options.pop("output")
    shape = Shape(**options)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "prefill.mlir").write_text(export(shape, decode=False))
    (directory / "decode.mlir").write_text(export(shape, decode=True))
    shapes = {name: list(p.shape) for name, p in make_decoder(shape, "meta").named_parameters()}
    (directory / "weights.json").write_text(json.dumps(shapes, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
