"""Batches of a streamed data set: tf.data from encoded images to what a network takes.

As in `batches`, (seed, epoch, step) alone decide: draws are stateless, so the number of readers
changes nothing and an epoch can begin at any step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ...processors import available
from ..recipes.recipe import Recipe
from . import image_ops
from .augment import CROP_TRIES
from .batches import require_a_batch
from .sources.streams import StreamedDataset

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.int64]
Tensor = Any
ORDER, AUGMENTATION, MIXUP = 0, 1, 2  # what a generator is for, part of its seed
READY = 2  # batches prepared ahead
_LABELS = "labels must be"
_REASONS = (
    _LABELS,
    "corrupted record",
    "truncated record",
    "Invalid JPEG",
    "Unknown image file format",
    "No such file or directory",
)


@dataclass(frozen=True, slots=True)
class StreamBatches:
    """The training split in batches; ``recipe`` asks no more than the data set allows."""

    data: StreamedDataset
    recipe: Recipe
    seed: int
    _stages: _Stages = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        require_a_batch(self.data, self.recipe)
        object.__setattr__(self, "_stages", _Stages(self.data, self.recipe))

    @property
    def steps(self) -> int:
        """Whole batches an epoch."""
        return len(self.data.train) // self.recipe.batch_size

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Floats, Floats]]:
        """Yield normalised images (n, h, w, 3) and target probabilities from step ``start``."""
        if start < self.steps:
            yield from _read(self.data, self.pipeline(epoch, start))

    def images(self, epoch: int, count: int) -> Iterator[Floats]:
        """Yield the first ``count`` batches of images of an epoch, without mixup."""
        batches = self._augmented(epoch, 0).take(count).map(lambda images, _: images)
        yield from _read(self.data, batches.prefetch(READY))

    def pipeline(self, epoch: int, start: int = 0) -> Any:
        """Return the tf.data.Dataset of `epoch`."""
        batches = tf.data.Dataset.zip(
            self._augmented(epoch, start),
            tf.data.Dataset.from_tensor_slices(self._shares(epoch, start)),
        )
        return _map(batches, self._stages.finish).prefetch(READY)

    def _shares(self, epoch: int, start: int) -> NDArray[np.float32]:
        """Return the mixup's shares of each step, (steps, 1) or (steps, n)."""
        alpha = self.recipe.mixup_alpha
        size = (self.steps, self.recipe.batch_size if self.recipe.mixup_per_image else 1)
        if not alpha:
            return np.ones(size, np.float32)[start:]
        rng = np.random.default_rng((MIXUP, self.seed, epoch))
        return rng.beta(alpha, alpha, size).astype(np.float32)[start:]

    def _augmented(self, epoch: int, start: int) -> Any:
        """Return the dataset of (normalised images, labels), batch by batch.

        What is random is drawn for a batch at once, which costs a tenth of drawing for each.
        """
        stages, size = self._stages, self.recipe.batch_size
        records = self.data.train.read((ORDER, self.seed, epoch), skip=start * size)
        sized = _map(records, stages.measure).batch(size, drop_remainder=True)
        key = np.random.SeedSequence((AUGMENTATION, self.seed, epoch)).generate_state(1, np.uint64)
        steps = np.arange(start, self.steps)
        seeds = np.stack([np.repeat(key.astype(np.int64), len(steps)), 2 * steps], axis=1)
        drawn = _map(
            tf.data.Dataset.zip(sized, tf.data.Dataset.from_tensor_slices(seeds)), stages.draw
        )
        images = _map(drawn.unbatch(), stages.cut, available())
        return _map(images.batch(size, drop_remainder=True), stages.check)


class _Stages:
    """What is done to images and batches, traced once for all epochs."""

    def __init__(self, data: StreamedDataset, recipe: Recipe) -> None:
        def measure(content: Tensor, label: Tensor) -> tuple[Tensor, ...]:
            return content, label, *image_ops.image_shape(content)

        def draw(batch: tuple[Tensor, ...], seed: Tensor) -> tuple[Tensor, ...]:
            contents, labels, heights, widths = batch
            n = recipe.batch_size
            draws = tf.random.stateless_uniform((6, n, CROP_TRIES), seed, dtype=tf.float64)
            boxes = image_ops.draw_boxes(draws[:5], heights, widths, recipe.area_factor)
            mirror = (draws[5, :, 0] < 0.5) & recipe.flip
            jitter = tf.zeros((n, 3))
            if recipe.pca_std > 0:
                other = tf.add(seed, tf.constant([0, 1], tf.int64))
                alphas = tf.random.stateless_normal((n, 3), other, stddev=recipe.pca_std)
                jitter = image_ops.colours(alphas)
            return contents, labels, boxes, mirror, jitter

        def cut(
            content: Tensor, label: Tensor, box: Tensor, mirror: Tensor, jitter: Tensor
        ) -> tuple[Tensor, Tensor]:
            if recipe.area_factor < 1:
                image = image_ops.training_image(content, box, mirror, data.resolution)
            else:
                image = image_ops.evaluation_image(content, data.resolution, data.short_side)
                image = image_ops.flipped(image, mirror)
            return image_ops.normalised(image, jitter, data.mean, data.std), label

        def finish(batch: tuple[Tensor, Tensor], share: Tensor) -> tuple[Tensor, Tensor]:
            images, labels = batch
            target = image_ops.targets(labels, data.classes, recipe.label_smoothing)
            return (
                image_ops.mixup(images, target, share) if recipe.mixup_alpha else (images, target)
            )

        self.measure, self.draw, self.cut = map(_traced, (measure, draw, cut))
        self.check, self.finish = _traced(_check(data.classes)), _traced(finish)


def _traced(function: Any) -> Any:
    return tf.function(function, autograph=False)


def _map(dataset: Any, function: Any, calls: int = tf.data.AUTOTUNE) -> Any:
    """Map in parallel, in order; the functions have nothing for AutoGraph to convert."""
    plain = tf.autograph.experimental.do_not_convert(function)
    return dataset.map(plain, num_parallel_calls=calls, deterministic=True)


def _read(data: StreamedDataset, batches: Any) -> Iterator[Any]:
    """Yield what a pipeline holds, as arrays; unreadable data are one clear line.

    Raises
    ------
    ValueError
        If an image, a record or a label is damaged, or a file is gone.
    """
    # Tuning settles on one call at a time in some epochs, which then take 1.7 times as long.
    options = tf.data.Options()
    options.autotune.enabled = False
    try:
        yield from batches.with_options(options).as_numpy_iterator()
    except tf.errors.OpError as error:
        what = next((line for line in _REASONS if line in error.message), "")
        what = f"{what} 0 to {data.classes - 1}" if what == _LABELS else what
        raise ValueError(
            f"cannot read {data.name}: {what or _first_line(error.message)}; "
            f"regnet-ds data check {data.name} names what is damaged"
        ) from None


def _first_line(message: str) -> str:
    """Return TensorFlow's message without the names of its nodes."""
    text = message.partition("\n")[0].partition(" [Op:")[0]
    return text.rpartition("}} ")[2].strip()


def _check(classes: int) -> Any:
    """Return the function that gives a batch back if its labels are below ``classes``."""
    message = f"{_LABELS} 0 to {classes - 1}"

    def check(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        numbers = tf.cast(labels, tf.int64)
        asserted = [
            tf.debugging.assert_non_negative(numbers, message=message),
            tf.debugging.assert_less(numbers, tf.constant(classes, tf.int64), message=message),
        ]
        with tf.control_dependencies(asserted):
            return images, tf.identity(labels)

    return check


def evaluation_stream(
    data: StreamedDataset, split: str, size: int
) -> Iterator[tuple[Floats, Labels]]:
    """Yield normalised images, ``size`` each time, and their labels; zeros fill the last batch."""
    for batch, labels in _read(data, _evaluation_pipeline(data, split, size)):
        missing = size - len(batch)
        yield np.pad(batch, ((0, missing), (0, 0), (0, 0), (0, 0))), labels


@lru_cache(maxsize=4)
def _evaluation_pipeline(data: StreamedDataset, split: str, size: int) -> Any:
    """Return the tf.data.Dataset of a split, which every evaluation of a training reads again."""

    def prepare(content: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        image = image_ops.evaluation_image(content, data.resolution, data.short_side)
        return image_ops.normalised(image, tf.zeros(3), data.mean, data.std), label

    images = _map(data.split(split).read(), prepare, available())
    return _map(images.batch(size), _check(data.classes)).prefetch(READY)
