"""The truncated normal laws of pycls's sampler, as quantile functions over their grid.

pycls draws until a value falls into [low, high], then rounds it to the quantum; the same law is
a table of the probability of each grid value, looked up with one uniform.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from .arrays import Floats, Ints
from .laws import Gridded, require_positive


class Normal(Gridded):
    """N(mu, sigma) cut to [low, high], rounded to the quantum.

    mu = (low + high) / 2 and sigma = (high - low) / 6, so that 99.7% lie within before the cut.
    """

    @cached_property
    def probabilities(self) -> Floats:
        """The probability of each grid value, shape (n,)."""
        values = self.values
        middles = (values[1:] + values[:-1]) / 2
        edges = np.concatenate([[self.low], middles, [self.high]])
        if self.low == self.high:
            return np.ones(1)
        cdf = np.array([self._cdf(edge) for edge in edges.tolist()])
        return np.diff(cdf) / (cdf[-1] - cdf[0])

    def _cdf(self, value: float) -> float:
        mu, sigma = (self.low + self.high) / 2, (self.high - self.low) / 6
        return math.erf((value - mu) / (sigma * math.sqrt(2)))

    @cached_property
    def _table(self) -> Floats:
        return np.cumsum(self.probabilities)[:-1]

    def index(self, u: Floats) -> Ints:
        """Return the index of the value whose cumulated probability first exceeds u."""
        first: Floats = u[0]
        return np.asarray(np.searchsorted(self._table, first, side="right"), dtype=np.int64)


class LogNormal(Normal):
    """The exponential of a normal law between log low and log high, rounded to the quantum."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self.low, "log-normal")

    def _cdf(self, value: float) -> float:
        low, high = math.log(self.low), math.log(self.high)
        mu, sigma = (low + high) / 2, (high - low) / 6
        return math.erf((math.log(value) - mu) / (sigma * math.sqrt(2)))
