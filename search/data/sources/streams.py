"""Data sets that are read as they are needed: folders of images, TFRecords, TFDS.

A split is a source of (encoded image, label) in an order that a seed decides, whatever the
number of readers. `stream_batches` makes batches of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..datasets import Augmentations
from . import places
from .folders import Folder
from .tfrecords import Shards

Tensors = Any  # tf.data.Dataset
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RESOLUTION = 224
RESIZE = 256 / 224  # the short side before the centre crop, as a multiple of the crop's side
CYCLE, BLOCK = 16, 8  # shards read at once, records of each at a time
SHUFFLE_BUFFER = 8192
READ_BUFFER = 2**20


class Records(Protocol):
    """Encoded images and labels of a split."""

    def __len__(self) -> int: ...

    def read(self, seed: tuple[int, ...] | None = None, skip: int = 0) -> Tensors:
        """Return (encoded image, label), shuffled by a seed, from the record number ``skip``."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class StreamedDataset:
    """A data set whose images are decoded, cropped and resized as they are read.

    Attributes
    ----------
    splits
        train, val and, where there is one, test.
    resolution
        Side of the images that networks see, in pixels.
    mean, std
        Of ImageNet, a channel each: what pretrained networks were trained with.
    fingerprint
        Of the names, sizes and labels of the images, or of the shards.

    The other attributes are those of `datasets.Dataset`.
    """

    name: str
    splits: dict[str, Records]
    classes: int
    class_names: tuple[str, ...]
    fingerprint: str
    resolution: int = RESOLUTION
    augmentations: Augmentations = field(default_factory=Augmentations)
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.resolution, self.resolution

    @property
    def short_side(self) -> int:
        """To what evaluation resizes the short side before the centre crop."""
        return round(self.resolution * RESIZE)

    @property
    def train(self) -> Records:
        """The split that networks learn from."""
        return self.splits["train"]

    @property
    def val(self) -> Records:
        """The split that everything is decided on."""
        return self.splits["val"]

    def split(self, name: str) -> Records:
        """Return the split of this name: train, val or test."""
        if name not in ("train", "val", "test"):
            raise ValueError(f"split must be train, val or test, got {name!r}")
        if name not in self.splits:
            raise ValueError(f"{self.name} has no test split: evaluate on val (--split val)")
        return self.splits[name]


@dataclass(frozen=True, slots=True, eq=False)
class Files:
    """Image files of a folder."""

    folder: str
    names: tuple[str, ...]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)

    def read(self, seed: tuple[int, ...] | None = None, skip: int = 0) -> Tensors:
        """Return (encoded image, label) in an order of the seed, without one in that of names."""
        import tensorflow as tf

        n = len(self.names)
        order = np.arange(n) if seed is None else np.random.default_rng(seed).permutation(n)
        order = order[skip:]
        paths = [places.join(self.folder, self.names[i]) for i in order]
        if not paths:
            paths = np.array([], dtype=np.str_)
        listed = tf.data.Dataset.from_tensor_slices((paths, self.labels[order]))
        return listed.map(
            _traced(_read_file), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )


@dataclass(frozen=True, slots=True, eq=False)
class ShardRecords:
    """TFRecords of the post's layout: ``shards`` are paths, ``count`` their records."""

    shards: tuple[str, ...]
    count: int

    def __len__(self) -> int:
        return self.count

    def read(self, seed: tuple[int, ...] | None = None, skip: int = 0) -> Tensors:
        """Return (encoded image, label) of several shards in turn, which are read in parallel.

        With a seed the shards change places and records are shuffled in a buffer.
        """
        import tensorflow as tf

        shards = list(self.shards)
        rng = np.random.default_rng(seed)
        if seed is not None:
            shards = [shards[i] for i in rng.permutation(len(shards))]
        records = tf.data.Dataset.from_tensor_slices(shards).interleave(
            lambda path: tf.data.TFRecordDataset(path, buffer_size=READ_BUFFER),
            cycle_length=min(CYCLE, len(shards)),
            block_length=BLOCK,
            num_parallel_calls=min(CYCLE, len(shards)),
            deterministic=True,
        )
        if seed is not None:
            number = int(rng.integers(2**31))
            records = records.shuffle(
                min(SHUFFLE_BUFFER, self.count), number, reshuffle_each_iteration=False
            )
        records = records.skip(skip) if skip else records
        return records.map(_traced(_parse), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


@cache
def _traced(function: Any) -> Any:
    """Return the function as a graph that all epochs share."""
    import tensorflow as tf

    return tf.function(function, autograph=False)


def _read_file(path: Any, label: Any) -> tuple[Any, Any]:
    import tensorflow as tf

    return tf.io.read_file(path), label


def _parse(example: Any) -> tuple[Any, Any]:
    import tensorflow as tf

    keys = {
        "image": tf.io.FixedLenFeature([], tf.string),
        "label": tf.io.FixedLenFeature([], tf.int64),
    }
    found = tf.io.parse_single_example(example, keys)
    return found["image"], found["label"]


def folder_dataset(name: str, folder: Folder, resolution: int | None) -> StreamedDataset:
    """Return the data set of a folder of images; a split without images is left out."""
    splits: dict[str, Records] = {
        part: Files(folder.path, images.names, images.labels)
        for part, images in folder.splits.items()
        if len(images)
    }
    return StreamedDataset(
        name=name,
        splits=splits,
        classes=len(folder.class_names),
        class_names=folder.class_names,
        fingerprint=folder.fingerprint,
        resolution=resolution or RESOLUTION,
    )


def shards_dataset(name: str, shards: Shards, resolution: int | None) -> StreamedDataset:
    """Return the data set of a folder of TFRecords."""
    splits: dict[str, Records] = {
        part: ShardRecords(
            tuple(places.join(shards.path, file) for file, _ in files),
            sum(count for _, count in files),
        )
        for part, files in shards.splits.items()
        if files
    }
    return StreamedDataset(
        name=name,
        splits=splits,
        classes=len(shards.class_names),
        class_names=shards.class_names,
        fingerprint=shards.fingerprint,
        resolution=resolution or RESOLUTION,
    )
