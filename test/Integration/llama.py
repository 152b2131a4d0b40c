# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A small Llama-style decoder, three ways to write it: in f32 as PyTorch computes it, in NVFP4 close to that.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import json

import numpy as np
from harness import call, expect, expect_bytes, finish, group, inputs_folder, read_safetensors, run, temporary

# Graph and weights.
MODELS = [("llama", "llama"), ("llama_dynamic", "llama"), ("llama_bf16", "llama_bf16")]


def compile_llama(model: str, weights: str, policy: str, report=None):
    package = temporary(".nvfp4pkg")
    folder = inputs_folder()
    call(
        "nvfp4-compile",
        folder / f"{model}.mlir",
        f"--weights={folder / weights}.safetensors",
        f"--policy={policy}",
        "--quiet",
        "-o",
        package,
        *([f"--report={report}"] if report else []),
    )
    return package


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Mean cosine of the rows."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(((a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)).mean())


def check_none(model: str, weights: str, inputs: dict[str, np.ndarray]) -> None:
    """The logits of PyTorch, and of each sequence alone."""
    package = compile_llama(model, weights, "none")
    folder = inputs_folder()
    call(
        "nvfp4-run",
        package,
        f"--input={folder / 'llama_input.safetensors'}",
        f"--compare={folder / 'llama_expected.safetensors'}",
        "--tolerance=1e-4",
    )
    together = run(package, inputs)["logits"]
    for i in range(len(together)):
        alone = run(package, {name: array[i : i + 1] for name, array in inputs.items()})["logits"]
        expect_bytes(f"{model}, none: sequence {i} alone", alone[0], together[i])


def check_lengths(inputs: dict[str, np.ndarray], expected: np.ndarray) -> None:
    """With a dynamic sequence: the logits of a token do not depend on what follows it."""
    package = compile_llama("llama_dynamic", "llama", "none")
    for length in [1, 5, 12]:
        begin = {
            "input_ids": inputs["input_ids"][:, :length],
            "position_ids": inputs["position_ids"][:, :length],
            "attention_mask": inputs["attention_mask"][:, :, :length, :length],
        }
        logits = run(package, begin)["logits"]
        error = np.abs(logits - expected[:, :length]).max()
        expect(f"llama_dynamic, none: {length} tokens", error < 1e-4, error)


def check_quantized(model: str, weights: str, policy: str, inputs: dict[str, np.ndarray], expected: np.ndarray) -> None:
    """Close to f32, and independent of what else is in the batch."""
    path = temporary(".json")
    package = compile_llama(model, weights, policy, path)
    logits = run(package, inputs)["logits"]
    close = cosine(logits, expected)
    print(f"{model} {policy}: cosine {close:.5f}")
    expect(f"{model}, {policy}: cosine", 0.9 < close < 0.99999, close)
    for i in range(len(logits)):
        alone = run(package, {name: array[i : i + 1] for name, array in inputs.items()})["logits"]
        expect_bytes(f"{model}, {policy}: sequence {i} alone", alone[0], logits[i])

    sites = json.loads(path.read_text())
    heads = [site for site in sites if site["class"] == "head"]
    expect(f"{model}, {policy}: one head, tied to the embedding", [s["weight"] for s in heads] == ["model.embed_tokens.weight"], heads)
    kind = {"inference": "nvfp4", "weight-only": "nvfp4_weight_only"}[policy]
    linear = [site for site in sites if site["class"] == "linear"]
    expect(f"{model}, {policy}: 14 linear layers", len(linear) == 14, len(linear))
    expect(f"{model}, {policy}: all in {kind}", all(s["realised"] == kind for s in linear), linear[:1])
    expect(f"{model}, {policy}: the head is not", all(kind != s["realised"] for s in heads), heads)


def main() -> None:
    inputs = read_safetensors(inputs_folder() / "llama_input.safetensors")
    expected = read_safetensors(inputs_folder() / "llama_expected.safetensors")["logits"]
    for model, weights in MODELS:
        with group(f"{model} none"):
            check_none(model, weights, inputs)
        if model == "llama_dynamic":
            with group("lengths"):
                check_lengths(inputs, expected)
        for policy in ["inference", "weight-only"]:
            with group(f"{model} {policy}"):
                check_quantized(model, weights, policy, inputs, expected)
    finish()


main()
