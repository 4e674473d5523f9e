"""A page: a figure with the numbers behind it, and the options that the kinds of figures read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...designspace.arrays import Column, Floats
from ...designspace.record import COMPLEXITY_KEYS
from ..ranges import column_of
from ..tables.groups import Group
from .networks import SHOWN

Columns = dict[str, list[Any]]
# Numbers that there may be 10^7 of are arrays: as Python's own they would fill gigabytes.
Numbers = Mapping[str, "list[Any] | Column"]


@dataclass(frozen=True, eq=False)
class Options:
    """What a figure may be told; each kind reads what it needs.

    Attributes
    ----------
    parameters : tuple of str
        The columns to show; empty takes those that vary. A map takes two.
    complexity : str
        The horizontal axis of front and buckets; "" takes the first that is there.
    bands : bool
        Whether EDFs have simultaneous bands.
    shown : int
        Networks in the figure of widths.
    curves : DataFrame or None
        Errors by epoch, for the figure of curves.
    seed : int
        Of the samples that the KS curve draws.
    """

    parameters: tuple[str, ...] = ()
    complexity: str = ""
    bands: bool = False
    shown: int = SHOWN
    curves: pd.DataFrame | None = None
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Page:
    """A figure, the numbers behind it as columns (lists or arrays), and what it shows in words."""

    figure: Figure
    numbers: Numbers
    text: str


def stacked(records: Mapping[str, Any], names: Sequence[str]) -> Columns:
    """Return the arrays of records as columns, under the names of their populations."""
    columns: Columns = {"population": [], **{name: [] for name in names}}
    for population, record in records.items():
        for name in names:
            columns[name] += getattr(record, name).tolist()
        columns["population"] += [population] * (
            len(columns[names[0]]) - len(columns["population"])
        )
    return columns


def complexity_of(groups: Sequence[Group], options: Options) -> str:
    """Return the complexity asked for, or the first that all populations have."""
    if options.complexity:
        return options.complexity
    for name in COMPLEXITY_KEYS:
        if all(name in g.rows and np.isfinite(column_of(g.rows, name)).any() for g in groups):
            return name
    raise ValueError(f"the populations share none of the columns {', '.join(COMPLEXITY_KEYS)}")


def known_pairs(group: Group, name: str) -> tuple[Floats, Floats]:
    """Return a column and the errors, of the models that have a value."""
    x = column_of(group.rows, name, group.name)
    known = np.isfinite(x)
    if not known.any():
        raise ValueError(f"the column {name} is empty in all {len(x)} rows of {group.name}")
    errors = group.rows["error"].to_numpy(np.float64)
    return (x, errors) if known.all() else (x[known], errors[known])
