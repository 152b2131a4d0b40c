#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the launches of this folder on a GPU and keeps what comes out.

    run_gpu.py --out DIR [GROUP…]

Needs libcuda.so.1 and NumPy. Launches run in child processes, a few dozen each: one that hangs or
faults is noted, and the next child goes on behind it. Every group becomes DIR/GROUP.npz, one array
per output.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Kernels"), str(HERE.parent / "Kernels" / "hardware")]

import groups  # noqa: E402
import numpy as np  # noqa: E402
import run_all  # noqa: E402


class Device(run_all.Device):
    """Modules from text; each text once."""

    def __init__(self) -> None:
        super().__init__()
        self.modules: dict[str, object] = {}

    def load_text(self, text: str):
        if text not in self.modules:
            module, log = run_all.ctypes.c_void_p(), run_all.ctypes.create_string_buffer(8192)
            options = (run_all.ctypes.c_int * 2)(run_all.JIT_ERROR_LOG_BUFFER, run_all.JIT_ERROR_LOG_BUFFER_SIZE)
            values = (run_all.ctypes.c_void_p * 2)(run_all.ctypes.addressof(log), len(log))
            code = self.cuda.cuModuleLoadDataEx(
                run_all.ctypes.byref(module), text.encode() + b"\0", 2, options, values
            )
            if code:
                print(log.value.decode())
            self.check("cuModuleLoadDataEx", code)
            self.modules[text] = module
        return self.modules[text]


def run_child(group: str, first: int, out: Path) -> None:
    """Launches from number `first` on; writes one file per launch as soon as it is known."""
    device = Device()
    for number, (text, case) in enumerate(groups.launches(group)):
        if number < first:
            continue
        (out / "at").write_text(f"{number} {case.name}")
        got = device.run(device.load_text(text), case)
        with open(out / f"{number}.npz.part", "wb") as file:
            np.savez(file, **{f"{case.name}/{key}": value for key, value in got.items()})
        (out / f"{number}.npz.part").rename(out / f"{number}.npz")
    (out / "at").write_text("end")


def run_group(group: str, out: Path, seconds: float) -> None:
    folder = out / f"{group}.parts"
    folder.mkdir(parents=True, exist_ok=True)
    first, start = 0, time.monotonic()
    while time.monotonic() - start < seconds:
        command = [sys.executable, __file__, "--child", str(first), "--out", str(folder), group]
        try:
            done = subprocess.run(command, timeout=max(seconds - (time.monotonic() - start), 1), capture_output=True)
            text = (done.stdout + done.stderr).decode()[-600:]
        except subprocess.TimeoutExpired:
            text = "no end"
        where = (folder / "at").read_text() if (folder / "at").exists() else "0 ?"
        if where == "end":
            break
        print(f"FAIL {group} {where}: {text}", flush=True)
        first = int(where.split()[0]) + 1
    found = {}
    for path in sorted(folder.glob("*.npz"), key=lambda path: int(path.stem)):
        with np.load(path) as data:
            found |= {key: data[key] for key in data}
        path.unlink()
    np.savez_compressed(out / f"{group}.npz", **found)
    print(f"{group}: {len(found)} outputs, {time.monotonic() - start:.1f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the outputs")
    parser.add_argument("--seconds", type=float, default=60, help="for one group")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    parser.add_argument("groups", nargs="*", help="all by default")
    options = parser.parse_args()
    if options.child is not None:
        return run_child(options.groups[0], options.child, options.out)
    for group in options.groups or groups.NAMES:
        run_group(group, options.out, options.seconds)


if __name__ == "__main__":
    main()
