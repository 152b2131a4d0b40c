#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compare packing a large checkpoint with copying its files.

    packing_time.py --compiler build/bin/nvfp4-compile [--gb 4] [--rounds 3] [--work DIR]

Makes up a checkpoint with bench/make_checkpoint.py, and then takes turns: copy its files
(one thread, through the page cache, flushed to the disk at the end, as packing does), and
compile it to a package. The source is read once before, so both find it in the page cache
if it fits. Prints each round and the median of the ratios; fails if that is above 2. With
`--work /dev/shm` the disk has no part in it. Needs numpy (for the checkpoint) and free space
of about 2.3 times the checkpoint.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT = 2.0
PIECE = 1 << 20


def read_all(folder: Path) -> None:
    """Bring the files of a folder into the page cache."""
    for file in sorted(folder.iterdir()):
        with file.open("rb", buffering=0) as stream:
            while stream.read(PIECE):
                pass


def copy_all(source: Path, target: Path) -> float:
    """Copy the files of a folder through a buffer, flush them, and return the seconds."""
    target.mkdir()
    start = time.monotonic()
    for file in sorted(source.iterdir()):
        with file.open("rb", buffering=0) as reader, (target / file.name).open("wb", buffering=0) as writer:
            while piece := reader.read(PIECE):
                writer.write(piece)
            os.fsync(writer.fileno())
    return time.monotonic() - start


def pack(compiler: Path, checkpoint: Path, package: Path) -> tuple[float, float]:
    """Compile a checkpoint and return the seconds and those of the processors."""
    command = [str(compiler), str(checkpoint / "model.mlir"), "--weights", str(checkpoint)]
    command += ["--policy=inference", "--target=cpu", "-o", str(package)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Take turns and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", type=Path, default=Path("build/bin/nvfp4-compile"))
    parser.add_argument("--gb", type=float, default=4, help="size of the checkpoint (default 4)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each (default 3)")
    parser.add_argument("--work", type=Path, help="folder for all files (default: a temporary one)")
    arguments = parser.parse_args()

    ratios = []
    with tempfile.TemporaryDirectory(dir=arguments.work, prefix="packing-time-") as name:
        work = Path(name)
        checkpoint = work / "checkpoint"
        generator = Path(__file__).with_name("make_checkpoint.py")
        subprocess.run(
            [sys.executable, str(generator), "--gb", str(arguments.gb), str(checkpoint)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        os.sync()
        read_all(checkpoint)
        for _ in range(arguments.rounds):
            copied = copy_all(checkpoint, work / "copy")
            shutil.rmtree(work / "copy")
            packed, processor = pack(arguments.compiler, checkpoint, work / "package")
            shutil.rmtree(work / "package")
            ratios.append(packed / copied)
            print(f"copy {copied:6.2f} s  pack {packed:6.2f} s (processor {processor:.2f} s)  ratio {ratios[-1]:.2f}")
    ratio = statistics.median(ratios)
    print(f"median ratio {ratio:.2f}")
    if ratio > LIMIT:
        print(f"expected at most {LIMIT:g} times the copy, but got {ratio:.2f}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
