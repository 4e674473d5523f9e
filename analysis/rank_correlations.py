"""Rank correlations of parameters and complexities with the error and with each other.

Within a budget parameters are tied to each other; a parameter that goes with the error may only
go with one that does. The matrix shows both at once (NDS section 5 gives the reasons).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from ..designspace.arrays import Floats
from .importance import FEWEST, interval_of_ranks, rank_correlation
from .intervals import CONFIDENCE, Interval
from .ranks import centred_ranks


@dataclass(frozen=True)
class Pair:
    """Spearman's rho of two columns, over the ``n`` rows that have both."""

    a: str
    b: str
    rho: Interval
    n: int

    @property
    def known(self) -> bool:
        """Whether the interval excludes 0."""
        return self.rho.excludes_zero


@dataclass(frozen=True, eq=False)
class Correlations:
    """The rank correlations of every two of several columns.

    Attributes
    ----------
    names : tuple of str
        The columns.
    pairs : tuple of Pair
        Each two of them once, in their order.
    """

    names: tuple[str, ...]
    pairs: tuple[Pair, ...]

    def matrix(self) -> Floats:
        """Return rho as a symmetric matrix with ones on its diagonal."""
        found = np.eye(len(self.names))
        place = {name: i for i, name in enumerate(self.names)}
        for one in self.pairs:
            i, j = place[one.a], place[one.b]
            found[i, j] = found[j, i] = one.rho.value
        return found


def correlations(
    columns: Mapping[str, ArrayLike], *, confidence: float = CONFIDENCE
) -> Correlations:
    """Return the rank correlations of columns, each pair over the rows that have both.

    Parameters
    ----------
    columns
        (n,) values by name; NaN where a row has none. Pairs of fewer than 4 rows, or of equal
        values, have rho 0 with the interval [-1, 1].

    Raises
    ------
    ValueError
        If there are fewer than two columns, or their lengths differ.
    """
    if len(columns) < 2:
        raise ValueError(f"a correlation needs two columns, got {', '.join(columns) or 'none'}")
    sizes = [np.size(cells) for cells in columns.values()]
    if len({*sizes}) > 1:
        raise ValueError(f"columns differ in length: {sizes}")
    # A column without holes is ranked once for all its pairs; its numbers are not kept.
    ranks: dict[str, Floats] = {}
    holed: dict[str, Floats] = {}
    for name, cells in columns.items():
        values = np.asarray(cells, dtype=np.float64)
        if np.isfinite(values).all():
            ranks[name] = centred_ranks(values)
        else:
            holed[name] = values

    def pair(a: str, b: str) -> Pair:
        if a in ranks and b in ranks:
            return Pair(a, b, interval_of_ranks(ranks[a], ranks[b], confidence), sizes[0])
        # Ranks among all are in the order of ranks among the rows that have both.
        x, y = (holed[name] if name in holed else ranks[name] for name in (a, b))
        both = np.isfinite(x) & np.isfinite(y)
        n = int(both.sum())
        if n < FEWEST:
            return Pair(a, b, Interval(0.0, -1.0, 1.0, confidence), n)
        return Pair(a, b, rank_correlation(x[both], y[both], confidence=confidence), n)

    return Correlations(tuple(columns), tuple(pair(a, b) for a, b in combinations(columns, 2)))
