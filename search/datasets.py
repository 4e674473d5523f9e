"""Data sets as arrays in memory: images, labels, fixed splits, and what may be done to them.

``digits`` are scikit-learn's 1,797 images of 8x8 pixels in 17 greys (UCI, "Optical recognition of
handwritten digits"), enlarged to 32x32. Loading it needs neither TensorFlow nor scikit-learn's
import, which takes seconds: the file inside its distribution is read directly.
"""

from __future__ import annotations

import difflib
import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]  # float32 in fact
Labels = NDArray[np.int64]

DIGITS_SIDE, DIGITS_GREYS, DIGITS_SIZE = 8, 16, 32


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
    """Images, float32 (n, h, w, 3) in [0, 1], and their labels (n,)."""

    images: Floats
    labels: Labels

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.shape[-1] != 3:
            raise ValueError(f"images must be (n, h, w, 3), got the shape {self.images.shape}")
        if self.labels.shape != self.images.shape[:1]:
            raise ValueError(
                f"{len(self.images)} images need as many labels, got {self.labels.shape}"
            )
        self.images.flags.writeable = False
        self.labels.flags.writeable = False

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Three fixed splits of labelled images.

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
        Of the training images, a channel each.
    fingerprint
        SHA-256 of all images and labels.
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
    train = splits[0].images
    mean = train.mean(axis=(0, 1, 2), dtype=np.float64)
    std = train.std(axis=(0, 1, 2), dtype=np.float64)
    return Dataset(
        name,
        *splits,
        classes=classes,
        augmentations=augmentations,
        mean=(float(mean[0]), float(mean[1]), float(mean[2])),
        std=(float(std[0]), float(std[1]), float(std[2])),
        fingerprint=_fingerprint(splits),
    )


def _fingerprint(splits: tuple[Split, Split, Split]) -> str:
    digest = hashlib.sha256()
    for split in splits:
        digest.update(repr((split.images.shape, split.images.dtype.str)).encode())
        digest.update(np.ascontiguousarray(split.images).data)
        digest.update(split.labels.astype("<i8").data)
    return digest.hexdigest()


def bilinear_matrix(source: int, target: int) -> NDArray[np.float64]:
    """Return the weights, (target, source), that resize a line of pixels bilinearly.

    Pixel centres are at half integers: target i lies at (i + 0.5) source / target - 0.5 of the
    source, and beyond the outermost centres the edge pixel continues.
    """
    position = (np.arange(target) + 0.5) * source / target - 0.5
    position = np.clip(position, 0, source - 1)
    return np.maximum(0.0, 1.0 - np.abs(position[:, None] - np.arange(source)))


def _read_digits() -> tuple[NDArray[np.float64], Labels]:
    """Return the pixels, (1797, 8, 8) in 0 to 16, and the labels, in the file's order."""
    package = find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        raise ValueError("the data set digits is part of scikit-learn, which is not installed")
    path = Path(package.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"
    if not path.is_file():
        from sklearn.datasets import load_digits

        pixels, labels = load_digits(return_X_y=True)
        return np.reshape(pixels, (-1, DIGITS_SIDE, DIGITS_SIDE)), np.asarray(labels, np.int64)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        table = np.loadtxt(lines, delimiter=",")
    return table[:, :-1].reshape(-1, DIGITS_SIDE, DIGITS_SIDE), table[:, -1].astype(np.int64)


@cache
def _digits() -> Dataset:
    pixels, labels = _read_digits()
    resize = bilinear_matrix(DIGITS_SIDE, DIGITS_SIZE)
    grey = (resize @ pixels @ resize.T / DIGITS_GREYS).astype(np.float32)
    fold = np.arange(len(labels)) % 5  # 0: test, 1: val, else: train
    train, val, test = (
        Split(np.repeat(grey[rows, :, :, None], 3, axis=-1), labels[rows])
        for rows in (fold > 1, fold == 1, fold == 0)
    )
    return make_dataset(
        "digits",
        (train, val, test),
        classes=10,
        augmentations=Augmentations(flip=False, min_area_factor=0.6, pca=False),
    )


DATASETS: dict[str, Callable[[], Dataset]] = {"digits": _digits}


def load_dataset(name: str) -> Dataset:
    """Return a data set by name: ``digits``.

    Raises
    ------
    ValueError
        If there is no such data set; the nearest is named.
    """
    if name not in DATASETS:
        nearest = difflib.get_close_matches(str(name), DATASETS, n=1, cutoff=0.0)[0]
        raise ValueError(f"unknown data set {name!r} (nearest: {nearest})")
    return DATASETS[name]()
