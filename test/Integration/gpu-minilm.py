# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""all-MiniLM-L6-v2 on a simulated chip: end to end it differs from the CPU's no more than two right runs do, and layer
by layer, given the same activations, it is right. Weights alone in 4 bits, it agrees with the CPU as sums in another
order and activations of bf16 do, for any number of sentences.

    gpu-minilm.py WEIGHTS                      two sentences end to end, and the linear layers of one block
    gpu-minilm.py WEIGHTS --sentences 64       more of them
    gpu-minilm.py WEIGHTS --blocks 6           the linear layers of all blocks
    gpu-minilm.py WEIGHTS --policies weight-only mlp-only none

RUN: %python %s %minilm_weights
REQUIRES: numpy, minilm-weights
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
from harness import F32_ATTENTION, call, expect, find_policy, finish, group, inputs_folder, read_safetensors, run, temporary


def load_model() -> ModuleType:
    """bench/accuracy/minilm_numpy.py. The quantizer beside it has the name of ours, which is therefore imported later."""
    folder = str(inputs_folder().parents[1] / "bench" / "accuracy")
    sys.path.insert(0, folder)
    module = importlib.import_module("minilm_numpy")
    sys.path.remove(folder)
    del sys.modules["golden"]
    return module


minilm_numpy = load_model()
from gpu_layers import CHIPS, Compiled, Layer  # noqa: E402


class Band(NamedTuple):
    """What two right runs may differ by: 1 - cosine of a sentence's embeddings, on average over all sentences and at worst,
    and the cosine to FP32 of one sentence."""

    mean: float
    worst: float
    fidelity: float


# docs/Accuracy.md. With activations of 4 bits, two runs in NumPy that round probabilities of attention before and after they
# are divided, or two orders of sums where nothing rounds them. Without, a chip beside the CPU; two orders of sums, where
# they are further apart for one sentence; and the cosine to FP32 of those runs in NumPy with weights of 4 bits.
W4A4 = Band(1.51e-2, 2.72e-2, 1.63e-2)
BANDS = {
    "inference": W4A4,
    "inference" + F32_ATTENTION: Band(2.52e-3, 1.52e-2, 1.52e-2),
    "mlp-only": W4A4,
    "weight-only": Band(6.6e-6, 1.1e-5, 1.26e-4),
    "none": Band(1.6e-8, 1.24e-7, 1.26e-4),
}
SLACK = 1.25
# All sentences: how many they are, and what their mean cosine to FP32 may differ by.
ALL, FIDELITY = 64, 1e-3
# Weights alone in 4 bits: the largest error, as a share of the largest value, and the worst cosine of a token.
ERROR, COSINE = 2e-2, 0.9999
# Chips that multiply 16-bit operands in warpgroups, or in tensor memory, and numbers of sentences: of the first, there are
# kernels for a few rows and for many.
WEIGHT_ONLY = {"sm_90a": (1, 5), "sm_100a": (2,)}


def compile_minilm(weights: Path, target: str, policy: str = "inference") -> Path:
    package, model = temporary(".nvfp4pkg"), inputs_folder() / "minilm.mlir"
    call("nvfp4-compile", model, "--weights", weights, f"--policy={find_policy(policy)}", f"--target={target}", "--quiet", "-o", package)
    return package


def check_model(weights: Path, inputs: dict[str, np.ndarray], exact: np.ndarray, expected: np.ndarray, chip: str, policy: str) -> None:
    mask, count = inputs["attention_mask"], len(exact)
    package = compile_minilm(weights, chip, policy)
    begin = time.monotonic()
    got = run(package, inputs, None, ["--device=sim"])["last_hidden_state"]
    embeddings = {name: minilm_numpy.embed(hidden, mask) for name, hidden in (("cpu", expected), ("sim", got))}
    fidelity = {name: (rows * exact).sum(axis=1) for name, rows in embeddings.items()}
    loss = 1 - (embeddings["cpu"].astype(np.float64) * embeddings["sim"]).sum(axis=1)
    print(f"{policy}, {chip}: {count} sentences in {time.monotonic() - begin:.1f} s; 1 - cosine to the CPU's: {loss.mean():.2e}, worst {loss.max():.2e};", end=" ")
    print(f"mean cosine to FP32 {fidelity['sim'].mean():.5f}, the CPU's {fidelity['cpu'].mean():.5f}")
    band = BANDS[policy]
    expect(f"{policy}, {chip}: worst sentence, to the CPU", loss.max() <= SLACK * band.worst, loss)
    if count == ALL:
        expect(f"{policy}, {chip}: mean, to the CPU", loss.mean() <= SLACK * band.mean, loss.mean())
    apart = abs(fidelity["sim"].mean() - fidelity["cpu"].mean())
    expect(f"{policy}, {chip}: end to end, to FP32", apart <= (FIDELITY if count == ALL else band.fidelity), apart)


def check_weight_only(weights: Path, inputs: dict[str, np.ndarray], target: str) -> None:
    """Of tokens that are no padding. What becomes of padding, nobody reads, and a rounding may change it by more."""
    cpu, chip = (compile_minilm(weights, name, "weight-only") for name in ("cpu", target))
    for count in WEIGHT_ONLY[target]:
        what = f"weight-only, {target}, {count} sentences"
        some = {name: array[:count] for name, array in inputs.items()}
        a, b = (
            run(package, some, None, options)["last_hidden_state"][some["attention_mask"] == 1].astype(np.float64)
            for package, options in ((cpu, []), (chip, ["--device=sim"]))
        )
        largest = np.abs(a - b).max() / np.abs(a).max()
        cosines = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
        print(f"{what}: error {largest:.1e}, worst cosine {cosines.min():.6f}")
        expect(f"{what}: error", largest <= ERROR, largest)
        expect(f"{what}: worst cosine", cosines.min() >= COSINE, cosines.min())


def capture(tensors: dict[str, np.ndarray], inputs: dict[str, np.ndarray], blocks: int) -> dict[str, np.ndarray]:
    """Activations of linear layers by the weight's name, as the golden model computes them."""
    seen: dict[str, np.ndarray] = {}
    make = minilm_numpy.make_matmul

    def spy(tensors, mode):
        matmul = make(tensors, mode)

        def record(x: np.ndarray, name: str) -> np.ndarray:
            seen[name] = x
            return matmul(x, name)

        return record

    minilm_numpy.make_matmul = spy
    minilm_numpy.encode(tensors, inputs["input_ids"], inputs["attention_mask"], "w4a4-row")
    wanted = tuple(f"encoder.layer.{index}." for index in range(blocks))
    return {name: x for name, x in seen.items() if name.startswith(wanted)}


def check_layers(weights: Path, inputs: dict[str, np.ndarray], blocks: int, chip: str) -> None:
    tensors = read_safetensors(weights)
    for name, x in capture(tensors, inputs, blocks).items():
        with group(f"{chip}: {name}"):
            n, k = tensors[name].shape
            layer = Layer("nvfp4-row", n, k)
            Compiled(layer, np.random.default_rng(0), chip, weight=tensors[name]).run_on(x, f"{chip}: {name}", "late")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("weights", type=Path)
    parser.add_argument("--sentences", type=int, default=2)
    parser.add_argument("--blocks", type=int, default=1)
    parser.add_argument("--chips", nargs="+", default=list(CHIPS))
    parser.add_argument("--policies", nargs="+", choices=BANDS, default=["inference", "inference" + F32_ATTENTION])
    options = parser.parse_args()
    inputs = read_safetensors(inputs_folder() / "minilm_input.safetensors")
    exact = read_safetensors(inputs_folder() / "minilm_embeddings.safetensors")["embeddings"][: options.sentences]
    given = {name: array[: options.sentences] for name, array in inputs.items()}
    for policy in options.policies:
        expected = run(compile_minilm(options.weights, "cpu", policy), given)["last_hidden_state"]
        for chip in options.chips:
            with group(f"{policy}, {chip}: end to end"):
                check_model(options.weights, given, exact, expected, chip, policy)
    for chip in WEIGHT_ONLY:
        with group(f"weights alone, {chip}"):
            check_weight_only(options.weights, inputs, chip)
    first = {name: array[:2] for name, array in inputs.items()}
    check_layers(options.weights, first, options.blocks, options.chips[0])
    finish()


main()
