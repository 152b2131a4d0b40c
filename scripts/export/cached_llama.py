# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A Llama-style decoder that keeps keys and values, as models in BF16 are written: what export_cached_llama.py exports,
and what benchmarks compare with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
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
        mixed = self.attend(query, keys, values, is_causal=past is None)
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, seq, -1)), key, value

    def attend(self, query: Tensor, keys: Tensor, values: Tensor, is_causal: bool) -> Tensor:
        """Mix `values` [batch, kv_heads, keys, head_size] for each of `query` [batch, heads, seq, head_size]."""
        seq, size = query.shape[2], query.shape[3]
        scores = torch.matmul(query, self._repeat(keys).transpose(2, 3)) * size**-0.5
        if is_causal:
            places = torch.arange(seq, device=query.device)
            scores = scores.masked_fill(places[None, :] > places[:, None], -torch.inf)
        weights = torch.softmax(scores.float(), dim=-1).to(query.dtype)
        return torch.matmul(weights, self._repeat(values))

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


def make_decoder(shape: Shape, device: str) -> Decoder:
    """Return a decoder in BF16 on `device`; its weights are not set."""
    with torch.device(device):
        return Decoder(shape).eval().to(torch.bfloat16)
