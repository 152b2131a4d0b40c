#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Time PyTorch in FP32, eager, on the CPU, in a process of its own.

    run_torch.py minilm --weights FILE --input FILE [--rows 8] [--threads 2] [--seconds 1] [--check FILE]
    run_torch.py linear --weights FILE --input FILE …
    run_torch.py torchao --weights FILE --threads 1

`minilm` is the encoder of all-MiniLM-L6-v2 with PyTorch's fused attention; `linear` one layer,
y = x w^T; `torchao` quantizes the tensor `w` to NVFP4 by torchao, the global scale given. Prints
the median as JSON. `--check` compares with results that run_package.py wrote, by the largest
difference and the cosine. Needs torch and safetensors; torchao for its mode (0.14.1 is known to work).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from run_package import time_runs
from safetensors.torch import load_file

LAYERS, HEADS = 6, 12
Tensors = dict[str, torch.Tensor]


def encode(tensors: Tensors, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the last hidden state, f32 [batch, sequence, 384]."""

    def linear(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.linear(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"])

    def normalize(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.layer_norm(x, x.shape[-1:], tensors[f"{name}.weight"], tensors[f"{name}.bias"], 1e-12)

    batch, sequence = ids.shape
    x = F.embedding(ids, tensors["embeddings.word_embeddings.weight"])
    x = x + tensors["embeddings.token_type_embeddings.weight"][0]
    x = x + tensors["embeddings.position_embeddings.weight"][:sequence]
    x = normalize(x, "embeddings.LayerNorm")
    bias = torch.where(mask[:, None, None, :] != 0, 0.0, torch.finfo(torch.float32).min)
    for index in range(LAYERS):
        layer = f"encoder.layer.{index}"
        query, key, value = (
            linear(x, f"{layer}.attention.self.{name}").view(batch, sequence, HEADS, -1).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        mixed = mixed.transpose(1, 2).reshape(x.shape)
        x = normalize(linear(mixed, f"{layer}.attention.output.dense") + x, f"{layer}.attention.output.LayerNorm")
        hidden = F.gelu(linear(x, f"{layer}.intermediate.dense"))
        x = normalize(linear(hidden, f"{layer}.output.dense") + x, f"{layer}.output.LayerNorm")
    return x


def make_run(mode: str, tensors: Tensors, inputs: Tensors) -> Callable[[], torch.Tensor]:
    if mode == "minilm":
        return lambda: encode(tensors, inputs["input_ids"], inputs["attention_mask"])
    if mode == "linear":
        return lambda: F.linear(inputs["x"], tensors["w"])
    try:
        from torchao.prototype.mx_formats.nvfp4_tensor import nvfp4_quantize, per_tensor_amax_to_scale
    except ImportError as error:
        sys.exit(f"run_torch: error: expected torchao, but got: {error}")
    scale = per_tensor_amax_to_scale(tensors["w"].abs().max())
    return lambda: nvfp4_quantize(tensors["w"], 16, scale)[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=("minilm", "linear", "torchao"))
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--input", type=Path, help="safetensors file with the inputs")
    parser.add_argument("--rows", type=int, help="rows of each input (default: all)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--check", type=Path, help="results to compare with")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    inputs = load_file(options.input) if options.input else {}
    inputs = {name: tensor[: options.rows].contiguous() for name, tensor in inputs.items()}
    with torch.inference_mode():
        run = make_run(options.mode, load_file(options.weights), inputs)
        result = time_runs(run, options.seconds)
        if options.check:
            (theirs,) = load_file(options.check).values()
            ours = run()
            result["difference"] = float((theirs - ours).abs().max())
            result["cosine"] = float(F.cosine_similarity(theirs.flatten(), ours.flatten(), dim=0))
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
