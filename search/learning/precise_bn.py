"""Precise batch-norm statistics: the moments of batches at fixed weights.

Training moves the weights faster than a moving average follows, so after a few epochs a network
that has learnt errs on most images when it is evaluated with moving averages. As pycls
(``compute_precise_bn_stats``): mean and variance of each batch norm are averaged over batches in
training mode, then used. Moments of all batch norms lie in one vector each, in network order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]  # float32 in fact

Norm = Any  # keras.layers.BatchNormalization, built


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Means and unbiased variances of all batch norms, each of shape (channels,)."""

    means: Floats
    variances: Floats


def average_moments(
    batch_moments: Callable[[Any], tuple[Any, Any]], batches: Iterable[Any]
) -> Moments:
    """Return the means over batches of what ``batch_moments`` gives for each: (means, variances).

    Raises
    ------
    ValueError
        If there are no batches.
    """
    total, count = None, 0
    for batch in batches:
        moments = np.asarray([np.asarray(part) for part in batch_moments(batch)], dtype=np.float64)
        total = moments if total is None else total + moments
        count += 1
    if total is None:
        raise ValueError("batch-norm statistics need at least one batch, got none")
    means, variances = (total / count).astype(np.float32)
    return Moments(means, variances)


def channels(norms: Sequence[Norm]) -> list[int]:
    """Return the number of channels of each batch norm."""
    return [int(layer.gamma.shape[0]) for layer in norms]


def scales_and_offsets(norms: Sequence[Norm], moments: Moments) -> tuple[Floats, Floats]:
    """Return gamma / sqrt(variance + epsilon) and beta - mean times that, each (channels,)."""
    gamma = np.concatenate([layer.gamma.numpy() for layer in norms])
    beta = np.concatenate([layer.beta.numpy() for layer in norms])
    epsilon = np.repeat([np.float32(layer.epsilon) for layer in norms], channels(norms))
    scales = gamma / np.sqrt(moments.variances + epsilon)
    return scales, beta - moments.means * scales


def assign_moments(norms: Sequence[Norm], moments: Moments) -> None:
    """Make the moments the moving statistics of the network, for inference."""
    cuts = np.cumsum(channels(norms))[:-1]
    parts = np.split(moments.means, cuts), np.split(moments.variances, cuts)
    for layer, mean, variance in zip(norms, *parts, strict=True):
        layer.moving_mean.assign(mean)
        layer.moving_variance.assign(variance)
