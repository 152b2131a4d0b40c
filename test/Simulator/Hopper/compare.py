#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the launches of this folder in the simulator and demands the bits of an H200.

    compare.py --sim …/nvfp4-sim [GROUP…]   against results.json
    compare.py --keep DIR                   makes results.json of what run_gpu.py wrote to DIR

results.json holds a hash for each output. A launch that the chip refuses has none, and the
simulator must refuse it, too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Kernels")]

import corpus  # noqa: E402
import groups  # noqa: E402
import numpy as np  # noqa: E402
import run_kernel  # noqa: E402

RESULTS = HERE / "results.json"


def digest(value: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()[:16]


def keep(folder: Path) -> None:
    """Groups that `folder` lacks keep what they have."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for group in groups.NAMES:
        path = folder / f"{group}.npz"
        if not path.exists():
            continue
        with np.load(path) as data:
            found = {key: digest(data[key]) for key in data}
        results[group] = {
            f"{case.name}/{key}": found.get(f"{case.name}/{key}")
            for _, case in groups.launches(group)
            for key in case.expected
        }
    RESULTS.write_text(json.dumps(results, indent=0) + "\n")


def run_case(text: str, case: corpus.Case, expected: dict[str, str | None], simulator: str, schedule: str) -> str:
    """What is wrong, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        launch = run_kernel.emit(case, text, Path(folder))
        output = Path(folder) / "out.safetensors"
        command = [simulator, str(launch), "--output", str(output), f"--async={schedule}"]
        done = subprocess.run(command, capture_output=True, text=True)
        wanted = {key: expected[f"{case.name}/{key}"] for key in case.expected}
        if None in wanted.values():
            return "" if done.returncode == 1 else "expected an error, as on the chip, but got none"
        if done.returncode or done.stderr:
            return done.stderr
        got = corpus.read_safetensors(output)
        wrong = [key for key, value in wanted.items() if digest(got[key]) != value]
        return f"other bits than the chip's in {', '.join(wrong)}" if wrong else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sim", default="nvfp4-sim", help="the simulator")
    parser.add_argument("--async", dest="schedule", default="late", help="late, early or random:SEED")
    parser.add_argument("--keep", type=Path, help="folder with what run_gpu.py wrote")
    parser.add_argument("groups", nargs="*", help="all by default")
    options = parser.parse_args()
    if options.keep:
        keep(options.keep)
        return 0
    results, failed, count = json.loads(RESULTS.read_text()), 0, 0
    for group in options.groups or groups.NAMES:
        for text, case in groups.launches(group):
            wrong = run_case(text, case, results[group], options.sim, options.schedule)
            count += 1
            if wrong:
                failed += 1
                print(f"FAIL {group} {case.name}: {wrong.strip()}")
    print(f"{count - failed} of {count} launches are those of the chip")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
