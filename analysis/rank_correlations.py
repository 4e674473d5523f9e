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
from .importance import FEWEST, centred_ranks, interval_of_ranks, rank_correlation
from .intervals import CONFIDENCE, Interval


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
    arrays = {name: np.asarray(cells, dtype=np.float64) for name, cells in columns.items()}
    if len(arrays) < 2:
        raise ValueError(f"a correlation needs two columns, got {', '.join(arrays) or 'none'}")
    if len({one.shape for one in arrays.values()}) > 1:
        raise ValueError(f"columns differ in length: {[one.size for one in arrays.values()]}")
    known = {name: np.isfinite(one) for name, one in arrays.items()}
    # A column without holes is ranked once for all its pairs.
    ranks = {name: centred_ranks(arrays[name]) for name, one in known.items() if one.all()}
    pairs: list[Pair] = []
    for a, b in combinations(arrays, 2):
        if a in ranks and b in ranks:
            rho, n = interval_of_ranks(ranks[a], ranks[b], confidence), arrays[a].size
        else:
            both = known[a] & known[b]
            rho, n = Interval(0.0, -1.0, 1.0, confidence), int(both.sum())
            if n >= FEWEST:
                rho = rank_correlation(arrays[a][both], arrays[b][both], confidence=confidence)
        pairs.append(Pair(a, b, rho, n))
    return Correlations(tuple(arrays), tuple(pairs))
