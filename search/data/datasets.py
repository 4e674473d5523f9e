"""Data sets as arrays in memory, and how every data set is named.

`Dataset` holds images and labels in three fixed splits, and what may be done to the images;
`sources.streams.StreamedDataset` has the same attributes for images read as they are needed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .sources.streams import StreamedDataset

Floats = NDArray[np.floating[Any]]  # float32 in fact
Pixels = NDArray[Any]  # float32 in [0, 1], or uint8
Labels = NDArray[np.int64]
CHUNK = 1024  # images that are made float at a time


@dataclass(frozen=True, slots=True)
class Augmentations:
    """What leaves the label of an image true.

    ``flip``: mirrored images; ``min_area_factor``: the smallest crop, as a fraction of the area;
    ``pca``: colour jitter.
    """

    flip: bool = True
    min_area_factor: float = 0.0
    pca: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Images (n, h, w, 3), float32 in [0, 1] or uint8, and their labels (n,)."""

    images: Pixels
    labels: Labels

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.shape[-1] != 3:
            raise ValueError(f"images must be (n, h, w, 3), got the shape {self.images.shape}")
        if self.images.dtype not in (np.float32, np.uint8):
            raise ValueError(f"images must be float32 or uint8, got {self.images.dtype}")
        if self.labels.shape != self.images.shape[:1]:
            raise ValueError(
                f"{len(self.images)} images need as many labels, got {self.labels.shape}"
            )
        self.images.flags.writeable = False
        self.labels.flags.writeable = False

    def __len__(self) -> int:
        return len(self.images)

    def floats(self, rows: Any = slice(None)) -> Floats:
        """Return these images as float32 in [0, 1]."""
        return floats(self.images[rows])


def floats(images: Pixels) -> Floats:
    """Return images as float32 in [0, 1]; uint8 is divided by 255."""
    return images if images.dtype == np.float32 else images / np.float32(255)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Three fixed splits of labelled images in memory.

    Attributes
    ----------
    name
        As ``load_dataset`` knows it.
    train, val, test
        Networks learn from ``train``; everything is decided on ``val``; ``test`` is read once.
    classes
        Labels are 0 to classes - 1.
    augmentations
        The limits for recipes.
    mean, std
        Of the training images, a channel each; std is 1 for a channel of one value.
    fingerprint
        SHA-256 of all images and labels.
    class_names
        In the order of the labels; numbers where there are no names.
    """

    name: str
    train: Split
    val: Split
    test: Split
    classes: int
    augmentations: Augmentations
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fingerprint: str
    class_names: tuple[str, ...] = ()

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        _, height, width, _ = self.train.images.shape
        return height, width

    def split(self, name: str) -> Split:
        """Return the split of this name: train, val or test."""
        if name not in ("train", "val", "test"):
            raise ValueError(f"split must be train, val or test, got {name!r}")
        return getattr(self, name)


def make_dataset(
    name: str,
    splits: tuple[Split, Split, Split],
    *,
    classes: int,
    augmentations: Augmentations,
    class_names: tuple[str, ...] = (),
) -> Dataset:
    """Return a data set of (train, val, test), with its statistics and fingerprint.

    Raises
    ------
    ValueError
        If a split is empty, sizes differ, or a label is out of range.
    """
    for part, split in zip(("train", "val", "test"), splits, strict=True):
        if not len(split):
            raise ValueError(f"the {part} split of {name} is empty")
        if split.images.shape[1:] != splits[0].images.shape[1:]:
            raise ValueError(f"the {part} images of {name} are {split.images.shape[1:]}")
        low, high = int(split.labels.min()), int(split.labels.max())
        if low < 0 or high >= classes:
            wrong = low if low < 0 else high
            raise ValueError(f"labels of {name} must be 0 to {classes - 1}, got {wrong}")
    mean, std = _moments(splits[0])
    std = np.where(std > 0, std, 1.0)  # a channel of one value stays finite
    return Dataset(
        name,
        *splits,
        classes=classes,
        augmentations=augmentations,
        mean=(float(mean[0]), float(mean[1]), float(mean[2])),
        std=(float(std[0]), float(std[1]), float(std[2])),
        fingerprint=_fingerprint(splits),
        class_names=class_names or tuple(map(str, range(classes))),
    )


def _moments(split: Split) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of each channel."""
    if split.images.dtype == np.float32:
        images = split.images
        return (
            images.mean(axis=(0, 1, 2), dtype=np.float64),
            images.std(axis=(0, 1, 2), dtype=np.float64),
        )
    counts = np.stack([np.bincount(split.images[..., c].ravel(), minlength=256) for c in range(3)])
    share = counts / counts.sum(axis=1, keepdims=True)
    grey = np.arange(256) / 255
    mean = share @ grey
    return mean, np.sqrt(np.maximum(share @ grey**2 - mean**2, 0))


def _fingerprint(splits: tuple[Split, Split, Split]) -> str:
    digest = hashlib.sha256()
    for split in splits:
        digest.update(repr((split.images.shape, split.images.dtype.str)).encode())
        digest.update(np.ascontiguousarray(split.images).data)
        digest.update(split.labels.astype("<i8").data)
    return digest.hexdigest()


def load_dataset(
    name: str, *, resolution: int | None = None, skip_damaged: bool = False, mirror: int = 0
) -> Dataset | StreamedDataset:
    """Return a data set by name.

    Parameters
    ----------
    name
        ``digits``, ``mnist5k``; ``cifar10`` and others of keras.datasets; a file ``.npz``; a
        folder with a folder a class, or of TFRecords, local or ``gs://``, several copies of it
        separated by commas; ``tfds:NAME``. Options follow a question mark: ``classes=1000``.
    resolution
        Side of the images in pixels; None is 224, or that of the arrays.
    skip_damaged
        Leave out unreadable images of a folder, with one warning that names them.
    mirror
        Which of several copies to read, by its number modulo theirs.

    Raises
    ------
    ValueError
        If there is no such data set (the nearest is named) or it has faults, which are listed.
    """
    from .sources.opening import open_source

    return open_source(name, resolution=resolution, skip_damaged=skip_damaged, mirror=mirror)
