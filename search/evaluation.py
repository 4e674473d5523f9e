"""Top-1 error of a trained network."""

from __future__ import annotations

import math

import keras
import numpy as np

from .batches import evaluation_batches
from .datasets import Dataset, Labels


def top1_error(logits: np.ndarray, labels: Labels) -> float:
    """Return the percentage of wrong labels; nan where any logit is not finite.

    ``logits`` (m, classes) may have more rows than there are labels (padding).
    """
    logits = logits[: len(labels)]
    if not np.isfinite(logits).all():
        return math.nan
    return 100.0 * float(np.mean(logits.argmax(axis=-1) != labels))


def chance_error(classes: int) -> float:
    """Return the error of guessing, in percent."""
    return 100.0 * (1 - 1 / classes)


def evaluate(model: keras.Model, data: Dataset, *, split: str = "test") -> float:
    """Return the top-1 error of a model of logits on a split, in percent.

    The test split is meant to be read once, after every decision.

    Raises
    ------
    ValueError
        If there is no such split.
    """
    part = data.split(split)
    batches = evaluation_batches(data, part)
    logits = [np.asarray(model(batch, training=False)) for batch in batches]
    return top1_error(np.concatenate(logits), part.labels)
