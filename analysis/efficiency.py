"""Random search: the best of m models, exactly.

Source: NDS section 5 and nds ``num_samples``: draw m errors with replacement, keep the least,
repeat. What is kept has an exact distribution, P(best > e) = P(E > e)^m, so its mean, standard
deviation and quantiles need no drawing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..designspace.arrays import Floats, Ints
from .distribution import edf

_NOTHING = 1e-18  # a probability that is nothing beside 1


@dataclass(frozen=True, eq=False)
class SearchCurve:
    """The error of the best of m models, for several m, in percent.

    Attributes
    ----------
    sizes : (k,) int array
        The numbers of models a search draws.
    mean, sd : (k,) float arrays
        Mean and population standard deviation of the best: nds draws mean +- 2 sd.
    low, median, high : (k,) float arrays
        Quantiles of the best: the central ``confidence`` and the median.
    n : int
        Models in the population.
    """

    sizes: Ints
    mean: Floats
    sd: Floats
    low: Floats
    median: Floats
    high: Floats
    n: int
    confidence: float


def search_curve(
    errors: ArrayLike,
    sizes: Sequence[int] | None = None,
    *,
    weights: ArrayLike | None = None,
    confidence: float = 0.9,
) -> SearchCurve:
    """Return the exact distribution of the best of m models drawn with replacement.

    Parameters
    ----------
    errors
        (n,) finite errors in percent.
    sizes
        The m to look at, each at least 1; None takes 1, 2, 4, ... up to n.
    weights
        How likely each model is to be drawn, in proportion; None draws all alike. With the
        weights of `matching.match` it is the search at matched complexity of nds.
    confidence
        The share of searches between ``low`` and ``high``; in (0, 1).

    Raises
    ------
    ValueError
        If errors or weights are not usable, a size is below 1, or confidence is out of range.
    """
    record = edf(errors, weights)
    if sizes is None:
        sizes = [2**p for p in range(int(np.log2(record.n)) + 1)]
    m = np.asarray(sizes, dtype=np.int64)
    if not m.size or m.min() < 1:
        raise ValueError(f"a search draws at least 1 model, got {min(sizes, default=0)}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
    last = np.append(record.errors[1:] != record.errors[:-1], True)
    values, behind = record.errors[last], 1 - record.probability[last]
    found = np.array([_best_of(values, behind, size, confidence) for size in m.tolist()])
    mean, sd, low, median, high = found.T
    return SearchCurve(m, mean, sd, low, median, high, record.n, confidence)


def _best_of(
    values: Floats, behind: Floats, m: int, confidence: float
) -> tuple[float, float, float, float, float]:
    """Return mean, sd, low, median and high of the best of m, from P(best > value) = behind^m.

    Values that the best exceeds with a probability below the rounding of 1 are left out: of
    large m a few remain.
    """
    used = int(np.searchsorted(-behind, -(_NOTHING ** (1 / m)))) + 1
    values, survival = values[:used], behind[:used] ** m
    share = -np.diff(survival, prepend=1.0)
    # The powers are exact about their largest value, not about the mean: centre first.
    mean = float(values[0] + share @ (values - values[0]))
    sd = float(np.sqrt(share @ (values - mean) ** 2))
    levels = np.array([(1 - confidence) / 2, 0.5, (1 + confidence) / 2])
    at = np.searchsorted(1 - survival, levels - 1e-12).clip(max=values.size - 1)
    low, median, high = values[at].tolist()
    return mean, sd, low, median, high
