# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Launches and times kernels on a CUDA device, in the process and on the streams of PyTorch.

A time is that of one launch among many in a CUDA graph, back to back: start and tail are in it, the
host is not. Launchers take turns over buffers that the second-level cache cannot hold together.

    module = Module.load("kernel.cubin")
    kernel = module.kernel("name", shared=65536)
    sets = [(make_weights(), ...) for _ in range(rotation(bytes_of_one))]
    us = time_launches([lambda s=s: kernel(132, 128, [*s]) for s in sets])
"""

from __future__ import annotations

import ctypes
import json
import statistics
from functools import cache
from pathlib import Path
from typing import Callable, Sequence

import numpy as np
import torch

# CUfunction_attribute and CUlaunchAttributeID of cuda.h.
_MAX_DYNAMIC_SHARED = 8
_NON_PORTABLE_CLUSTER = 14
_ATTRIBUTE_CLUSTER, _ATTRIBUTE_PROGRAMMATIC = 4, 6
_DATA_TYPES = {"u8": 0, "u16": 1, "u32": 2, "i32": 3, "u64": 4, "i64": 5, "f16": 6, "f32": 7, "f64": 8, "bf16": 9}
_SWIZZLES = {0: 0, 32: 1, 64: 2, 128: 3}

ROTATED_BYTES = 512 << 20
MIN_GRAPH_US, MIN_LAUNCHES, REPLAYS = 2000.0, 20, 9


def require_gpu() -> None:
    """Ends the program where kernels of sm_90a cannot run."""
    if not torch.cuda.is_available():
        raise SystemExit(f"expected a GPU and a PyTorch for CUDA, but PyTorch {torch.__version__} finds none")
    major, minor = torch.cuda.get_device_capability()
    if (major, minor) != (9, 0):
        raise SystemExit(f"expected a GPU of compute capability 9.0, but got {torch.cuda.get_device_name()}, {major}.{minor}")


def read_launches(folder: Path) -> dict[str, dict]:
    """How to launch the kernels that a program make_*_kernels.py has left in a folder, by name."""
    file = folder / "kernels.json"
    if not file.exists():
        raise SystemExit(f"expected the kernels of a make_*_kernels.py in {folder}, but got no {file.name}")
    return json.loads(file.read_text())


@cache
def _driver() -> ctypes.CDLL:
    return ctypes.CDLL("libcuda.so.1")


def _check(result: int, what: str) -> None:
    if result:
        text = ctypes.c_char_p()
        _driver().cuGetErrorString(result, ctypes.byref(text))
        raise RuntimeError(f"{what}: {(text.value or b'?').decode()} ({result})")


class _Attribute(ctypes.Structure):
    _fields_ = [("id", ctypes.c_int), ("pad", ctypes.c_int), ("value", ctypes.c_uint32 * 16)]


class _Config(ctypes.Structure):
    _fields_ = [
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared", ctypes.c_uint),
        ("stream", ctypes.c_void_p),
        ("attributes", ctypes.POINTER(_Attribute)),
        ("num_attributes", ctypes.c_uint),
    ]


def _triple(extent: int | Sequence[int]) -> tuple[int, int, int]:
    values = (extent,) if isinstance(extent, int) else tuple(extent)
    return (*values, *(1,) * (3 - len(values)))


def _argument(value) -> ctypes.Array:
    """The bytes of a kernel's parameter, aligned for any type."""
    if isinstance(value, torch.Tensor):
        data = value.data_ptr().to_bytes(8, "little")
    elif isinstance(value, int):
        data = value.to_bytes(8, "little", signed=value < 0)
    elif isinstance(value, (bytes, bytearray)):
        data = bytes(value)
    else:
        data = np.asarray(value).tobytes()
    return ctypes.create_string_buffer(data, len(data))


class Kernel:
    def __init__(self, function: ctypes.c_void_p, shared: int, max_cluster: int):
        self.function, self.shared = function, shared
        if shared > 48 << 10:
            _check(_driver().cuFuncSetAttribute(function, _MAX_DYNAMIC_SHARED, shared), "shared memory")
        if max_cluster > 8:
            _check(_driver().cuFuncSetAttribute(function, _NON_PORTABLE_CLUSTER, 1), "cluster")

    def __call__(self, grid, block, args, cluster=None, programmatic: bool = False, stream=None) -> None:
        attributes = (_Attribute * 2)()
        count = 0
        if cluster is not None:
            attributes[count].id = _ATTRIBUTE_CLUSTER
            attributes[count].value[:3] = _triple(cluster)
            count += 1
        if programmatic:
            attributes[count].id = _ATTRIBUTE_PROGRAMMATIC
            attributes[count].value[0] = 1
            count += 1
        handle = torch.cuda.current_stream().cuda_stream if stream is None else stream
        config = _Config((ctypes.c_uint * 3)(*_triple(grid)), (ctypes.c_uint * 3)(*_triple(block)), self.shared, handle, attributes, count)
        buffers = [_argument(value) for value in args]
        pointers = (ctypes.c_void_p * max(len(buffers), 1))(*(ctypes.addressof(buffer) for buffer in buffers))
        _check(_driver().cuLaunchKernelEx(ctypes.byref(config), self.function, pointers, None), "launch")


class Module:
    """A cubin, or PTX that the driver assembles."""

    def __init__(self, image: bytes):
        torch.cuda.current_stream().synchronize()  # makes the context that modules are loaded into
        self.handle = ctypes.c_void_p()
        self.image = image + b"\0"
        _check(_driver().cuModuleLoadData(ctypes.byref(self.handle), self.image), "module")

    @staticmethod
    def load(path: str | Path) -> Module:
        return Module(Path(path).read_bytes())

    def kernel(self, name: str, shared: int = 0, max_cluster: int = 1) -> Kernel:
        function = ctypes.c_void_p()
        _check(_driver().cuModuleGetFunction(ctypes.byref(function), self.handle, name.encode()), name)
        return Kernel(function, shared, max_cluster)


def tensor_map(tensor: torch.Tensor, dims, strides_bytes, box, swizzle: int = 0, dtype: str = "bf16", promotion: int = 2) -> bytes:
    """A tiled tensor map: extents and box with the innermost dimension first, strides without the innermost one."""
    rank = len(dims)
    # The driver wants the map at a multiple of 64 bytes.
    storage = ctypes.create_string_buffer(192)
    address = (ctypes.addressof(storage) + 63) // 64 * 64
    _check(
        _driver().cuTensorMapEncodeTiled(
            ctypes.c_void_p(address),
            ctypes.c_int(_DATA_TYPES[dtype]),
            ctypes.c_uint(rank),
            ctypes.c_void_p(tensor.data_ptr()),
            (ctypes.c_uint64 * rank)(*dims),
            (ctypes.c_uint64 * max(rank - 1, 1))(*strides_bytes),
            (ctypes.c_uint32 * rank)(*box),
            (ctypes.c_uint32 * rank)(*(1,) * rank),
            ctypes.c_int(0),
            ctypes.c_int(_SWIZZLES[swizzle]),
            ctypes.c_int(promotion),
            ctypes.c_int(0),
        ),
        "tensor map",
    )
    return ctypes.string_at(address, 128)


def rotation(set_bytes: int) -> int:
    """How many sets of buffers take turns."""
    return max(2, -(-ROTATED_BYTES // max(set_bytes, 1 << 20)))


def _capture(launchers: Sequence[Callable[[], object]], launches: int) -> torch.cuda.CUDAGraph:
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for i in range(launches):
            launchers[i % len(launchers)]()
    return graph


def _replay_us(graph: torch.cuda.CUDAGraph) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    graph.replay()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) * 1e3


def time_launches(launchers: Sequence[Callable[[], object]], launches: int | None = None, replays: int = REPLAYS) -> float:
    """Median microseconds of one launch."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for launcher in launchers[: min(len(launchers), 3)]:
            launcher()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    if launches is None:
        graph = _capture(launchers, MIN_LAUNCHES)
        _replay_us(graph)
        estimate = max(_replay_us(graph) / MIN_LAUNCHES, 0.5)
        launches = max(MIN_LAUNCHES, int(MIN_GRAPH_US / estimate))
        launches = -(-launches // len(launchers)) * len(launchers) if launches > len(launchers) else launches
    graph = _capture(launchers, launches)
    _replay_us(graph)
    return statistics.median(_replay_us(graph) for _ in range(replays)) / launches
