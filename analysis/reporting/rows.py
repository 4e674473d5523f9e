"""The table of models of a report: what each row says, and how a cell is shown and sorted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from ...designspace.arrays import Ints
from ...designspace.budget import format_size
from ...designspace.linear import quantise
from ...designspace.record import COMPLEXITY_KEYS
from ..figures.networks import regnet_of_row, title_of_row
from ..ranges import SHOWN
from ..tables.groups import Group
from .vector import say_stages, stage_diagram

NOTHING = "–"  # noqa: RUF001
MOST_PARAMETERS = 8
EXTREMES = 5
_HEADS = {"error": "error (%)", "test_error": "test error (%)"}
MOST_LISTED = 5_000


@dataclass(frozen=True)
class Cell:
    """A cell: what is shown, and the number it is sorted by if that is another one."""

    shown: str | Markup
    key: str = ""


@dataclass(frozen=True)
class Models:
    """The models as a table, the best first: all ``n``, or the `MOST_LISTED` best of them.

    ``heads`` are pairs of label and whether the column holds numbers; ``best`` and ``worst`` are
    rows of the same columns that also say the stages in words.
    """

    heads: tuple[tuple[str, bool], ...]
    rows: tuple[tuple[Cell, ...], ...]
    best: tuple[tuple[Cell, ...], ...]
    worst: tuple[tuple[Cell, ...], ...]
    n: int


def models_table(groups: Sequence[Group]) -> Models:
    """Return the models of all populations in order of their error, as many as are listed."""
    n = sum(len(group.rows) for group in groups)
    parts = [group.rows.assign(**{"(population)": group.name}) for group in groups]
    table = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    order = np.argsort(table["error"].to_numpy(np.float64), kind="stable")
    ranks = np.arange(1, order.size + 1)
    if order.size > MOST_LISTED:
        kept = np.r_[:MOST_LISTED, order.size - EXTREMES : order.size]
        order, ranks = order[kept], ranks[kept]
    table = table.iloc[order]
    columns = _columns(table)
    records = table.to_dict("records")
    stages = [stages_of_row(record) for record in records]
    known = [one for one in stages if one is not None]
    heads = [("rank", True), ("model", False)]
    heads += [("population", False)] * (len(groups) > 1)
    heads += [("stages", False)] * bool(known)
    heads += [(_HEADS.get(name, name.replace("_", " ")), True) for name in columns]
    widest = max((int(w.max()) for w, _ in known), default=1)
    deepest = max((int(d.sum()) for _, d in known), default=1)
    rows: list[tuple[Cell, ...]] = []
    for rank, record, one in zip(ranks.tolist(), records, stages, strict=True):
        cells = [Cell(str(rank)), Cell(_title(record, rank))]
        if len(groups) > 1:
            cells.append(Cell(str(record["(population)"])))
        if known:
            cells.append(_stage_cell(one, widest, deepest))
        cells += [cell_of(name, record.get(name)) for name in columns]
        rows.append(tuple(cells))
    k = min(EXTREMES, len(rows) // 2) or 1
    place = [label for label, _ in heads].index("stages") if known else None
    said = [_with_words(row, one, place) for row, one in zip(rows, stages, strict=True)]
    worst = said[-k:][::-1] if len(rows) > 1 else []
    return Models(tuple(heads), tuple(rows[:MOST_LISTED]), tuple(said[:k]), tuple(worst), n)


def stages_of_row(row: Any) -> tuple[Ints, Ints] | None:
    """Return widths and depths of a row's stages, or None if it does not tell them."""
    widths, depths = row.get("stage_widths"), row.get("stage_depths")
    if isinstance(widths, tuple | list) and isinstance(depths, tuple | list):
        if len(widths) == len(depths) > 0:
            return np.array(widths, np.int64), np.array(depths, np.int64)
    params = regnet_of_row(row)
    if params is None:
        return None
    return np.unique(np.array(quantise(params), np.int64), return_counts=True)


def cell_of(name: str, value: Any) -> Cell:
    """Return the cell of a value of a column; sizes are short, and sorted by the whole number."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)) or value is pd.NA:
        return Cell(NOTHING)
    if isinstance(value, bool | str) or not isinstance(value, int | float | np.number):
        return Cell(str(value))
    if name in COMPLEXITY_KEYS:
        return Cell(format_size(float(value)), f"{float(value):.0f}")
    if name in ("error", "test_error"):
        return Cell(f"{float(value):.2f}", f"{float(value):.12g}")
    return Cell(f"{float(value):.4g}")


def _columns(table: Any) -> list[str]:
    first = [n for n in ("error", "test_error", *COMPLEXITY_KEYS) if n in table]
    first = [n for n in first if table[n].notna().any()]
    others = [n for n in SHOWN if n in table and n not in first and n not in COMPLEXITY_KEYS]
    vary = [n for n in others if table[n].map(str).nunique() > 1]
    return [*first, *vary[:MOST_PARAMETERS]]


def _title(record: dict[Any, Any], rank: int) -> str:
    if any(record.get(key) is not None for key in ("name", "trial", "index")):
        row: Any = pd.Series(record, name=rank)
        return title_of_row(row)
    return f"model {rank}"


def _stage_cell(stages: tuple[Ints, Ints] | None, widest: int, deepest: int) -> Cell:
    if stages is None:
        return Cell(NOTHING)
    return Cell(stage_diagram(stages, widest, deepest), str(int(stages[1].sum())))


def _with_words(
    row: tuple[Cell, ...], stages: tuple[Ints, Ints] | None, place: int | None
) -> tuple[Cell, ...]:
    """Return a row whose cell of stages, at ``place``, also says them."""
    if stages is None or place is None:
        return row
    cell = row[place]
    said = Markup("{}<small>{}<br>{}</small>").format(cell.shown, *say_stages(stages))
    return (*row[:place], Cell(said, cell.key), *row[place + 1 :])
