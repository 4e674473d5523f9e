"""Letter values of the errors of populations, drawn by seaborn.

Letter values (Hofmann, Wickham and Kafadar 2017) halve the tails again and again: boxes hold 1/2,
3/4, 7/8 of the models, as far as 95% intervals of two neighbouring ones do not overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from ...designspace.arrays import Floats
from ..distribution import edf
from ..intervals import Interval, mean_interval
from ..metrics import METRICS
from ..style import BLACK, BLUE, GREY, MANY, short_name

_MOST = 100_000  # errors that a box is drawn of; more are taken at even probabilities
_TRUST = 0.05


@dataclass(frozen=True, eq=False)
class LetterValues:
    """The errors of a population and its letter values.

    Attributes
    ----------
    errors : (m,) float array
        What is drawn, in percent: the errors, or where they are weighted or very many their
        quantiles at even probabilities.
    shares, low, high : (k,) float arrays
        The share of models within a box: 1/2, 3/4, ...; and its ends.
    median : float
        In percent.
    mean : Interval or None
        With its 95% interval; None for one model.
    n : int
        Models.
    """

    name: str
    errors: Floats
    shares: Floats
    low: Floats
    high: Floats
    median: float
    mean: Interval | None
    n: int

    @property
    def said(self) -> str:
        """The box of half the models in words."""
        return f"{self.low[0]:.2f}% to {self.high[0]:.2f}%"

    @classmethod
    def of(cls, name: str, errors: ArrayLike, weights: ArrayLike | None = None) -> LetterValues:
        """Return the letter values of a population's errors, at their weights."""
        record = edf(errors, weights)
        mean = mean_interval(errors, weights) if record.n > 1 else None
        drawn, n = record.errors, record.n
        steps = np.diff(record.probability, prepend=0.0)
        even = bool(np.allclose(steps, 1 / n, rtol=1e-6, atol=0))
        if not even or n > _MOST:
            m = min(n, _MOST)
            places = np.searchsorted(record.probability, (np.arange(m) + 0.5) / m)
            drawn = drawn[places.clip(max=n - 1)]
        tails: Floats = np.array([0.5**j for j in range(2, depth(n) + 2)], dtype=np.float64)
        low, high = np.quantile(drawn, tails), np.quantile(drawn, 1 - tails)
        return cls(name, drawn, 1 - 2 * tails, low, high, float(np.median(drawn)), mean, n)


def depth(n: int) -> int:
    """Return the number of boxes that n models allow (the rule "trustworthy"), at least 1."""
    z = NormalDist().inv_cdf(1 - _TRUST / 2)
    return max(1, int(np.log2(n / (2 * z * z))) + 1)


def draw_spread(axes: Axes, records: Sequence[LetterValues]) -> Axes:
    """Draw a line of boxes for each population, from the top, with mean and median."""
    import seaborn as sns  # takes seconds, so here alone

    places = [str(i) for i in range(len(records))]
    for k in sorted({record.shares.size for record in records}):
        # One call for all populations of as many boxes: a call takes a tenth of a second.
        shown = {i: r for i, r in zip(places, records, strict=True) if r.shares.size == k}
        errors = np.concatenate([r.errors for r in shown.values()])
        sns.boxenplot(
            x=errors,
            y=np.repeat([*shown], [r.errors.size for r in shown.values()]),
            order=places,
            k_depth=k,
            width=0.7,
            width_method="exponential",
            color=BLUE,
            linecolor=BLACK,
            linewidth=0.6,
            flier_kws={
                "s": 6,
                "linewidths": 0.5,
                "edgecolor": GREY,
                "rasterized": errors.size > MANY,
            },
            ax=axes,
        )
    for i, record in enumerate(records):
        if record.mean is not None:
            ends = [record.mean.low, record.mean.high]
            axes.plot(ends, [i, i], color=BLACK, linewidth=1.1, zorder=4)
            axes.plot(record.mean.value, i, "o", color=BLACK, mfc="white", ms=4, zorder=5)
    axes.set_yticks(range(len(records)), [f"{short_name(r.name)}\nn = {r.n:,}" for r in records])
    axes.set_ylabel("")
    axes.set_ylim(len(records) - 0.5, -0.5)
    axes.set_xlabel(f"{METRICS['error'].label} ({METRICS['error'].unit})")
    axes.grid(axis="y", visible=False)
    return axes
