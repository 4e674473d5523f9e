"""Noise over seeds against the spread over models.

It says whether a population is worth comparing.

Errors of one architecture trained with several seeds differ by noise. A population tells
architectures apart only where its errors spread well beyond that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..designspace.arrays import Floats, Ints
from .distribution import finite_column
from .intervals import CONFIDENCE, Interval, difference


@dataclass(frozen=True, eq=False)
class Repeated:
    """A network that was trained with several seeds: its name, and the error of each training."""

    name: str
    errors: Floats


@dataclass(frozen=True)
class Noise:
    """Standard deviations of errors, in percentage points.

    ``over_models`` is that of the models (one seed each), ``over_seeds`` the pooled one of the
    models that were trained with several seeds, with ``freedom`` degrees of freedom. ``kurtosis``
    is that of the errors of the models (3 for a normal distribution).
    """

    over_models: float
    over_seeds: float
    n_models: int
    n_repeated: int
    freedom: int
    kurtosis: float

    def interval(self, confidence: float = CONFIDENCE) -> Interval:
        """Return the deviation over seeds with its interval (chi-squared: normal errors)."""
        from scipy.stats import chi2

        tails = np.array([1 + confidence, 1 - confidence]) / 2
        low, high = self.over_seeds * np.sqrt(self.freedom / chi2.ppf(tails, self.freedom))
        return Interval(self.over_seeds, float(low), float(high), confidence)

    def models_interval(self, confidence: float = CONFIDENCE) -> Interval:
        """Return the deviation over models with its interval, for many models of any distribution.

        The logarithm of a variance of n errors has the variance (kurtosis - 1) / n, nearly.
        """
        from scipy.stats import norm

        spread = max(self.kurtosis - 1, 0.0) / self.n_models
        factor = math.exp(norm.ppf((1 + confidence) / 2) * math.sqrt(spread) / 2)
        value = self.over_models
        return Interval(value, value / factor, value * factor, confidence)

    def ratio_interval(self, confidence: float = CONFIDENCE) -> Interval:
        """Return the ratio with its interval, from those of its parts (Zou and Donner 2008)."""
        above, below = (
            Interval(math.log(one.value), math.log(one.low), math.log(one.high), confidence)
            for one in (self.models_interval(confidence), self.interval(confidence))
        )
        found = difference(above, below)
        return Interval(self.ratio, math.exp(found.low), math.exp(found.high), confidence)

    @property
    def ratio(self) -> float:
        """The spread over models in units of the spread over seeds."""
        return self.over_models / self.over_seeds if self.over_seeds else math.inf


def noise(
    errors: Sequence[float] | Floats, repeats: Mapping[int, Sequence[float] | Floats]
) -> Noise:
    """Return the spread over models and over seeds.

    Parameters
    ----------
    errors
        One error a model, in percent; at least 2.
    repeats
        For some models the errors of all their seeds, at least 2 each. Their variances (with
        Bessel's correction) are pooled in proportion to their degrees of freedom.

    Raises
    ------
    ValueError
        If there are too few errors, or one is not finite.
    """
    if len(errors) < 2:
        raise ValueError(f"the spread over models needs at least 2 models, got {len(errors)}")
    groups = list(repeats.values())
    if not groups or min(map(len, groups)) < 2:
        raise ValueError("the spread over seeds needs models with at least 2 seeds each")
    every, sizes, means = together(groups)
    freedom = every.size - sizes.size
    pooled = float(np.sum((every - np.repeat(means, sizes)) ** 2)) / freedom
    column = finite_column(errors, "error")
    return Noise(
        over_models=float(column.std(ddof=1)),
        over_seeds=math.sqrt(pooled),
        n_models=len(errors),
        n_repeated=len(groups),
        freedom=freedom,
        kurtosis=_kurtosis(column),
    )


def together(groups: Sequence[Sequence[float] | Floats]) -> tuple[Floats, Ints, Floats]:
    """Return the errors of all seeds, how many are of each network, and each one's mean."""
    every = finite_column(np.concatenate([np.asarray(one, np.float64) for one in groups]), "error")
    sizes = np.fromiter(map(len, groups), np.int64, len(groups))
    return every, sizes, np.add.reduceat(every, np.cumsum(sizes) - sizes) / sizes


def _kurtosis(column: Floats) -> float:
    """Return the fourth moment about the mean in squares of the variance."""
    apart = column - column.mean()
    variance = float(np.mean(apart**2))
    return float(np.mean(apart**4)) / variance**2 if variance else 1.0
