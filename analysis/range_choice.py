"""A range chosen on a population and tested on the same models, by a permutation test.

The good range (`bootstrap`) of a parameter is chosen by the few best models, so that the test
chooses it anew for every exchange of the errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np

from ..designspace.arrays import Bools, Floats, Ints
from .bootstrap import FRACTION, contenders, percentiles
from .range_exchange import RangeExchange
from .ranks import centred_ranks

LEVEL = 0.05
MANY = 10_000


class RangeChoice:
    """The choice of the range of one parameter, for errors as they are or exchanged.

    Parameters
    ----------
    values
        (n,) values, or (n, s) where the parameter has one a stage: the range covers the good
        ranges of all stages.
    errors
        (n,) errors of the same models.
    """

    def __init__(self, values: Floats, errors: Floats) -> None:
        self._spread = values[:, np.newaxis] if values.ndim == 1 else values
        self._best, self._share = contenders(errors, max(1, int(FRACTION * errors.size)))
        self._ranks = centred_ranks(errors)

    def __call__(self, places: Ints | None = None) -> tuple[float, float, float]:
        """Return the good range, and by how much models within rank better than those outside.

        The statistic is the standardised rank sum, so that ranges of any width compare. Model i
        has the error of model i, or with ``places`` the model places[i] has it.
        """
        best = self._best if places is None else places[self._best]
        found = [percentiles(column[best], self._share) for column in self._spread.T]
        low, high = min(f[0] for f in found), max(f[2] for f in found)
        inside = within(self._spread, low, high)
        n, k = inside.size, int(inside.sum())
        if k in (0, n):
            return low, high, 0.0
        better = -float(self._ranks @ (inside if places is None else inside[places]))
        return low, high, better / float(np.sqrt(k * (n - k) * (n + 1) / 12))

    def p_value(
        self, statistic: float, rng: np.random.Generator, permutations: int, cells: Ints | None
    ) -> float:
        """Return the p-value of choosing a range and testing it, by exchanging the errors.

        Errors are exchanged within ``cells``, or among all models; those of more than `MANY`
        models by `RangeExchange`. It stops early once the p-value is above the level whatever the
        rest gives.
        """
        exchanged, exceeding = self._exchanged(rng, cells), 0
        for done in range(1, permutations + 1):
            exceeding += next(exchanged) >= statistic
            if exceeding > LEVEL * (1 + permutations):
                return (1 + exceeding) / (1 + done)
        return (1 + exceeding) / (1 + permutations)

    def _exchanged(self, rng: np.random.Generator, cells: Ints | None) -> Iterator[float]:
        """Yield statistics of exchanged errors without end."""
        n = self._ranks.size
        if n > MANY:
            made = RangeExchange(self._spread, self._best, self._share, self._ranks, cells)
            while True:
                yield made.draw(rng)
        order = None if cells is None else np.argsort(cells, kind="stable")
        while True:
            if cells is None or order is None:
                places = rng.permutation(n)
            else:
                places = np.empty(n, dtype=np.int64)
                places[order] = np.lexsort((rng.random(n), cells))
            yield self(places)[2]


def within(values: Floats, low: float, high: float) -> Bools:
    """Return which models have all their values in a closed range."""
    inside = (values >= low) & (values <= high)
    return cast(Bools, inside if inside.ndim == 1 else inside.all(axis=1))
