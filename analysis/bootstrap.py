"""The empirical bootstrap of the best parameter value, in closed form.

Source: DDS footnote 4 and pycls ``get_filters``: draw k = n / 4 models with replacement, keep
the parameter value of the best one, repeat, and read percentiles of the kept values. What is
kept has an exact distribution, so no sampling is needed; the sampled version stays as the oracle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..designspace.arrays import Floats, Ints
from .distribution import finite_column

FRACTION = 0.25
CONFIDENCE = 0.95
_NOTHING = 40.0  # exp(-40) is below the rounding of a share


@dataclass(frozen=True)
class GoodRange:
    """Where the best of k models drawn with replacement from n lies.

    ``low`` and ``high`` hold the central ``confidence`` of the values of the best of k; ``best``
    is their median: the black line of DDS figures 7 and 8, "the most likely best value".
    """

    low: float
    best: float
    high: float
    k: int
    n: int
    confidence: float = CONFIDENCE


def best_probability(errors: ArrayLike, k: int) -> Floats:
    """Return each model's probability of being the best of k drawn with replacement.

    The best has rank r of n with probability ((n - r + 1)^k - (n - r)^k) / n^k. Tied models
    share the probability of their ranks equally, as they do when the first drawn wins.

    Parameters
    ----------
    errors
        (n,) finite errors; lower is better.
    k
        Models a draw, at least 1.

    Returns
    -------
    (n,) float array in the order of ``errors``; it sums to 1.
    """
    values = finite_column(errors, "errors")
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    return _shares(values, values.size, k)


def contenders(errors: Floats, k: int) -> tuple[Ints, Floats]:
    """Return the models that may be the best of k drawn with replacement, and how likely each is.

    The best has a rank above r with probability (1 - r / n)^k, which is nothing to a float from
    r = 40 n / k on: of many models a few hundred are left, in the order of ``errors``.
    """
    n = errors.size
    most = int(np.ceil(_NOTHING * n / k))
    if most >= n:
        return np.arange(n), _shares(errors, n, k)
    chosen = np.flatnonzero(errors <= np.partition(errors, most)[most])
    return chosen, _shares(errors[chosen], n, k)


def _shares(best: Floats, n: int, k: int) -> Floats:
    """Return the probability of the best of n models, all worse ones left out, to win k draws."""
    _, group, size = np.unique(best, return_inverse=True, return_counts=True)
    # survival[i]: P(all k draws are worse than the i best groups).
    behind = n - np.concatenate(([0], np.cumsum(size)))
    survival = (behind / n) ** k
    return ((survival[:-1] - survival[1:]) / size)[group.reshape(best.shape)]


def good_range(
    x: ArrayLike,
    errors: ArrayLike,
    *,
    fraction: float = FRACTION,
    confidence: float = CONFIDENCE,
) -> GoodRange:
    """Return the range of the best value of a parameter, exactly.

    This is a range of the best of k, **not** a confidence interval of the optimum: the bootstrap
    of a minimum is inconsistent, and a larger population draws from the same values.

    Parameters
    ----------
    x, errors
        (n,) parameter values and errors of the same models, finite.
    fraction
        k = max(1, int(fraction n)) models are drawn; in (0, 1].
    confidence
        The share of the distribution between ``low`` and ``high``; in (0, 1).

    Raises
    ------
    ValueError
        If the columns do not fit, are empty or not finite, or an option is out of range.
    """
    values, errs, k = _checked(x, errors, fraction, confidence)
    chosen, probability = contenders(errs, k)
    low, best, high = percentiles(values[chosen], probability, confidence)
    return GoodRange(low, best, high, k, values.size, confidence)


def percentiles(
    values: Floats, probability: Floats, confidence: float = CONFIDENCE
) -> tuple[float, float, float]:
    """Return the ends of the central ``confidence`` of weighted values, the median between."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(probability[order])
    # Rounding noise of the sum must not carry a percentile past the value that reaches it.
    at = np.searchsorted(reached / reached[-1], _percentiles(confidence) - 1e-12, side="left")
    low, best, high = values[order][at].tolist()
    return low, best, high


def good_range_sampled(
    x: ArrayLike,
    errors: ArrayLike,
    *,
    rng: np.random.Generator,
    repeats: int = 10_000,
    fraction: float = FRACTION,
    confidence: float = CONFIDENCE,
) -> GoodRange:
    """Return the range of the best value by drawing (DDS: 10,000 repeats); see `good_range`."""
    values, errs, k = _checked(x, errors, fraction, confidence)
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    kept = np.empty(repeats)
    for i in range(repeats):
        drawn = rng.integers(errs.size, size=k)
        kept[i] = values[drawn[np.argmin(errs[drawn])]]
    low, best, high = np.quantile(kept, _percentiles(confidence)).tolist()
    return GoodRange(low, best, high, k, values.size, confidence)


def _percentiles(confidence: float) -> Floats:
    return np.array([(1 - confidence) / 2, 0.5, (1 + confidence) / 2])


def _checked(
    x: ArrayLike, errors: ArrayLike, fraction: float, confidence: float
) -> tuple[Floats, Floats, int]:
    values, errs = finite_column(x, "parameter values"), finite_column(errors, "errors")
    if values.size != errs.size:
        raise ValueError(f"one error a value is needed: got {values.size} and {errs.size}")
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction must be in (0, 1], got {fraction}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
    return values, errs, max(1, int(fraction * errs.size))
