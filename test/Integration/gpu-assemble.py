# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every model compiles with every policy for every chip that has the products, and ptxas needs neither spills nor local
memory. Where nvdisasm is, too: the thread that multiplies in tensor memory has its operands in registers of the warp, and
few other instructions for each product.

RUN: %python %s %if ptxas %{ --assemble %}
REQUIRES: numpy
"""

from __future__ import annotations

import argparse
import re
import shutil
from pathlib import Path

from harness import call, expect, finish, group, inputs_folder, temporary

MODELS = ("llama", "llama_dynamic", "llama_bf16", "minilm")
POLICIES = ("inference", "weight-only", "mlp-only", "none")
CHIPS = {
    "sm_120a": POLICIES,
    "sm_121a": POLICIES,
    "sm_90a": POLICIES,
    "sm_100a": ("inference", "weight-only", "none"),
    "sm_103a": ("inference", "weight-only"),
    "sm_110a": ("inference", "weight-only"),
}
# Products in tensor memory, and other instructions for each, by the copies of scales among them.
PRODUCTS = ("UTCOMMA", "UTCHMMA")
MOST_OTHERS = {0: 8, 1: 12, 2: 12, 3: 14}
# Where a tile of the result has one stage, its loop is that of tiles: what waits for sums, and commits them, stands there, too.
OF_TILE = 20


def is_product(text: str) -> bool:
    return any(product in text for product in PRODUCTS)


def find_loops(code: str) -> list[list[str]]:
    """Instructions of the innermost loops with products in tensor memory."""
    labels, body, loops = {}, [], []
    for text in code.splitlines():
        if label := re.match(r"\s*(\.L\w+):", text):
            labels[label[1]] = len(body)
        elif instruction := re.search(r"/\*[0-9a-f]{4,}\*/\s+(.*?)\s*;", text):
            body.append(instruction[1])
            target = re.search(r"BRA.*\((\.L\w+)\)", instruction[1])
            if target and target[1] in labels:
                loops.append((labels[target[1]], len(body)))
    products = [(begin, end) for begin, end in loops if any(map(is_product, body[begin:end]))]
    inner = [a for a in products if not any(b != a and a[0] <= b[0] and b[1] <= a[1] for b in products)]
    return [body[begin:end] for begin, end in inner]


def check_loops(what: str, cubin: Path) -> None:
    """Of all kernels in an image."""
    code = call("nvdisasm", "-c", cubin)
    for function in re.split(r"\n//-+ \.text\.", code)[1:]:
        name = f"{what}: {function.split()[0]}"
        # A loop in which threads take turns, because an operand might differ.
        in_turns = any(product in function for product in PRODUCTS) and "BRA.U.ANY" in function
        expect(f"{name}: operands", not in_turns, "taken in turns")
        for loop in find_loops(function):
            products = sum(map(is_product, loop))
            copies = sum("UTCCP" in text for text in loop) / products
            commits = sum("UTCBAR" in text for text in loop)
            others = (len(loop) - products - OF_TILE * max(commits - 1, 0)) / products
            expect(f"{name}: loop", others <= MOST_OTHERS[round(copies)], f"{others} others, {copies} copies")
            expect(f"{name}: registers", not any("R2UR" in text for text in loop), "R2UR")


def check(model: str, policy: str, chip: str, assemble: bool) -> None:
    what = f"{model}, {policy}, {chip}"
    with group(what):
        ptx = temporary(".ptx")
        source = inputs_folder() / f"{model}.mlir"
        call("nvfp4-compile", source, f"--policy={policy}", f"--target={chip}", "--quiet", "--emit=ptx", "-o", ptx)
        kernels = len(re.findall(r"\.entry ", ptx.read_text()))
        expect(f"{what}: kernels", kernels > 0, kernels)
        if not assemble:
            return
        cubin = temporary(".cubin")
        said = call("ptxas", "-v", f"-arch={chip}", ptx, "-o", cubin)
        if shutil.which("nvdisasm"):
            check_loops(what, cubin)
        used = re.findall(r"Function properties for (\w+)\n(.*)", said)
        expect(f"{what}: all are assembled", len(used) == kernels, said[:500])
        # A unit that waits for registers that others change.
        expect(f"{what}: no wgmma is serialized", "serializ" not in said, said[:500])
        for name, memory in used:
            expect(f"{what}: {name}", not re.search(r"[1-9]\d* bytes", memory), memory.strip())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--assemble", action="store_true", help="with ptxas")
    options = parser.parse_args()
    for model in MODELS:
        for chip, policies in CHIPS.items():
            for policy in policies:
                check(model, policy, chip, options.assemble)
    finish()


main()
