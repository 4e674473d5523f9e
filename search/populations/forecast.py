"""What a run will cost, before it starts: hours from 20 steps of one network, bytes of disk."""

from __future__ import annotations

import itertools
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from ...designspace import NetSpec, complexity
from ..data.datasets import Dataset
from ..data.sources.streams import StreamedDataset
from ..recipes.recipe import Recipe

PROBE = 20  # steps
FORWARD = 1 / 3  # of a training step: what evaluating an image takes
TRIAL_BYTES = 3000  # of a trial in a journal, its reports apart (measured)
REPORT_BYTES = 90


@dataclass(frozen=True)
class Probe:
    """Seconds of one network: until its first step is done, of a later step, by activations."""

    start: float
    step: float
    acts: int


@dataclass(frozen=True)
class Forecast:
    """What the trainings of a study will take.

    Attributes
    ----------
    models, epochs
        How many, and how long each.
    seconds
        Of all trainings, one after the other.
    hours
        With so many workers at a time, no more than the machine has processors for.
    disk
        Bytes of the storage and, where a study keeps them, of checkpoints.
    """

    models: int
    epochs: int
    step_seconds: float
    seconds: float
    hours: float
    disk: int


def probe(
    spec: NetSpec,
    recipe: Recipe,
    data: Dataset | StreamedDataset,
    *,
    threads: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Probe:
    """Train a network for 20 steps and say how long they took."""
    import numpy as np

    from ...regnet import build
    from ..data.batches import training_batches
    from ..learning.accelerator import Hardware, choose_place, prepare_runtime
    from ..learning.loop import Loop

    prepare_runtime(threads)
    hardware = Hardware(devices=1)
    place = choose_place(hardware)
    began = clock()
    height, width = data.image_size
    model = build(spec, input_shape=(height, width, 3), classes=data.classes, seed=0)
    loop = Loop(model, recipe, training_batches(data, recipe, 0), None, None, place, hardware)
    times: list[float] = []
    epoch = 0
    while len(times) < PROBE:
        for images, target in loop.batches.epoch(epoch, 0):
            float(loop.functions.train(images, target, np.float32(recipe.learning_rate(0))))
            times.append(clock())
            if len(times) == PROBE:
                break
        epoch += 1
    steps = [b - a for a, b in itertools.pairwise(times)]
    acts = complexity(spec, resolution=(height, width), classes=data.classes).acts
    return Probe(times[0] - began, median(steps), acts)


def forecast(
    specs: Sequence[NetSpec],
    recipe: Recipe,
    data: Dataset | StreamedDataset,
    probed: Probe,
    workers: int,
) -> Forecast:
    """Return what training these networks will take, from the probe of one of them.

    The time of a step goes with the activations (DDS, section 3.2 and figure 12).
    """
    units = {"resolution": data.image_size, "classes": data.classes}
    acts = [complexity(spec, **units).acts for spec in specs]
    steps = math.floor(len(data.train) / recipe.batch_size)
    evaluated = len(data.val) / recipe.batch_size * FORWARD
    share = sum(acts) / probed.acts
    seconds = len(specs) * probed.start + share * probed.step * recipe.epochs * (steps + evaluated)
    at_once = min(workers, os.cpu_count() or 1, len(specs))
    disk = len(specs) * (TRIAL_BYTES + REPORT_BYTES * recipe.epochs)
    return Forecast(len(specs), recipe.epochs, probed.step, seconds, seconds / at_once / 3600, disk)


def typical(specs: Sequence[NetSpec], data: Dataset | StreamedDataset) -> NetSpec:
    """Return the network of the median activations."""
    units = {"resolution": data.image_size, "classes": data.classes}
    ordered = sorted(specs, key=lambda spec: complexity(spec, **units).acts)
    return ordered[(len(ordered) - 1) // 2]
