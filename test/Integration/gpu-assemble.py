# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every model compiles with every policy for every chip that has the products, and ptxas needs neither spills nor local memory.

RUN: %python %s %if ptxas %{ --assemble %}
REQUIRES: numpy
"""

from __future__ import annotations

import argparse
import re

from harness import call, expect, finish, group, inputs_folder, temporary

MODELS = ("llama", "llama_dynamic", "llama_bf16", "minilm")
POLICIES = ("inference", "weight-only", "mlp-only", "none")
CHIPS = ("sm_120a", "sm_121a", "sm_90a")


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
        said = call("ptxas", "-v", f"-arch={chip}", ptx, "-o", "/dev/null")
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
        for chip in CHIPS:
            for policy in POLICIES:
                check(model, policy, chip, options.assemble)
    finish()


main()
