"""Which parameters matter: rank correlation with the error, and the share of ranks explained.

Spearman's rho sees what rises or falls; the share explained (Kruskal and Wallis over groups of
the parameter's values) also sees an optimum within the range. p-values are corrected by Holm
over the parameters, so that among many that do nothing few are called important.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..designspace.arrays import Floats, Ints
from .distribution import finite_column
from .intervals import CONFIDENCE, Interval
from .ranks import centred_ranks

GROUPS = 5
FEWEST = 4  # models that a rank correlation needs for its interval


@dataclass(frozen=True)
class Importance:
    """How a parameter's values go with the error.

    Attributes
    ----------
    correlation : Interval
        Spearman's rho with the error; positive: larger values have larger errors.
    explained : float
        The share of the variance of the error's ranks between ``groups`` groups of values,
        corrected for what chance explains; in [0, 1].
    p_value : float
        That neither matters: twice the smaller of both tests' p-values, then Holm's correction.
    n, groups : int
        Models with a value, and groups of values.
    """

    name: str
    correlation: Interval
    explained: float
    p_value: float
    n: int
    groups: int

    @property
    def matters(self) -> bool:
        """Whether the data show at 5% that the parameter matters."""
        return self.p_value < 0.05


def rank_correlation(
    x: ArrayLike, errors: ArrayLike, *, confidence: float = CONFIDENCE
) -> Interval:
    """Return Spearman's rho with the interval of Bonett and Wright (2000).

    Equal values or equal errors give 0 with the interval [-1, 1]: nothing is known.
    """
    values, e = _pair(x, errors)
    return interval_of_ranks(centred_ranks(values), centred_ranks(e), confidence)


def interval_of_ranks(x: Floats, y: Floats, confidence: float = CONFIDENCE) -> Interval:
    """Return `rank_correlation` of values whose `centred_ranks` are x and y."""
    from scipy.stats import norm

    size = float(np.sqrt((x @ x) * (y @ y)))
    if x.size < FEWEST or size == 0:
        return Interval(0.0, -1.0, 1.0, confidence)
    rho = float(np.clip(x @ y / size, -1, 1))
    inner = np.clip(rho, -1 + 1e-12, 1 - 1e-12)
    half = float(norm.ppf((1 + confidence) / 2)) * np.sqrt((1 + rho**2 / 2) / (x.size - 3))
    low, high = np.tanh(np.arctanh(inner) + np.array([-half, half]))
    return Interval(rho, float(low), float(high), confidence)


def importances(
    parameters: Mapping[str, ArrayLike], errors: ArrayLike, *, confidence: float = CONFIDENCE
) -> tuple[Importance, ...]:
    """Return the importance of each parameter, the most important first.

    Parameters
    ----------
    parameters
        (n,) values by name; NaN where a model does not have the parameter.
    errors
        (n,) finite errors.
    """
    e = finite_column(errors, "errors")
    ranks = centred_ranks(e)
    found: list[Importance] = []
    for name, cells in parameters.items():
        values = np.asarray(cells, dtype=np.float64)
        if values.shape != e.shape:
            raise ValueError(f"{name} needs one value a model: {values.shape} for {e.size} errors")
        known = np.isfinite(values)
        own = ranks if known.all() else centred_ranks(e[known])
        found.append(_importance(name, values[known], own, confidence))
    corrected = holm([one.p_value for one in found])
    found = [
        Importance(one.name, one.correlation, one.explained, p, one.n, one.groups)
        for one, p in zip(found, corrected, strict=True)
    ]
    return tuple(sorted(found, key=lambda one: (-one.explained, -abs(one.correlation.value))))


def holm(p_values: list[float]) -> list[float]:
    """Return p-values corrected for their number (Holm 1979), in the order given."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    steps = (p.size - np.arange(p.size)) * p[order]
    corrected = np.empty(p.size)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected.tolist()


def grouped(values: Floats, groups: int = GROUPS) -> Ints:
    """Return the group of each value: the distinct values if few, else equal shares of models."""
    distinct = np.unique(values)
    if distinct.size <= groups:
        return np.searchsorted(distinct, values)
    edges = np.quantile(values, np.arange(1, groups) / groups)
    index = np.searchsorted(np.unique(edges), values, side="right")
    there = np.bincount(index) > 0
    return (np.cumsum(there) - 1)[index]


def _importance(name: str, x: Floats, ranks: Floats, confidence: float) -> Importance:
    """Return the importance of a parameter from the centred ranks of the errors."""
    n, spread = x.size, float(ranks @ ranks)
    if n < FEWEST or np.ptp(x) == 0 or spread == 0:
        nothing = Interval(0.0, -1.0, 1.0, confidence)
        return Importance(name, nothing, 0.0, 1.0, n, np.unique(x).size)
    from scipy.stats import chi2

    which = grouped(x)
    models = np.bincount(which)
    k = models.size
    # Kruskal and Wallis: n - 1 times the share of the ranks' variance between groups, which
    # corrects for ties.
    between = float(np.sum(np.bincount(which, weights=ranks) ** 2 / models))
    statistic = (n - 1) * between / spread
    rho = interval_of_ranks(centred_ranks(x), ranks, confidence)
    # Epsilon squared: of pure noise it is 0 on average.
    explained = max(0.0, (statistic - k + 1) / (n - k)) if n > k else 0.0
    p = min(1.0, 2 * min(float(chi2.sf(statistic, k - 1)), _p_of_rho(rho.value, n)))
    return Importance(name, rho, explained, p, n, k)


def _p_of_rho(rho: float, n: int) -> float:
    """Return the two-sided p-value of a rank correlation, by Student's t with n - 2 degrees."""
    from scipy.stats import t

    if abs(rho) >= 1:
        return 0.0
    return float(2 * t.sf(abs(rho) * np.sqrt((n - 2) / ((1 + rho) * (1 - rho))), n - 2))


def _pair(x: ArrayLike, errors: ArrayLike) -> tuple[Floats, Floats]:
    values, e = finite_column(x, "parameter values"), finite_column(errors, "errors")
    if values.size != e.size:
        raise ValueError(f"one error a value is needed: got {values.size} and {e.size}")
    return values, e
