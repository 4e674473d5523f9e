"""Tests between two populations of errors: KS with weights, Anderson-Darling, dominance.

Source: NDS section 3 for the KS statistic. Lower errors are better, so population a dominates b
where its EDF is nowhere lower: at every error it has at least as large a share below.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..designspace.arrays import Floats, Ints
from .distribution import KS, finite_column
from .intervals import CONFIDENCE, Interval

PERMUTATIONS = 999
MANY = 30_000  # models from which they are exchanged in number, between `_HEIGHTS` heights
_HEIGHTS = 1_000
_MOST = 30_000_000  # errors permuted in all, where weights differ within a stratum
_FEWEST = 99


@dataclass(frozen=True)
class AndersonDarling:
    """The two-sample Anderson-Darling test; scipy knows p-values from 0.001 to 0.25 alone."""

    statistic: float
    p_value: float
    bound: str = ""  # "<=" or ">=" where the p-value is an end of that range


@dataclass(frozen=True)
class Dominance:
    """First-order stochastic dominance of a over b: a's EDF is nowhere below b's.

    Attributes
    ----------
    above, below : float
        sup (F_a - F_b) and sup (F_b - F_a): how far a is ahead, and behind, anywhere.
    p_above, p_below : float
        One-sided p-values of the two.
    superiority : Interval
        P(a model of a has a lower error than one of b), ties count half.
    alpha : float
        The level of the verdict, half of it for each side.
    """

    above: float
    below: float
    p_above: float
    p_below: float
    superiority: Interval
    alpha: float = 0.05

    @property
    def verdict(self) -> str:
        """The answer: "a", "b", "crossing", or "none" where the data do not tell."""
        ahead, behind = self.p_above < self.alpha / 2, self.p_below < self.alpha / 2
        if ahead and behind:
            return "crossing"
        return "a" if ahead else "b" if behind else "none"


def weighted_ks(
    a: ArrayLike,
    b: ArrayLike,
    weights_a: ArrayLike,
    weights_b: ArrayLike,
    *,
    rng: np.random.Generator | int = 0,
    strata_a: ArrayLike | None = None,
    strata_b: ArrayLike | None = None,
    permutations: int = PERMUTATIONS,
) -> KS:
    """Return the KS test of two weighted populations; the p-value is by permutation.

    Under the hypothesis of equal distributions models may be exchanged: within their cell, where
    strata say that the populations are matched on complexity (`matching.match`), else freely.

    Parameters
    ----------
    a, b
        (n,) and (m,) finite errors.
    weights_a, weights_b
        Their weights; models of weight 0 are left out.
    strata_a, strata_b
        (n,) and (m,) cells; None exchanges all models.
    permutations
        At least 1. Above 30,000 models the p-value is that of the largest distance at 1,000
        heights of the pooled sample, between which only the numbers exchanged are drawn.
    """
    errors, mass, strata = _pooled(a, b, weights_a, weights_b, strata_a, strata_b)
    last = np.append(errors[1:] != errors[:-1], True)
    statistic = _sup(mass, last)
    generator = np.random.default_rng(rng)
    pairs = _weights_by_stratum(mass, strata) if errors.size > MANY else None
    if pairs is not None:
        p = _p_of_numbers(mass, np.flatnonzero(last), strata, pairs, (generator, permutations))
        return KS(statistic, p)
    repeats = max(min(permutations, _MOST // errors.size), min(permutations, _FEWEST))
    by_stratum = np.argsort(strata, kind="stable")
    exceeding = 0
    for _ in range(repeats):
        shuffled = np.empty_like(mass)
        shuffled[by_stratum] = mass[np.lexsort((generator.random(errors.size), strata))]
        exceeding += _sup(shuffled, last) >= statistic - 1e-12
    return KS(statistic, (1 + exceeding) / (1 + repeats))


def _weights_by_stratum(mass: Floats, strata: Ints) -> dict[int, tuple[float, float]] | None:
    """Return the weights of a model of a and of b in each stratum, or None where they differ."""
    found: dict[int, tuple[float, float]] = {}
    for stratum in np.unique(strata).tolist():
        here = mass[strata == stratum]
        ends = [
            (side.min(initial=np.inf), side.max(initial=0))
            for side in (here[here > 0], -here[here < 0])
        ]
        if any(high - low > 1e-9 * high for low, high in ends):
            return None
        found[stratum] = (float(ends[0][1]), float(ends[1][1]))
    return found


def _p_of_numbers(
    mass: Floats,
    last: Ints,
    strata: Ints,
    weights: Mapping[int, tuple[float, float]],
    drawn: tuple[np.random.Generator, int],
) -> float:
    """Return the p-value of the largest distance at some heights, by exchange within strata.

    Where all models of a stratum weigh the same, a permutation is seen at the heights only by how
    many of a fall between each two: a draw of the multivariate hypergeometric law.
    """
    rng, permutations = drawn
    wanted = np.linspace(0, mass.size - 1, _HEIGHTS + 1)[1:]
    ends = last[np.unique(np.searchsorted(last, wanted).clip(max=last.size - 1))]
    place = np.repeat(np.arange(ends.size), np.diff(ends, prepend=-1))
    statistic = float(np.abs(np.cumsum(mass)[ends]).max())
    curves = np.zeros((permutations, ends.size))
    for stratum, (in_a, in_b) in weights.items():
        here = strata == stratum
        models = np.bincount(place[here], minlength=ends.size)
        of_a = int(np.sum(mass[here] > 0))
        chosen = rng.multivariate_hypergeometric(models, of_a, permutations, method="marginals")
        curves += chosen * (in_a + in_b) - models * in_b
    exceeding = np.abs(np.cumsum(curves, axis=1)).max(axis=1) >= statistic - 1e-12
    return float((1 + exceeding.sum()) / (1 + permutations))


def anderson_darling(a: ArrayLike, b: ArrayLike) -> AndersonDarling:
    """Return the two-sample Anderson-Darling test (midranks for ties), by scipy.

    It weighs the tails more than KS does: the best models of both populations.
    """
    from scipy.stats import anderson_ksamp

    samples = [finite_column(a, "the first sample"), finite_column(b, "the second")]
    if np.unique(np.concatenate(samples)).size < 2:
        return AndersonDarling(0.0, 1.0)
    asked = signature(anderson_ksamp).parameters
    options: dict[str, Any] = {"variant": "midrank"} if "variant" in asked else {"midrank": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the p-value is an end of the range: said below
        result: Any = anderson_ksamp(samples, **options)
    p = float(result.pvalue)
    bound = "<=" if p <= 0.001 else ">=" if p >= 0.25 else ""
    return AndersonDarling(float(result.statistic), p, bound)


def dominance(a: ArrayLike, b: ArrayLike, *, alpha: float = 0.05) -> Dominance:
    """Return whether one population is better all over: one-sided KS tests and superiority."""
    from scipy.stats import ks_2samp

    x, y = finite_column(a, "the first sample"), finite_column(b, "the second")
    above: Any = ks_2samp(x, y, alternative="greater")
    below: Any = ks_2samp(x, y, alternative="less")
    return Dominance(
        above=float(above.statistic),
        below=float(below.statistic),
        p_above=float(above.pvalue),
        p_below=float(below.pvalue),
        superiority=superiority(x, y, confidence=1 - alpha),
        alpha=alpha,
    )


def superiority(
    a: ArrayLike,
    b: ArrayLike,
    weights_a: ArrayLike | None = None,
    weights_b: ArrayLike | None = None,
    *,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Return P(error of a < error of b), ties half, with the interval of Brunner and Munzel.

    On the logit scale, so that it stays within [0, 1]. Where the samples do not overlap the
    variance is 0 and the interval ends at 1 / (2 max(n, m)) from the estimate.
    """
    from scipy.stats import t

    x, wx = _sorted(a, weights_a)
    y, wy = _sorted(b, weights_b)
    n, m = x.size, y.size
    # Placements: the share of the other population that each model beats, or is beaten by.
    beats = 1 - _below(y, wy, x)
    beaten = _below(x, wx, y)
    p = float(np.clip(wx @ beats, 0, 1))
    if n < 2 or m < 2:
        return Interval(p, 0.0, 1.0, confidence)
    parts = np.array(
        [
            np.sum((wx * (beats - p)) ** 2) * n / (n - 1),
            np.sum((wy * (beaten - p)) ** 2) * m / (m - 1),
        ]
    )
    error = float(np.sqrt(parts.sum()))
    edge = 1 / (2 * max(n, m))
    if error < 1e-12 or not 0 < p < 1:
        return Interval(p, max(0.0, p - edge), min(1.0, p + edge), confidence)
    freedom = float(parts.sum() ** 2 / (parts**2 / [n - 1, m - 1]).sum())
    centre = np.log(p / (1 - p))
    half = float(t.ppf((1 + confidence) / 2, freedom)) * error / (p * (1 - p))
    low, high = 1 / (1 + np.exp(-np.clip(centre + np.array([-half, half]), -700, 700)))
    return Interval(p, float(low), float(high), confidence)


def _sorted(errors: ArrayLike, weights: ArrayLike | None) -> tuple[Floats, Floats]:
    values = finite_column(errors, "errors")
    shares = np.ones(values.size) if weights is None else finite_column(weights, "weights")
    if shares.size != values.size or shares.min() < 0 or not shares.sum() > 0:
        raise ValueError("weights must be one a model, at least 0 and not all 0")
    kept = shares > 0
    values, shares = values[kept], shares[kept]
    order = np.argsort(values, kind="stable")
    return values[order], shares[order] / shares.sum()


def _below(values: Floats, shares: Floats, at: Floats) -> Floats:
    """Return the weight of sorted values below each number, of equal ones half."""
    reached = np.concatenate(([0.0], np.cumsum(shares)))
    sides = [reached[np.searchsorted(values, at, side)] for side in ("left", "right")]
    return (sides[0] + sides[1]) / 2


def _pooled(
    a: ArrayLike,
    b: ArrayLike,
    weights_a: ArrayLike,
    weights_b: ArrayLike,
    strata_a: ArrayLike | None,
    strata_b: ArrayLike | None,
) -> tuple[Floats, Floats, Ints]:
    """Return sorted errors, their signed masses (those of b are negative) and their strata."""
    errors: list[Floats] = []
    masses: list[Floats] = []
    strata: list[Ints] = []
    for sign, sample, weights, cells in ((1, a, weights_a, strata_a), (-1, b, weights_b, strata_b)):
        values, w = finite_column(sample, "errors"), finite_column(weights, "weights")
        if values.size != w.size or w.min() < 0 or not w.sum() > 0:
            raise ValueError("weights must be one a model, at least 0 and not all 0")
        kept = w > 0
        errors.append(values[kept])
        masses.append(sign * w[kept] / w.sum())
        full = np.zeros(w.size, np.int64) if cells is None else np.asarray(cells, np.int64)
        strata.append(full[kept])
    pooled = np.concatenate(errors)
    order = np.argsort(pooled, kind="stable")
    return pooled[order], np.concatenate(masses)[order], np.concatenate(strata)[order]


def _sup(mass: Floats, last: Any) -> float:
    return float(np.abs(np.cumsum(mass)[last]).max())
