"""Exact sizes of design spaces, beside the published ones.

A size is a number of parameter settings. Where the stages of an AnyNet are ordered, DDS divides
by 4!, which counts settings with equal values wrongly; here they are counted exactly. A RegNet
space is the product of its grids; how many of these have the right stages, and how many networks
they are, ``enumeration`` finds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .laws import Law
from .space_catalogue import SPACES, find_space
from .spaces import DesignSpace, Parameter
from .tables.columns import Columns


@dataclass(frozen=True)
class Published:
    """A size as the paper prints it: its formula, the rounded number, and what the formula is."""

    formula: str
    printed: str
    value: int


PUBLISHED = {  # DDS, table 1
    "anynetx-a": Published("(16*128*3*6)^4", "~1.8e18", (16 * 128 * 3 * 6) ** 4),
    "anynetx-b": Published("(16*128*6)^4 * 3", "~6.8e16", (16 * 128 * 6) ** 4 * 3),
    "anynetx-c": Published("(16*128)^4 * 3 * 6", "~3.2e14", (16 * 128) ** 4 * 3 * 6),
    "anynetx-d": Published("(16*128)^4 * 3 * 6 / (4!)", "~1.3e13", (16 * 128) ** 4 * 3 * 6 // 24),
    "anynetx-e": Published(
        "(16*128)^4 * 3 * 6 / (4!)^2", "~5.5e11", (16 * 128) ** 4 * 3 * 6 // 24**2
    ),
    "regnetx-dds": Published("~64^4 * 6 * 3", "~3.0e8", 64**4 * 6 * 3),
}


def count_tuples(grids: Sequence[Sequence[float]], order: str | None = None) -> int:
    """Return how many tuples take one value from each grid.

    Parameters
    ----------
    grids
        One list of distinct numbers a place, in any order.
    order
        ``nondecreasing`` or ``nonincreasing`` counts only such tuples; equal neighbours are
        allowed.

    Raises
    ------
    ValueError
        If the order is unknown.
    """
    if order not in (None, "nondecreasing", "nonincreasing"):
        raise ValueError(f"order must be nondecreasing, nonincreasing or None, got {order!r}")
    if order is None:
        return math.prod(map(len, grids))
    forwards = grids if order == "nondecreasing" else list(reversed(grids))
    ending = {float("-inf"): 1}  # how many tuples so far end in each value
    for grid in forwards:
        ending = _extended(ending, grid)
    return sum(ending.values())


def _extended(ending: dict[float, int], grid: Sequence[float]) -> dict[float, int]:
    """Return how many tuples end in each value of the next grid, at or above their last."""
    before = sorted(ending.items(), reverse=True)
    result: dict[float, int] = {}
    total = 0
    for value in sorted(grid):
        while before and before[-1][0] <= value:
            total += before.pop()[1]
        result[value] = total
    return result


def count_settings(space: DesignSpace) -> int:
    """Return the number of parameter settings of a space, exactly.

    Settings of different numbers of stages are different ones. A RegNet setting counts whatever
    stages it leads to, and bounds on complexity do not count.
    """
    if space.family == "regnet":
        return math.prod(len(law.values) for law in space.laws.values())
    low, high = space.stages
    return sum(_with_stages(space, stages) for stages in range(low, high + 1))


def _with_stages(space: DesignSpace, stages: int) -> int:
    orders = {order.parameter: order.order for order in space.orders}
    return math.prod(
        count_tuples(_grids(parameter, stages), orders.get(parameter.name))
        for parameter in space.parameters
    )


def _grids(parameter: Parameter, stages: int) -> list[list[float]]:
    laws: list[Law] = [parameter.law]
    if parameter.per_stage:
        laws = [parameter.law_of(stage) for stage in range(stages)]
    return [np.unique(law.values).tolist() for law in laws]


def sizes(name: str | None = None) -> Columns:
    """Return the sizes of all published spaces, or of one, as a table.

    ``settings`` is exact; ``published`` is the formula of the paper, ``printed`` its number as
    printed and ``value`` as computed, None where the paper has none.

    Raises
    ------
    ValueError
        If there is no such space; the message names the nearest.
    """
    spaces = list(SPACES.values()) if name is None else [find_space(name)]
    known = [PUBLISHED.get(space.name) for space in spaces]
    return {
        "space": [space.name for space in spaces],
        "published": [p and p.formula for p in known],
        "printed": [p and p.printed for p in known],
        "value": [p and p.value for p in known],
        "settings": [count_settings(space) for space in spaces],
        "approximately": [f"{count_settings(space):.3e}" for space in spaces],
    }
