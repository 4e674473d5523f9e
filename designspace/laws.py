"""The laws of the published samplers, as quantile functions of uniforms in [0, 1).

Each law lives on a closed, quantised interval [low, high] with step ``quantum`` and maps
uniforms to values without any further randomness (pycls ``sweep/random.py``). ``values`` lists
what a law can give, so that a tuple of parameters is a tuple of indices.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import ClassVar, Self

import numpy as np

from .arrays import Floats, Ints

MAX_VALUES = 10_000_000
_OVERLAP = 2.0**-40  # far above the rounding errors of the formulas, far below a part


class Law(ABC):
    """A distribution over a finite grid of values, drawn from ``n_uniforms`` uniforms a value."""

    n_uniforms: ClassVar[int] = 1

    @abstractmethod
    def make_values(self) -> Floats:
        """Return the values that the law can give, ascending."""

    @abstractmethod
    def index(self, u: Floats) -> Ints:
        """Return indices into ``values`` from uniforms of shape (n_uniforms, n)."""

    @abstractmethod
    def limited(self, low: float | None, high: float | None) -> Law:
        """Return the law on the part of its range between ``low`` and ``high``, ends included."""

    @cached_property
    def values(self) -> Floats:
        """The values that the law can give, ascending."""
        values = self.make_values()
        values.flags.writeable = False
        return values


def require_grid(low: float, high: float, quantum: float) -> None:
    """Raise ValueError unless low <= high and the quantum divides the interval."""
    if not all(map(math.isfinite, (low, high, quantum))) or quantum <= 0:
        raise ValueError(
            f"a range needs finite ends and a positive quantum, got {low}, {high}, {quantum}"
        )
    if low > high:
        raise ValueError(f"the range from {low} to {high} is empty")
    if (high - low) / quantum >= MAX_VALUES:
        raise ValueError(
            f"the range from {low} to {high} with quantum {quantum} has more than "
            f"{MAX_VALUES:,} values: take a larger quantum"
        )
    if (exact(high) - exact(low)) % exact(quantum):
        raise ValueError(f"the quantum {quantum} does not divide the range from {low} to {high}")


def exact(value: float) -> Decimal:
    """Return the shortest decimal that reads back as this number."""
    return Decimal(repr(value))


def grid(low: float, high: float, quantum: float) -> Floats:
    """Return low, low + quantum, ... high, each the float nearest to its decimal value."""
    first, step = exact(low), exact(quantum)
    places = max(0, *(-int(d.as_tuple().exponent) for d in (first, step)))
    scale = 10**places  # integers over a power of ten round to the nearest float
    n = int((exact(high) - first) / step) + 1
    return (int(first * scale) + int(step * scale) * np.arange(n)) / np.float64(scale)


def _cut(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


@dataclass(frozen=True)
class Fixed(Law):
    """Always the same value."""

    value: float
    n_uniforms: ClassVar[int] = 0

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"a fixed value must be finite, got {self.value}")

    def make_values(self) -> Floats:
        """Return the one value."""
        return np.array([self.value], dtype=np.float64)

    def index(self, u: Floats) -> Ints:
        """Return zeros."""
        return np.zeros(int(u.shape[1]), dtype=np.int64)

    def limited(self, low: float | None, high: float | None) -> Law:
        """Return the law itself, if its value is within."""
        if not _cut(self.value, low, high):
            raise ValueError(f"the value {self.value:g} is outside [{low}, {high}]")
        return self


@dataclass(frozen=True)
class Choice(Law):
    """Each value of a list equally likely (pycls ``value_sampler``)."""

    choices: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.choices or not all(map(math.isfinite, self.choices)):
            raise ValueError(f"a list needs at least one finite value, got {list(self.choices)}")
        if len(set(self.choices)) != len(self.choices):
            raise ValueError(f"a list names no value twice, got {list(self.choices)}")

    def make_values(self) -> Floats:
        """Return the values, ascending."""
        return np.array(sorted(self.choices), dtype=np.float64)

    def index(self, u: Floats) -> Ints:
        """Return floor(u n), for n values."""
        return _equally_likely(u[0], len(self.choices))

    def limited(self, low: float | None, high: float | None) -> Law:
        """Return the law on the values within."""
        return Choice(tuple(v for v in self.choices if _cut(v, low, high)))


def _equally_likely(u: Floats, n: int) -> Ints:
    return np.minimum((u * n).astype(np.int64), n - 1)


@dataclass(frozen=True)
class Gridded(Law):
    """A law on low, low + quantum, ... high."""

    low: float
    high: float
    quantum: float

    def __post_init__(self) -> None:
        require_grid(self.low, self.high, self.quantum)

    def make_values(self) -> Floats:
        """Return the multiples of the quantum from low to high."""
        return grid(self.low, self.high, self.quantum)

    def limited(self, low: float | None, high: float | None) -> Self:
        """Return the law on the grid values within; the law is that of a range with these ends."""
        kept = [v for v in self.values.tolist() if _cut(v, low, high)]
        if not kept:
            raise ValueError(f"no value of {self.low} to {self.high} is within [{low}, {high}]")
        whole = isinstance(self.low, int) and isinstance(self.quantum, int)
        first, last = (int(v) if whole else v for v in (kept[0], kept[-1]))
        return replace(self, low=first, high=last)


class Uniform(Gridded):
    """Every grid value equally likely: U(low, high + quantum), floored to the quantum."""

    def index(self, u: Floats) -> Ints:
        """Return floor(u n), for n grid values."""
        return _equally_likely(u[0], len(self.values))


def require_positive(low: float, law: str) -> None:
    """Raise ValueError unless the low end of a logarithmic law is positive."""
    if low <= 0:
        raise ValueError(f"a {law} range must be positive, got {low}")


class LogUniform(Gridded):
    """The exponential of U(log l', log high), ceiled to the quantum q.

    With l' = low - min(q, low / 2), P(v) = log(v / max(v - q, l')) / log(high / l').
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self.low, "log-uniform")

    def index(self, u: Floats) -> Ints:
        """Return the index of the ceiled value; it falls with u, as in pycls."""
        guide = self._guide
        index = guide[(u[0] * len(guide)).astype(np.int64)]
        unsure = np.flatnonzero(index < 0)
        index[unsure] = self._ceiled(u[0, unsure])
        return index

    def _ceiled(self, u: Floats) -> Ints:
        """Return the index of the ceiled value by its formula."""
        start, end = math.log(self.low - min(self.quantum, self.low / 2)), math.log(self.high)
        value = np.exp(end - u * (end - start))
        index = np.ceil((value - self.low) / self.quantum)
        return np.clip(index, 0, len(self.values) - 1).astype(np.int64)

    @cached_property
    def _guide(self) -> Ints:
        """The index in each of 2^k equal parts of [0, 1), or -1 where it changes within one.

        A table spares the exponential for nearly all uniforms. Parts are taken a little larger
        than they are, so that no rounding of the formula at their ends matters.
        """
        n = 2 ** min(15, max(10, math.ceil(math.log2(len(self.values))) + 4))
        ends: Floats = np.linspace(0, 1, n + 1)  # exact: n is a power of two
        first = self._ceiled(np.maximum(ends[:-1] - _OVERLAP, 0.0))
        last = self._ceiled(np.minimum(ends[1:] + _OVERLAP, 1.0))
        return np.where(first == last, first, -1)


def require_powers_of_two(what: str, *values: float) -> None:
    """Raise ValueError unless all values are powers of two."""
    for value in values:
        if not (value > 0 and math.isfinite(value) and math.log2(value).is_integer()):
            raise ValueError(f"{what} must be powers of two, got {value}")


@dataclass(frozen=True)
class PowerOfTwo(Law):
    """Every power of two in [low, high] equally likely; both ends are powers of two."""

    low: float
    high: float

    def __post_init__(self) -> None:
        require_powers_of_two("the ends", self.low, self.high)
        if self.low > self.high:
            raise ValueError(f"the range from {self.low} to {self.high} is empty")

    def make_values(self) -> Floats:
        """Return the powers of two from low to high."""
        first, last = round(math.log2(self.low)), round(math.log2(self.high))
        return np.exp2(np.arange(first, last + 1))

    def index(self, u: Floats) -> Ints:
        """Return floor(u n), for n powers."""
        return _equally_likely(u[0], len(self.values))

    def limited(self, low: float | None, high: float | None) -> Law:
        """Return the law on the powers within."""
        kept = [v for v in self.values.tolist() if _cut(v, low, high)]
        if not kept:
            raise ValueError(f"no power of {self.low} to {self.high} is within [{low}, {high}]")
        return PowerOfTwo(kept[0], kept[-1])


@dataclass(frozen=True)
class PowerOfTwoOrLogUniform(Law):
    """A power of two in [low, high]; one of at least ``quantum`` is redrawn log-uniformly.

    The second law is LogUniform(max(low, quantum), high, min(high, quantum)).
    """

    low: float
    high: float
    quantum: float
    n_uniforms: ClassVar[int] = 2

    def __post_init__(self) -> None:
        PowerOfTwo(self.low, self.high)
        require_powers_of_two("the ends and the quantum", self.quantum)

    @cached_property
    def _powers(self) -> PowerOfTwo:
        return PowerOfTwo(self.low, self.high)

    @cached_property
    def _multiples(self) -> LogUniform:
        return LogUniform(max(self.low, self.quantum), self.high, min(self.high, self.quantum))

    def make_values(self) -> Floats:
        """Return the powers of two below the quantum, then the multiples of the quantum."""
        powers = self._powers.values
        if self.high < self.quantum:
            return powers.copy()
        return np.concatenate([powers[powers < self.quantum], self._multiples.values])

    def index(self, u: Floats) -> Ints:
        """Return the index of the power (first uniform) or of its replacement (second)."""
        power = self._powers.index(u[:1])
        n_small = int(np.sum(self._powers.values < self.quantum))
        if n_small == len(self._powers.values):
            return power
        return np.where(power < n_small, power, n_small + self._multiples.index(u[1:]))

    def limited(self, low: float | None, high: float | None) -> Law:
        """Return the law between the powers of two within."""
        powers = self._powers.limited(low, high).values
        return PowerOfTwoOrLogUniform(float(powers[0]), float(powers[-1]), self.quantum)
