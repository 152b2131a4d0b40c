#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the sm_90a kernels of the corpus on a GPU, from the PTX that is checked in.

    hardware/run_all.py --out hardware/outputs

Prints a line per launch, compares with the same formulas as the simulator's tests, and
writes the outputs of each kernel to DIR/name.safetensors, one tensor `case/output` each.
Needs libcuda.so.1 and NumPy. Every kernel runs in a process of its own, so that one that
hangs or faults does not take the others along.
"""

from __future__ import annotations

import argparse
import ctypes
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import corpus  # noqa: E402
from corpus import Case  # noqa: E402

ARCH = "sm_90a"

# Constants of cuda.h.
TENSOR_DTYPES = {"U8": 0, "U16": 1, "U32": 2, "I32": 3, "U64": 4, "I64": 5, "F16": 6, "F32": 7, "F64": 8, "BF16": 9}
TENSOR_SWIZZLES = {"none": 0, "32B": 1, "64B": 2, "128B": 3}
TENSOR_MAP_BYTES, TENSOR_MAP_ALIGNMENT = 128, 64
LIMIT_STACK_SIZE = 0
JIT_ERROR_LOG_BUFFER, JIT_ERROR_LOG_BUFFER_SIZE = 5, 6
UNSUPPORTED_PTX_VERSION = 222
MAX_DYNAMIC_SHARED_SIZE = 8
LAUNCH_CLUSTER_DIMENSION = 4


class LaunchAttribute(ctypes.Structure):
    """CUlaunchAttribute: an id, padding, and a union of 64 bytes."""

    _fields_ = [("id", ctypes.c_uint), ("padding", ctypes.c_uint), ("value", ctypes.c_uint * 16)]


class LaunchConfig(ctypes.Structure):
    """CUlaunchConfig."""

    _fields_ = [
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared", ctypes.c_uint),
        ("stream", ctypes.c_void_p),
        ("attributes", ctypes.POINTER(LaunchAttribute)),
        ("count", ctypes.c_uint),
    ]


class Device:
    """The driver API, as far as a launch needs it."""

    def __init__(self) -> None:
        self.cuda = ctypes.CDLL("libcuda.so.1")
        self.call("cuInit", 0)
        device, context = ctypes.c_int(), ctypes.c_void_p()
        self.call("cuDeviceGet", ctypes.byref(device), 0)
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self.call("cuCtxSetCurrent", context)
        # Recursive kernels.
        self.call("cuCtxSetLimit", LIMIT_STACK_SIZE, ctypes.c_size_t(16384))

    def call(self, name: str, *args) -> None:
        self.check(name, getattr(self.cuda, name)(*args))

    def check(self, name: str, code: int) -> None:
        if code:
            text = ctypes.c_char_p()
            self.cuda.cuGetErrorString(code, ctypes.byref(text))
            raise RuntimeError(f"{name}: {(text.value or b'').decode()} ({code})")

    def load(self, name: str) -> ctypes.c_void_p:
        """A module, by the driver's compiler or, if the driver is older than the PTX, by ptxas."""
        path = corpus.HERE / f"{name}.ptx"
        module, log = ctypes.c_void_p(), ctypes.create_string_buffer(8192)
        options = (ctypes.c_int * 2)(JIT_ERROR_LOG_BUFFER, JIT_ERROR_LOG_BUFFER_SIZE)
        values = (ctypes.c_void_p * 2)(ctypes.addressof(log), len(log))
        text = path.read_bytes() + b"\0"
        code = self.cuda.cuModuleLoadDataEx(ctypes.byref(module), text, 2, options, values)
        if code == UNSUPPORTED_PTX_VERSION:
            ptxas = shutil.which("ptxas") or "/usr/local/cuda/bin/ptxas"
            with tempfile.NamedTemporaryFile(suffix=".cubin") as cubin:
                subprocess.run([ptxas, f"-arch={ARCH}", "-o", cubin.name, str(path)], check=True)
                code = self.cuda.cuModuleLoadData(ctypes.byref(module), Path(cubin.name).read_bytes())
        if code:
            print(log.value.decode())
        self.check("cuModuleLoadDataEx", code)
        return module

    def upload(self, value: np.ndarray) -> ctypes.c_uint64:
        pointer = ctypes.c_uint64()
        data = np.ascontiguousarray(value)
        self.call("cuMemAlloc_v2", ctypes.byref(pointer), ctypes.c_size_t(max(data.nbytes, 1)))
        self.call("cuMemcpyHtoD_v2", pointer, data.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(data.nbytes))
        return pointer

    def run(self, module: ctypes.c_void_p, case: Case) -> dict[str, np.ndarray]:
        function = ctypes.c_void_p()
        self.call("cuModuleGetFunction", ctypes.byref(function), module, case.entry.encode())
        self.call("cuFuncSetAttribute", function, MAX_DYNAMIC_SHARED_SIZE, case.shared)
        tensors = case.tensors()
        pointers = {name: self.upload(value) for name, value in tensors.items()}
        arguments = [self.argument(arg, pointers) for arg in case.args]
        parameters = (ctypes.c_void_p * len(arguments))(*map(ctypes.addressof, arguments))
        three = ctypes.c_uint * 3
        attribute = LaunchAttribute(id=LAUNCH_CLUSTER_DIMENSION)
        attribute.value[:3] = [*case.cluster, 1, 1][:3]
        config = LaunchConfig(
            grid=three(*[*case.grid, 1, 1][:3]),
            block=three(*[*case.block, 1, 1][:3]),
            shared=case.shared,
            attributes=ctypes.pointer(attribute),
            count=0 if set(case.cluster) == {1} else 1,
        )
        self.call("cuLaunchKernelEx", ctypes.byref(config), function, parameters, None)
        self.call("cuCtxSynchronize")
        got = {}
        for name in case.expected:
            got[name] = np.empty_like(tensors[name])
            self.call(
                "cuMemcpyDtoH_v2",
                got[name].ctypes.data_as(ctypes.c_void_p),
                pointers[name],
                ctypes.c_size_t(got[name].nbytes),
            )
        for pointer in pointers.values():
            self.call("cuMemFree_v2", pointer)
        return got

    def encode(self, tensor_map: corpus.TensorMap, pointer: int) -> bytes:
        """The driver's 128 bytes."""
        rank, what = len(tensor_map.dims), tensor_map.launch()
        room = ctypes.create_string_buffer(TENSOR_MAP_BYTES + TENSOR_MAP_ALIGNMENT)
        skipped = -ctypes.addressof(room) % TENSOR_MAP_ALIGNMENT
        self.call(
            "cuTensorMapEncodeTiled",
            ctypes.c_void_p(ctypes.addressof(room) + skipped),
            TENSOR_DTYPES[tensor_map.dtype],
            rank,
            ctypes.c_void_p(pointer + tensor_map.offset),
            (ctypes.c_uint64 * rank)(*what["dims"]),
            (ctypes.c_uint64 * rank)(*what["strides"]),
            (ctypes.c_uint32 * rank)(*what["box"]),
            (ctypes.c_uint32 * rank)(*what["element_strides"]),
            0,
            TENSOR_SWIZZLES[tensor_map.swizzle],
            0,
            int(tensor_map.oob == "nan"),
        )
        return room.raw[skipped : skipped + TENSOR_MAP_BYTES]

    def argument(self, arg, pointers: dict[str, ctypes.c_uint64]):
        """A buffer that holds the parameter."""
        if isinstance(arg, corpus.TensorMap):
            arg = self.encode(arg, pointers[arg.tensor].value)
        if isinstance(arg, np.generic):
            arg = arg.tobytes()
        if isinstance(arg, bytes):
            return ctypes.create_string_buffer(arg, len(arg))
        return ctypes.c_uint64(pointers[arg].value)


def run_kernel(name: str, out: Path) -> bool:
    device = Device()
    passed, outputs = True, {}
    for case in corpus.cases_of(name):
        # A module of its own: variables of the module start anew, as in the simulator.
        module = device.load(name)
        got = device.run(module, case)
        device.call("cuModuleUnload", module)
        wrong = [line for line in (corpus.compare(key, what, got[key]) for key, what in case.expected.items()) if line]
        print(f"{'FAIL' if wrong else 'PASS'} {name} {case.name}", *wrong, sep="\n  ", flush=True)
        passed &= not wrong
        outputs |= {f"{case.name}/{key}": value for key, value in got.items()}
    corpus.write_safetensors(out / f"{name}.safetensors", outputs)
    return passed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the outputs")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for one kernel")
    parser.add_argument("--here", action="store_true", help="run in this process")
    parser.add_argument("names", nargs="*", help=f"kernels; all of {ARCH} by default")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    names = options.names or [name for name in corpus.kernels() if corpus.arch_of(name) == ARCH]
    if options.here:
        return 0 if all([run_kernel(name, options.out) for name in names]) else 1
    failed = []
    for name in names:
        command = [sys.executable, __file__, "--here", "--out", str(options.out), name]
        try:
            code = subprocess.run(command, timeout=options.timeout).returncode
        except subprocess.TimeoutExpired:
            print(f"FAIL {name}: no end after {options.timeout} s", flush=True)
            code = 1
        if code:
            failed.append(name)
    size = sum(path.stat().st_size for path in options.out.glob("*.safetensors"))
    print(f"{len(names) - len(failed)} of {len(names)} kernels pass, {size} bytes of outputs", *failed, sep="\n  ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
