# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A step of a Llama of the shape of Llama 3 8B, beside PyTorch in BF16, both in CUDA graphs.

    scripts/export/export_cached_llama.py --layers N --zeros -o build/llama/N               (N = 1, 4, 32)
    nvfp4-compile build/llama/N/decode.mlir --weights build/llama/N/weights.safetensors --policy=weight-only
        --target=sm_90a -o N.nvfp4pkg
    fill_package.py strip N.nvfp4pkg N; fill_package.py fill N N.nvfp4pkg    (where the GPU is)
    llama.py --library libNVFP4Runtime.so.1 1.nvfp4pkg 4.nvfp4pkg 32.nvfp4pkg [--context 1024] [--tokens 2048]

Packages of decode.mlir compute one token after `context` ones, those of prefill.mlir `tokens` tokens. The number of
layers is read from the package; a layer's time is the difference of two packages, divided by the layers in between.
PyTorch's side appends to a cache that is there, and attends with scaled_dot_product_attention.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import statistics
import sys
from pathlib import Path

import torch
from nvfp4_runtime import Package
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "export"))
import cached_llama  # noqa: E402

TURNS, TURN_US = 9, 40_000


class TorchAttention(cached_llama.Attention):
    """Keeps keys and values in place, as serving does."""

    cache: tuple[Tensor, Tensor] | None

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, past=None):
        batch, seq, size = x.shape[0], x.shape[1], self.shape.head_size
        query = cached_llama.rotate(self.q_proj(x).view(batch, seq, -1, size).transpose(1, 2), cos, sin)
        key = cached_llama.rotate(self.k_proj(x).view(batch, seq, -1, size).transpose(1, 2), cos, sin)
        value = self.v_proj(x).view(batch, seq, -1, size).transpose(1, 2)
        keys, values = self.cache or (key, value)
        if self.cache:
            keys[:, :, -seq:].copy_(key)
            values[:, :, -seq:].copy_(value)
        mixed = nn.functional.scaled_dot_product_attention(
            query, keys, values, is_causal=not self.cache, enable_gqa=True
        )
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, seq, -1)), key, value


class TorchNorm(cached_llama.RMSNorm):
    """One kernel."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.rms_norm(x, (x.shape[-1],), self.weight, cached_llama.EPSILON)


def make_torch(layers: int, context: int | None) -> cached_llama.Decoder:
    """Without a context: for prefill."""
    shape = cached_llama.Shape(layers)
    model = cached_llama.make_decoder(shape, "cuda")
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=weight.shape[-1] ** -0.5) if weight.dim() > 1 else weight.fill_(1)
    for module in model.modules():
        if isinstance(module, cached_llama.Attention):
            module.__class__, module.cache = TorchAttention, None
            if context is not None:
                rows = (1, shape.kv_heads, context + 1, shape.head_size)
                module.cache = tuple(torch.randn(rows, device="cuda", dtype=torch.bfloat16) for _ in range(2))
        elif isinstance(module, cached_llama.RMSNorm):
            module.__class__ = TorchNorm
    return model


def capture(step) -> torch.cuda.CUDAGraph:
    """`step` gets the stream to work on."""
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(3):
            step(stream)
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        step(stream)
    return graph


def time_us(graph: torch.cuda.CUDAGraph) -> float:
    """Microseconds of a replay: weights are larger than the second-level cache."""

    def run(replays: int) -> float:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(replays):
            graph.replay()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) * 1000 / replays

    replays = max(1, round(TURN_US / run(1)))
    return statistics.median(run(replays) for _ in range(TURNS))


@torch.no_grad()
def compare(path: Path, options: argparse.Namespace) -> tuple[int, float, float]:
    """Layers, and microseconds of a step: ours and PyTorch's."""
    entry = json.loads((path / "manifest.json").read_text())["entries"][0]
    layers = sum(result["name"].startswith("key") for result in entry["results"])
    context, tokens = options.context, 1
    if len(entry["inputs"]) == 2:
        context, tokens = None, options.tokens
    ids = torch.randint(0, 1000, (1, tokens), device="cuda")
    positions = torch.arange(tokens, device="cuda")[None] + (context or 0)
    theirs = math.nan
    if not options.ours:
        model = make_torch(layers, context)
        theirs = time_us(capture(lambda _: model(ids, positions, [])))
        del model
        torch.cuda.empty_cache()
    caches = []
    if context is not None:
        caches = [torch.randn(1, 8, context, 128, device="cuda", dtype=torch.bfloat16) for _ in range(2 * layers)]
    package = Package(str(path), options.library, skip_checksums=True)
    run = package.bind("main", [ids, positions, *caches])
    ours = time_us(capture(run.enqueue))
    if not run.results[0].isfinite().all():
        raise SystemExit(f"{path}: expected finite logits")
    return layers, ours, theirs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packages", type=Path, nargs="+")
    parser.add_argument("--library", required=True)
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--tokens", type=int, default=2048, help="of prefill")
    parser.add_argument("--ours", action="store_true", help="without PyTorch's side")
    parser.add_argument("--name", default="", help="what the packages are, in the file of --csv")
    parser.add_argument("--commit", default="", help="that the packages are of, in the file of --csv")
    parser.add_argument("--csv", type=Path, help="file to append rows to")
    options = parser.parse_args()
    rows = sorted(compare(path, options) for path in options.packages)
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}; microseconds")
    table = [(f"{layers} layers, BF16 head", ours, theirs) for layers, ours, theirs in rows]
    for (fewer, ours0, theirs0), (more, ours1, theirs1) in zip(rows, rows[1:]):
        count = more - fewer
        table.append((f"a layer ({fewer} to {more})", (ours1 - ours0) / count, (theirs1 - theirs0) / count))
    for what, ours, theirs in table:
        print(f"{what:20} {ours:9.1f}  PyTorch {theirs:9.1f}  {theirs / ours:5.2f} x")
    if options.csv:
        is_new = not options.csv.exists()
        with options.csv.open("a", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if is_new:
                writer.writerow(("model", "what", "ours_us", "pytorch_us", "ratio", "commit"))
            for what, ours, theirs in table:
                writer.writerow((options.name, what, f"{ours:.1f}", f"{theirs:.1f}", f"{theirs / ours:.2f}", options.commit))


main()
