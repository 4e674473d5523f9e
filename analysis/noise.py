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

from ..designspace.arrays import Floats
from .distribution import finite_column
from .intervals import CONFIDENCE, Interval


@dataclass(frozen=True, eq=False)
class Repeated:
    """A network that was trained with several seeds: its name, and the error of each training."""

    name: str
    errors: Floats


@dataclass(frozen=True)
class Noise:
    """Standard deviations of errors, in percentage points.

    ``over_models`` is that of the models (one seed each), ``over_seeds`` the pooled one of the
    models that were trained with several seeds, with ``freedom`` degrees of freedom.
    """

    over_models: float
    over_seeds: float
    n_models: int
    n_repeated: int
    freedom: int

    def interval(self, confidence: float = CONFIDENCE) -> Interval:
        """Return the deviation over seeds with its interval (chi-squared: normal errors)."""
        from scipy.stats import chi2

        tails = np.array([1 + confidence, 1 - confidence]) / 2
        low, high = self.over_seeds * np.sqrt(self.freedom / chi2.ppf(tails, self.freedom))
        return Interval(self.over_seeds, float(low), float(high), confidence)

    @property
    def ratio(self) -> float:
        """The spread over models in units of the spread over seeds."""
        return self.over_models / self.over_seeds if self.over_seeds else math.inf


def noise(errors: Sequence[float], repeats: Mapping[int, Sequence[float]]) -> Noise:
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
    groups = [finite_column(group, "error") for group in repeats.values()]
    if not groups or any(len(group) < 2 for group in groups):
        raise ValueError("the spread over seeds needs models with at least 2 seeds each")
    freedom = sum(len(group) - 1 for group in groups)
    pooled = sum(float(group.var(ddof=1)) * (len(group) - 1) for group in groups) / freedom
    over_models = float(finite_column(errors, "error").std(ddof=1))
    return Noise(over_models, math.sqrt(pooled), len(errors), len(groups), freedom)
