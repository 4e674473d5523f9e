"""Top-1 error of a trained network."""

from __future__ import annotations

import math

import keras
import numpy as np

from ..data.batches import Evaluation
from ..data.datasets import Dataset, Labels
from ..data.sources.streams import StreamedDataset


def chance_error(classes: int) -> float:
    """Return the error of guessing, in percent."""
    return 100.0 * (1 - 1 / classes)


class Tally:
    """Counts right and wrong labels batch by batch.

    ``confusion`` (classes, classes) has the images of class i that were taken for j at [i, j].
    """

    def __init__(self, classes: int) -> None:
        self.confusion = np.zeros((classes, classes), np.int64)
        self.finite = True

    def add(self, logits: np.ndarray, labels: Labels) -> None:
        """Count a batch; ``logits`` (m, classes) may have more rows than there are labels."""
        logits = logits[: len(labels)]
        self.finite = self.finite and bool(np.isfinite(logits).all())
        np.add.at(self.confusion, (labels, logits.argmax(axis=-1)), 1)

    @property
    def error(self) -> float:
        """Percentage of wrong labels; nan where any logit was not finite."""
        if not self.finite:
            return math.nan
        total = int(self.confusion.sum())
        return 100.0 * ((total - int(np.trace(self.confusion))) / total)

    @property
    def class_errors(self) -> np.ndarray:
        """Percentage of wrong labels of each class, (classes,); nan for one without images."""
        counts = self.confusion.sum(axis=1)
        wrong = counts - np.diag(self.confusion)
        with np.errstate(invalid="ignore"):
            return 100.0 * (wrong / counts)


def evaluate(model: keras.Model, data: Dataset | StreamedDataset, *, split: str = "test") -> float:
    """Return the top-1 error of a model of logits on a split, in percent.

    The test split is meant to be read once, after every decision.

    Raises
    ------
    ValueError
        If there is no such split.
    """
    return tally(model, data, split=split).error


def tally(model: keras.Model, data: Dataset | StreamedDataset, *, split: str = "test") -> Tally:
    """Return the confusion matrix and errors of a model of logits on a split.

    Raises
    ------
    ValueError
        If there is no such split.
    """
    counted = Tally(data.classes)
    for images, labels in Evaluation(data, split):
        logits = keras.ops.convert_to_numpy(model(images, training=False))
        counted.add(np.asarray(logits), labels)
    return counted
