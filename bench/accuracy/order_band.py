#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How far two correct runs of all-MiniLM-L6-v2 differ because they add in another order.

    order_band.py [--bin build/bin] [--weights PATH] [--policy POLICY ...] [--orders N] [--sentences N]
                  [--compare FILE --policy POLICY] [--write FILE]

Renumbers the model's features: whole blocks of 16 and the elements inside a block, so
that every block keeps its elements and therefore its codes and scales; heads, and the
features of a head, too. The renumbered model is the same function, its packed weights
hold the same codes, but every sum (products, layer norms, softmax aside) is added in
another order. Each of N such models and the original is compiled for the CPU and run on
the test sentences; results are numbered back and compared pair by pair.

`--compare FILE` holds an output of `nvfp4-run` (of any device) for the first sentences
against the band: it must differ from the original's no more than two of the runs do,
and its mean cosine to FP32 must be the original's within 1e-3.

Needs numpy and safetensors, and nvfp4-compile and nvfp4-run in `--bin`.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from minilm_numpy import HEADS, INPUTS, LAYERS, TOLERANCE, Tensors, embed, find_weights
from safetensors.numpy import load_file, save_file

BLOCK = 16
# A run may differ from another a little more than those that were measured do.
SLACK = 1.25


def permute_blocks(rng: np.random.Generator, size: int) -> np.ndarray:
    """An order of `size` features that keeps blocks together."""
    inside = rng.permuted(np.tile(np.arange(BLOCK), (size // BLOCK, 1)), axis=1)
    return (rng.permutation(size // BLOCK)[:, None] * BLOCK + inside).reshape(-1)


def permute_heads(heads: np.ndarray, within: list[np.ndarray]) -> np.ndarray:
    """An order of heads, and of the features in each."""
    return np.concatenate([head * len(within[0]) + order for head, order in zip(heads, within)])


def renumber(tensors: Tensors, seed: int) -> tuple[Tensors, np.ndarray]:
    """The model with its features in another order, and the order of its results."""
    rng = np.random.default_rng(seed)
    out = dict(tensors)
    width = tensors["embeddings.LayerNorm.weight"].size
    stream = permute_blocks(rng, width)

    def order(name: str, rows: np.ndarray | None, columns: np.ndarray | None = None) -> None:
        weight = tensors[f"{name}.weight"]
        weight = weight if rows is None else weight[rows]
        out[f"{name}.weight"] = np.ascontiguousarray(weight if columns is None else weight[:, columns])
        if rows is not None and f"{name}.bias" in tensors:
            out[f"{name}.bias"] = np.ascontiguousarray(tensors[f"{name}.bias"][rows])

    for name in ("word", "position", "token_type"):
        order(f"embeddings.{name}_embeddings", None, stream)
    order("embeddings.LayerNorm", stream)
    for index in range(LAYERS):
        layer = f"encoder.layer.{index}"
        heads, depth = rng.permutation(HEADS), width // HEADS
        scores = permute_heads(heads, [rng.permutation(depth) for _ in heads])
        values = permute_heads(heads, [permute_blocks(rng, depth) for _ in heads])
        hidden = permute_blocks(rng, tensors[f"{layer}.intermediate.dense.bias"].size)
        order(f"{layer}.attention.self.query", scores, stream)
        order(f"{layer}.attention.self.key", scores, stream)
        order(f"{layer}.attention.self.value", values, stream)
        order(f"{layer}.attention.output.dense", stream, values)
        order(f"{layer}.attention.output.LayerNorm", stream)
        order(f"{layer}.intermediate.dense", hidden, stream)
        order(f"{layer}.output.dense", stream, hidden)
        order(f"{layer}.output.LayerNorm", stream)
    return out, stream


def run_package(bin_dir: Path, model: Path, weights: Path, policy: str, inputs: Path, folder: Path) -> np.ndarray:
    package, output = folder / "band.nvfp4pkg", folder / "band.safetensors"
    compile_command = [bin_dir / "nvfp4-compile", model, "--weights", weights, f"--policy={policy}", "--quiet", "-o", package]
    run_command = [bin_dir / "nvfp4-run", package, "--input", inputs, "--output", output]
    for command in (compile_command, run_command):
        subprocess.run([str(part) for part in command], check=True)
    return load_file(output)["last_hidden_state"]


@dataclass
class Difference:
    """Of two runs: largest and median difference of an element, over the root mean square of its token's state; 1 -
    cosine of sentence embeddings, mean and worst."""

    largest: float
    median: float
    mean_loss: float
    worst_loss: float

    def __str__(self) -> str:
        return f"{self.largest:9.4f} {self.median:9.2e} {self.mean_loss:11.2e} {self.worst_loss:11.2e}"


def compare_runs(first: np.ndarray, second: np.ndarray, mask: np.ndarray) -> Difference:
    tokens = mask.astype(bool)
    rms = np.sqrt((first[tokens].astype(np.float64) ** 2).mean(axis=-1, keepdims=True))
    apart = np.abs(first[tokens] - second[tokens]) / rms
    loss = 1 - (embed(first, mask).astype(np.float64) * embed(second, mask)).sum(axis=1)
    return Difference(float(apart.max()), float(np.median(apart)), float(loss.mean()), float(loss.max()))


def measure(options, tensors: Tensors, policy: str, inputs: Tensors, folder: Path) -> list[np.ndarray]:
    """The results of the original and of each renumbered model, in the original's numbering."""
    given, weights = folder / "input.safetensors", folder / "weights.safetensors"
    save_file(inputs, given)
    runs = []
    for seed in range(options.orders + 1):
        model, stream = renumber(tensors, seed) if seed else (tensors, np.arange(tensors["embeddings.LayerNorm.weight"].size))
        save_file(model, weights)
        hidden = run_package(options.bin, options.model, weights, policy, given, folder)
        back = np.empty_like(hidden)
        back[..., stream] = hidden
        runs.append(back)
    return runs


def hold(file: Path, runs: list[np.ndarray], exact: np.ndarray, mask: np.ndarray, worst: Difference) -> bool:
    """Whether another run's output lies in the band."""
    other = load_file(file)["last_hidden_state"]
    count = len(other)
    difference = compare_runs(runs[0][:count], other, mask[:count])
    fidelity = [float((embed(run[:count], mask[:count]) * exact[:count]).sum(axis=1).mean()) for run in (runs[0], other)]
    print(f"{file.name:14} {difference}  mean cosine to FP32 {fidelity[1]:.5f}, the CPU's {fidelity[0]:.5f}")
    return difference.mean_loss <= SLACK * worst.mean_loss and abs(fidelity[0] - fidelity[1]) <= TOLERANCE


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = Path(__file__).resolve().parents[2]
    parser.add_argument("--bin", type=Path, default=root / "build" / "bin", help="where the tools are")
    parser.add_argument("--model", type=Path, default=INPUTS / "minilm.mlir")
    parser.add_argument("--weights", type=Path, help="model.safetensors of all-MiniLM-L6-v2, or its directory")
    parser.add_argument("--policy", action="append", help="default: none, weight-only and inference")
    parser.add_argument("--orders", type=int, default=4, help="renumbered models")
    parser.add_argument("--sentences", type=int, default=64)
    parser.add_argument("--compare", type=Path, help="output of nvfp4-run for the first sentences, to hold against the band")
    options = parser.parse_args()
    if options.compare and len(options.policy or ()) != 1:
        parser.error("--compare needs exactly one --policy")

    tensors = load_file(find_weights(options.weights))
    inputs = {name: array[: options.sentences] for name, array in load_file(INPUTS / "minilm_input.safetensors").items()}
    mask = inputs["attention_mask"]
    exact = load_file(INPUTS / "minilm_embeddings.safetensors")["embeddings"][: options.sentences]
    agrees = True
    print("policy           largest    median   mean loss  worst loss  mean cosine to FP32")
    with tempfile.TemporaryDirectory() as folder:
        for policy in options.policy or ["none", "weight-only", "inference"]:
            runs = measure(options, tensors, policy, inputs, Path(folder))
            pairs = [compare_runs(a, b, mask) for a, b in itertools.combinations(runs, 2)]
            worst = Difference(*(max(getattr(pair, name) for pair in pairs) for name in Difference.__dataclass_fields__))
            cosines = [float((embed(run, mask) * exact).sum(axis=1).mean()) for run in runs]
            print(f"{policy:14} {worst}  {min(cosines):.5f} to {max(cosines):.5f}")
            if options.compare:
                agrees = hold(options.compare, runs, exact, mask, worst)
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main())
