"""Populations to compare: the rows of one or several sources, split by a column, and summarised.

Each keeps what was excluded from it and the regime it was trained in, for its caption.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import pandas as pd

from ...designspace.arrays import Floats, Ints
from ..distribution import EDF, edf
from ..matching import BINS, match
from ..metrics import nearest
from ..noise import Repeated
from ..ranges import column_of
from .readers import is_arrow
from .table import REPEATED, repeated_networks, say_exclusions, usable

_NOT_SAID = "(none)"
_EPOCHS = "epochs"
# What a caption says of how rows were trained, where all of them share it.
_REGIME = (
    ("space", "{}"),
    ("data", "{}"),
    ("resolution", "{:g} px"),
    ("classes", "{:g} classes"),
    ("epochs", "{:g} epochs"),
)


@dataclass(frozen=True, eq=False)
class Group:
    """The trained networks of one name that count, and how many did not, by reason."""

    name: str
    rows: pd.DataFrame
    exclusions: dict[str, int]
    weights: Floats | None = None  # (n,) where it is matched with others on complexity
    cells: Ints | None = None  # the cell of each row, -1 where its weight is 0
    note: str = ""  # what was matched, for the caption
    trained: pd.DataFrame | None = None  # all rows, where some train a network again

    @cached_property
    def edf(self) -> EDF:
        """The error distribution, at matched complexity where there are weights."""
        return edf(self.rows["error"], self.weights)

    @cached_property
    def repeated(self) -> tuple[Repeated, ...]:
        """The networks that were trained with several seeds."""
        return () if self.trained is None else tuple(repeated_networks(self.trained))


def only(
    table: pd.DataFrame, conditions: Sequence[tuple[str, Sequence[str]]], source: str = "the table"
) -> pd.DataFrame:
    """Return the rows whose columns have one of the values, compared as text.

    Raises
    ------
    ValueError
        If a column or a value is not there; the nearest is named.
    """
    for column, wanted in conditions:
        parts = dict(_split(source, table, column))
        absent = [value for value in wanted if value not in parts]
        if absent:
            near = nearest(absent[0], parts)
            raise ValueError(f"{source} has no {column} {absent[0]!r} (nearest: {near})")
        kept = [parts[value].index for value in dict.fromkeys(wanted)]
        table = cast(pd.DataFrame, table.loc[table.index.isin(np.concatenate(kept))])
    return table


def make_groups(
    tables: Sequence[tuple[str, pd.DataFrame]],
    *,
    by: str | None = None,
    diverged: bool = False,
) -> list[Group]:
    """Return a population for each named table, or for each value of its column ``by``.

    One in which the networks that count were trained for several numbers of epochs becomes a
    population for each of them.

    Raises
    ------
    ValueError
        If a table lacks the column, or nothing in a population counts.
    """
    found: list[Group] = []
    for name, table in tables:
        parts = [(name, table)] if by is None else _split(name, table, by)
        for label, part in parts:
            full = f"{name}: {label}" if by is not None and len(tables) > 1 else label
            one = _group(full, part, diverged)
            if one.rows.empty:
                why = say_exclusions(one.exclusions)
                raise ValueError(f"{full} has no finished row with an error; excluded: {why}")
            found += [one] if by == _EPOCHS else _by_epochs(one, part, diverged)
    return found


def _group(name: str, table: pd.DataFrame, diverged: bool) -> Group:
    rows, exclusions = usable(table, diverged=diverged)
    return Group(name, rows, exclusions, trained=table if REPEATED in exclusions else None)


def _by_epochs(group: Group, table: pd.DataFrame, diverged: bool) -> list[Group]:
    """Return a population as it is, or one for each number of epochs: those are not mixed."""
    epochs: Any = group.rows.get(_EPOCHS)
    if epochs is None or not epochs.min() < epochs.max():
        return [group]
    parts = [
        _group(f"{group.name}: {label} epochs", part, diverged)
        for label, part in _split(group.name, table, _EPOCHS)
    ]
    return [part for part in parts if not part.rows.empty]


def match_groups(groups: Sequence[Group], names: Sequence[str], *, bins: int = BINS) -> list[Group]:
    """Return the populations with the weights that match them on complexities (NDS).

    Rows without one of the complexities are left out and counted.

    Raises
    ------
    ValueError
        If a column is missing, the ranges are disjoint or no bin is shared.
    """
    kept: list[Group] = []
    values: list[Floats] = []
    for group in groups:
        columns = np.column_stack([column_of(group.rows, name, group.name) for name in names])
        known = np.isfinite(columns).all(axis=1)
        missing = int(np.sum(~known))
        said = {f"without {' or '.join(names)}": missing} if missing else {}
        if not known.any():
            raise ValueError(f"{group.name} has no row with {' and '.join(names)}")
        rows = cast(pd.DataFrame, group.rows[known])
        kept.append(replace(group, rows=rows, exclusions={**group.exclusions, **said}))
        values.append(columns[known])
    found = match(values, names=names, bins=bins, labels=[group.name for group in groups])
    parts = zip(kept, found.weights, found.cells, strict=True)
    note = found.describe()
    return [replace(g, weights=w, cells=c, note=note) for g, w, c in parts]


def summary(population: Group) -> dict[str, Any]:
    """Return the numbers of a population's error distribution, in percent, as a record."""
    record = population.edf
    return {
        "population": population.name,
        "n": record.n,
        "min": record.min,
        "mean": record.mean,
        "q10": record.quantile(0.1),
        "q25": record.quantile(0.25),
        "median": record.median,
        "q75": record.quantile(0.75),
        "q90": record.quantile(0.9),
        "max": record.max,
        "excluded": say_exclusions(population.exclusions),
    }


def caption(shown: Iterable[Group]) -> str:
    """Return the line under a figure: n, exclusions and the regime that all rows share."""
    shown = list(shown)
    n = sum(len(population.rows) for population in shown)
    excluded: Counter[str] = Counter()
    for population in shown:
        excluded.update(population.exclusions)
    parts = [f"n = {n:,}; excluded: {say_exclusions(excluded)}"]
    notes = dict.fromkeys(population.note for population in shown if population.note)
    said = regime([population.rows for population in shown])
    return "; ".join([*parts, *notes, *([said] if said else [])])


def regime(tables: Sequence[pd.DataFrame]) -> str:
    """Return in words how the rows of tables were trained, as far as all of them share it."""
    parts: list[str] = []
    for column, words in _REGIME:
        if all(column in table for table in tables):
            values = {value for table in tables for value in table[column].unique()}
            value = next(iter(values)) if len(values) == 1 else None
            if value is not None and value == value and value != "":
                parts.append(words.format(value))
    return ", ".join(parts)


def _split(name: str, table: pd.DataFrame, by: str) -> list[tuple[str, pd.DataFrame]]:
    if by not in table:
        raise ValueError(f"{name} has no column {by} (nearest: {nearest(by, table.columns)})")
    cells: Any = table[by].map(str) if is_arrow(table[by]) else table[by]
    codes, values = pd.factorize(cells, use_na_sentinel=False)
    labels = [_label(value) for value in values]
    return [
        (label, cast(pd.DataFrame, table[np.isin(codes, _places(labels, label))]))
        for label in dict.fromkeys(labels)
    ]


def _places(labels: list[str], label: str) -> list[int]:
    return [i for i, one in enumerate(labels) if one == label]


def _label(cell: Any) -> str:
    if cell is None or cell != cell or cell == "":
        return _NOT_SAID
    return f"{cell:g}" if isinstance(cell, float) else str(cell)
