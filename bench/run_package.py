#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Time runs of a package through the C API, in a process of their own.

    run_package.py --library LIB --package PKG [--input FILE] [--rows 8] [--threads 2] [--seconds 1]

Runs the first entry until `--seconds` have passed, at least three times after a warm-up, and
prints the median as JSON. `--rows` keeps only the first rows of each input. `--output` writes
the results of the last run. Needs numpy and safetensors.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

DTYPES = {5: np.uint32, 6: np.int32, 8: np.int64, 11: np.float32, 12: np.float64}
CODES = {np.dtype(dtype): code for code, dtype in DTYPES.items()}


class OpenOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("num_threads", ctypes.c_uint32),
        ("device", ctypes.c_char_p),
        ("skip_checksums", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
    ]


class Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("dtype", ctypes.c_int32),
        ("rank", ctypes.c_int32),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
    ]


class TensorInfo(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("dtype", ctypes.c_int32), ("rank", ctypes.c_int32)]


class Package:
    """An opened package: what nvfp4-c/Runtime.h offers, as far as a benchmark needs it."""

    def __init__(self, library: Path, package: Path, threads: int) -> None:
        self.api = ctypes.CDLL(str(library))
        self.api.nvfp4_last_error.restype = ctypes.c_char_p
        for name in ("nvfp4_entry_num_inputs", "nvfp4_results_count"):
            getattr(self.api, name).restype = ctypes.c_size_t
        self.handle = ctypes.c_void_p()
        options = OpenOptions(ctypes.sizeof(OpenOptions), threads, b"cpu", 1, 0)
        self.check(self.api.nvfp4_package_open(str(package).encode(), ctypes.byref(options), ctypes.byref(self.handle)))

    def check(self, status: int) -> None:
        """Leave with the library's message if a call failed."""
        if status:
            sys.exit(f"run_package: error: {self.api.nvfp4_last_error().decode()}")

    def describe(self, function: str, index: int) -> str:
        info = TensorInfo()
        call = getattr(self.api, function)
        self.check(call(self.handle, ctypes.c_size_t(0), ctypes.c_size_t(index), ctypes.byref(info)))
        return info.name.decode()

    def input_names(self) -> list[str]:
        count = self.api.nvfp4_entry_num_inputs(self.handle, ctypes.c_size_t(0))
        return [self.describe("nvfp4_entry_input", i) for i in range(count)]

    def prepare(self, arrays: list[np.ndarray]) -> None:
        """Keep the inputs of all later runs, at aligned addresses: no run copies them."""
        self.inputs = (Tensor * len(arrays))()
        self.kept = []
        for tensor, array in zip(self.inputs, arrays):
            bytes_ = np.empty(array.nbytes + 64, np.uint8)
            start = -bytes_.ctypes.data % 64
            aligned = bytes_[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
            aligned[...] = array
            shape = (ctypes.c_int64 * array.ndim)(*array.shape)
            self.kept += [bytes_, shape]
            tensor.data, tensor.dtype, tensor.rank = aligned.ctypes.data, CODES[array.dtype], array.ndim
            tensor.shape = ctypes.cast(shape, ctypes.POINTER(ctypes.c_int64))

    def run(self) -> ctypes.c_void_p:
        results = ctypes.c_void_p()
        count = ctypes.c_size_t(len(self.inputs))
        self.check(self.api.nvfp4_run(self.handle, ctypes.c_size_t(0), self.inputs, count, ctypes.byref(results)))
        return results

    def free(self, results: ctypes.c_void_p) -> None:
        self.api.nvfp4_results_free(results)

    def take(self, results: ctypes.c_void_p) -> dict[str, np.ndarray]:
        """Copy results to arrays."""
        arrays = {}
        for index in range(self.api.nvfp4_results_count(results)):
            tensor = Tensor()
            self.check(self.api.nvfp4_results_get(results, ctypes.c_size_t(index), ctypes.byref(tensor)))
            shape = [tensor.shape[axis] for axis in range(tensor.rank)]
            dtype = np.dtype(DTYPES[tensor.dtype])
            data = ctypes.string_at(tensor.data, int(np.prod(shape)) * dtype.itemsize)
            arrays[self.describe("nvfp4_entry_result", index)] = np.frombuffer(data, dtype).reshape(shape)
        return arrays


def time_runs(run: object, seconds: float) -> dict[str, float]:
    """Call `run` until `seconds` have passed, and return the median and how often."""
    run()
    times: list[float] = []
    start = time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        run()
        times.append(time.perf_counter() - before)
    return {"seconds": statistics.median(times), "runs": len(times)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path, required=True, help="libNVFP4Runtime.so")
    parser.add_argument("--package", type=Path, required=True)
    parser.add_argument("--input", type=Path, required=True, help="safetensors file with the inputs")
    parser.add_argument("--rows", type=int, help="rows of each input (default: all)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--output", type=Path, help="where to write the results")
    options = parser.parse_args()

    package = Package(options.library, options.package, options.threads)
    tensors = load_file(options.input)
    package.prepare([np.ascontiguousarray(tensors[name][: options.rows]) for name in package.input_names()])
    print(json.dumps(time_runs(lambda: package.free(package.run()), options.seconds)))
    if options.output:
        results = package.run()
        save_file(package.take(results), options.output)
        package.free(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
