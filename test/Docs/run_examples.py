# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the examples of documentation: nobody believes one that nobody runs.

    run_examples.py mlir  FILE…     every ```mlir block through nvfp4-opt --verify-roundtrip
    run_examples.py shell FILE…     every ```sh block, in the root of the repository

An MLIR block is a whole module; or only types and attributes, one per line, each of
which is parsed. It is a fragment, and not run, if its language is `mlir-fragment`, or
if it leaves something out with `…`. `// -----` separates modules.

A shell block runs with `set -e`; `build` in it is the build folder, whatever its name.
If a ```text block follows, what the commands print must have its lines, in order; `…`
in a line stands for anything, and a line `…` for any lines. A comment
`<!-- not run: reason -->` before a block exempts it.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w-]*)\s*$")
NOT_RUN = re.compile(r"<!-- not run: \S.* -->")
SECONDS = 300


@dataclass
class Block:
    """A fenced block: its file, the line of its fence (from 1), its text without indentation."""

    file: Path
    line: int
    language: str
    text: str
    exempt: bool

    @property
    def place(self) -> str:
        file = self.file.relative_to(ROOT) if self.file.is_relative_to(ROOT) else self.file
        return f"{file}:{self.line}"


def read_blocks(file: Path) -> Iterator[Block]:
    """Yield the blocks of a Markdown file, or of the descriptions of a .td file."""
    lines = file.read_text(encoding="utf-8").splitlines()
    start: int | None = None
    indent, language, before = "", "", ""
    for number, line in enumerate(lines, 1):
        fence = FENCE.match(line)
        if start is None:
            if fence and fence["language"]:
                start, indent, language = number, fence["indent"], fence["language"]
            elif fence:
                start, indent, language = number, fence["indent"], "text"
            elif line.strip():
                before = line
        elif fence and not fence["language"]:
            body = (text.removeprefix(indent) for text in lines[start : number - 1])
            yield Block(file, start, language, "\n".join(body) + "\n", bool(NOT_RUN.search(before)))
            start, before = None, ""
    if start is not None:
        raise SystemExit(f"{file}:{start}: expected a closing ```, but got the end of the file")


def as_module(text: str) -> str:
    """Return a module: the text itself, or a function whose attributes are the lines of the text."""
    lines = [line.split("//")[0].strip() for line in text.splitlines()]
    lines = [line for line in lines if line]
    if not lines or not all(line.startswith(("!", "#")) and "=" not in line.split("<")[0] for line in lines):
        return text
    attributes = ", ".join(f"example{index} = {line}" for index, line in enumerate(lines))
    return f"func.func private @examples() attributes {{{attributes}}}\n"


def run_mlir(block: Block, opt: str) -> str | None:
    """Return what is wrong with an MLIR block, or None."""
    command = [opt, "-", "--verify-roundtrip", "--split-input-file", "-o", os.devnull]
    done = subprocess.run(command, input=as_module(block.text), capture_output=True, text=True, timeout=SECONDS, check=False)
    return None if done.returncode == 0 else done.stderr.strip() or f"code {done.returncode}"


def find_missing(expected: str, printed: str) -> str | None:
    """Return the first expected line that is not printed after those before it, or None."""
    rest = iter(printed.splitlines())
    for line in expected.splitlines():
        wanted = line.strip()
        if wanted in ("", "…"):
            continue
        pattern = re.compile(".*".join(re.escape(part.strip()) for part in wanted.split("…")))
        if not any(pattern.fullmatch(re.sub(r"\s+$", "", got).strip()) for got in rest):
            return line
    return None


def run_shell(block: Block, output: Block | None, build: Path) -> str | None:
    """Return what is wrong with a shell block, or None."""
    text = re.sub(r"(?<![\w./-])build(?=[/ ])", str(build), block.text)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        return f"code {done.returncode}: {done.stdout.strip()[-2000:]}"
    if output is None:
        return None
    missing = find_missing(output.text, done.stdout)
    return None if missing is None else f"expected the line\n    {missing}\nbut the commands printed\n{done.stdout}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the examples of documentation.")
    parser.add_argument("kind", choices=("mlir", "shell"))
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--opt", default="nvfp4-opt")
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--at-least", type=int, default=1, help="how many examples must be there")
    options = parser.parse_args()

    count = failed = 0
    for file in options.files:
        blocks = list(read_blocks(file.resolve()))
        for index, block in enumerate(blocks):
            if block.exempt:
                continue
            if options.kind == "mlir" and block.language == "mlir" and "…" not in block.text:
                problem = run_mlir(block, options.opt)
            elif options.kind == "shell" and block.language == "sh":
                follows = blocks[index + 1] if index + 1 < len(blocks) else None
                output = follows if follows and follows.language == "text" and not follows.exempt else None
                problem = run_shell(block, output, options.build.resolve())
            else:
                continue
            count += 1
            if problem:
                failed += 1
                print(f"{block.place}: expected an example that runs, but got:\n{problem}\n", file=sys.stderr)
    print(f"{count} examples, {failed} failed")
    if count < options.at_least:
        print(f"expected at least {options.at_least} examples, but got {count}", file=sys.stderr)
        return 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
