# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The launches that are compared with a GPU, in groups."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import reductions
import tensor_maps
import wgmma
from corpus import SEED, Case

_GROUPS = {
    # Sums of wgmma, and where the matrices of its descriptors lie.
    "numbers": wgmma.number_cases,
    "bits": wgmma.bit_cases,
    "places": wgmma.place_cases,
    # Copies through tensor maps.
    "loads": tensor_maps.load_cases,
    "stores": tensor_maps.store_cases,
    "probes": tensor_maps.probe_cases,
    "multicasts": tensor_maps.multicast_cases,
    # Reductions that a copy or a store makes on the way.
    "reductions": reductions.cases,
}
NAMES = tuple(_GROUPS)


def launches(group: str) -> Iterator[tuple[str, Case]]:
    """PTX and launch, the same ones every time."""
    texts = {}
    for form, case in _GROUPS[group](np.random.default_rng(SEED)):
        if form not in texts:
            texts[form] = form.kernel()
        yield texts[form], case
