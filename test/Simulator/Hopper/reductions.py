# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Asynchronous reductions: bulk ones to global memory and to the shared memory of a cluster, and red.async."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from corpus import Case

HEADER = ".version 8.4\n.target sm_90a\n.address_size 64\n"
COUNT_BYTES = 1024
# Suffix of the type to bytes of an element.
BYTES = {"u32": 4, "s32": 4, "u64": 8, "s64": 8, "b32": 4, "b64": 8, "f16": 2, "bf16": 2, "f32": 4, "f64": 8}
GLOBAL = {
    "add": ("u32", "s32", "u64", "f32", "f64", "noftz.f16", "noftz.bf16"),
    "min": ("u32", "s32", "u64", "s64", "f16", "bf16"), "max": ("u32", "s32", "u64", "s64", "f16", "bf16"),
    "inc": ("u32",), "dec": ("u32",), "and": ("b32", "b64"), "or": ("b32", "b64"), "xor": ("b32", "b64"),
}  # fmt: skip
SHARED = {
    "add": ("u32", "s32", "u64"), "min": ("u32", "s32"), "max": ("u32", "s32"), "inc": ("u32",), "dec": ("u32",),
    "and": ("b32",), "or": ("b32",), "xor": ("b32",),
}  # fmt: skip


@dataclass(frozen=True)
class Form:
    """`where` is "global", "cluster" or "red"."""

    where: str
    operation: str
    type: str

    @property
    def bytes(self) -> int:
        return BYTES[self.type.split(".")[-1]]

    def kernel(self) -> str:
        return {"global": _global_kernel, "cluster": _cluster_kernel, "red": _red_kernel}[self.where](self)


# Every block has a kilobyte in shared memory, and knows its neighbour's.
_BEGIN = f"""{HEADER}
.shared .align 128 .b8 source[{COUNT_BYTES}];
.shared .align 128 .b8 target[{COUNT_BYTES}];
.shared .align 8 .b64 barrier;
.visible .entry k(.param .u64 px, .param .u64 pout)
{{
  .reg .pred %p, %q; .reg .b32 %r<20>, %v<4>; .reg .b64 %rd<16>;
  ld.param.u64 %rd1, [px]; ld.param.u64 %rd2, [pout];
  mov.u32 %r1, %tid.x; mov.u32 %r2, %ctaid.x; mov.u32 %r3, source; mov.u32 %r4, target; mov.u32 %r5, barrier;
  mul.wide.u32 %rd3, %r2, {COUNT_BYTES}; add.s64 %rd1, %rd1, %rd3; add.s64 %rd2, %rd2, %rd3;
  shl.b32 %r6, %r1, 4; cvt.u64.u32 %rd4, %r6; add.s64 %rd5, %rd1, %rd4; add.u32 %r7, %r3, %r6; add.u32 %r8, %r4, %r6;
  ld.global.v4.b32 {{%v0, %v1, %v2, %v3}}, [%rd5]; st.shared.v4.b32 [%r7], {{%v0, %v1, %v2, %v3}};
  setp.ne.u32 %q, %r1, 0;
"""

# The neighbour's shared memory and barrier, all of it filled and initialized.
_CLUSTER = f"""  add.s64 %rd5, %rd2, %rd4; ld.global.v4.b32 {{%v0, %v1, %v2, %v3}}, [%rd5];
  st.shared.v4.b32 [%r8], {{%v0, %v1, %v2, %v3}};
  bar.warp.sync 0xffffffff;
  @!%q mbarrier.init.shared.b64 [%r5], 1;
  @!%q mbarrier.arrive.expect_tx.shared.b64 _, [%r5], {COUNT_BYTES};
  fence.proxy.async; fence.mbarrier_init.release.cluster;
  barrier.cluster.arrive.aligned; barrier.cluster.wait.aligned;
  mov.u32 %r9, %cluster_ctarank; xor.b32 %r9, %r9, 1;
  mapa.shared::cluster.u32 %r10, %r4, %r9; mapa.shared::cluster.u32 %r11, %r5, %r9;
"""

_STORE = """WAIT:
  mbarrier.try_wait.parity.shared.b64 %p, [%r5], 0; @!%p bra WAIT;
  ld.shared.v4.b32 {%v0, %v1, %v2, %v3}, [%r8]; st.global.v4.b32 [%rd5], {%v0, %v1, %v2, %v3};
  barrier.cluster.arrive.aligned; barrier.cluster.wait.aligned;
  ret;
}
"""


def _global_kernel(form: Form) -> str:
    return f"""{_BEGIN}  fence.proxy.async; bar.sync 0; @%q bra DONE;
  cp.reduce.async.bulk.global.shared::cta.bulk_group.{form.operation}.{form.type} [%rd2], [%r3], {COUNT_BYTES};
  cp.async.bulk.commit_group; cp.async.bulk.wait_group 0;
DONE:
  ret;
}}
"""


def _cluster_kernel(form: Form) -> str:
    opcode = "cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes"
    return f"""{_BEGIN}{_CLUSTER}  @!%q {opcode}.{form.operation}.{form.type} [%r10], [%r3], {COUNT_BYTES}, [%r11];
{_STORE}"""


def _red_kernel(form: Form) -> str:
    """Each lane reduces 16 bytes of its neighbour's."""
    opcode = f"red.async.relaxed.cluster.global.shared::cluster.mbarrier::complete_tx::bytes.{form.operation}.{form.type}"
    opcode = opcode.replace(".global", "")
    lines = ["  add.u32 %r10, %r10, %r6;"]
    for at in range(0, 16, form.bytes):
        if form.bytes == 8:
            lines.append(f"  ld.shared.b64 %rd6, [%r7+{at}]; {opcode} [%r10+{at}], %rd6, [%r11];")
        else:
            lines.append(f"  ld.shared.b32 %r12, [%r7+{at}]; {opcode} [%r10+{at}], %r12, [%r11];")
    return _BEGIN + _CLUSTER + "\n".join(lines) + "\n" + _STORE


def _values(rng: np.random.Generator, form: Form, blocks: int) -> np.ndarray:
    """Bytes of modest numbers, some of them equal."""
    count, kind = COUNT_BYTES // form.bytes, form.type.split(".")[-1]
    if kind in ("f16", "f32", "f64"):
        dtype = {"f16": np.float16, "f32": np.float32, "f64": np.float64}[kind]
        values = rng.standard_normal((blocks, count)).astype(dtype)
        values[:, :8] = np.array([0, -0.0, np.inf, -np.inf, np.nan, 6e-8, -6e-8, 1], np.float64).astype(dtype)
        rng.shuffle(values[:, :8], axis=1)
    elif kind == "bf16":
        values = (rng.standard_normal((blocks, count)).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    else:
        values = rng.integers(0, 256, (blocks, COUNT_BYTES)).astype(np.uint8)
        values[:, : COUNT_BYTES // 2] &= 3
    return np.ascontiguousarray(values).view(np.uint8).reshape(blocks, COUNT_BYTES)


def cases(rng: np.random.Generator):
    for where, table in (("global", GLOBAL), ("cluster", SHARED), ("red", SHARED)):
        for operation, types in table.items():
            for type_ in types:
                form = Form(where, operation, type_)
                blocks = 1 if where == "global" else 2
                threads = COUNT_BYTES // 16
                inputs = {"x": _values(rng, form, blocks), "out": _values(rng, form, blocks)}
                yield (
                    form,
                    Case(
                        f"{where}_{operation}_{type_}", "k", (blocks,), (threads,), ["x", "out"], inputs,
                        {"out": inputs["out"]}, cluster=(blocks,),
                    ),
                )  # fmt: skip
