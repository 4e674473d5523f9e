"""What turns one design space into a smaller one, as data: ``space & shared("group_width")``.

The steps by which DDS section 3.2 goes from AnyNetX A to E, the limits of section 4, and a few
more. Each is a frozen value; ``&`` applies them in order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from .arrays import Bools, Floats, Ints
from .laws import Fixed, Law
from .spec import require_choice, require_int

if TYPE_CHECKING:
    from .spaces import DesignSpace

ORDERS = {"nondecreasing": 1, "nonincreasing": -1}
BOUND_UNITS = {"resolution": 224, "classes": 1000}  # at which DDS states its trend curves
MAX_STAGES = 8


class Constraint(Protocol):
    """Anything that ``DesignSpace & constraint`` understands."""

    def apply(self, space: DesignSpace) -> DesignSpace:
        """Return the space under the constraint."""
        ...

    def describe(self) -> str:
        """Return the constraint as it is written in code."""
        ...


@dataclass(frozen=True)
class Shared:
    """One value for all stages: DDS's steps from A to B (ratio) and from B to C (group width)."""

    parameter: str

    def apply(self, space: DesignSpace) -> DesignSpace:
        """Return the space with the parameter drawn once a network."""
        old = space.parameter(self.parameter)
        if old.per_stage and len(set(old.laws)) > 1:
            raise ValueError(
                f"{self.parameter} of {space.name} cannot be shared: its stages have other ranges"
            )
        space = replace(space, orders=tuple(c for c in space.orders if c.parameter != old.name))
        return space.with_parameter(replace(old, laws=old.laws[:1], per_stage=False))

    def describe(self) -> str:
        """Return the call that makes it."""
        return f'shared("{self.parameter}")'


@dataclass(frozen=True)
class Ordered:
    """Stage by stage, the drawn values do not decrease (+1) or do not increase (-1).

    DDS's steps from C to D (widths) and from D to E (depths).
    """

    parameter: str
    order: str

    def __post_init__(self) -> None:
        require_choice("order", self.order, tuple(ORDERS))

    def apply(self, space: DesignSpace) -> DesignSpace:
        """Return the space with the constraint added."""
        if not space.parameter(self.parameter).per_stage:
            raise ValueError(
                f"{self.parameter} of {space.name} is one value for all stages: there is no order"
            )
        opposite = [c for c in space.orders if c.parameter == self.parameter and c != self]
        if opposite:
            raise ValueError(
                f"contradictory constraints on {self.parameter}: {self.describe()} after "
                f"{opposite[0].describe()}; share the parameter instead"
            )
        return replace(space, orders=tuple(dict.fromkeys((*space.orders, self))))

    def holds(self, values: Ints | Floats, present: Bools) -> Bools:
        """Return which rows of drawn values, shape (n, s), keep the order over present stages."""
        step = np.diff(values, axis=1) * ORDERS[self.order]
        return np.all((step >= 0) | ~present[:, 1:], axis=1)

    def describe(self) -> str:
        """Return the call that makes it."""
        return f'{self.order}("{self.parameter}")'


@dataclass(frozen=True)
class Bounds:
    """params <= ``params_m`` [0] + [1] f and acts <= ``acts_m`` sqrt(f), in millions.

    f is flops in 1e9. The trend curves of DDS figure 12 as pycls has them (sweep/config.py):
    3 + 5.5 f and 6.5 sqrt(f). They hold at 224 px and 1000 classes whatever the data.
    """

    params_m: tuple[float, float] = (3.0, 5.5)
    acts_m: float = 6.5

    def apply(self, space: DesignSpace) -> DesignSpace:
        """Return the space within the bounds."""
        return replace(space, bounds=self)

    def holds(self, flops: Ints, params: Ints, acts: Ints) -> Bools:
        """Return which networks lie within the bounds, counted at 224 px and 1000 classes."""
        f = flops / 1e9
        low, slope = self.params_m
        inside = params <= 1e6 * (low + slope * f)
        return np.asarray(inside & (acts <= 1e6 * self.acts_m * np.sqrt(f)))

    def describe(self) -> str:
        """Return the call that makes it."""
        return "bounds()" if self == Bounds() else f"bounds({self.params_m}, {self.acts_m})"


@dataclass(frozen=True)
class Stages:
    """The number of stages, a closed range; it replaces the space's own.

    A RegNet with another number is rejected (pycls ``NUM_STAGES``); an AnyNet draws its number.
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        require_int("stages", self.low, high=MAX_STAGES)
        require_int("stages", self.high, low=self.low, high=MAX_STAGES)

    def apply(self, space: DesignSpace) -> DesignSpace:
        """Return the space with this number of stages."""
        return replace(space, stages=(self.low, self.high))

    def describe(self) -> str:
        """Return the call that makes it."""
        return f"stages({self.low}, {self.high})"


@dataclass(frozen=True)
class Limited:
    """A range cut to [low, high], same quantum and law (DDS section 4: d <= 40, wm >= 2)."""

    parameter: str
    low: float | None = None
    high: float | None = None

    def apply(self, space: DesignSpace) -> DesignSpace:
        """Return the space with the narrower range."""
        old = space.parameter(self.parameter)
        laws = tuple(law.limited(self.low, self.high) for law in old.laws)
        return space.with_parameter(replace(old, laws=laws))

    def describe(self) -> str:
        """Return the call that makes it."""
        ends = {"low": self.low, "high": self.high}
        named = [f"{name}={end:g}" for name, end in ends.items() if end is not None]
        return f"limited({', '.join([repr(self.parameter), *named])})".replace("'", '"')


@dataclass(frozen=True)
class WithLaw:
    """A parameter with another law, such as a fixed value."""

    parameter: str
    law: Law

    def apply(self, space: DesignSpace) -> DesignSpace:
        """Return the space with this law for the parameter, in every stage where it has several."""
        old = space.parameter(self.parameter)
        return space.with_parameter(replace(old, laws=(self.law,)))

    def describe(self) -> str:
        """Return the call that makes it."""
        if isinstance(self.law, Fixed):
            return f'fixed("{self.parameter}", {self.law.value:g})'
        return f'with_law("{self.parameter}", {self.law})'


def shared(parameter: str) -> Shared:
    """One value of the parameter for all stages."""
    return Shared(parameter)


def nondecreasing(parameter: str) -> Ordered:
    """The parameter does not decrease from stage to stage."""
    return Ordered(parameter, "nondecreasing")


def nonincreasing(parameter: str) -> Ordered:
    """The parameter does not increase from stage to stage."""
    return Ordered(parameter, "nonincreasing")


def bounds(params_m: tuple[float, float] = (3.0, 5.5), acts_m: float = 6.5) -> Bounds:
    """Parameters and activations under the trend curves of the best models (DDS figure 12)."""
    return Bounds(params_m, acts_m)


def stages(low: int, high: int | None = None) -> Stages:
    """A number of stages, or a closed range of numbers."""
    return Stages(low, low if high is None else high)


def limited(parameter: str, *, low: float | None = None, high: float | None = None) -> Limited:
    """The parameter's range cut at one or both ends."""
    return Limited(parameter, low, high)


def fixed(parameter: str, value: float) -> WithLaw:
    """The parameter has this value."""
    return WithLaw(parameter, Fixed(float(value)))


def with_law(parameter: str, law: Law) -> WithLaw:
    """The parameter is drawn by another law."""
    return WithLaw(parameter, law)
