#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Draws the CSV of hopper_table.py: times as a share of the floor, as an SVG.

    plot_table.py docs/h200.csv docs/h200.svg
"""

from __future__ import annotations

import argparse
import csv
from html import escape

BAR, GAP, LABEL, WIDTH = 11, 16, 260, 520
SERIES = {"ours_us": "#2b6cb0", "cublas_us": "#a0aec0", "dequantize_us": "#d69e2e", "triton_us": "#c05621"}
NAMES = {"ours_us": "ours", "cublas_us": "cuBLAS BF16", "dequantize_us": "dequantize, then cuBLAS", "triton_us": "Triton"}
MOST = 1.25


def text(x: float, y: float, what: str, size: int = 11, anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}">{escape(what)}</text>'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv")
    parser.add_argument("svg")
    arguments = parser.parse_args()
    with open(arguments.csv, newline="") as file:
        rows = list(csv.DictReader(file))
    scale = WIDTH / MOST
    parts, y = [], 40
    for i, (key, color) in enumerate(SERIES.items()):
        parts.append(f'<rect x="{LABEL + 130 * i}" y="8" width="10" height="10" fill="{color}"/>')
        parts.append(text(LABEL + 130 * i + 14, 17, NAMES[key], 10))
    for row in rows:
        top = y
        floor = float(row["floor_us"])
        for key, color in SERIES.items():
            if row.get(key):
                share = floor / float(row[key])
                parts.append(f'<rect x="{LABEL}" y="{y}" width="{min(share, MOST) * scale:.1f}" height="{BAR}" fill="{color}"/>')
                parts.append(text(LABEL + min(share, MOST) * scale + 4, y + BAR - 2, f"{float(row[key]):.1f} us", 9))
                y += BAR
        y = max(y, top + BAR)
        parts.append(text(LABEL - 8, (top + y) / 2 + 4, f"{row['what']}, {row['shape']}", anchor="end"))
        if row.get("reach"):
            x = LABEL + float(row["reach"]) * scale
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top - 3}" y2="{y + 3}" stroke="black" stroke-dasharray="3 2"/>')
        y += GAP
    for tick in range(0, 6):
        x = LABEL + tick / 5 * scale
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="30" y2="{y}" stroke="#e2e8f0" stroke-width="0.7"/>')
        parts.append(text(x, y + 12, f"{tick / 5:.1f}", 10, "middle"))
    parts.append(text(LABEL, y + 28, "share of the floor: the read of the weights, FLOP / P, cuBLAS, or a copy; dashed: to reach", 10))
    with open(arguments.svg, "w") as file:
        size = f"{LABEL + WIDTH + 80} {y + 36}"
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" font-family="sans-serif">\n')
        file.write('<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n")


main()
