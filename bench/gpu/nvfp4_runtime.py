# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Run packages on torch tensors, without a copy: the C API of libNVFP4Runtime through ctypes and DLPack.

    package = Package("model.nvfp4pkg", library="libNVFP4Runtime.so.1", device="cuda")
    run = package.bind("main", [ids, mask])        # tensors of the GPU are read by every run, where they are
    run.enqueue(torch.cuda.current_stream())       # waits for nothing; may be captured in a torch.cuda.CUDAGraph
    run.wait(torch.cuda.current_stream())          # raises what kernels or checks found wrong
    hidden = run.results[0]                        # a torch tensor on the memory that runs write
    run = package.bind("main", [ids, mask], results=[hidden])   # or: into tensors of the caller
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_char_p, c_int32, c_size_t, c_uint32, c_void_p

import torch
from torch.utils import dlpack


class _OpenOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("num_threads", c_uint32),
        ("device", c_char_p),
        ("skip_checksums", c_uint32),
        ("reserved", c_uint32),
    ]


_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype, _capsule_pointer.argtypes = c_void_p, [ctypes.py_object, c_char_p]
_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype, _new_capsule.argtypes = ctypes.py_object, [c_void_p, c_char_p, c_void_p]
# CUDA's default stream: its handle is null, which means another stream here.
_LEGACY_STREAM = 1


def _load(library: str) -> ctypes.CDLL:
    api = ctypes.CDLL(library)
    api.nvfp4_last_error.restype = c_char_p
    api.nvfp4_execution_num_results.restype = c_size_t
    for name in ("nvfp4_package_close", "nvfp4_execution_free"):
        getattr(api, name).argtypes, getattr(api, name).restype = [c_void_p], None
    for name in ("nvfp4_execution_enqueue", "nvfp4_execution_wait", "nvfp4_execution_replay"):
        getattr(api, name).argtypes = [c_void_p, c_void_p]
    api.nvfp4_execution_record.argtypes = [c_void_p]
    api.nvfp4_execution_num_results.argtypes = [c_void_p]
    api.nvfp4_execution_result.argtypes = [c_void_p, c_size_t, POINTER(c_void_p)]
    pointers = POINTER(c_void_p)
    api.nvfp4_execution_create.argtypes = [c_void_p, c_size_t, pointers, c_size_t, pointers, c_size_t, pointers]
    api.nvfp4_package_find_entry.argtypes = [c_void_p, c_char_p, POINTER(c_size_t)]
    api.nvfp4_package_open.argtypes = [c_char_p, POINTER(_OpenOptions), POINTER(c_void_p)]
    return api


def _handle(stream: torch.cuda.Stream | None) -> int | None:
    """None: the package's own stream."""
    return None if stream is None else stream.cuda_stream or _LEGACY_STREAM


class Package:
    def __init__(self, path: str, library: str, device: str = "cuda", skip_checksums: bool = False):
        self.api = _load(library)
        self.handle = c_void_p()
        options = _OpenOptions(ctypes.sizeof(_OpenOptions), 0, device.encode(), int(skip_checksums), 0)
        self.check(self.api.nvfp4_package_open(str(path).encode(), byref(options), byref(self.handle)))

    def check(self, status: int) -> None:
        if status != 0:
            raise RuntimeError(self.api.nvfp4_last_error().decode())

    def bind(self, entry: str, inputs: list[torch.Tensor], results: list[torch.Tensor] | None = None) -> Execution:
        return Execution(self, entry, inputs, results or [])

    def __del__(self):
        if getattr(self, "handle", None):
            self.api.nvfp4_package_close(self.handle)


class Execution:
    def __init__(self, package: Package, entry: str, inputs: list[torch.Tensor], results: list[torch.Tensor]):
        self.package, self.api, self.handle = package, package.api, c_void_p()
        # What runs read and write stays as long as this.
        self.inputs, self.given = inputs, results
        self._capsules = []
        index = c_size_t()
        package.check(self.api.nvfp4_package_find_entry(package.handle, entry.encode(), byref(index)))
        package.check(
            self.api.nvfp4_execution_create(
                package.handle,
                index.value,
                self._tensors(inputs),
                len(inputs),
                self._tensors(results) if results else None,
                len(results),
                byref(self.handle),
            )
        )

    def _tensors(self, tensors: list[torch.Tensor]) -> ctypes.Array:
        """DLTensor is the first field of DLManagedTensor. Torch frees what nobody has taken with the capsule."""
        capsules = [dlpack.to_dlpack(tensor) for tensor in tensors]
        self._capsules += capsules
        return (c_void_p * len(tensors))(*[_capsule_pointer(capsule, b"dltensor") for capsule in capsules])

    @property
    def results(self) -> list[torch.Tensor]:
        tensors = []
        for index in range(self.api.nvfp4_execution_num_results(self.handle)):
            managed = c_void_p()
            self.package.check(self.api.nvfp4_execution_result(self.handle, index, byref(managed)))
            tensors.append(dlpack.from_dlpack(_new_capsule(managed, b"dltensor", None)))
        return tensors

    def enqueue(self, stream: torch.cuda.Stream | None = None) -> None:
        self.package.check(self.api.nvfp4_execution_enqueue(self.handle, _handle(stream)))

    def wait(self, stream: torch.cuda.Stream | None = None) -> None:
        self.package.check(self.api.nvfp4_execution_wait(self.handle, _handle(stream)))

    def record(self) -> None:
        self.package.check(self.api.nvfp4_execution_record(self.handle))

    def replay(self, stream: torch.cuda.Stream | None = None) -> None:
        self.package.check(self.api.nvfp4_execution_replay(self.handle, _handle(stream)))

    def __del__(self):
        if getattr(self, "handle", None):
            self.api.nvfp4_execution_free(self.handle)
