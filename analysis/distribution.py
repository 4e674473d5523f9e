"""Error distributions: the exact weighted EDF, its summaries, and the two-sample KS test.

Source: NDS section 3 (distributions instead of best models) and DDS eq. 1, which is strict:
F(e) is the share of models with an error *below* e. Nothing is resampled or smoothed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike

from ..designspace.arrays import Floats, Ints

# Cumulated weights carry rounding noise; a step this close to q counts as reached.
_ROUNDING = 1e-12
_EXACT = 10_000  # models up to which scipy's KS test has the exact p-value
_LIMIT = 100_000  # models from which the limit of the KS statistic is as good as its law
_BLOCK = 1_000_000  # models of the first sample that are merged with the second at once


@dataclass(frozen=True, eq=False)
class EDF:
    """The empirical distribution function of a population's errors.

    Attributes
    ----------
    errors : (n,) float array, read-only
        Sorted ascending, ties kept.
    probability : (n,) float array, read-only
        P(E <= e) at each of ``errors``: the height of the curve after its step. Ties share it.
    mean : float
        Weighted mean error: the area summary in the legend of the papers' EDF plots.
    """

    errors: Floats
    probability: Floats
    mean: float

    @property
    def n(self) -> int:
        """The number of models."""
        return self.errors.size

    @property
    def min(self) -> float:
        """The error of the best model."""
        return float(self.errors[0])

    @property
    def max(self) -> float:
        """The error of the worst model."""
        return float(self.errors[-1])

    @property
    def median(self) -> float:
        """The error that half of the weight lies below."""
        return self.quantile(0.5)

    def area(self, until: float) -> float:
        """Return the area under the curve over [0, until], divided by ``until`` (NDS section 4).

        1 - sum_i w_i min(1, e_i / until): 1 where all errors are 0, and 0 where none is below
        ``until``.

        Raises
        ------
        ValueError
            If ``until`` is not positive.
        """
        if not 0 < until < np.inf:
            raise ValueError(f"the area needs a positive, finite end, got {until}")
        steps = np.diff(self.probability, prepend=0.0)  # of ties the first has the whole step
        return float(1 - steps @ np.minimum(1, self.errors / until))

    @overload
    def at(self, x: float) -> float: ...
    @overload
    def at(self, x: ArrayLike) -> Any: ...
    def at(self, x: ArrayLike) -> Any:
        """Return P(E < x), DDS eq. 1: a float for a number, an array for an array."""
        before = np.searchsorted(self.errors, np.asarray(x, dtype=np.float64), side="left")
        heights = np.where(before > 0, self.probability[np.maximum(before, 1) - 1], 0.0)
        return float(heights) if heights.ndim == 0 else heights

    def quantile(self, q: float) -> float:
        """Return the least error e with P(E <= e) >= q.

        Where the curve is flat at q, the two ends are averaged (type 2 of Hyndman and Fan), so
        the quantile 0.5 is the usual median.

        Raises
        ------
        ValueError
            If q is outside [0, 1].
        """
        if not 0 <= q <= 1:
            raise ValueError(f"a quantile needs a probability in [0, 1], got {q}")
        low = int(np.searchsorted(self.probability, max(q, _ROUNDING) - _ROUNDING, side="left"))
        high = int(np.searchsorted(self.probability, q + _ROUNDING, side="right"))
        ends = self.errors[[min(low, self.n - 1), min(high, self.n - 1)]]
        return float(ends[0] + (ends[1] - ends[0]) / 2)


def edf(errors: ArrayLike, weights: ArrayLike | None = None) -> EDF:
    """Return the exact empirical distribution function of errors.

    Parameters
    ----------
    errors
        One number a model, in percent; finite.
    weights
        One number a model, at least 0, normalised here; None weighs all models alike. Models of
        weight 0 are left out.

    Raises
    ------
    ValueError
        If there are no errors, one is not finite, or the weights do not fit.
    """
    values = finite_column(errors, "errors")
    if weights is None:
        values = np.sort(values)
        heights = np.arange(1, values.size + 1) / values.size
        mean = float(values.mean())
    else:
        shares = _shares(weights, values.size)
        values, shares = values[shares > 0], shares[shares > 0]
        order = np.argsort(values, kind="stable")
        values, shares = values[order], shares[order]
        heights = np.cumsum(shares)
        heights /= heights[-1]
        mean = float(values @ shares)
    # Tied models reach their height together: each reads that of the last of its ties.
    last = _last_of_ties(values)
    if last.size < values.size:
        heights = np.repeat(heights[last], np.diff(last, prepend=-1))
    values.flags.writeable = heights.flags.writeable = False
    return EDF(values, heights, mean)


class KS(NamedTuple):
    """A two-sample Kolmogorov-Smirnov test: sup |F1 - F2| and its two-sided p-value."""

    statistic: float
    p_value: float


def ks(a: ArrayLike, b: ArrayLike) -> KS:
    """Return the two-sample Kolmogorov-Smirnov test of two sets of errors (NDS section 3).

    Raises
    ------
    ValueError
        If a sample is empty or not finite.
    """
    x, y = finite_column(a, "the first sample"), finite_column(b, "the second")
    if max(x.size, y.size) <= _EXACT:
        from scipy.stats import ks_2samp  # costs more than all of our own arithmetic

        result: Any = ks_2samp(x, y)
        return KS(float(result.statistic), float(result.pvalue))
    for sample in (x, y):
        if not (sample[1:] >= sample[:-1]).all():
            sample.sort()
    statistic = _largest_gap(x, y)
    return KS(statistic, _ks_p_value(statistic, round(x.size * y.size / (x.size + y.size))))


def _largest_gap(x: Floats, y: Floats) -> float:
    """Return sup |F1 - F2| of two sorted samples; it is reached at a step of either.

    Merged block by block, between values of x, so that 10^7 models need little memory.
    """
    found, cuts = 0.0, x[_BLOCK::_BLOCK]
    ends = (np.append(np.searchsorted(s, cuts), s.size).tolist() for s in (x, y))
    i = j = 0
    for to_i, to_j in zip(*ends, strict=True):
        both = np.concatenate([x[i:to_i], y[j:to_j]])
        order = np.argsort(both, kind="stable")  # two sorted runs: merged in linear time
        from_x = np.cumsum(order < to_i - i)
        last = _last_of_ties(both[order])
        from_x = from_x[last]
        gap = (i + from_x) / x.size - (j + last + 1 - from_x) / y.size
        found = max(found, gap.max(initial=0.0), -gap.min(initial=0.0))
        i, j = to_i, to_j
    return float(found)


def _ks_p_value(statistic: float, n: int) -> float:
    """Return P(D >= statistic) of the one-sample statistic at n models.

    At many models Kolmogorov's limit at t + 1 / (6 sqrt n) + (t - 1) / (4 n) with
    t = sqrt(n) statistic (Vrbik 2018): it is within 3e-7 there, and needs no scipy.stats.
    """
    if n <= _LIMIT:
        from scipy.stats import kstwo

        return float(np.clip(kstwo.sf(statistic, n), 0, 1))
    from scipy.special import kolmogorov

    t = statistic * n**0.5
    return float(kolmogorov(t + 1 / (6 * n**0.5) + (t - 1) / (4 * n)))


def _last_of_ties(values: Floats) -> Ints:
    """Return the places of the last of each run of equal values of a sorted column."""
    if not values.size:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(np.append(values[1:] != values[:-1], True))


def finite_column(values: ArrayLike, name: str) -> Floats:
    """Return a new float array of one dimension, not empty and finite, or raise ValueError."""
    column = np.array(values, dtype=np.float64)
    if column.ndim != 1:
        raise ValueError(f"{name} must have one dimension, got shape {column.shape}")
    if not column.size:
        raise ValueError(f"{name} must not be empty: there is no model to describe")
    if not np.isfinite(column).all():
        bad = np.flatnonzero(~np.isfinite(column))
        raise ValueError(
            f"{name} must be finite, got {column[bad[0]]} at position {bad[0]}"
            f" ({bad.size} of {column.size}); leave out unfinished models first"
        )
    return column


def _shares(weights: ArrayLike, n: int) -> Floats:
    shares = finite_column(weights, "weights")
    if shares.size != n:
        raise ValueError(f"one weight a model is needed: got {shares.size} weights, {n} errors")
    if shares.min() < 0 or shares.sum() <= 0:
        raise ValueError(
            f"weights must be at least 0 and not all 0, got a minimum of {shares.min()}"
        )
    return shares / shares.sum()
