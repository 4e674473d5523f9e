"""Data sets from arrays: files ``.npz`` and the small sets of keras.datasets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from ..datasets import Augmentations, Dataset, Labels, Split, floats, make_dataset
from .embedded import HANDWRITING
from .resizing import resize

Arrays = Mapping[str, NDArray[Any]]
NATURAL = Augmentations()
KERAS_SETS: dict[str, tuple[int, Augmentations]] = {  # classes, what leaves labels true
    "cifar10": (10, NATURAL),
    "cifar100": (100, NATURAL),
    "fashion_mnist": (10, replace(HANDWRITING, flip=True)),
    "mnist": (10, HANDWRITING),
}
WANTED = (
    "images and labels, or x_train, y_train and x_test, y_test (and x_val, y_val where it has them)"
)


def read_npz(name: str, classes: int | None = None) -> Dataset:
    """Return the data set of a file ``.npz``.

    It has ``images`` and ``labels`` (image i is test where i % 5 is 0, val where 1), or
    ``x_train``, ``y_train``, ``x_test``, ``y_test`` and perhaps ``x_val``, ``y_val``; without the
    last, every tenth training image is val. Images are uint8 or fractions in [0, 1], grey
    (n, h, w) or (n, h, w, 1), or (n, h, w, 3); labels are whole numbers from 0. ``class_names``
    may name the classes.

    Raises
    ------
    ValueError
        If the file cannot be read or its arrays are others than these.
    """
    try:
        with np.load(Path(name), allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except Exception as error:  # a damaged archive raises whatever its bytes lead to
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"cannot read {name}: {reason}") from None
    parts = _parts(name, arrays)
    names = tuple(map(str, arrays["class_names"])) if "class_names" in arrays else ()
    if classes is None:
        classes = len(names) or 1 + max(int(labels.max(initial=0)) for _, labels in parts)
    if classes < 2:
        raise ValueError(f"{name} has one class: a data set needs at least two")
    splits = tuple(Split(_pixels(name, images), labels) for images, labels in parts)
    train, val, test = splits
    return make_dataset(
        name, (train, val, test), classes=classes, augmentations=NATURAL, class_names=names
    )


def read_keras(name: str) -> Dataset:
    """Return a set of keras.datasets, which Keras downloads at its first use.

    Its test images are test; every tenth training image is val.

    Raises
    ------
    ValueError
        If it cannot be downloaded.
    """
    import keras

    classes, augmentations = KERAS_SETS[name]
    try:
        (x, y), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    except Exception as error:  # of every kind: no network, no space, a wrong checksum
        raise ValueError(f"keras.datasets cannot load {name}: {error}") from error
    arrays = {"x_train": x, "y_train": y, "x_test": x_test, "y_test": y_test}
    parts = [Split(_pixels(name, images), labels) for images, labels in _parts(name, arrays)]
    train, val, test = parts
    return make_dataset(name, (train, val, test), classes=classes, augmentations=augmentations)


def at_resolution(data: Dataset, side: int | None) -> Dataset:
    """Return the data set with images of this side, resized bilinearly; None leaves them.

    Raises
    ------
    ValueError
        If the machine has not the memory for them.
    """
    if side is None or data.image_size == (side, side):
        return data
    images = sum(len(split) for split in (data.train, data.val, data.test))
    needed, there = images * side * side * 3 * 4, psutil.virtual_memory().total
    if needed > there:
        raise ValueError(
            f"{images:,} images of {side} px take {needed / 2**30:,.0f} GiB in memory, of which "
            f"there are {there / 2**30:,.0f}"
        )
    train, val, test = (
        Split(resize(split.floats(), side), split.labels)
        for split in (data.train, data.val, data.test)
    )
    return make_dataset(
        data.name,
        (train, val, test),
        classes=data.classes,
        augmentations=data.augmentations,
        class_names=data.class_names,
    )


def _parts(name: str, arrays: Arrays) -> list[tuple[NDArray[Any], Labels]]:
    """Return images and labels of train, val and test."""
    if {"images", "labels"} <= arrays.keys():
        images, labels = arrays["images"], _labels(name, arrays["labels"])
        _require_pairs(name, images, labels)
        fold = np.arange(len(labels)) % 5
        return [(images[rows], labels[rows]) for rows in (fold > 1, fold == 1, fold == 0)]
    if not {"x_train", "y_train", "x_test", "y_test"} <= arrays.keys():
        raise ValueError(f"{name} must hold {WANTED}, got {', '.join(arrays) or 'nothing'}")
    pairs = {
        part: (arrays[f"x_{part}"], _labels(name, arrays[f"y_{part}"]))
        for part in ("train", "val", "test")
        if f"x_{part}" in arrays and f"y_{part}" in arrays
    }
    for images, labels in pairs.values():
        _require_pairs(name, images, labels)
    if "val" not in pairs:
        images, labels = pairs["train"]
        tenth = np.arange(len(labels)) % 10 == 0
        pairs |= {"train": (images[~tenth], labels[~tenth]), "val": (images[tenth], labels[tenth])}
    return [pairs[part] for part in ("train", "val", "test")]


def _require_pairs(name: str, images: NDArray[Any], labels: Labels) -> None:
    if len(images) != len(labels):
        raise ValueError(f"{name} has {len(images)} images and {len(labels)} labels")


def _labels(name: str, labels: NDArray[Any]) -> Labels:
    flat = labels.reshape(len(labels), -1) if labels.ndim else labels
    if flat.ndim != 2 or flat.shape[1] != 1 or flat.dtype.kind not in "iu":
        raise ValueError(
            f"labels of {name} must be whole numbers (n,), got {labels.dtype} {labels.shape}"
        )
    return flat[:, 0].astype(np.int64)


def _pixels(name: str, images: NDArray[Any]) -> NDArray[Any]:
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(f"images of {name} must be (n, h, w, 3) or grey, got {images.shape}")
    if images.dtype != np.uint8:
        images = images.astype(np.float32)
        if not (np.isfinite(images).all() and images.min() >= 0 and images.max() <= 1):
            raise ValueError(f"images of {name} must be uint8 or in [0, 1]")
    wide = np.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images.copy()
    return wide if wide.dtype == np.uint8 else floats(wide)
