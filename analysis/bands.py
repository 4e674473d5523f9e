"""Simultaneous confidence bands of an EDF: the whole true curve lies within, at once.

For equal weights the half-width is the exact quantile of the Kolmogorov statistic, which does
not depend on the distribution. For unequal weights it is the quantile of sup |F* - F| over
random reweightings (the Bayesian bootstrap, Rubin 1981), for many models at `MANY` / 10 heights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..designspace.arrays import Floats
from .distribution import EDF, edf

CONFIDENCE = 0.95
REPEATS = 1000
MANY = 20_000  # models from which neighbours are reweighted together
_CELLS = 4_000_000  # numbers held at once while drawing


@dataclass(frozen=True, eq=False)
class Band:
    """An EDF with lower and upper ends of its simultaneous band after each step."""

    record: EDF
    low: Floats
    high: Floats
    half_width: float
    confidence: float


def band(
    errors: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    confidence: float = CONFIDENCE,
    rng: np.random.Generator | int = 0,
    repeats: int = REPEATS,
) -> Band:
    """Return the EDF of errors with its simultaneous band.

    Parameters
    ----------
    errors, weights
        As in `distribution.edf`.
    confidence
        How often the band holds the whole true curve; in (0, 1).
    rng, repeats
        Of the reweightings; read only with unequal weights.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
    record = edf(errors, weights)
    if weights is None:
        half = half_width(record.n, confidence)
    else:
        half = _reweighted(errors, weights, confidence, np.random.default_rng(rng), repeats)
    low = np.maximum(record.probability - half, 0)
    high = np.minimum(record.probability + half, 1)
    return Band(record, low, high, half, confidence)


def half_width(n: int, confidence: float = CONFIDENCE) -> float:
    """Return the exact half-width of the band of n equally weighted models."""
    from scipy.stats import kstwo

    return float(kstwo.ppf(confidence, n))


def _reweighted(
    errors: ArrayLike,
    weights: ArrayLike,
    confidence: float,
    rng: np.random.Generator,
    repeats: int,
) -> float:
    values, shares = np.asarray(errors, np.float64), np.asarray(weights, np.float64)
    values, shares = values[shares > 0], shares[shares > 0] / shares.sum()
    order = np.argsort(values, kind="stable")
    values, shares = values[order], shares[order]
    last = np.flatnonzero(np.append(values[1:] != values[:-1], True))
    reached = np.cumsum(shares)[last]
    if values.size > MANY:
        heights = np.linspace(0, reached[-1], MANY // 10 + 1)[1:]
        kept = np.unique(np.searchsorted(reached, heights).clip(max=last.size - 1))
        last, reached = last[kept], reached[kept]
    # The sum of exponentials of one weight is a gamma; of several weights nearly one.
    steps = np.diff(reached, prepend=0.0)
    first = np.concatenate(([0], last[:-1] + 1))
    scale = np.add.reduceat(shares**2, first) / steps
    rows = max(1, _CELLS // last.size)
    found: list[Floats] = []
    for start in range(0, repeats, rows):
        size = (min(rows, repeats - start), last.size)
        curve = np.cumsum(rng.gamma(steps / scale, scale, size=size), axis=1)
        found.append(np.abs(curve / curve[:, -1:] - reached).max(axis=1))
    return float(np.quantile(np.concatenate(found), confidence))
