"""Train one network: a traced step of our own, honest validation errors, nothing random left.

The same seed, recipe, data, versions and threads give the same weights bit for bit. The
learning rate changes by epoch and batch-norm statistics are made precise before every
evaluation, both as pycls. A loss that is not finite ends the run as ``diverged``.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import keras
import numpy as np

from ..analysis.records import Status
from ..designspace import NetSpec
from ..regnet import build
from .accelerator import prepare_runtime, require_tensorflow
from .batches import Evaluation, TrainingBatches, training_batches
from .datasets import Dataset
from .evaluation import Tally, chance_error
from .precise_bn import Moments, assign_moments, average_moments, scales_and_offsets
from .recipe import Recipe
from .steps import Steps
from .streams import StreamedDataset

if TYPE_CHECKING:
    from .stream_batches import StreamBatches

EPOCH_BN_BATCHES = 4  # batches of precise statistics before all evaluations but the last
logger = logging.getLogger("regnet_ds")
OnEpoch = Callable[[int, float], None]


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the seconds of a training went.

    ``trace`` includes what the first run of each traced function costs beyond a later one;
    ``evaluation`` includes precise batch-norm statistics, ``steps`` the input pipeline.
    """

    build: float
    trace: float
    steps: float
    evaluation: float

    @property
    def fixed(self) -> float:
        """Seconds that do not depend on the number of steps."""
        return self.build + self.trace


@dataclass(frozen=True, slots=True)
class Result:
    """How a training went.

    Attributes
    ----------
    error
        Top-1 error on the validation split at the end, in percent; the error of guessing where
        the training diverged.
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
    steps
        Steps done.
    threads
        Threads that TensorFlow used; ``note`` says where they are not those asked for.
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
    recipe: Recipe
    model: keras.Model = field(compare=False, repr=False)
    test_error: float | None = None


def train(
    spec: NetSpec,
    recipe: Recipe,
    data: Dataset | StreamedDataset,
    *,
    seed: int = 0,
    threads: int = 1,
    on_epoch: OnEpoch | None = None,
) -> Result:
    """Train a network from scratch.

    Parameters
    ----------
    spec
        The architecture.
    recipe
        Narrowed, with one warning, where it asks for more augmentation than the data allow.
    data
        Trains on ``train``, reports errors on ``val``, never reads ``test``.
    seed
        Decides the initial weights, the order of the images and their augmentation.
    threads
        TensorFlow's, within and between operations; set when the process first uses it.
    on_epoch
        Called after every epoch with its number from 1 and its error; may raise to stop.

    Raises
    ------
    ValueError
        If the batch is larger than the training split, the images are too small for the network,
        or Keras runs on another backend than TensorFlow.
    """
    require_tensorflow()
    start = time.perf_counter()
    actual_threads, note = prepare_runtime(threads)
    recipe = _narrowed(recipe, data)
    batches = training_batches(data, recipe, seed)
    height, width = data.image_size
    model = build(
        spec,
        input_shape=(height, width, 3),
        classes=data.classes,
        seed=seed,
        data_format="channels_last",
    )
    built = time.perf_counter()
    run = _Run(model, recipe, batches, on_epoch)
    run.all_epochs()
    seconds = time.perf_counter() - start
    return Result(
        error=chance_error(data.classes) if run.reason else run.errors[-1],
        errors=tuple(run.errors),
        best_epoch=int(np.argmin(run.errors)) + 1 if run.errors else None,
        status=Status.DIVERGED if run.reason else Status.COMPLETE,
        reason=run.reason,
        seconds=seconds,
        timing=run.timing(built - start),
        images_per_second=run.images_per_second,
        steps=run.steps_done,
        threads=actual_threads,
        note=note,
        recipe=recipe,
        model=model,
    )


class _Run:
    """The state of one training."""

    def __init__(
        self,
        model: keras.Model,
        recipe: Recipe,
        batches: TrainingBatches | StreamBatches,
        on_epoch: OnEpoch | None,
    ) -> None:
        self.recipe = recipe
        self.batches = batches
        self.on_epoch = on_epoch
        self.data = batches.data
        self.validation = Evaluation(self.data, "val")
        shape = (recipe.batch_size, *self.data.image_size, 3)
        self.functions = Steps(model, recipe, shape, self.validation.shape, self.data.classes)
        self.errors: list[float] = []
        self.reason = ""
        self.steps_done = 0
        self.step_seconds: list[float] = []
        self.evaluation_seconds = 0.0

    def all_epochs(self) -> None:
        for epoch in range(self.recipe.epochs):
            self._train_epoch(epoch)
            if not self.reason:
                self._evaluate(epoch)
            if self.reason:
                return
            if self.on_epoch is not None:
                self.on_epoch(epoch + 1, self.errors[-1])

    def _train_epoch(self, epoch: int) -> None:
        lr = np.float32(self.recipe.learning_rate(epoch))
        before = time.perf_counter()
        for images, target in self.batches.epoch(epoch):
            loss = float(self.functions.train(images, target, lr))
            self.steps_done += 1
            after = time.perf_counter()
            self.step_seconds.append(after - before)
            before = after
            if not math.isfinite(loss):
                self._diverged(f"loss {loss}", epoch)
                return

    def _evaluate(self, epoch: int) -> None:
        before = time.perf_counter()
        moments = self._moments(epoch)
        scales, offsets = scales_and_offsets(self.functions.norms, moments)
        counted = Tally(self.data.classes)
        for images, labels in self.validation:
            counted.add(self.functions.logits(images, scales, offsets), labels)
        error = counted.error
        if math.isfinite(error):
            self.errors.append(error)
        else:
            self._diverged("validation logits not finite", epoch)
        if epoch + 1 == self.recipe.epochs:
            assign_moments(self.functions.norms, moments)
        self.evaluation_seconds += time.perf_counter() - before

    def _moments(self, epoch: int) -> Moments:
        if epoch + 1 < self.recipe.epochs:
            count = EPOCH_BN_BATCHES
        else:
            count = math.ceil(self.recipe.precise_bn_images / self.recipe.batch_size)
        return average_moments(self.functions.moments, self.batches.images(epoch, count))

    def _diverged(self, what: str, epoch: int) -> None:
        lr = self.recipe.learning_rate(epoch)
        self.reason = f"{what} at step {self.steps_done} (epoch {epoch + 1}, lr {lr:.4g})"

    @property
    def images_per_second(self) -> float:
        """Images a second of the steps, the first one's extra cost left out."""
        typical = float(np.median(self.step_seconds))
        return self.recipe.batch_size * self.steps_done / self._steps_total(typical)

    def _steps_total(self, typical: float) -> float:
        return sum(self.step_seconds[1:]) + min(self.step_seconds[0], typical)

    def timing(self, build_seconds: float) -> Timing:
        steps = self._steps_total(float(np.median(self.step_seconds)))
        first = sum(self.step_seconds) - steps
        return Timing(
            build=build_seconds,
            trace=self.functions.trace_seconds + first,
            steps=steps,
            evaluation=self.evaluation_seconds,
        )


def _narrowed(recipe: Recipe, data: Dataset | StreamedDataset) -> Recipe:
    excess = recipe.excess(data.augmentations)
    if excess:
        changes = ", ".join(f"{name} {asked} -> {limit}" for name, (asked, limit) in excess.items())
        _warn_once(f"{data.name} allows less augmentation than the recipe: {changes}")
    return recipe.narrowed(data.augmentations)


@cache
def _warn_once(message: str) -> None:
    logger.warning(message)
