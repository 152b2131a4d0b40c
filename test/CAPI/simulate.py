#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Launch PTX on NumPy arrays, through the C API: an example, and a test of it.

    simulate.py libNVFP4Runtime.so scale.ptx

Exits with status 77 without NumPy.
"""

from __future__ import annotations

import ctypes
import json
import sys

try:
    import numpy as np
except ImportError:
    sys.exit(77)

UNDEFINED = 1


class Argument(ctypes.Structure):
    """nvfp4_sim_argument."""

    _fields_ = [("data", ctypes.c_void_p), ("bytes", ctypes.c_size_t)]


class Launch(ctypes.Structure):
    """nvfp4_sim_launch."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("dynamic_shared_bytes", ctypes.c_uint32),
        ("entry", ctypes.c_char_p),
        ("grid", ctypes.c_uint32 * 3),
        ("block", ctypes.c_uint32 * 3),
        ("cluster", ctypes.c_uint32 * 3),
        ("reserved", ctypes.c_uint32),
        ("arguments", ctypes.POINTER(Argument)),
        ("num_arguments", ctypes.c_size_t),
    ]


class SimulatorError(RuntimeError):
    """The launch could not be made, or the simulator found errors in it."""


class Simulator:
    """The functions of one library, with their types."""

    def __init__(self, path: str) -> None:
        self.library = ctypes.CDLL(path)
        handle, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
        signatures = {
            "nvfp4_last_error": (text, []),
            "nvfp4_sim_program_load_file": (ctypes.c_int32, [text, ctypes.POINTER(handle)]),
            "nvfp4_sim_program_free": (None, [handle]),
            "nvfp4_sim_memory_create": (ctypes.c_int32, [ctypes.POINTER(handle)]),
            "nvfp4_sim_memory_free": (None, [handle]),
            "nvfp4_sim_memory_map": (
                ctypes.c_int32,
                [handle, handle, ctypes.c_uint64, text, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint64)],
            ),
            "nvfp4_sim_memory_find_undefined": (
                ctypes.c_int32,
                [handle, ctypes.c_uint64, ctypes.POINTER(ctypes.c_int64)],
            ),
            "nvfp4_sim_run": (
                ctypes.c_int32,
                [handle, ctypes.POINTER(Launch), handle, handle, ctypes.POINTER(handle)],
            ),
            "nvfp4_sim_report_num_errors": (size, [handle]),
            "nvfp4_sim_report_text": (text, [handle]),
            "nvfp4_sim_report_findings_json": (text, [handle]),
            "nvfp4_sim_report_free": (None, [handle]),
        }
        for name, (result, arguments) in signatures.items():
            function = getattr(self.library, name)
            function.restype, function.argtypes = result, arguments

    def check(self, status: int) -> None:
        """Turn an error of the library into an exception."""
        if status != 0:
            raise SimulatorError(self.library.nvfp4_last_error().decode())

    def load(self, path: str) -> Program:
        """Load a PTX file."""
        program = ctypes.c_void_p()
        self.check(self.library.nvfp4_sim_program_load_file(path.encode(), ctypes.byref(program)))
        return Program(self, program)


class Program:
    """Decoded PTX, ready to launch."""

    def __init__(self, simulator: Simulator, handle: ctypes.c_void_p) -> None:
        self.simulator, self.handle = simulator, handle

    def __del__(self) -> None:
        self.simulator.library.nvfp4_sim_program_free(self.handle)

    def launch(self, entry: str, grid: tuple, block: tuple, *arguments: object, outputs: tuple = ()) -> list:
        """Run a kernel on arrays (which become pointers) and NumPy scalars.

        `outputs` are the arguments, by position, whose contents the kernel must write before it
        reads them. Returns the findings. Raises SimulatorError with the report if there are errors.
        """
        library, check = self.simulator.library, self.simulator.check
        memory, report = ctypes.c_void_p(), ctypes.c_void_p()
        check(library.nvfp4_sim_memory_create(ctypes.byref(memory)))
        try:
            values, addresses = [], {}
            for position, argument in enumerate(arguments):
                if isinstance(argument, np.ndarray):
                    if not argument.flags["C_CONTIGUOUS"]:
                        raise ValueError(f"argument {position}: expected a contiguous array, but got strides")
                    address = ctypes.c_uint64()
                    flags = UNDEFINED if position in outputs else 0
                    name = f"argument {position}".encode()
                    data = argument.ctypes.data
                    check(library.nvfp4_sim_memory_map(memory, data, argument.nbytes, name, flags, address))
                    addresses[position] = address.value
                    argument = np.uint64(address.value)
                values.append(np.asarray(argument).reshape(1))
            rows = (Argument * len(values))(*[(value.ctypes.data, value.nbytes) for value in values])
            launch = Launch(ctypes.sizeof(Launch), 0, entry.encode(), grid, block, (1, 1, 1), 0, rows, len(rows))
            check(library.nvfp4_sim_run(self.handle, launch, memory, None, ctypes.byref(report)))
            if library.nvfp4_sim_report_num_errors(report):
                raise SimulatorError(library.nvfp4_sim_report_text(report).decode())
            for position in outputs:
                offset = ctypes.c_int64()
                check(library.nvfp4_sim_memory_find_undefined(memory, addresses[position], offset))
                if offset.value >= 0:
                    raise SimulatorError(f"R11: argument {position} is undefined at byte {offset.value}")
            return json.loads(library.nvfp4_sim_report_findings_json(report))["findings"]
        finally:
            library.nvfp4_sim_report_free(report)
            library.nvfp4_sim_memory_free(memory)


def expect_error(text: str, function: object, *arguments: object, **keywords: object) -> None:
    """Check that a call raises a SimulatorError that contains a text."""
    try:
        function(*arguments, **keywords)
    except SimulatorError as error:
        assert text in str(error), f"expected {text!r}, but got: {error}"
    else:
        raise AssertionError(f"expected the error {text!r}, but got none")


def main() -> None:
    """Run the example on good and bad launches."""
    simulator = Simulator(sys.argv[1])
    program = simulator.load(sys.argv[2])
    x = np.linspace(-1, 1, 100, dtype=np.float32)
    y = np.empty_like(x)
    arguments = (x, y, np.float32(2.5), np.uint32(x.size))
    assert program.launch("scale", (4, 1, 1), (32, 1, 1), *arguments, outputs=(1,)) == []
    np.testing.assert_array_equal(y, x * np.float32(2.5))

    # In place, on a part of a larger array.
    z = np.ones((3, 100), dtype=np.float32)
    program.launch("scale", (4, 1, 1), (32, 1, 1), z[1], z[1], np.float32(4), np.uint32(100))
    np.testing.assert_array_equal(z, [[1] * 100, [4] * 100, [1] * 100])

    scale = (program.launch, "scale", (4, 1, 1), (32, 1, 1), x, y, np.float32(1))
    expect_error("scale.ptx:", *scale, np.uint32(101))
    expect_error("R11: argument 1 is undefined at byte 396", *scale, np.uint32(99), outputs=(1,))
    expect_error("R4", program.launch, "race", (4, 1, 1), (32, 1, 1), y)
    expect_error("cannot open", simulator.load, "none.ptx")
    print("ok")


if __name__ == "__main__":
    main()
