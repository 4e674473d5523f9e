"""The good range of every parameter of a population: what the scatters of DDS figure 8 show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..designspace.arrays import Floats
from ..designspace.record import COMPLEXITY_KEYS, PARAMETER_KEYS
from .bootstrap import CONFIDENCE, FRACTION, GoodRange, good_range
from .metrics import METRICS, nearest
from .tables.readers import numbers

HYPERPARAMETERS = ("lr", "weight_decay", "momentum", "label_smoothing", "mixup_alpha", "batch_size")
TABLE = "the table"
SHOWN = (*PARAMETER_KEYS, *COMPLEXITY_KEYS, *HYPERPARAMETERS)


@dataclass(frozen=True, eq=False)
class ParameterRange:
    """A parameter's values, the errors of the same models, and the range of its best value."""

    name: str
    x: Floats
    errors: Floats
    found: GoodRange


def parameter_ranges(
    rows: pd.DataFrame,
    names: Sequence[str] | None = None,
    *,
    fraction: float = FRACTION,
    confidence: float = CONFIDENCE,
    of: str = TABLE,
) -> tuple[ParameterRange, ...]:
    """Return the good range of each parameter, over the rows that have it.

    Parameters
    ----------
    rows
        Usable rows (`table.usable`).
    names
        Columns of numbers; None takes the parameters, complexities and hyperparameters that
        take more than one value.
    fraction, confidence
        As in `bootstrap.good_range`.
    of
        What the rows are called in messages.

    Raises
    ------
    ValueError
        If a column is missing (the nearest is named), holds no numbers, or nothing varies.
    """
    if names is None:
        names = shown_parameters(rows, of)
    found: list[ParameterRange] = []
    for name in names:
        values = column_of(rows, name, of)
        known = np.isfinite(values)
        x, errors = values, rows["error"].to_numpy(dtype=np.float64)
        if not known.all():  # 10^7 models are not copied for each parameter
            x, errors = x[known], errors[known]
        if not x.size:
            raise ValueError(f"the column {name} is empty in all {len(rows)} rows of {of}")
        bounds = good_range(x, errors, fraction=fraction, confidence=confidence)
        found.append(ParameterRange(name, x, errors, bounds))
    return tuple(found)


def shown_parameters(rows: pd.DataFrame, of: str = TABLE) -> tuple[str, ...]:
    """Return the parameters, complexities and hyperparameters that take more than one value.

    ``of`` is what the rows are called in messages.

    Raises
    ------
    ValueError
        If there is none.
    """
    names = tuple(n for n in SHOWN if n in rows and len(np.unique(_known(rows, n))) > 1)
    if not names:
        over = f"the {len(rows):,} rows" if len(rows) > 1 else "the one row"
        raise ValueError(f"no parameter varies over {over} of {of}: nothing to plot")
    return names


def column_of(rows: pd.DataFrame, name: str, of: str = TABLE) -> Floats:
    """Return a column as numbers, missing ones as NaN, or raise ValueError (nearest named)."""
    if name not in rows:
        choices = [c for c in rows.columns if c in METRICS and c != "error"] or rows.columns
        raise ValueError(f"{of} has no column {name} (nearest: {nearest(name, choices)})")
    return _values(rows, name, of)


def constants(rows: pd.DataFrame) -> dict[str, float]:
    """Return the architecture parameters that take one value over all rows, with it."""
    held: dict[str, float] = {}
    for name in PARAMETER_KEYS:
        values = np.unique(_known(rows, name)) if name in rows else np.empty(0)
        if values.size == 1:
            held[name] = float(values[0])
    return held


def _values(rows: pd.DataFrame, name: str, of: str = TABLE) -> Floats:
    cells: Any = numbers(rows, name, of)
    return cells.to_numpy(dtype=np.float64, na_value=np.nan)


def _known(rows: pd.DataFrame, name: str) -> Floats:
    values = _values(rows, name)
    return values[np.isfinite(values)]
