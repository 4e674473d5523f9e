"""Batches of a data set, decided by (seed, epoch, step) alone and ready for the network.

Shapes are fixed: training drops what is left of an epoch, evaluation pads its last batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..recipes.recipe import Recipe
from . import augment
from .datasets import Dataset, Split
from .sources.streams import StreamedDataset

if TYPE_CHECKING:
    from .stream_batches import StreamBatches

Floats = NDArray[np.floating[Any]]  # float32 in fact
EVALUATION_BATCH = 256
_ORDER, _AUGMENTATION = 0, 1  # what a generator is for, part of its seed


def require_a_batch(data: Dataset | StreamedDataset, recipe: Recipe) -> None:
    """Raise a ValueError if the training split is smaller than a batch."""
    if recipe.batch_size > len(data.train):
        raise ValueError(
            f"batch_size {recipe.batch_size} is larger than the {len(data.train)} "
            f"training images of {data.name}"
        )


@dataclass(frozen=True, slots=True)
class TrainingBatches:
    """The training split in batches; ``recipe`` asks no more than the data set allows."""

    data: Dataset
    recipe: Recipe
    seed: int

    def __post_init__(self) -> None:
        require_a_batch(self.data, self.recipe)

    @property
    def steps(self) -> int:
        """Whole batches an epoch."""
        return len(self.data.train) // self.recipe.batch_size

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the order of the images in the epoch of this index."""
        return np.random.default_rng((_ORDER, self.seed, epoch)).permutation(len(self.data.train))

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Floats, Floats]]:
        """Yield normalised images (n, h, w, 3) and target probabilities from step ``start``."""
        recipe = self.recipe
        for images, labels, rng in self._augmented(epoch, self.steps, start):
            target = augment.targets(labels, self.data.classes, recipe.label_smoothing)
            if recipe.mixup_alpha > 0:
                count = len(labels) if recipe.mixup_per_image else None
                share = rng.beta(recipe.mixup_alpha, recipe.mixup_alpha, count)
                images, target = augment.mixup(images, target, share)
            yield images, target

    def images(self, epoch: int, count: int) -> Iterator[Floats]:
        """Yield the first ``count`` batches of images of an epoch, without mixup."""
        for images, _, _ in self._augmented(epoch, min(count, self.steps)):
            yield images

    def _augmented(
        self, epoch: int, steps: int, start: int = 0
    ) -> Iterator[tuple[Floats, NDArray[np.int64], np.random.Generator]]:
        order, size = self.order(epoch), self.recipe.batch_size
        for step in range(start, steps):
            rows = order[step * size : (step + 1) * size]
            rng = np.random.default_rng((_AUGMENTATION, self.seed, epoch, step))
            images = augment.augment(self.data.train.floats(rows), self.recipe, rng)
            yield normalise(images, self.data), self.data.train.labels[rows], rng


def normalise(images: Floats, data: Dataset) -> Floats:
    """Return the images with the training split's mean 0 and standard deviation 1 a channel."""
    _, _, width, channels = images.shape
    # A line of pixels at a time: one pixel is slow.
    mean = np.tile(np.asarray(data.mean, np.float32), width)
    scale = np.tile(1 / np.asarray(data.std, np.float32), width)
    lines = np.ascontiguousarray(images).reshape(-1, width * channels)
    return ((lines - mean) * scale).reshape(images.shape)


def training_batches(
    data: Dataset | StreamedDataset, recipe: Recipe, seed: int
) -> TrainingBatches | StreamBatches:
    """Return the training split of either kind of data set in batches.

    Raises
    ------
    ValueError
        If the batch is larger than the training split.
    """
    if isinstance(data, Dataset):
        return TrainingBatches(data, recipe, seed)
    from .stream_batches import StreamBatches

    return StreamBatches(data, recipe, seed)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A split in equal batches of normalised images with their labels, as often as needed.

    The last batch has zeros for the images that it lacks, and only as many labels as images. The
    size of a batch is a multiple of ``multiple``.
    """

    data: Dataset | StreamedDataset
    split: str
    multiple: int = 1

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of a batch: (n, h, w, 3)."""
        n = evaluation_batch_size(len(self.data.split(self.split)), self.multiple)
        return n, *self.data.image_size, 3

    def __iter__(self) -> Iterator[tuple[Floats, NDArray[np.int64]]]:
        if not isinstance(self.data, Dataset):
            from .stream_batches import evaluation_stream

            yield from evaluation_stream(self.data, self.split, self.shape[0])
            return
        labels = self.data.split(self.split).labels
        batches = evaluation_batches(self.data, self.data.split(self.split), self.multiple)
        for i, batch in enumerate(batches):
            yield batch, labels[i * len(batch) : (i + 1) * len(batch)]


def evaluation_batch_size(n: int, multiple: int = 1) -> int:
    """Return the size that spreads n images evenly over batches of about 256 at most.

    It is rounded up to a multiple.
    """
    even = -(-n // -(-n // EVALUATION_BATCH))
    return -(-even // multiple) * multiple


def evaluation_batches(data: Dataset, split: Split, multiple: int = 1) -> list[Floats]:
    """Return the whole split, normalised, in equal batches; zeros fill the last one."""
    size = evaluation_batch_size(len(split), multiple)
    images = normalise(split.floats(), data)
    batches = [images[start : start + size] for start in range(0, len(images), size)]
    missing = size - len(batches[-1])
    batches[-1] = np.pad(batches[-1], ((0, missing), (0, 0), (0, 0), (0, 0)))
    return batches
