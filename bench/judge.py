# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What turns of measurements say: medians, ratios, verdicts and their table. Measures nothing.

A sample is in seconds, so less is better. Contestants take turns, and what is compared is
the ratio within one turn: a machine that changes its speed changes both.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# A figure is worse when its median ratio says that it takes this much longer.
THRESHOLD = 1.2


@dataclass(frozen=True)
class Comparison:
    """One figure of two builds: medians in seconds, and ratios new / base of the turns."""

    name: str
    base: float
    new: float
    ratio: float
    lowest: float
    highest: float

    def is_worse(self, threshold: float = THRESHOLD) -> bool:
        """Whether the new build takes more than `threshold` times as long."""
        return self.ratio > threshold


def compare(name: str, base: Sequence[float], new: Sequence[float]) -> Comparison:
    """Compare the turns of two builds, which were taken alternately."""
    if len(base) != len(new) or not base:
        raise ValueError(f"expected as many turns of both builds, at least one, but got {len(base)} and {len(new)}")
    if min(base) <= 0 or min(new) <= 0:
        raise ValueError(f"expected times above 0 of '{name}', but got {min(*base, *new)}")
    ratios = [after / before for before, after in zip(base, new)]
    return Comparison(
        name, statistics.median(base), statistics.median(new), statistics.median(ratios), min(ratios), max(ratios)
    )


@dataclass(frozen=True)
class Reach:
    """What a figure is to reach against its reference.

    `factor` is how many times the reference's time it may take: 2 for "at most twice its
    time", 1/3 for "at least three times faster".
    """

    factor: float

    def __str__(self) -> str:
        return f"<= {self.factor:.3g}" if self.factor >= 1 else f"<= {self.factor:.3f} ({1 / self.factor:.3g}x faster)"


def format_seconds(seconds: float) -> str:
    """Write a time with four digits and the unit that suits it."""
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * scale >= 1 or unit == "us":
            return f"{seconds * scale:.4g} {unit}"
    raise AssertionError("unreachable")


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align columns: the first to the left, all others to the right."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]

    def join(line: Sequence[str]) -> str:
        cells = [
            cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(line, widths))
        ]
        return "  ".join(cells).rstrip()

    return "\n".join(join(line) for line in lines)


def format_comparisons(comparisons: Sequence[Comparison], threshold: float = THRESHOLD) -> str:
    """Make the table of two builds."""
    rows = [
        (
            each.name,
            format_seconds(each.base),
            format_seconds(each.new),
            f"{each.ratio:.3f}",
            f"{each.lowest:.3f} to {each.highest:.3f}",
            "WORSE" if each.is_worse(threshold) else "",
        )
        for each in comparisons
    ]
    return format_table(("figure", "base", "new", "new / base", "turns", ""), rows)
