"""Confidence intervals of a population's mean, median and expected best, and of differences.

All are closed forms without drawing, and hold 95% in simulation on uniform, normal and gamma
errors (``tests/analysis/test_intervals.py``). The best itself has no such interval: the
bootstrap of a minimum is inconsistent. What has one is the *expected best of m*, for m <= n / 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import ArrayLike

from ..designspace.arrays import Floats
from .distribution import edf, finite_column

CONFIDENCE = 0.95
LARGEST_SHARE = 4  # the expected best of m has an interval for m <= n / 4


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval."""

    value: float
    low: float
    high: float
    confidence: float = CONFIDENCE

    @property
    def excludes_zero(self) -> bool:
        """Whether zero is outside: of a difference, whether it is there at this confidence."""
        return self.low > 0 or self.high < 0


def mean_interval(
    errors: ArrayLike, weights: ArrayLike | None = None, *, confidence: float = CONFIDENCE
) -> Interval:
    """Return the mean error with Student's interval; with weights, its linearised form.

    Raises
    ------
    ValueError
        If there are fewer than 2 models, or a value is not finite.
    """
    from scipy.stats import t

    values, shares = _weighted(errors, weights)
    _at_least(values.size, 2, "a mean")
    mean = float(shares @ values)
    n = values.size
    variance = float(np.sum((shares * (values - mean)) ** 2)) * n / (n - 1)
    freedom = 1 / float(np.sum(shares**2)) - 1  # Kish's effective number of models
    half = float(t.ppf((1 + confidence) / 2, max(freedom, 1.0))) * float(np.sqrt(variance))
    return Interval(mean, mean - half, mean + half, confidence)


def median_interval(
    errors: ArrayLike, weights: ArrayLike | None = None, *, confidence: float = CONFIDENCE
) -> Interval:
    """Return the median error with its order-statistic interval.

    Free of the distribution; between the two nearest pairs of order statistics it interpolates
    as Hettmansperger and Sheather (1986). With weights, Woodruff's interval: the quantiles of the
    EDF at the ends of the interval of F(median).
    """
    values, shares = _weighted(errors, weights)
    _at_least(values.size, 2, "a median")
    record = edf(values, shares)
    if weights is None:
        low, high = _order_interval(record.errors, confidence)
    else:
        from scipy.stats import t

        below = (values <= record.median).astype(np.float64) - 0.5
        n = values.size
        half = float(np.sqrt(np.sum((shares * below) ** 2) * n / (n - 1)))
        half *= float(t.ppf((1 + confidence) / 2, max(1 / float(np.sum(shares**2)) - 1, 1.0)))
        low, high = record.quantile(max(0.0, 0.5 - half)), record.quantile(min(1.0, 0.5 + half))
    return Interval(record.median, low, high, confidence)


def expected_best(errors: ArrayLike, m: int, *, confidence: float = CONFIDENCE) -> Interval:
    """Return the expected error of the best of m models of the space, with its interval.

    The estimate is the mean over all subsets of m models: unbiased, unlike the best of m drawn
    with replacement. Its standard error is the jackknife's; n / m degrees of freedom.

    Parameters
    ----------
    m
        From 1 to n / 4: of larger m a population of n says too little.
    """
    values = np.sort(finite_column(errors, "errors"))
    n = values.size
    if not 1 <= m <= max(1, n // LARGEST_SHARE) or n < 2:
        most = n // LARGEST_SHARE
        raise ValueError(f"the expected best of m needs 1 <= m <= n / 4 = {most}, got {m} of {n}")
    from scipy.stats import t

    value = float(_subset_weights(n, m) @ values)
    # The estimate without each model: those before it keep their rank, those after move up.
    w = _subset_weights(n - 1, m)
    before = np.concatenate(([0.0], np.cumsum(w * values[:-1])))
    after = np.concatenate((np.cumsum((w * values[1:])[::-1])[::-1], [0.0]))
    without = before + after
    error = float(np.sqrt((n - 1) / n * np.sum((without - without.mean()) ** 2)))
    half = float(t.ppf((1 + confidence) / 2, n / m if m > 1 else n - 1)) * error
    return Interval(value, value - half, value + half, confidence)


def resampled(value: float, drawn: Floats) -> Interval:
    """Return an estimate with the central 95% of what it is over resampled data."""
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return Interval(value, float(low), float(high))


def difference(a: Interval, b: Interval) -> Interval:
    """Return a - b of two independent estimates, from their intervals (Zou and Donner 2008)."""
    value = a.value - b.value
    low = value - float(np.hypot(a.value - a.low, b.high - b.value))
    high = value + float(np.hypot(a.high - a.value, b.value - b.low))
    return Interval(value, low, high, a.confidence)


def default_m(*sizes: int) -> int:
    """Return the m that populations of these sizes are compared at: a quarter of the smallest."""
    return max(1, min(sizes) // LARGEST_SHARE)


def _subset_weights(n: int, m: int) -> Floats:
    """Return P(the r-th least of n is the least of m chosen without replacement), r from 1."""
    r = np.arange(1, n)
    ratios = np.maximum(n - r - m + 1, 0) / np.maximum(n - r, 1)
    return m / n * np.concatenate(([1.0], np.cumprod(ratios)))


def _order_interval(values: Floats, confidence: float) -> tuple[float, float]:
    from scipy.stats import binom

    n = values.size
    # Coverage of (e_(k), e_(n-k+1)) is 1 - 2 P(B < k); the largest k that still covers.
    k = int(binom.ppf((1 - confidence) / 2, n, 0.5))
    wide = 1 - 2 * float(binom.cdf(k - 1, n, 0.5)) if k else 1.0
    if k == 0:  # too few models: the whole range, at less than the confidence asked for
        return float(values[0]), float(values[-1])
    if 2 * (k + 1) > n:
        return float(values[k - 1]), float(values[n - k])
    narrow = 1 - 2 * float(binom.cdf(k, n, 0.5))
    part = (wide - confidence) / (wide - narrow)
    share = (n - k) * part / (k + (n - 2 * k) * part)
    low = (1 - share) * values[k - 1] + share * values[k]
    high = (1 - share) * values[n - k] + share * values[n - k - 1]
    return float(low), float(high)


def _weighted(errors: ArrayLike, weights: ArrayLike | None) -> tuple[Floats, Floats]:
    values = finite_column(errors, "errors")
    if weights is None:
        return values, np.full(values.size, 1 / values.size)
    shares = finite_column(weights, "weights")
    if shares.size != values.size or shares.min() < 0 or not shares.sum() > 0:
        raise ValueError("weights must be one a model, at least 0 and not all 0")
    return values[shares > 0], shares[shares > 0] / shares.sum()


def _at_least(n: int, least: int, what: str) -> None:
    if n < least:
        raise ValueError(f"the interval of {what} needs at least {ceil(least)} models, got {n}")
