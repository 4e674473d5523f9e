"""The good range of every parameter of a population: what the scatters of DDS figure 8 show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..designspace.arrays import Bools, Floats
from ..designspace.record import COMPLEXITY_KEYS, PARAMETER_KEYS
from .bootstrap import CONFIDENCE, FRACTION, GoodRange, good_range
from .metrics import METRICS, nearest
from .readers import numbers

HYPERPARAMETERS = ("lr", "weight_decay", "momentum", "label_smoothing", "mixup_alpha", "batch_size")
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

    Raises
    ------
    ValueError
        If a column is missing (the nearest is named), holds no numbers, or nothing varies.
    """
    if names is None:
        names = [name for name in SHOWN if name in rows and len(np.unique(_known(rows, name))) > 1]
        if not names:
            raise ValueError(f"no parameter varies over the {len(rows)} rows: nothing to plot")
    found: list[ParameterRange] = []
    for name in names:
        if name not in rows:
            choices = [c for c in rows.columns if c in METRICS and c != "error"] or rows.columns
            raise ValueError(f"there is no column {name} (nearest: {nearest(name, choices)})")
        known = _has_value(rows, name)
        x, errors = _known(rows, name), rows["error"].to_numpy(dtype=np.float64)[known]
        if not x.size:
            raise ValueError(f"the column {name} is empty in all {len(rows)} rows")
        bounds = good_range(x, errors, fraction=fraction, confidence=confidence)
        found.append(ParameterRange(name, x, errors, bounds))
    return tuple(found)


def constants(rows: pd.DataFrame) -> dict[str, float]:
    """Return the architecture parameters that take one value over all rows, with it."""
    held: dict[str, float] = {}
    for name in PARAMETER_KEYS:
        values = np.unique(_known(rows, name)) if name in rows else np.empty(0)
        if values.size == 1:
            held[name] = float(values[0])
    return held


def _values(rows: pd.DataFrame, name: str) -> Floats:
    cells: Any = numbers(rows, name, "the table")
    return cells.to_numpy(dtype=np.float64, na_value=np.nan)


def _has_value(rows: pd.DataFrame, name: str) -> Bools:
    return np.isfinite(_values(rows, name))


def _known(rows: pd.DataFrame, name: str) -> Floats:
    return _values(rows, name)[_has_value(rows, name)]
