# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A decoder that keeps keys and values: prefill, then a token at a time, on the CPU and on simulated chips.

A step with a cache computes what prefill of one token more computes for its last token. Chips agree with the CPU.

RUN: %python %s
REQUIRES: numpy
"""

from __future__ import annotations

import json

import numpy as np
from harness import call, expect, finish, from_bf16, group, inputs_folder, run, temporary, to_bf16, write_safetensors

LAYERS, TOKENS = 2, 11
FOLDER = inputs_folder() / "cached_llama"


def make_weights():
    generator = np.random.default_rng(7)
    weights = {}
    for name, shape in json.loads((FOLDER / "weights.json").read_text()).items():
        noise = generator.standard_normal(shape)
        weights[name] = to_bf16(1 + 0.1 * noise if len(shape) == 1 else noise * shape[-1] ** -0.5)
    path = temporary(".safetensors")
    write_safetensors(path, weights)
    return path


class Decoder:
    """Both programs for one target."""

    def __init__(self, weights, policy: str, target: str) -> None:
        self.options = [] if target == "cpu" else ["--device=sim"]
        self.packages = {}
        for graph in ("prefill", "decode"):
            self.packages[graph] = temporary(".nvfp4pkg")
            call(
                "nvfp4-compile", FOLDER / f"{graph}.mlir", f"--weights={weights}", f"--policy={policy}",
                f"--target={target}", "--quiet", "-o", self.packages[graph],
            )  # fmt: skip

    def prefill(self, ids: np.ndarray) -> dict[str, np.ndarray]:
        inputs = {"input_ids": ids[None], "position_ids": np.arange(len(ids))[None]}
        return run(self.packages["prefill"], inputs, options=self.options)

    def decode(self, token: int, cache: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        context = cache["key.0"].shape[2]
        inputs = {"input_ids": np.array([[token]]), "position_ids": np.array([[context]])}
        inputs |= {f"past_{name}": value for name, value in cache.items() if name != "logits"}
        return run(self.packages["decode"], inputs, options=self.options)


def append(cache: dict[str, np.ndarray], step: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.concatenate((cache[name], step[name]), axis=2) for name in cache if name != "logits"}


def compare(name: str, got: dict[str, np.ndarray], want: dict[str, np.ndarray], error: float) -> None:
    """Largest differences, as a share of the largest value."""
    for key, expected in want.items():
        a, b = (v if v.dtype == np.float32 else from_bf16(v) for v in (got[key], expected))
        largest = np.abs(a - b).max() / np.abs(b).max()
        expect(f"{name}: {key}", a.shape == b.shape and largest <= error, largest)


def check(weights, policy: str, chips: tuple[str, ...], error: float) -> None:
    ids = np.random.default_rng(3).integers(0, 256, TOKENS)
    with group(policy):
        cpu = Decoder(weights, policy, "cpu")
        whole, cache = cpu.prefill(ids), cpu.prefill(ids[:-2])
        steps = []
        for token in ids[-2:]:
            steps.append((cache, cpu.decode(token, cache)))
            cache = append(cache, steps[-1][1])
        compare(f"{policy}, two steps after prefill", {**cache, "logits": steps[-1][1]["logits"]}, whole, error)
        for chip in chips:
            device = Decoder(weights, policy, chip)
            compare(f"{policy}, {chip}, prefill", device.prefill(ids), whole, error)
            for number, (past, want) in enumerate(steps):
                compare(f"{policy}, {chip}, step {number}", device.decode(ids[number - 2], past), want, error)


def main() -> None:
    weights = make_weights()
    check(weights, "none", ("sm_120a", "sm_100a"), 3e-2)
    check(weights, "weight-only", ("sm_120a", "sm_90a", "sm_100a"), 3e-2)
    finish()


main()
