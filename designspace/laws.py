"""The laws of the published samplers, as quantile functions of uniforms in [0, 1).

Each law lives on a closed, quantised interval [low, high] with step ``quantum`` and maps
uniforms to values without any further randomness (pycls ``sweep/random.py``). ``grid`` lists
the values a law can give, so that a tuple of parameters is a tuple of indices.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import ClassVar

import numpy as np

from .arrays import Floats, Ints


class Law(ABC):
    """A distribution over a finite grid of values, drawn from ``n_uniforms`` uniforms a value."""

    n_uniforms: ClassVar[int] = 1

    @abstractmethod
    def make_values(self) -> Floats:
        """Return the values that the law can give, ascending."""

    @abstractmethod
    def index(self, u: Floats) -> Ints:
        """Return indices into ``values`` from uniforms of shape (n_uniforms, n)."""

    @cached_property
    def values(self) -> Floats:
        """The values that the law can give, ascending."""
        return self.make_values()


def require_grid(low: float, high: float, quantum: float) -> None:
    """Raise ValueError unless low <= high and the quantum divides the interval."""
    if not all(map(math.isfinite, (low, high, quantum))) or quantum <= 0:
        raise ValueError(
            f"a range needs finite ends and a positive quantum, got {low}, {high}, {quantum}"
        )
    if low > high:
        raise ValueError(f"the range from {low} to {high} is empty")
    if (_exact(high) - _exact(low)) % _exact(quantum):
        raise ValueError(f"the quantum {quantum} does not divide the range from {low} to {high}")


def _exact(value: float) -> Decimal:
    return Decimal(repr(value))


def grid(low: float, high: float, quantum: float) -> Floats:
    """Return low, low + quantum, ... high, each the float nearest to its decimal value."""
    first, step = _exact(low), _exact(quantum)
    places = max(0, *(-int(d.as_tuple().exponent) for d in (first, step)))
    scale = 10**places  # integers over a power of ten round to the nearest float
    n = int((_exact(high) - first) / step) + 1
    return (int(first * scale) + int(step * scale) * np.arange(n)) / np.float64(scale)


@dataclass(frozen=True)
class Fixed(Law):
    """Always the same value."""

    value: float
    n_uniforms: ClassVar[int] = 0

    def make_values(self) -> Floats:
        """Return the one value."""
        return np.array([self.value], dtype=np.float64)

    def index(self, u: Floats) -> Ints:
        """Return zeros."""
        return np.zeros(int(u.shape[1]), dtype=np.int64)


@dataclass(frozen=True)
class _Gridded(Law):
    low: float
    high: float
    quantum: float

    def __post_init__(self) -> None:
        require_grid(self.low, self.high, self.quantum)

    def make_values(self) -> Floats:
        """Return the multiples of the quantum from low to high."""
        return grid(self.low, self.high, self.quantum)


class Uniform(_Gridded):
    """Every grid value equally likely: U(low, high + quantum), floored to the quantum."""

    def index(self, u: Floats) -> Ints:
        """Return floor(u n), for n grid values."""
        n = len(self.values)
        return np.minimum((u[0] * n).astype(np.int64), n - 1)


class LogUniform(_Gridded):
    """The exponential of U(log l', log high), ceiled to the quantum q.

    With l' = low - min(q, low / 2), P(v) = log(v / max(v - q, l')) / log(high / l').
    """

    def __post_init__(self) -> None:
        require_grid(self.low, self.high, self.quantum)
        if self.low <= 0:
            raise ValueError(f"a log-uniform range must be positive, got {self.low}")

    def index(self, u: Floats) -> Ints:
        """Return the index of the ceiled value; it falls with u, as in pycls."""
        start, end = math.log(self.low - min(self.quantum, self.low / 2)), math.log(self.high)
        value = np.exp(end - u[0] * (end - start))
        index = np.ceil((value - self.low) / self.quantum).astype(np.int64)
        return np.clip(index, 0, len(self.values) - 1)


@dataclass(frozen=True)
class PowerOfTwo(Law):
    """Every power of two in [low, high] equally likely; both ends are powers of two."""

    low: float
    high: float

    def __post_init__(self) -> None:
        for end in (self.low, self.high):
            if not (end > 0 and math.log2(end).is_integer()):
                raise ValueError(f"the ends must be powers of two, got {end}")
        if self.low > self.high:
            raise ValueError(f"the range from {self.low} to {self.high} is empty")

    def make_values(self) -> Floats:
        """Return the powers of two from low to high."""
        first, last = round(math.log2(self.low)), round(math.log2(self.high))
        return np.exp2(np.arange(first, last + 1))

    def index(self, u: Floats) -> Ints:
        """Return floor(u n), for n powers."""
        n = len(self.values)
        return np.minimum((u[0] * n).astype(np.int64), n - 1)


@dataclass(frozen=True)
class PowerOfTwoOrLogUniform(Law):
    """A power of two in [low, high]; one of at least ``quantum`` is redrawn log-uniformly.

    The second law is LogUniform(max(low, quantum), high, min(high, quantum)).
    """

    low: float
    high: float
    quantum: float
    n_uniforms: ClassVar[int] = 2

    @cached_property
    def _powers(self) -> PowerOfTwo:
        return PowerOfTwo(self.low, self.high)

    @cached_property
    def _multiples(self) -> LogUniform:
        return LogUniform(max(self.low, self.quantum), self.high, min(self.high, self.quantum))

    def make_values(self) -> Floats:
        """Return the powers of two below the quantum, then the multiples of the quantum."""
        powers = self._powers.values
        return np.concatenate([powers[powers < self.quantum], self._multiples.values])

    def index(self, u: Floats) -> Ints:
        """Return the index of the power (first uniform) or of its replacement (second)."""
        power = self._powers.index(u[:1])
        n_small = int(np.sum(self._powers.values < self.quantum))
        return np.where(power < n_small, power, n_small + self._multiples.index(u[1:]))
