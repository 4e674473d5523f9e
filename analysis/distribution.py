"""Error distributions: the exact weighted EDF, its summaries, and the two-sample KS test.

Source: NDS section 3 (distributions instead of best models) and DDS eq. 1, which is strict:
F(e) is the share of models with an error *below* e. Nothing is resampled or smoothed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike

from ..designspace.arrays import Floats

# Cumulated weights carry rounding noise; a step this close to q counts as reached.
_ROUNDING = 1e-12
_EXACT = 10_000  # models up to which scipy's KS test has the exact p-value


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
    heights = heights[np.searchsorted(values, values, side="right") - 1]
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
    from scipy.stats import ks_2samp, kstwo  # costs more than all of our own arithmetic

    x, y = finite_column(a, "the first sample"), finite_column(b, "the second")
    if max(x.size, y.size) <= _EXACT:
        result: Any = ks_2samp(x, y)
        return KS(float(result.statistic), float(result.pvalue))
    x.sort()
    y.sort()
    # sup |F1 - F2| is reached at a step of either; a sorted look-up is quick on sorted queries.
    gaps = [
        np.abs(np.searchsorted(x, s, "right") / x.size - np.searchsorted(y, s, "right") / y.size)
        for s in (x, y)
    ]
    statistic = float(max(gap.max() for gap in gaps))
    n = x.size * y.size / (x.size + y.size)
    return KS(statistic, float(np.clip(kstwo.sf(statistic, round(n)), 0, 1)))


def finite_column(values: ArrayLike, name: str) -> Floats:
    """Return a new float array of one dimension, not empty and finite, or raise ValueError."""
    column = np.array(values, dtype=np.float64)
    if column.ndim != 1:
        raise ValueError(f"{name} must have one dimension, got shape {column.shape}")
    if not column.size:
        raise ValueError(f"{name} must not be empty: there is no model to describe")
    bad = np.flatnonzero(~np.isfinite(column))
    if bad.size:
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
