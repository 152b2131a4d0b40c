#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One table of an H200: ours beside what the memory permits, cuBLAS, and a naive Triton kernel.

    hopper_table.py [--only TEXT] [--ours FILE.py …] [--no-peers] [--csv FILE] [--commit TEXT]

Needs a GPU of sm_90a, nvcc, PyTorch for CUDA and Triton, and of the repository this folder alone.

A file of --ours defines `cases()`, a list of dictionaries: `what` (a row of WHAT), `shape`
(N x K, or rows x columns of a source), `m`, and `make`, which gets both and returns the launchers
that take turns, and a function that says how far results are off (or None). Times are medians of
graphs of launches (gpubench.py). The error of a product is 1 where it is off by what rounding to
bf16 may take (matmul_cases.py); a larger one ends the program with 1. L(n) is the best read of n bytes, `copy` the best kernel or
cudaMemcpyAsync with the same ratio of reads to writes.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import peers
from gpubench import Module, require_gpu, rotation, time_launches

LARGE, SQUARE, SMALL = (28672, 8192), (8192, 8192), (4096, 4096)
# what -> figure's unit, and (shape, reach, then)
WHAT = {
    "W4A16 M=1": ("floor", {LARGE: (0.88, 0.95), SQUARE: (0.80, 0.92), SMALL: (0.70, 0.85)}),
    "W4A16 M=16": ("floor", {LARGE: (0.88, 0.95), SQUARE: (0.80, 0.92), SMALL: (0.70, 0.85)}),
    "W4A16 M=64": ("floor", {LARGE: (0.70, 0.85), SQUARE: (0.70, 0.85)}),
    "W4A16 M=256": ("cuBLAS", {LARGE: (1.0, None), SQUARE: (1.0, None)}),
    "W4A16 M=4096": ("cuBLAS", {LARGE: (0.92, 0.95), SQUARE: (0.92, 0.95)}),
    "BF16 M=4096": ("cuBLAS", {LARGE: (None, None), SQUARE: (None, None)}),
    "quantize, one pass": ("copy", {SQUARE: (0.88, 0.92)}),
    "quantize, two passes": ("copy", {SQUARE: (0.88, 0.92)}),
    "quantize, rows and columns": ("copy", {SQUARE: (0.75, 0.85)}),
    "quantize, 16x16": ("copy", {SQUARE: (None, None)}),
    "quantize, stochastic": ("copy", {SQUARE: (None, None)}),
    "quantize, Hadamard": ("copy", {SQUARE: (None, None)}),
    "quantize, Hadamard, two passes": ("copy", {SQUARE: (None, None)}),
}
ONE_PASS, TWO_PASSES = (2, ("quantize_4_1", "quantize_8_2")), (4, ("quantize_two_passes_8_1",))
# Bytes read per element, and the kernels that read and write as much as quantizers do.
QUANTIZE_COPIES = {
    "quantize, one pass": ONE_PASS,
    "quantize, two passes": TWO_PASSES,
    "quantize, rows and columns": (2, ("quantize_two_ways_4_2", "quantize_two_ways_2_1")),
    "quantize, 16x16": ONE_PASS,
    "quantize, stochastic": ONE_PASS,
    "quantize, Hadamard": ONE_PASS,
    "quantize, Hadamard, two passes": TWO_PASSES,
}
MULTIPROCESSORS = 132


@cache
def roofs() -> Module:
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "roofs.cubin"
        subprocess.run(["nvcc", "-arch=sm_90a", "-cubin", HERE / "roofs.cu", "-o", image], check=True)
        return Module.load(image)


def buffers(size: int, count: int) -> list[torch.Tensor]:
    return [torch.randint(0, 256, (size,), dtype=torch.uint8, device="cuda") for _ in range(count)]


def vector_launchers(name: str, reads: int, sources, targets, extras, threads: int, ctas_per_sm: int):
    """`reads` vectors per thread and step; 0 CTAs: one for every step."""
    chunks = sources[0].numel() // (16 * reads)
    assert chunks % threads == 0
    kernel = roofs().kernel(name)
    grid = chunks // threads
    if ctas_per_sm:
        grid = min(grid, MULTIPROCESSORS * ctas_per_sm)
    return [
        lambda s=s, t=t, e=e: kernel(grid, threads, [s, t, e, chunks])
        for s, t, e in zip(sources, targets, extras, strict=True)
    ]


def best(variants: dict) -> tuple[float, str]:
    """The fastest of launchers, by name."""
    times = {name: time_launches(launchers) for name, launchers in variants.items()}
    name = min(times, key=times.get)
    return times[name], name


@cache
def read_us(size: int) -> tuple[float, str]:
    """L(size)."""
    sources = buffers(size, rotation(size))
    scratch = [torch.empty(64, dtype=torch.uint8, device="cuda")] * len(sources)
    variants = {}
    for reads in [1, 2, 4, 8]:
        for threads, ctas in [(256, 0), (512, 0), (1024, 2), (512, 4), (256, 8)]:
            if sources[0].numel() % (16 * reads * threads) == 0:
                name = f"read_{reads}"
                variants[f"{name} {threads}x{ctas}"] = vector_launchers(name, reads, sources, scratch, scratch, threads, ctas)
    for name, size_of_copy, shared in [("12x16k", 16384, 196608), ("24x8k", 8192, 196608), ("6x32k", 32768, 196608)]:
        if size % size_of_copy == 0:
            kernel = roofs().kernel(f"read_bulk_{name}", shared=shared)
            variants[f"bulk {name}"] = [
                lambda s=s, k=kernel, n=size // size_of_copy: k(MULTIPROCESSORS, 32, [s, s, s, n]) for s in sources
            ]
    return best(variants)


@cache
def copy_us(read: int, kernels: tuple[str, ...]) -> tuple[float, str]:
    """Moves `read` bytes in, and out what the kernels' names say: reads, then writes, and scales."""
    reads, writes = (int(part) for part in kernels[0].split("_")[-2:])
    target = read // reads * writes
    extra = target // 8 if "quantize" in kernels[0] else 16
    count = rotation(read + target)
    sources, targets, extras = buffers(read, count), buffers(target, count), buffers(extra, count)
    variants = {}
    for base in kernels:
        reads = int(base.split("_")[-2])
        for name in [base, base + "_streaming"]:
            for threads, ctas in [(256, 0), (512, 0), (128, 0), (512, 4), (256, 8)]:
                if (read // (16 * reads)) % threads == 0:
                    variants[f"{name} {threads}x{ctas}"] = vector_launchers(name, reads, sources, targets, extras, threads, ctas)
    time, name = best(variants)
    # What cudaMemcpyAsync, which reads as much as it writes, needs for as many bytes.
    by_driver = (read + target + extra) / memcpy_rate()
    return (time, name) if time < by_driver else (by_driver, "cudaMemcpyAsync")


@cache
def memcpy_rate() -> float:
    """Bytes read and written per microsecond."""
    size = 128 << 20
    sources, targets = buffers(size, 3), buffers(size, 3)
    return 2 * size / time_launches([lambda s=s, t=t: t.copy_(s) for s, t in zip(sources, targets, strict=True)])


def weights_bytes(n: int, k: int) -> int:
    return n * k * 9 // 16


@cache
def cublas_us(n: int, k: int, m: int) -> float:
    weights = [torch.randn(n, k, dtype=torch.bfloat16, device="cuda") for _ in range(rotation(2 * n * k))]
    x = torch.randn(m, k, dtype=torch.bfloat16, device="cuda")
    out = torch.empty(m, n, dtype=torch.bfloat16, device="cuda")
    return time_launches([lambda w=w: torch.mm(x, w.t(), out=out) for w in weights])


@cache
def peak_flops() -> float:
    return 2 * 8192**3 / (cublas_us(8192, 8192, 8192) * 1e-6)


def triton_us(n: int, k: int, m: int) -> tuple[float, str]:
    sets = [peers.make_weights(n, k) for _ in range(rotation(weights_bytes(n, k)))]
    x = torch.randn(m, k, dtype=torch.bfloat16, device="cuda")
    out = torch.empty(m, n, dtype=torch.bfloat16, device="cuda")
    size = min(size for size in peers.CONFIGS if size >= m)
    peers.triton_matmul(x, *sets[0], out, 0.5, peers.CONFIGS[size][0])
    expected = (x.float() @ peers.dequantized_reference(*sets[0]).t()) * 0.5
    error = ((out.float() - expected).abs().max() / expected.abs().max()).item()
    assert error < 1e-2, error
    return best(
        {str(c): [lambda s=s, c=c: peers.triton_matmul(x, *s, out, 0.5, c) for s in sets] for c in peers.CONFIGS[size]}
    )


def triton_quantize_us(what: str, rows: int, columns: int) -> float | None:
    """The fastest naive quantizer of the kind; None where there is none."""
    count = rotation(2 * rows * columns)
    sources = [torch.randn(rows, columns, device="cuda").to(torch.bfloat16) for _ in range(count)]
    amax, of_rows = torch.tensor([4.5], device="cuda"), torch.empty(rows, device="cuda")
    codes, scales = (torch.empty(rows * columns // share, dtype=torch.uint8, device="cuda") for share in (2, 16))

    def one_pass(x, config):
        peers.triton_quantize(x, amax, codes, scales, config)

    def two_passes(x, config):
        peers.triton_amax(x, of_rows, amax)
        one_pass(x, config)

    def both_ways(x, config):
        one_pass(x, config)
        one_pass(x.t(), turned)

    launches = {"one pass": one_pass, "two passes": two_passes, "rows and columns": both_ways}
    launch = launches.get(what.removeprefix("quantize, "))
    if not launch:
        return None
    _, turned = min((time_launches([lambda x=x, c=c: one_pass(x.t(), c) for x in sources]), c) for c in peers.QUANTIZE_CONFIGS)
    return best({str(c): [lambda x=x, c=c: launch(x, c) for x in sources] for c in peers.QUANTIZE_CONFIGS})[0]


def dequantize_us(n: int, k: int, m: int) -> float:
    """Dequantize, then cuBLAS."""
    sets = [peers.make_weights(n, k) for _ in range(rotation(weights_bytes(n, k)))]
    x = torch.randn(m, k, dtype=torch.bfloat16, device="cuda")
    out = torch.empty(m, n, dtype=torch.bfloat16, device="cuda")
    dense = torch.empty(n, k, dtype=torch.bfloat16, device="cuda")
    peers.dequantize(*sets[0], dense)
    assert torch.equal(dense.float(), peers.dequantized_reference(*sets[0]))

    def launch(codes, scales):
        peers.dequantize(codes, scales, dense)
        torch.mm(x, dense.t(), out=out)

    return time_launches([lambda s=s: launch(*s) for s in sets])


def floor_us(what: str, n: int, k: int, m: int) -> tuple[float, str]:
    """What the figure is a share of."""
    if what in QUANTIZE_COPIES:
        read, kernels = QUANTIZE_COPIES[what]
        return copy_us(read * n * k, kernels)
    if WHAT[what][0] == "cuBLAS":
        return cublas_us(n, k, m), "cuBLAS"
    time, name = read_us(weights_bytes(n, k))
    compute = 2 * n * k * m / peak_flops() * 1e6
    return (time, name) if time > compute else (compute, "FLOP / P")


def load_cases(paths: list[str]) -> dict:
    cases = {}
    for path in paths:
        spec = importlib.util.spec_from_file_location(Path(path).stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for case in module.cases():
            cases.setdefault((case["what"], tuple(case["shape"])), []).append(case)
    return cases


def rows_of(only: str, cases: dict, with_peers: bool):
    for what, (unit, shapes) in WHAT.items():
        for shape, (reach, then) in shapes.items():
            if only not in f"{what} {shape[0]}x{shape[1]}":
                continue
            n, k = shape
            is_matmul = "M=" in what
            m = int(what.split("M=")[1]) if is_matmul else 0
            floor, floor_name = floor_us(what, n, k, m)
            row = {"what": what, "shape": f"{n}x{k}", "unit": unit, "floor_us": floor, "floor": floor_name}
            row |= {"reach": reach, "then": then}
            if is_matmul:
                row["cublas_us"] = cublas_us(n, k, m)
            if what.startswith("W4A16") and with_peers:
                row["triton_us"] = triton_us(n, k, m)[0]
                row["dequantize_us"] = dequantize_us(n, k, m)
            if what in QUANTIZE_COPIES and with_peers:
                row["triton_us"] = triton_quantize_us(what, n, k)
            for case in cases.get((what, shape), []):
                launchers, check = case["make"](n, k, m)
                row["error"] = check() if check else None
                ours = time_launches(launchers)
                row["ours_us"] = min(ours, row.get("ours_us", ours))
                del launchers, check
            if "ours_us" in row:
                row["figure"] = floor / row["ours_us"]
                if row.get("triton_us"):
                    row["ahead"] = row["triton_us"] / row["ours_us"]
            yield row
            torch.cuda.empty_cache()


def text_of(row: dict) -> str:
    time = lambda key: f"{row[key]:9.2f}" if row.get(key) else " " * 9  # noqa: E731
    share = lambda key: f"{row[key]:6.3f}" if row.get(key) else " " * 6  # noqa: E731
    return (
        f"{row['what']:28}{row['shape']:>12} {time('ours_us')} {time('floor_us')} {share('figure')} {share('reach')} {share('then')}"
        f" {time('cublas_us')} {time('triton_us')} {share('ahead')} {time('dequantize_us')} {share('error')}  {row['floor']}"
    )


COLUMNS = ["what", "shape", "ours_us", "floor_us", "figure", "reach", "then", "cublas_us", "triton_us", "ahead", "dequantize_us", "unit", "floor", "error", "commit"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="rows whose name and shape contain this")
    parser.add_argument("--ours", action="append", default=[], metavar="FILE", help="a file with cases()")
    parser.add_argument("--no-peers", action="store_true", help="leave out Triton and dequantize-then-cuBLAS")
    parser.add_argument("--csv", metavar="FILE")
    parser.add_argument("--commit", default="", help="that our kernels are of, for --csv")
    arguments = parser.parse_args()
    cases = load_cases(arguments.ours)
    require_gpu()
    if not shutil.which("nvcc"):
        sys.exit("expected nvcc in PATH, which compiles roofs.cu, but got none")
    torch.manual_seed(1)
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}; microseconds")
    print(f"{'':28}{'':>12} {'ours':>9} {'floor':>9} {'share':>6} {'reach':>6} {'then':>6} {'cuBLAS':>9} {'Triton':>9} {'ahead':>6} {'deq+mm':>9} {'error':>6}")
    rows = []
    for row in rows_of(arguments.only, cases, not arguments.no_peers):
        print(text_of(row), flush=True)
        rows.append(row | {"commit": arguments.commit})
    print(f"cudaMemcpyAsync: {memcpy_rate() / 1e6:.2f} TB/s read and written")
    for read, kernels in [(128 << 20, ("copy_1_1", "copy_2_2", "copy_4_4")), (512 << 20, ("copy_4_1", "copy_8_2"))]:
        time, name = copy_us(read, kernels)
        print(f"{name}: {(read + read // (4 if '4_1' in name or '8_2' in name else 1)) / time / 1e6:.2f} TB/s")
    if any("W4A16" in row["what"] for row in rows):
        print(f"P = {peak_flops() / 1e12:.0f} TFLOP/s")
    if arguments.csv:
        with open(arguments.csv, "w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows({key: f"{value:.4g}" if isinstance(value, float) else value for key, value in row.items()} for row in rows)
    wrong = [f"{row['what']} {row['shape']}" for row in rows if "M=" in row["what"] and (row.get("error") or 0) > 1]
    if wrong:
        sys.exit(f"off by more than rounding to bf16: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
