#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Launches: how many kernels a model takes on a GPU, per layer and in all.

    launch_count.py [--binaries DIR] [--chip NAME] [--policy NAME]... [MODEL.mlir]...

A dispatch is a launch, and so is the record of an error. A layer begins with its first
product: what two layers share (a norm that also quantizes for the next one) counts for
the one before. Exits with 1 if a layer of the encoder takes more than 12 in W4A4.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODELS = [ROOT / "test" / "Inputs" / name for name in ("minilm.mlir", "llama_dynamic.mlir")]
POLICIES = ["inference", "weight-only", "mlp-only", "none"]
# What the requirement is about, and what it is.
ENCODER, W4A4, MAX_PER_LAYER = "minilm", "inference", 12

PIPELINE = [
    "--nvfp4-expand-tensors",
    "--nvfp4-decode-activations",
    "--convert-elementwise-to-linalg",
    "--cse",
    "--nvfp4-fuse-elementwise",
    "--cse",
    "--nvfp4-form-dispatches",
]

# Errors are recorded by a kernel, too.
DISPATCH = re.compile(r"nvfp4\.(?:dispatch @kernels::@|(?=record_))(([a-z]+)\w*)")
LAYER = re.compile(r'nvfp4\.site = "\D*\.(\d+)\.')


def count(binaries: Path, model: Path, chip: str, policy: str) -> tuple[Counter[str], set[str], list[int]]:
    """Launches by schedule, the kernels' names, and the launches of each layer."""
    text = subprocess.run(
        [
            str(binaries / "nvfp4-opt"),
            str(model),
            "--nvfp4-normalize",
            f"--nvfp4-policy=policy={policy}",
            "--nvfp4-quantize",
            f"--nvfp4-kernels=chip={chip}",
            *PIPELINE,
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    schedules: Counter[str] = Counter()
    names: set[str] = set()
    starts: dict[int, int] = {}
    for line in text.splitlines():
        match = DISPATCH.search(line)
        if not match:
            continue
        layer = LAYER.search(line)
        if layer:
            starts.setdefault(int(layer[1]), schedules.total())
        names.add(match[1])
        schedules[match[2]] += 1
    # The last layer has no next one to end it.
    bounds = [starts[layer] for layer in sorted(starts)]
    return schedules, names, [end - begin for begin, end in zip(bounds, bounds[1:])]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path, default=MODELS)
    parser.add_argument("--binaries", type=Path, default=ROOT / "build" / "bin")
    parser.add_argument("--chip", default="sm_120a")
    parser.add_argument("--policy", action="append", help="default: all four presets")
    arguments = parser.parse_args()

    failed = False
    print(f"{'model':16}{'policy':14}{'per layer':>10}{'launches':>10}{'kernels':>9}   by schedule")
    for model in arguments.models:
        for policy in arguments.policy or POLICIES:
            schedules, names, layers = count(arguments.binaries, model, arguments.chip, policy)
            per_layer = str(max(layers)) if layers else "-"
            kinds = ", ".join(f"{number} {kind}" for kind, number in schedules.most_common())
            print(
                f"{model.stem:16}{policy:14}{per_layer:>10}{schedules.total():>10}"
                f"{len(names):>9}   {kinds}"
            )
            if (model.stem, policy) == (ENCODER, W4A4):
                failed |= not layers or max(layers) > MAX_PER_LAYER
    if failed:
        print(f"expected at most {MAX_PER_LAYER} launches per layer", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
