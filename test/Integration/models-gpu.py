# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whole models on a simulated chip agree with the CPU.

Where nothing is quantized after a sum, results agree as sums in another order do. Rounding to 4 bits amplifies such
differences, and those of an online softmax in bf16 (docs/Accuracy.md), so activations in 4 bits are compared by cosine,
and the chip has to be as near to FP32 as the CPU is. With attention in f32 both round alike.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from harness import F32_ATTENTION, call, expect, find_policy, finish, group, inputs_folder, read_safetensors, run, temporary, write_safetensors

CHIPS = ("sm_120a", "sm_121a", "sm_90a", "sm_100a")
# Of activations up to 8, in the policy that takes it from the weights.
GIVEN_SCALE = 8 / (6 * 448)
# By which the mean cosine to FP32 of a chip may be below the CPU's (docs/Accuracy.md).
COSINE_LOSS = 1e-3


def find_weights(model: str, policy: str) -> Path:
    """With a global scale for the activation of each layer, if the policy asks for it."""
    given = inputs_folder() / f"{model.removesuffix('_dynamic')}.safetensors"
    if policy != "static_scales.json":
        return given
    tensors = read_safetensors(given)
    scales = {name.replace(".weight", ".input_scale"): np.float32(GIVEN_SCALE).reshape(()) for name in tensors}
    weights = temporary(".safetensors")
    write_safetensors(weights, tensors | scales)
    return weights


def compile_model(model: str, policy: str, target: str) -> Path:
    package, folder, weights = temporary(".nvfp4pkg"), inputs_folder(), find_weights(model, policy)
    policy = folder / policy if policy.endswith(".json") else find_policy(policy)
    call("nvfp4-compile", folder / f"{model}.mlir", f"--weights={weights}", f"--policy={policy}", f"--target={target}", "--quiet", "-o", package)
    return package


def find_mean_cosine(a: np.ndarray, b: np.ndarray) -> float:
    return ((a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)).mean()


def check(model: str, policy: str, error: float, cosine: float, chip: str = CHIPS[0]) -> None:
    with group(f"{model}, {policy}, {chip}"):
        inputs = read_safetensors(inputs_folder() / "llama_input.safetensors")
        a = run(compile_model(model, policy, "cpu"), inputs)["logits"].astype(np.float64)
        b = run(compile_model(model, policy, chip), inputs, options=["--device=sim"])["logits"].astype(np.float64)
        exact = read_safetensors(inputs_folder() / "llama_expected.safetensors")["logits"].astype(np.float64)
        largest = np.abs(a - b).max() / np.abs(a).max()
        mean = find_mean_cosine(a, b)
        loss = find_mean_cosine(a, exact) - find_mean_cosine(b, exact)
        print(f"{model}, {policy}, {chip}: error {largest:.1e}, mean cosine {mean:.5f}, loss against FP32 {loss:.5f}")
        expect(f"{model}, {policy}, {chip}: error", largest <= error, largest)
        expect(f"{model}, {policy}, {chip}: mean cosine", mean >= cosine, mean)
        expect(f"{model}, {policy}, {chip}: loss against FP32", loss <= COSINE_LOSS, loss)


def main() -> None:
    check("llama", "none", 1e-5, 0.999999)
    check("llama", "inference", 1, 0.98)
    check("llama_dynamic", "none", 1e-5, 0.999999)
    check("llama_dynamic", "weight-only", 2e-2, 0.9999)
    check("llama_dynamic", "mlp-only", 3e-1, 0.99)
    check("llama_dynamic", "mlp-only" + F32_ATTENTION, 1e-1, 0.999)
    check("llama_dynamic", "inference", 1, 0.98)
    check("llama_dynamic", "weight-only", 2e-2, 0.9999, CHIPS[2])
    check("llama_bf16", "weight-only", 2e-2, 0.9999, CHIPS[1])
    check("llama_bf16", "weight-only", 2e-2, 0.9999, CHIPS[2])
    check("llama_bf16", "inference", 1, 0.98, CHIPS[1])
    check("llama_dynamic", "inference", 1, 0.98, CHIPS[2])
    for chip in (CHIPS[0], CHIPS[3]):
        check("llama_dynamic", "static_scales.json", 1, 0.98, chip)
    check("llama_dynamic", "inference", 1, 0.98, CHIPS[3])
    check("llama_dynamic", "weight-only", 2e-2, 0.9999, CHIPS[3])
    check("llama", "mlp-only", 3e-1, 0.99, CHIPS[3])
    check("llama", "mlp-only" + F32_ATTENTION, 1e-1, 0.999, CHIPS[3])
    check("llama_bf16", "none", 1e-5, 0.999999, CHIPS[3])
    finish()


main()
