"""The loop over steps and epochs of one training, which can stop and go on anywhere."""

from __future__ import annotations

import itertools
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ..data.batches import Evaluation, TrainingBatches
from ..recipes.recipe import Recipe
from .accelerator import Hardware, xla_pays
from .backends.seam import Batch, Layout, Place, current_backend
from .checkpoints import (
    Keep,
    Paused,
    Progress,
    Stopped,
    asked_to_stop,
    load_checkpoint,
    save_checkpoint,
)
from .evaluation import Tally
from .memory import memory_is_named
from .precise_bn import Moments, assign_moments, average_moments, scales_and_offsets

if TYPE_CHECKING:
    from ..data.stream_batches import StreamBatches

EPOCH_BN_BATCHES = 4  # batches of precise statistics before all evaluations but the last
_log = logging.getLogger("regnet_ds")
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


class _AskedToStop(Exception):
    """A signal came; where the state is whole a checkpoint is written."""


class Loop:
    """The state of one training."""

    def __init__(
        self,
        model: keras.Model,
        recipe: Recipe,
        batches: TrainingBatches | StreamBatches,
        on_epoch: OnEpoch | None,
        keep: Keep | None,
        place: Place,
        hardware: Hardware,
    ) -> None:
        self.recipe = recipe
        self.batches = batches
        self.on_epoch = on_epoch
        self.keep = keep
        self.data = batches.data
        self.validation = Evaluation(self.data, "val", multiple=len(place))
        self.together = min(hardware.steps_per_execution, batches.steps)
        layout = Layout(
            batch=(recipe.batch_size, *self.data.image_size, 3),
            evaluation=self.validation.shape,
            classes=self.data.classes,
            xla=xla_pays(hardware, place, recipe.epochs * batches.steps),
            together=self.together,
        )
        self.is_compiled = layout.xla
        with memory_is_named(recipe):
            self.functions = current_backend().Steps(model, recipe, layout, place)
        self.progress = Progress()
        self.resumed = 0  # steps that were done before this process
        self.reason = ""
        self.step_seconds: list[float] = []
        self.evaluation_seconds = 0.0
        self.final_error: float | None = None  # of the best epoch's weights, with patience
        self._best: list[np.ndarray] | None = None
        self._identity: dict[str, Any] = {}
        self._signals: list[int] = []
        self._kept_at = time.monotonic()

    def resume(self, identity: dict[str, Any]) -> None:
        """Go on from the checkpoint, if there is one.

        Raises
        ------
        ValueError
            If it is of another training than ``identity`` says, or cannot be read.
        """
        if self.keep is None:
            return
        self._identity = identity
        shapes = self.functions.shapes
        copies = 2 if self.recipe.patience else 1
        try:
            found = load_checkpoint(self.keep.checkpoint, identity, shapes * copies)
        except ValueError as error:
            if not self.keep.spare:
                raise
            _log.warning("%s; the training begins anew", error)
            return
        if found is not None:
            self.progress, arrays = found
            self.resumed = self.progress.steps_done
            _log.info("goes on from step %d of %s", self.resumed, self.keep.checkpoint)
            self.functions.set_state(arrays[: len(shapes)])
            if self.recipe.patience and self.progress.history:
                self._best = arrays[len(shapes) :]

    def all_epochs(self) -> None:
        """Train until the recipe, patience or a loss that is not finite ends it.

        Raises
        ------
        Stopped
            If a signal asked for it; the checkpoint has been written.
        """
        if self.keep is None:
            self._epochs()
            self._take_best()
            self.functions.release()
            return
        with asked_to_stop() as self._signals:
            try:
                self._epochs()
                self._take_best()
            except _AskedToStop:
                self._write(self.keep)
                raise Stopped(self.keep.checkpoint, self._signals[0]) from None
            except Paused:
                if not self.keep.spare:
                    self._write(self.keep)
                raise
            if not self.reason and not self.keep.spare:
                self._write(self.keep)
        self.functions.release()

    def _epochs(self) -> None:
        progress = self.progress
        while progress.epoch < self.recipe.epochs and not self._is_patient_no_more():
            self._train_epoch(progress.epoch)
            if self.reason:
                return
            self._finish_epoch(progress.epoch)
            if self.reason:
                return
            if self.on_epoch is not None:
                self.on_epoch(progress.epoch, progress.errors[-1])
            self._keep_if_due()

    def _is_patient_no_more(self) -> bool:
        errors, patience = self.progress.errors, self.recipe.patience
        return bool(patience and errors) and len(errors) - 1 - int(np.argmin(errors)) >= patience

    def _train_epoch(self, epoch: int) -> None:
        progress = self.progress
        before = time.perf_counter()
        with memory_is_named(self.recipe):
            for batches in _groups(self.batches.epoch(epoch, progress.step), self.together):
                losses, rates = self._do_steps(epoch, batches)
                after = time.perf_counter()
                self.step_seconds += [(after - before) / len(losses)] * len(losses)
                progress.seconds += after - before
                before = after
                for loss, rate in zip(losses, rates, strict=True):
                    progress.steps_done += 1
                    progress.step += 1
                    if not math.isfinite(loss):
                        self._diverged(f"loss {loss}", rate)
                        return
                    progress.losses += loss
                if self.keep is not None and self.keep.on_step is not None:
                    self.keep.on_step(progress)
                self._keep_if_due()

    def _do_steps(
        self, epoch: int, batches: Sequence[Batch]
    ) -> tuple[Sequence[float], Sequence[float]]:
        """Do a step for each batch; return losses and rates."""
        rates = [
            self.recipe.learning_rate(epoch, (self.progress.step + i) / self.batches.steps)
            for i in range(len(batches))
        ]
        if len(batches) > 1 and len(batches) == self.together:
            return self.functions.train_together(batches, rates).tolist(), rates
        losses = [
            float(self.functions.train(*batch, np.float32(rate)))
            for batch, rate in zip(batches, rates, strict=True)
        ]
        return losses, rates

    def _finish_epoch(self, epoch: int) -> None:
        """Evaluate, record the epoch and go to the next."""
        progress, rate = self.progress, self.recipe.learning_rate(self.progress.epoch)
        last = epoch + 1 == self.recipe.epochs and not self.recipe.patience
        error = self._evaluate(epoch, last=last)
        if not math.isfinite(error):
            self._diverged("validation logits not finite", rate)
            return
        record = {
            "epoch": epoch + 1,
            "lr": rate,
            "loss": progress.losses / self.batches.steps,
            "error": error,
            "seconds": progress.seconds,
            "images_per_second": self.batches.steps * self.recipe.batch_size / progress.seconds,
        }
        if self.recipe.patience and error < min(progress.errors, default=math.inf):
            self._best = self.functions.state()
        progress.history.append(record)
        progress.epoch, progress.step = epoch + 1, 0
        progress.losses = progress.seconds = 0.0
        if self.keep is not None and self.keep.on_history is not None:
            self.keep.on_history(progress.history)

    def _take_best(self) -> None:
        """With patience, go back to the best epoch's weights and evaluate them for good."""
        if self._best is None or self.reason:
            return
        self.functions.set_state(self._best)
        self.final_error = self._evaluate(int(np.argmin(self.progress.errors)), last=True)

    def _evaluate(self, epoch: int, *, last: bool) -> float:
        """Return the validation error; the last evaluation leaves its statistics in the model."""
        before = time.perf_counter()
        counted = Tally(self.data.classes)
        with self.functions.averaged(keep=last):
            moments = self._moments(epoch, last)
            scales, offsets = scales_and_offsets(self.functions.norms, moments)
            for images, labels in self.validation:
                self._heed_signals()
                counted.add(self.functions.logits(images, scales, offsets), labels)
            if last:
                assign_moments(self.functions.norms, moments)
        self.evaluation_seconds += time.perf_counter() - before
        return counted.error

    def _moments(self, epoch: int, last: bool) -> Moments:
        count = EPOCH_BN_BATCHES
        if last:
            wanted = min(self.recipe.precise_bn_images, self.batches.steps * self.recipe.batch_size)
            count = math.ceil(wanted / self.recipe.batch_size)
        return average_moments(self.functions.moments, self.batches.images(epoch, count))

    def _keep_if_due(self) -> None:
        """Write a checkpoint where it is time to; a signal ends the loop, which writes one."""
        self._heed_signals()
        if self.keep is not None and time.monotonic() - self._kept_at >= self.keep.every:
            self._write(self.keep)

    def _heed_signals(self) -> None:
        if self._signals:
            raise _AskedToStop

    def _write(self, keep: Keep) -> None:
        arrays = self.functions.state()
        if self.recipe.patience:
            arrays = [*arrays, *(self._best or arrays)]
        try:
            save_checkpoint(keep.checkpoint, self._identity, self.progress, arrays)
        except ValueError as error:
            if not keep.spare:
                raise
            _log.warning("%s; the training goes on", error)
        self._kept_at = time.monotonic()

    def _diverged(self, what: str, rate: float) -> None:
        steps, epoch = self.progress.steps_done, self.progress.epoch
        self.reason = f"{what} at step {steps} (epoch {epoch + 1}, lr {rate:.4g})"

    @property
    def images_per_second(self) -> float:
        """Images a second of the steps of this process, the first one's extra cost left out."""
        if not self.step_seconds:
            return math.nan
        typical = float(np.median(self.step_seconds))
        return self.recipe.batch_size * len(self.step_seconds) / self._steps_total(typical)

    def _steps_total(self, typical: float) -> float:
        return sum(self.step_seconds[1:]) + min(self.step_seconds[0], typical)

    def timing(self, build_seconds: float) -> Timing:
        """Return where the seconds of this process went."""
        steps = first = 0.0
        if self.step_seconds:
            steps = self._steps_total(float(np.median(self.step_seconds)))
            first = sum(self.step_seconds) - steps
        return Timing(
            build=build_seconds,
            trace=self.functions.trace_seconds + first,
            steps=steps,
            evaluation=self.evaluation_seconds,
        )


def _groups(batches: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    """Yield the batches ``size`` at a time, the last ones fewer."""
    iterator = iter(batches)
    while group := list(itertools.islice(iterator, size)):
        yield group
