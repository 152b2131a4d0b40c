#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Adds up what the parts of scripts/test report.

    lib_results.py junit FILE…          count the cases of JUnit files
    lib_results.py ctest FILE FOLDER    count ctest's JUnit file, with the cases of its
                                        GoogleTest programs from FOLDER
    lib_results.py unittest LOG         count what Python's unittest wrote
    lib_results.py total RESULTS        print the table and the closing line

The first three print `passed failed skipped`; the last reads lines
`part passed failed skipped` and exits with 1 if anything failed or nothing ran.
"""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

Counts = tuple[int, int, int]


def add(left: Counts, right: Counts) -> Counts:
    return (left[0] + right[0], left[1] + right[1], left[2] + right[2])


def count_junit(file: Path) -> Counts:
    """Return passed, failed, skipped of one file; a torn file is one failure."""
    try:
        root = ElementTree.parse(file).getroot()
    except ElementTree.ParseError:
        return (0, 1, 0)
    counts = (0, 0, 0)
    for case in root.iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            counts = add(counts, (0, 1, 0))
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            counts = add(counts, (0, 0, 1))
        else:
            counts = add(counts, (1, 0, 0))
    return counts


def count_ctest(file: Path, folder: Path) -> Counts:
    """Return passed, failed, skipped: a program that wrote its own file counts by its cases."""
    counts = (0, 0, 0)
    for case in ElementTree.parse(file).getroot().iter("testcase"):
        own = folder / f"{case.get('name')}.xml"
        inner = count_junit(own) if own.exists() else (0, 0, 0)
        if case.find("failure") is not None and not inner[1]:
            inner = add(inner, (0, 1, 0))  # it crashed, or ran too long
        elif not any(inner):
            inner = (0, 0, 1) if case.find("skipped") is not None else (1, 0, 0)
        counts = add(counts, inner)
    return counts


def count_unittest(log: str) -> Counts:
    """Return passed, failed, skipped of unittest's closing lines."""
    ran = re.search(r"^Ran (\d+) tests? in", log, re.MULTILINE)
    if ran is None:
        return (0, 1, 0)
    ends = re.findall(r"^(?:OK|FAILED)(?: \((.*)\))?$", log, re.MULTILINE)
    named = dict(re.findall(r"(\w+)=(\d+)", ends[-1] if ends else ""))
    failed = int(named.get("failures", 0)) + int(named.get("errors", 0))
    skipped = int(named.get("skipped", 0))
    return (int(ran[1]) - failed - skipped, failed, skipped)


def describe(counts: Counts) -> str:
    text = f"{counts[0]} passed, {counts[1]} failed"
    return text + (f", {counts[2]} skipped" if counts[2] else "")


def show_total(results: str) -> int:
    total = (0, 0, 0)
    print()
    for line in results.splitlines():
        part, *numbers = line.rsplit(maxsplit=3)
        passed, failed, skipped = (int(number) for number in numbers)
        print(f"  {part:24} {describe((passed, failed, skipped))}")
        total = add(total, (passed, failed, skipped))
    if not total[0] and not total[1]:
        total = (0, 1, total[2])  # nothing ran: that is no success
    print(f"\n{describe(total)}")
    return 1 if total[1] else 0


def main(arguments: list[str]) -> int:
    match arguments:
        case ["junit", *files] if files:
            counts = (0, 0, 0)
            for file in files:
                counts = add(counts, count_junit(Path(file)))
            print(*counts)
        case ["ctest", file, folder]:
            print(*count_ctest(Path(file), Path(folder)))
        case ["unittest", log]:
            print(*count_unittest(Path(log).read_text(errors="replace")))
        case ["total", results]:
            return show_total(Path(results).read_text())
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
