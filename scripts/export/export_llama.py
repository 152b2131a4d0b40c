#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Export a small Llama-style decoder with random weights, and what PyTorch computes for it.

    export_llama.py -o test/Inputs

Writes three graphs of one decoder:

  llama.mlir          with llama.safetensors (F32); batch dynamic, sequence 12
  llama_dynamic.mlir  the same weights; batch and sequence dynamic. torch-mlir then makes every
                      linear layer a `batch_matmul` with a weight broadcast over the batch
  llama_bf16.mlir     with llama_bf16.safetensors: the same values, matrices in BF16, cast in the
                      graph; batch dynamic, sequence 12

and `llama_input.safetensors` and `llama_expected.safetensors` (what PyTorch computes), which
serve all. The decoder has RMSNorm, rotary embedding, grouped-query attention, SwiGLU and a
head tied to the token embedding. Its inputs are `input_ids` and `position_ids`, i64 [batch,
seq], and `attention_mask`, f32 [batch, 1, seq, seq], which is added to the scores (0 or -inf);
its result is `logits`, f32 [batch, seq, 256]. Needs torch and torch-mlir.
"""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version
from pathlib import Path

import torch
import torch_mlir.fx
from linalg_text import Dim, ExportError, Port, Weight, annotate
from safetensors.torch import save_file
from torch import Tensor, nn

VOCABULARY, HIDDEN, FEED_FORWARD = 256, 64, 176
LAYERS, HEADS, KV_HEADS = 2, 4, 2
HEAD_SIZE = HIDDEN // HEADS
EPSILON, ROTARY_BASE = 1e-5, 10000.0
SEQUENCE = 12
SEED = 20260101


def linear(x: Tensor, weight: Tensor) -> Tensor:
    """`x` [.., K] times `weight` [N, K] transposed, in f32 whatever the weight's dtype."""
    return nn.functional.linear(x, weight.float())


class RMSNorm(nn.Module):
    """Root-mean-square norm over the last dimension."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPSILON))


class Linear(nn.Module):
    """A linear layer without bias."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply the rotary embedding to `x` [batch, heads, seq, HEAD_SIZE]; halves are rotated, as in Llama."""
    left, right = x[..., : HEAD_SIZE // 2], x[..., HEAD_SIZE // 2 :]
    return x * cos + torch.cat((-right, left), dim=-1) * sin


class Attention(nn.Module):
    """Grouped-query attention: each key and value head serves HEADS / KV_HEADS query heads."""

    def __init__(self) -> None:
        super().__init__()
        self.q_proj = Linear(HIDDEN, HEADS * HEAD_SIZE)
        self.k_proj = Linear(HIDDEN, KV_HEADS * HEAD_SIZE)
        self.v_proj = Linear(HIDDEN, KV_HEADS * HEAD_SIZE)
        self.o_proj = Linear(HEADS * HEAD_SIZE, HIDDEN)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        batch, seq = x.shape[0], x.shape[1]
        query = self.q_proj(x).view(batch, seq, HEADS, HEAD_SIZE).transpose(1, 2)
        key = self.k_proj(x).view(batch, seq, KV_HEADS, HEAD_SIZE).transpose(1, 2)
        value = self.v_proj(x).view(batch, seq, KV_HEADS, HEAD_SIZE).transpose(1, 2)
        query, key = rotate(query, cos, sin), rotate(key, cos, sin)
        key, value = self._repeat(key), self._repeat(value)
        scores = torch.matmul(query, key.transpose(2, 3)) * HEAD_SIZE**-0.5 + mask
        mixed = torch.matmul(torch.softmax(scores, dim=-1), value)
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, seq, HEADS * HEAD_SIZE))

    @staticmethod
    def _repeat(x: Tensor) -> Tensor:
        batch, _, seq, _ = x.shape
        shape = (batch, KV_HEADS, HEADS // KV_HEADS, seq, HEAD_SIZE)
        return x[:, :, None].expand(shape).reshape(batch, HEADS, seq, HEAD_SIZE)


class FeedForward(nn.Module):
    """SwiGLU."""

    def __init__(self) -> None:
        super().__init__()
        self.gate_proj = Linear(HIDDEN, FEED_FORWARD)
        self.up_proj = Linear(HIDDEN, FEED_FORWARD)
        self.down_proj = Linear(FEED_FORWARD, HIDDEN)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(nn.functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    """One decoder layer."""

    def __init__(self) -> None:
        super().__init__()
        self.self_attn = Attention()
        self.mlp = FeedForward()
        self.input_layernorm = RMSNorm(HIDDEN)
        self.post_attention_layernorm = RMSNorm(HIDDEN)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Model(nn.Module):
    """The decoder without its head."""

    def __init__(self) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(VOCABULARY, HIDDEN)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm = RMSNorm(HIDDEN)
        frequencies = ROTARY_BASE ** (-torch.arange(0, HEAD_SIZE, 2, dtype=torch.float64) / HEAD_SIZE)
        self.register_buffer("frequencies", frequencies.float(), persistent=False)


class Decoder(nn.Module):
    """The decoder with a head whose weight is that of the token embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()

    def forward(self, input_ids: Tensor, position_ids: Tensor, attention_mask: Tensor) -> Tensor:
        model = self.model
        angles = position_ids[:, :, None].float() * model.frequencies
        angles = torch.cat((angles, angles), dim=-1)[:, None]
        cos, sin = torch.cos(angles), torch.sin(angles)
        x = model.embed_tokens(input_ids).float()
        for layer in model.layers:
            x = layer(x, cos, sin, attention_mask)
        return linear(model.norm(x), model.embed_tokens.weight)


class Functional(nn.Module):
    """A model whose parameters are arguments of `forward`."""

    def __init__(self, model: nn.Module, names: list[str]) -> None:
        super().__init__()
        # Not a registered child, otherwise its parameters would be captured as well.
        object.__setattr__(self, "_model", model)
        self._names = names

    def forward(self, tensors: list[Tensor], input_ids: Tensor, position_ids: Tensor, attention_mask: Tensor) -> Tensor:
        state = dict(zip(self._names, tensors))
        return torch.func.functional_call(self._model, state, (input_ids, position_ids, attention_mask))


def make_weights(model: Decoder) -> dict[str, Tensor]:
    """Draw the weights; all are exact in BF16."""
    generator = torch.Generator().manual_seed(SEED)
    weights = {}
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        drawn = 1 + 0.1 * noise if parameter.dim() == 1 else noise * parameter.shape[-1] ** -0.5
        weights[name] = drawn.bfloat16().float()
    return weights


def make_inputs() -> dict[str, Tensor]:
    """Three token sequences of lengths 12, 9 and 5, padded at the end, with a causal mask."""
    generator = torch.Generator().manual_seed(SEED + 1)
    lengths, seq = (12, 9, 5), SEQUENCE
    ids = torch.randint(0, VOCABULARY, (len(lengths), seq), generator=generator)
    mask = torch.full((len(lengths), 1, seq, seq), -torch.inf)
    for row, length in enumerate(lengths):
        ids[row, length:] = 0
        mask[row, 0] = torch.full((seq, seq), -torch.inf).triu(1)
        mask[row, 0, :, length:] = -torch.inf
    positions = torch.arange(seq).repeat(len(lengths), 1)
    return {"input_ids": ids, "position_ids": positions, "attention_mask": mask}


def export(model: Decoder, weights: dict[str, Tensor], weights_file: Path, dynamic_sequence: bool) -> str:
    """Return the text of the graph for weights of these dtypes, which `weights_file` holds."""
    batch = torch.export.Dim("batch", min=1)
    seq = torch.export.Dim("seq", min=1) if dynamic_sequence else None
    # Extents that occur nowhere else in the model, where they are dynamic.
    rows, columns = 3, 7 if dynamic_sequence else SEQUENCE
    ids = torch.zeros(rows, columns, dtype=torch.int64)
    shapes = ([None] * len(weights), {0: batch, 1: seq}, {0: batch, 1: seq}, {0: batch, 2: seq, 3: seq})
    program = torch.export.export(
        Functional(model, list(weights)),
        (list(weights.values()), ids, ids.clone(), torch.zeros(rows, 1, columns, columns)),
        dynamic_shapes=shapes,
        strict=False,
    )
    # With its default decompositions torch-mlir 20261001 collapses two dynamic dimensions
    # wrongly: it takes the sequence for 1.
    module = torch_mlir.fx.export_and_import(
        program,
        output_type="linalg-on-tensors",
        func_name="main",
        decomposition_table={} if dynamic_sequence else None,
    )
    length: Dim = "seq" if dynamic_sequence else SEQUENCE
    arguments = [Weight(name) for name in weights]
    arguments += [Port("input_ids", ("batch", length)), Port("position_ids", ("batch", length))]
    arguments.append(Port("attention_mask", ("batch", 1, length, length)))
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "torch-mlir"))
    comment = f"A small Llama-style decoder. Generated by scripts/export/export_llama.py\nwith {packages}."
    return annotate(str(module), arguments, [Port("logits", ("batch", length, VOCABULARY))], weights_file, comment)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True, help="directory to write to")
    directory = parser.parse_args().output
    model = Decoder().eval()
    weights = make_weights(model)
    narrow = {name: w.bfloat16() if w.dim() > 1 else w for name, w in weights.items()}
    inputs = make_inputs()
    with torch.no_grad():
        logits = torch.func.functional_call(model, weights, tuple(inputs.values()))
        again = torch.func.functional_call(model, narrow, tuple(inputs.values()))
    if not torch.equal(logits, again) or not logits.isfinite().all():
        print("error: expected finite and equal logits for F32 and BF16 weights, but got others", file=sys.stderr)
        return 1
    save_file(inputs, directory / "llama_input.safetensors")
    save_file({"logits": logits}, directory / "llama_expected.safetensors")
    try:
        for stem, tensors in (("llama", weights), ("llama_bf16", narrow)):
            save_file(tensors, directory / f"{stem}.safetensors")
            text = export(model, tensors, directory / f"{stem}.safetensors", dynamic_sequence=False)
            (directory / f"{stem}.mlir").write_text(text)
        text = export(model, weights, directory / "llama.safetensors", dynamic_sequence=True)
        (directory / "llama_dynamic.mlir").write_text(text)
    except ExportError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
