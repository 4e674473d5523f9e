"""Inference times of many networks on this device, for a fit of run time to complexity."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from itertools import pairwise

import keras
import numpy as np

from ..designspace import SPACES, Budget, NetSpec, sample
from .benchmarking import Timing, time_model
from .networks.model import build

RANGES = (40e6, 100e6, 250e6, 630e6, 1.6e9)  # multiply-adds at 224 px: four regimes, 2.5 apart
SAMPLED = ("regnetx-dds", "anynetx-a")  # the second has activations and flops far apart
MOST_BLOCKS = 24  # deeper networks take long to trace


def networks_to_time(
    n: int, *, resolution: int = 224, classes: int = 1000, seed: int = 0
) -> list[NetSpec]:
    """Return n networks of four regimes and two spaces in turn, from small to large.

    The regimes' multiply-adds are in proportion to the pixels.
    """
    scale = (resolution / 224) ** 2
    each = -(-n // (len(SAMPLED) * (len(RANGES) - 1)))
    found: list[NetSpec] = []
    for low, high in pairwise(RANGES):
        for name in SAMPLED:
            population = sample(
                SPACES[name],
                16 * each,
                budget=Budget(flops=(low * scale, high * scale)),
                rng=np.random.default_rng(seed),
                resolution=resolution,
                classes=classes,
            ).population
            rows = np.flatnonzero(population.depth <= MOST_BLOCKS)[:each]
            found += [population.row(int(i)) for i in rows]
    return [found[i] for i in np.linspace(0, len(found) - 1, min(n, len(found))).astype(int)]


def time_networks(
    specs: Sequence[NetSpec],
    *,
    resolution: int = 224,
    classes: int = 1000,
    batch: int = 1,
    seconds: float = 0.7,
    on_network: Callable[[int, int], None] | None = None,
) -> list[Timing]:
    """Return the inference time of each network; ``seconds`` for the timed calls of each."""
    found: list[Timing] = []
    for i, spec in enumerate(specs):
        model = build(spec, input_shape=(resolution, resolution, 3), classes=classes)
        found.append(time_model(model, batch, seconds=seconds))
        del model
        keras.backend.clear_session()
        gc.collect()
        if on_network is not None:
            on_network(i + 1, len(specs))
    return found
