"""Train one network: a traced step of our own, honest validation errors, nothing random left.

The same seed, recipe, data, versions, hardware and threads give the same weights bit for bit. The
learning rate changes by epoch and batch-norm statistics are made precise before every
evaluation, both as pycls. A loss that is not finite ends the run as ``diverged``.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import keras
import numpy as np

from ...analysis.records import Status
from ...designspace import NetSpec, to_record
from ...regnet import build
from ..data.batches import training_batches
from ..data.datasets import Dataset
from ..data.sources.streams import StreamedDataset
from ..recipes.recipe import Recipe
from .accelerator import Hardware, choose_place, prepare_runtime, require_multiple
from .checkpoints import Keep
from .evaluation import chance_error
from .fine_tuning import Start, freeze
from .loop import Loop, OnEpoch, Timing

logger = logging.getLogger("regnet_ds")
EVERYTHING = Hardware()
SIZES = ("flops", "params", "acts")  # of a record, which follow from the rest


@dataclass(frozen=True, slots=True)
class Result:
    """How a training went.

    Attributes
    ----------
    error
        Top-1 error of the model on the validation split, in percent; the error of guessing where
        the training diverged. With patience the model is that of the best epoch.
    errors
        The same after each epoch.
    best_epoch
        The first epoch, from 1, with the lowest error; None where none was finished.
    status, reason
        ``complete``, or ``diverged`` with the step and learning rate at which it did.
    seconds, timing
        Wall time of everything, and of its parts.
    images_per_second
        Of the training steps, input included.
    steps, resumed
        Steps done, and how many of them before this process went on from a checkpoint.
    threads
        Threads that the backend used; ``note`` says where they are not those asked for.
    devices
        On which it ran, such as ``8 tpu``; ``xla`` says whether the step was compiled.
    recipe
        The recipe as the data set allowed it.
    model
        The trained network, logits from images normalised by the data set's mean and std.
    test_error
        None: the test split is read by ``evaluate`` alone.
    """

    error: float
    errors: tuple[float, ...]
    best_epoch: int | None
    status: Status
    reason: str
    seconds: float
    timing: Timing
    images_per_second: float
    steps: int
    threads: int
    note: str
    devices: str
    xla: bool
    recipe: Recipe
    model: keras.Model = field(compare=False, repr=False)
    test_error: float | None = None
    resumed: int = 0


def train(
    spec: NetSpec,
    recipe: Recipe,
    data: Dataset | StreamedDataset,
    *,
    seed: int = 0,
    threads: int = 1,
    on_epoch: OnEpoch | None = None,
    keep: Keep | None = None,
    start: Start | None = None,
    hardware: Hardware = EVERYTHING,
) -> Result:
    """Train a network and return how it went.

    Parameters
    ----------
    spec
        The architecture; built for the data's image size and classes.
    recipe
        Narrowed, with one warning, where it asks for more augmentation than the data allow.
    data
        Trains on ``train``, reports errors on ``val``, never reads ``test``.
    seed
        Decides the initial weights, the order of the images and their augmentation.
    threads
        TensorFlow's, within and between operations (JAX uses all); set at its first use.
    on_epoch
        Called after every epoch with its number from 1 and its error; may raise to stop.
    keep
        Where the training is kept. What it finds there is continued, to the same end bit for bit;
        SIGTERM and Ctrl-C leave a checkpoint and raise `checkpoints.Stopped`.
    start
        A model to begin with, and what of it is frozen, in place of initial weights.
    hardware
        Devices, precision and compilation; every device of the best kind if nothing is said.

    Raises
    ------
    ValueError
        If the batch is larger than the training split or no multiple of the devices, the images
        are too small for the network, the checkpoint is of another training, memory does not
        suffice (`OutOfMemory`), data are damaged, the devices are missing or Keras runs on another
        backend than TensorFlow or JAX.
    """
    began = time.perf_counter()
    actual_threads, note = prepare_runtime(threads)
    place = choose_place(hardware)
    require_multiple(recipe.batch_size, len(place))
    recipe = _narrowed(recipe, data)
    batches = training_batches(data, recipe, seed)
    model = _begin(spec, data, seed, start, hardware)
    built = time.perf_counter()
    loop = Loop(model, recipe, batches, on_epoch, keep, place, hardware)
    if keep is not None:
        frozen = start.freeze_until if start else None
        identity = _identity(spec, recipe, data, seed, frozen)
        if hardware.precision != "float32":
            identity["precision"] = hardware.precision
        loop.resume(identity)
    loop.all_epochs()
    seconds = time.perf_counter() - began
    errors = loop.progress.errors
    error = errors[-1] if loop.final_error is None and errors else loop.final_error
    return Result(
        error=chance_error(data.classes) if loop.reason or error is None else error,
        errors=tuple(errors),
        best_epoch=int(np.argmin(errors)) + 1 if errors else None,
        status=Status.DIVERGED if loop.reason else Status.COMPLETE,
        reason=loop.reason,
        seconds=seconds,
        timing=loop.timing(built - began),
        images_per_second=loop.images_per_second,
        steps=loop.progress.steps_done,
        threads=actual_threads,
        note=note,
        devices=f"{len(place)} {place.kind}",
        xla=loop.is_compiled,
        recipe=recipe,
        model=model,
        resumed=loop.resumed,
    )


def _begin(
    spec: NetSpec,
    data: Dataset | StreamedDataset,
    seed: int,
    start: Start | None,
    hardware: Hardware,
) -> keras.Model:
    """Return the model to train: one of initial weights, or that of ``start``, partly frozen."""
    if start is not None:
        freeze(start.model, start.freeze_until)
        return start.model
    return build(
        spec,
        input_shape=(*data.image_size, 3),
        classes=data.classes,
        seed=seed,
        dtype=hardware.policy,
        data_format="channels_last",
    )


def _identity(
    spec: NetSpec,
    recipe: Recipe,
    data: Dataset | StreamedDataset,
    seed: int,
    frozen: str | None,
) -> dict[str, Any]:
    """Return what must be equal for a checkpoint to be continued."""
    height, _ = data.image_size
    record = to_record(spec, resolution=height, classes=data.classes)
    return {
        "model": {key: value for key, value in record.items() if key not in SIZES},
        "recipe": recipe.to_dict(),
        "data": data.fingerprint,
        "seed": seed,
        "frozen_until": frozen,
    }


def _narrowed(recipe: Recipe, data: Dataset | StreamedDataset) -> Recipe:
    excess = recipe.excess(data.augmentations)
    if excess:
        changes = ", ".join(f"{name} {asked} -> {limit}" for name, (asked, limit) in excess.items())
        _warn_once(f"{data.name} allows less augmentation than the recipe: {changes}")
    return recipe.narrowed(data.augmentations)


@cache
def _warn_once(message: str) -> None:
    logger.warning(message)
