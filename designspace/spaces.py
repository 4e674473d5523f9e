"""Design spaces as data: the law of each parameter, the number of stages, and constraints.

A space is a value: ``space & constraint`` is another one (``constraints.py``). The published
spaces are in ``space_catalogue.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .arrays import Bools, Floats
from .blocks import ACTIVATIONS, BLOCKS, BOTTLENECKS, GROUPED, STEM_TYPES
from .constraints import MAX_STAGES, Bounds, Constraint, Ordered
from .laws import Law
from .linear import MAX_DEPTH, WIDTH_STEP
from .spec import (
    DEFAULT_STEM_WIDTH,
    LARGEST,
    bottleneck_multiplier,
    require_choice,
    require_int,
    require_se_ratio,
)

FAMILIES = {  # family -> its parameters, in the order in which they take their uniforms
    "regnet": ("depth", "w0", "wa", "wm", "group_width", "bottleneck_ratio"),
    "anynet": ("depth", "width", "bottleneck_ratio", "group_width"),
}


@dataclass(frozen=True)
class Parameter:
    """A parameter and its law: one for the network, one for every stage, or one a stage.

    With ``per_stage``, ``laws`` holds one law that each stage draws from, or one law a stage.
    """

    name: str
    laws: tuple[Law, ...]
    per_stage: bool = False

    @property
    def law(self) -> Law:
        """The law of the first stage, or of the network."""
        return self.laws[0]

    def law_of(self, stage: int) -> Law:
        """Return the law of a stage, counted from 0."""
        return self.laws[stage if len(self.laws) > 1 else 0]


@dataclass(frozen=True)
class DesignSpace:
    """A population of networks: parameters with their laws, stages, one block.

    Attributes
    ----------
    family
        ``regnet``: one quantised line (DDS section 3.3). ``anynet``: each stage has its own
        depth, width, bottleneck ratio and group width (DDS section 3.2).
    stages
        The closed range of stage counts. A RegNet with another number, or with a skipped or
        merged level, is rejected; an AnyNet draws its number, each equally likely.
    orders, bounds
        Constraints on the drawn values, and on the complexity.
    se_ratio, activation, stage_strides
        None means the block's default, and stride 2 in every stage.

    Raises
    ------
    ValueError
        If a parameter is missing, unknown or can take a value that no network has.
    """

    name: str
    family: str
    parameters: tuple[Parameter, ...]
    block: str = "x"
    stages: tuple[int, int] = (4, 4)
    orders: tuple[Ordered, ...] = ()
    bounds: Bounds | None = None
    se_ratio: float | None = None
    activation: str | None = None
    stem_type: str = "simple"
    stem_width: int = DEFAULT_STEM_WIDTH
    head_width: int = 0
    stage_strides: tuple[int, ...] | None = None
    source: str = ""

    def __post_init__(self) -> None:
        faults = _faults(self)
        if faults:
            raise ValueError(f"space {self.name}: " + "; ".join(faults))

    def __and__(self, constraint: Constraint) -> DesignSpace:
        """Return the space under a constraint."""
        return constraint.apply(self)

    def named(self, name: str, source: str = "") -> DesignSpace:
        """Return the space under a name."""
        return replace(self, name=name, source=source or self.source)

    def parameter(self, name: str) -> Parameter:
        """Return a parameter; ValueError names those there are."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        known = ", ".join(p.name for p in self.parameters)
        raise ValueError(f"space {self.name} has no parameter {name!r}: it has {known}")

    def with_parameter(self, new: Parameter) -> DesignSpace:
        """Return the space with a parameter in place of the one of that name."""
        old = self.parameter(new.name)
        return replace(self, parameters=tuple(new if p is old else p for p in self.parameters))

    def with_block(self, block: str) -> DesignSpace:
        """Return the space with another block, without the parameters that it does not have.

        Blocks of DDS figure 23 (x r v vr), y (section 5), z, and basic and vanilla of NDS.
        """
        absent = not_of_block(block)
        return replace(
            self,
            name=f"{self.name}/{block}",
            block=block,
            parameters=tuple(p for p in self.parameters if p.name not in absent),
            orders=tuple(c for c in self.orders if c.parameter not in absent),
        )

    @cached_property
    def laws(self) -> dict[str, Law]:
        """The law of each parameter that a network has one of."""
        return {p.name: p.law for p in self.parameters if not p.per_stage}

    @cached_property
    def slots(self) -> tuple[tuple[str, int, Law], ...]:
        """Every single draw: (parameter, stage or 0, law), in the order of their uniforms."""
        return tuple(
            (p.name, stage, p.law_of(stage))
            for p in self.parameters
            for stage in range(self.stages[1] if p.per_stage else 1)
        )


def not_of_block(block: str) -> tuple[str, ...]:
    """Return the parameters that a block does not have."""
    absent = {"group_width": block not in GROUPED, "bottleneck_ratio": block not in BOTTLENECKS}
    return tuple(name for name, is_absent in absent.items() if is_absent)


def _at_least(low: float) -> Callable[[Floats], Bools]:
    return lambda v: v >= low


def _integers(low: int, high: int = LARGEST, step: int = 1) -> Callable[[Floats], Bools]:
    return lambda v: (v == np.rint(v)) & (v >= low) & (v <= high) & (v % step == 0)


def _ratios(values: Floats) -> Bools:
    fits = np.ones(len(values), dtype=np.bool_)
    for i, b in enumerate(values.tolist()):
        try:
            bottleneck_multiplier(b)
        except ValueError:
            fits[i] = False
    return fits


_DOMAINS: dict[str, tuple[Callable[[Floats], Bools], str]] = {
    "depth": (_integers(1, MAX_DEPTH), f"an integer from 1 to {MAX_DEPTH}"),
    "w0": (_integers(WIDTH_STEP, step=WIDTH_STEP), "a positive multiple of 8"),
    "wa": (_at_least(0), "at least 0"),
    "wm": (lambda v: v > 1, "above 1"),
    "width": (_integers(1), "a positive integer"),
    "group_width": (_integers(1), "a positive integer"),
    "bottleneck_ratio": (_ratios, "positive, and below 1 one over an integer"),
}


def _faults(space: DesignSpace) -> list[str]:
    """Return everything that is wrong with a space, in words."""
    faults: list[str] = []
    for check in (
        lambda: require_choice("family", space.family, tuple(FAMILIES)),
        lambda: require_choice("block", space.block, BLOCKS),
        lambda: require_int("stages", space.stages[0], high=MAX_STAGES),
        lambda: require_int("stages", space.stages[1], low=space.stages[0], high=MAX_STAGES),
        lambda: require_choice("stem_type", space.stem_type, STEM_TYPES),
        lambda: require_choice("activation", space.activation or ACTIVATIONS[0], ACTIVATIONS),
        lambda: require_int("stem_width", space.stem_width),
        lambda: require_int("head_width", space.head_width, low=0),
    ):
        try:
            check()
        except ValueError as error:
            faults.append(str(error))
    if faults:
        return faults
    if space.se_ratio is not None:
        try:
            require_se_ratio(space.block, space.se_ratio)
        except ValueError as error:
            faults.append(str(error))
    names = [p.name for p in space.parameters]
    absent = not_of_block(space.block)
    if absent and space.family == "regnet":
        faults.append(f"a regnet needs a block with groups, got {space.block!r}")
    wanted = [name for name in FAMILIES[space.family] if name not in absent]
    faults += [f"the parameter {name} is missing" for name in wanted if name not in names]
    for parameter in space.parameters:
        faults += _parameter_faults(space, parameter)
    if not faults:
        faults += [fault for order in space.orders for fault in _order_faults(space, order)]
    strides = space.stage_strides
    if strides is not None and len(strides) != space.stages[1]:
        faults.append(f"stage_strides must name {space.stages[1]} stages, got {len(strides)}")
    return faults


def _parameter_faults(space: DesignSpace, parameter: Parameter) -> list[str]:
    name = parameter.name
    if name not in FAMILIES[space.family]:
        return [f"a {space.family} has no parameter {name!r}"]
    if name in not_of_block(space.block):
        return [f"block {space.block} has no {name}"]
    if space.family == "regnet" and parameter.per_stage:
        return [f"{name} of a regnet is one value, not one a stage"]
    if len(parameter.laws) not in (1, space.stages[1] if parameter.per_stage else 1):
        return [f"{name} needs one law or {space.stages[1]}, got {len(parameter.laws)}"]
    fits, wanted = _DOMAINS[name]
    bad = [v for law in parameter.laws for v in law.values[~fits(law.values)][:1].tolist()]
    return [f"{name} must be {wanted}, got {bad[0]:g}"] if bad else []


def _order_faults(space: DesignSpace, order: Ordered) -> list[str]:
    if not space.parameter(order.parameter).per_stage:
        return [f"{order.describe()}: {order.parameter} is one value for all stages"]
    if not _can_be_ordered(space, order):
        return [f"contradictory: {order.describe()} fits no values of its ranges"]
    return []


def _can_be_ordered(space: DesignSpace, order: Ordered) -> bool:
    """Return whether some values, one a stage, keep the order: taken greedily."""
    parameter = space.parameter(order.parameter)
    sign = 1 if order.order == "nondecreasing" else -1
    last = -np.inf
    for stage in range(space.stages[0]):
        values = np.sort(sign * parameter.law_of(stage).values)
        later = values[values >= last]
        if not len(later):
            return False
        last = later[0]
    return True
