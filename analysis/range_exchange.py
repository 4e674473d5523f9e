"""Exchanged errors of many models: what a range would rank, without exchanging all of them.

A good range is decided by the few models that may be best (`bootstrap.contenders`). An exchange
of the errors puts these on models drawn at random; the other models within the range hold a
random sample, without replacement, of the other ranks. The sum of so many is normal, with the
mean and variance of sampling from a finite population, so that an exchange costs as much as the
contenders and the distinct values of the parameter, however many models there are.
"""

from __future__ import annotations

import numpy as np

from ..designspace.arrays import Floats, Ints
from .bootstrap import percentiles


class RangeExchange:
    """Draws of `RangeChoice`'s statistic for errors exchanged within cells.

    Parameters
    ----------
    spread
        (n, s) values of the parameter, one a stage.
    best, share
        The models that may be best, and how likely each is.
    ranks
        (n,) centred ranks of the errors.
    cells
        (n,) the cell of each model, or None: errors are exchanged among all.
    """

    def __init__(
        self, spread: Floats, best: Ints, share: Floats, ranks: Floats, cells: Ints | None
    ) -> None:
        n = ranks.size
        self._spread, self._share, self._ranks, self._n = spread, share, ranks[best], n
        cell = np.zeros(n, np.int64) if cells is None else np.unique(cells, return_inverse=True)[1]
        self._models = np.argsort(cell, kind="stable")  # cell by cell
        self._ends = np.cumsum(np.bincount(cell))
        self._cell_of_best = cell[best]
        self._count_others(ranks, best, cell)
        self._count_values(spread, cell)

    def _count_others(self, ranks: Floats, best: Ints, cell: Ints) -> None:
        """Store the number, mean and variance of the other ranks, by cell."""
        others = np.ones(ranks.size, np.bool_)
        others[best] = False
        k = self._ends.size
        number = np.bincount(cell[others], minlength=k)
        total = np.bincount(cell[others], ranks[others], minlength=k)
        squares = np.bincount(cell[others], ranks[others] ** 2, minlength=k)
        self._number = number
        self._mean = total / np.maximum(number, 1)
        self._variance = (squares - total * self._mean) / np.maximum(number - 1, 1)

    def _count_values(self, spread: Floats, cell: Ints) -> None:
        """Store the distinct (cell, least, largest) of the models, and how many have each."""
        low, least = np.unique(spread.min(axis=1), return_inverse=True)
        high, largest = np.unique(spread.max(axis=1), return_inverse=True)
        code = (cell * low.size + least) * high.size + largest
        code, self._count = np.unique(code, return_counts=True)
        self._least = low[code // high.size % low.size]
        self._largest = high[code % high.size]
        self._cell = code // (high.size * low.size)

    def draw(self, rng: np.random.Generator) -> float:
        """Return the statistic of one exchange; see `RangeChoice`."""
        values = self._spread[self._places(rng)]
        found = [percentiles(column, self._share) for column in values.T]
        low, high = min(f[0] for f in found), max(f[2] for f in found)
        shown = (self._least >= low) & (self._largest <= high)
        inside = np.bincount(
            self._cell[shown], self._count[shown], minlength=self._ends.size
        ).astype(np.int64)
        n, k = self._n, int(inside.sum())
        if k in (0, n):
            return 0.0
        among = ((values >= low) & (values <= high)).all(axis=1)
        others = inside - np.bincount(self._cell_of_best[among], minlength=inside.size)
        # Of N numbers with variance v (of N - 1) the sum of m has the variance m v (N - m) / N.
        spread = others * self._variance * (1 - others / np.maximum(self._number, 1))
        total = float(self._ranks[among].sum() + others @ self._mean)
        total += float(np.sqrt(spread.sum()) * rng.standard_normal())
        return -total / float(np.sqrt(k * (n - k) * (n + 1) / 12))

    def _places(self, rng: np.random.Generator) -> Ints:
        """Return the models that the contenders' errors come to, each within its own cell."""
        if self._ends.size == 1:
            return rng.choice(self._n, self._share.size, replace=False)
        places = np.empty(self._share.size, np.int64)
        for cell in np.unique(self._cell_of_best).tolist():
            own = np.flatnonzero(self._cell_of_best == cell)
            start = self._ends[cell - 1] if cell else 0
            drawn = rng.choice(self._ends[cell] - start, own.size, replace=False)
            places[own] = self._models[start + drawn]
        return places
