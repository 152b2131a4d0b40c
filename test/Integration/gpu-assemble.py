# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every model compiles with every policy for every chip that has the products, and ptxas needs neither spills nor local
memory, nor does it for attention with large heads, or for kernels that stream weights of layers unlike those of the models,
which are as many, of as many threads, as expected. Where nvdisasm is, too: the thread that multiplies in tensor memory has
its operands in registers of the warp, and few other instructions for each product in a loop over K that is long.

    gpu-assemble.py --assemble           what no other combination of model, policy and chip is much like
    gpu-assemble.py --assemble --full    all of them; some three minutes

RUN: %python %s %if ptxas %{ --assemble %}
REQUIRES: numpy
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from math import ceil
from pathlib import Path

from attention_layers import Attention
from gpu_layers import Layer, write_layer
from harness import call, expect, finish, group, inputs_folder, temporary

sys.path.append(str(inputs_folder().parent / "Conversion" / "NVFP4ToGPU"))
from float_cases import TENSOR_DECODED, TENSOR_FEW, TENSOR_WIDE, FloatMatmul, WeightOnly
from matmul_cases import MIDDLE, MIDDLE_PAIRS, OVERLAPPED, PAIRS, SEPARATE, SHARED, SWAPPED, Matmul

MODELS = ("llama", "llama_dynamic", "llama_bf16", "minilm")
POLICIES = ("inference", "weight-only", "mlp-only", "none")
CHIPS = {
    "sm_120a": POLICIES,
    "sm_121a": ("inference",),
    "sm_90a": POLICIES,
    "sm_100a": POLICIES,
    "sm_103a": ("inference",),
    "sm_110a": ("weight-only",),
}
# With given global scales, kernels of products quantize.
QUANTIZING, QUANTIZING_CHIPS = ("minilm", "llama_bf16"), ("sm_120a", "sm_90a", "sm_100a")
# Products in tensor memory, and other instructions for each, by the copies of scales among them.
PRODUCTS = ("UTCOMMA", "UTCHMMA")
MOST_OTHERS = {0: 8, 1: 12, 2: 12, 3: 14}
# What a thread that multiplies runs for each tile of K, where K is long enough for a loop over nothing else.
LONG_CHIPS = ("sm_100a", "sm_103a", "sm_110a")
BLOCKS = (OVERLAPPED, MIDDLE, SEPARATE, SWAPPED, SHARED, PAIRS, MIDDLE_PAIRS)
PLAIN = (TENSOR_WIDE, TENSOR_WIDE + ", clusters = 2", TENSOR_FEW)
LONG = (
    *(Matmul(4096, 4096, form, schedule=tile) for form in ("nvfp4", "mxfp4") for tile in BLOCKS),
    *(FloatMatmul(4096, 4096, schedule=tile, rhs=rhs) for rhs in ("nk", "kn") for tile in PLAIN),
    *(WeightOnly(4096, 4096, form, schedule=TENSOR_DECODED, activations="bf16") for form in ("nvfp4", "mxfp4")),
)
# Sums of larger heads take more registers.
ATTENTIONS = (Attention(32, 512, 128, 128, distance=0, sharing=4), Attention(32, 512, 256, 256, distance=0, sharing=4))
# Layers, N x K, whose streams have another shape than those of the models: threads of their first two, which keep up to 2
# and 8 rows, and how many streams there are.
STREAMS_CHIP = "sm_90a"
STREAMS = {
    (28672, 8192): (704, 704, 5),
    (8192, 8192): (576, 576, 5),
    (4096, 8192): (576, 576, 5),
    (4096, 14336): (576, 576, 5),
    # Eight rows of it do not stay.
    (200, 131072): (576, 384, 4),
}


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
            # Without a condition: back from waiting, which stands behind the code.
            if target and target[1] in labels and (instruction[1].startswith("@") or "BRA.U" in instruction[1]):
                loops.append((labels[target[1]], len(body)))
    products = [(begin, end) for begin, end in loops if any(map(is_product, body[begin:end]))]
    inner = [a for a in products if not any(b != a and a[0] <= b[0] and b[1] <= a[1] for b in products)]
    return [body[begin:end] for begin, end in inner]


def find_faults(code: str, is_long: bool) -> list[str]:
    """Of a kernel's instructions: what a thread that multiplies should not have to do."""
    faults, loops = [], find_loops(code)
    if any(product in code for product in PRODUCTS) and "BRA.U.ANY" in code:
        faults.append("threads take turns, because an operand might differ")
    if is_long and not loops:
        faults.append("expected a loop with products, but got none")
    for loop in loops:
        products = sum(map(is_product, loop))
        copies = sum("UTCCP" in text for text in loop) / products
        others = (len(loop) - products) / products
        # Where K is short, the loop may be that of tiles, where one of 192 columns moves what scales it skips.
        if is_long and others > MOST_OTHERS[ceil(copies)]:
            faults.append(f"{others} other instructions for each product, {copies} of them copies")
        if is_long and any("R2UR" in text for text in loop):
            faults.append("operands go to registers of the warp in the loop")
    return faults


def list_kernels(cubin: Path) -> list[str]:
    """Instructions of all kernels of an image, each after its name."""
    code = subprocess.run(["nvdisasm", "-c", cubin], capture_output=True, text=True, check=True).stdout
    return re.split(r"\n//-+ \.text\.", code)[1:]


def check_faults(what: str, code: str) -> None:
    """That faults are found: in a loop that has none, one after the other."""
    product = next(text for text in code.splitlines() if is_product(text))
    add = lambda text, count=1: code.replace(product, product + count * f"\n/*0000*/ {text} ;")
    for name, broken in {
        "others": add("UIADD3 UR4, UPT, UPT, UR4, 0x1, URZ", 16),
        "registers": add("R2UR UR4, R4"),
        "turns": add("BRA.U.ANY UP0, `(.L_x_none)"),
        "no product": code.replace("UTCOMMA", "NOP").replace("UTCHMMA", "NOP"),
    }.items():
        expect(f"{what}: {name}", find_faults(broken, is_long=True), "not found")


def check_code(what: str, chip: str, ptx: Path, is_long: bool) -> None:
    cubin, kernels = temporary(".cubin"), len(re.findall(r"\.entry ", ptx.read_text()))
    said = call("ptxas", "-v", f"-arch={chip}", ptx, "-o", cubin)
    used = re.findall(r"Function properties for (\w+)\n(.*)", said)
    expect(f"{what}: all are assembled", len(used) == kernels, said[:500])
    # A unit that waits for registers that others change.
    expect(f"{what}: no wgmma is serialized", "serializ" not in said, said[:500])
    for name, memory in used:
        expect(f"{what}: {name}", not re.search(r"[1-9]\d* bytes", memory), memory.strip())
    for code in list_kernels(cubin) if shutil.which("nvdisasm") else []:
        faults = find_faults(code, is_long)
        expect(f"{what}: {code.split()[0]}", not faults, "; ".join(faults))
        if is_long:
            check_faults(what, code)


def check(model: str, policy: str, chip: str, assemble: bool) -> None:
    what = f"{model}, {Path(policy).stem}, {chip}"
    with group(what):
        ptx = temporary(".ptx")
        source = inputs_folder() / f"{model}.mlir"
        call("nvfp4-compile", source, f"--policy={policy}", f"--target={chip}", "--quiet", "--emit=ptx", "-o", ptx)
        expect(f"{what}: kernels", ".entry " in ptx.read_text(), "none")
        if assemble:
            check_code(what, chip, ptx, is_long=False)


def check_long(kernel: Matmul | FloatMatmul, chip: str, assemble: bool) -> None:
    what = f"{kernel.name} {kernel.schedule}, {chip}"
    with group(what):
        source, ptx = temporary(".mlir"), temporary(".ptx")
        source.write_text(kernel.text())
        lower = [f"--convert-nvfp4-kernels-to-gpu=chip={chip}", f"--nvfp4-lower-device=chip={chip} assemble=false"]
        call("nvfp4-opt", source, *lower, f"--nvfp4-print-device=output={ptx}", "-o", "/dev/null")
        expect(f"{what}: products", "tcgen05.mma." in ptx.read_text(), "none")
        if assemble:
            check_code(what, chip, ptx, is_long=True)


def check_attention(attention: Attention, chip: str, assemble: bool) -> None:
    what = f"{attention}, {chip}"
    with group(what):
        source, ptx = temporary(".mlir"), temporary(".ptx")
        source.write_text(attention.text())
        call("nvfp4-compile", source, "--policy=none", f"--target={chip}", "--quiet", "--emit=ptx", "-o", ptx)
        kernels = ptx.read_text().count(".entry ")
        expect(f"{what}: one kernel", kernels == 1, kernels)
        if assemble:
            check_code(what, chip, ptx, is_long=False)


def check_streams(n: int, k: int, first: int, second: int, count: int, assemble: bool) -> None:
    what = f"streams of {n} x {k}, {STREAMS_CHIP}"
    with group(what):
        source, ptx = temporary(".mlir"), temporary(".ptx")
        source.write_text(write_layer(Layer("nvfp4-weight-only", n, k, element="bf16")))
        call("nvfp4-compile", source, "--policy=weight-only", f"--target={STREAMS_CHIP}", "--quiet", "--emit=ptx", "-o", ptx)
        kernels = ptx.read_text().split(".visible .entry ")[1:]
        # Sums that cross a cluster.
        streams = [kernel for kernel in kernels if "st.async" in kernel]
        threads = [int(re.search(r"\.reqntid (\d+)", kernel)[1]) for kernel in streams]
        expect(f"{what}: kernels", [*threads[:2], len(threads)] == [first, second, count], threads)
        if assemble:
            check_code(what, STREAMS_CHIP, ptx, is_long=False)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--assemble", action="store_true", help="with ptxas")
    parser.add_argument("--full", action="store_true", help="every policy for every chip")
    options = parser.parse_args()
    for model in MODELS:
        for chip, policies in CHIPS.items():
            for policy in POLICIES if options.full else policies:
                check(model, policy, chip, options.assemble)
    for model in QUANTIZING:
        for chip in QUANTIZING_CHIPS:
            check(model, str(inputs_folder() / "static_scales.json"), chip, options.assemble)
    for kernel in LONG:
        for chip in LONG_CHIPS if options.full else LONG_CHIPS[:1]:
            check_long(kernel, chip, options.assemble)
    for attention in ATTENTIONS:
        for chip in CHIPS:
            check_attention(attention, chip, options.assemble)
    for (n, k), expected in STREAMS.items():
        check_streams(n, k, *expected, options.assemble)
    finish()


main()
