"""Design spaces as tables: one row a space, or one row a parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..laws import Choice, Law
from ..space_files.law_entries import law_name
from ..spaces import DesignSpace, Parameter
from .columns import Columns


def stages_of(space: DesignSpace) -> str:
    """Return the number of stages, or the range: ``4``, ``3 to 5``."""
    low, high = space.stages
    return f"{low}" if low == high else f"{low} to {high}"


def constraints_of(space: DesignSpace) -> tuple[str, ...]:
    """Return the constraints on drawn values and on complexity, as they are written in code."""
    bounds = [] if space.bounds is None else [space.bounds]
    return tuple(constraint.describe() for constraint in (*space.orders, *bounds))


def dimensions_of(space: DesignSpace) -> int:
    """Return how many values are drawn for a network (DDS's degrees of freedom)."""
    return sum(len(law.values) > 1 for _, _, law in space.slots)


def space_columns(spaces: Sequence[DesignSpace]) -> Columns:
    """Return a table of spaces, one row each.

    ``parameters`` are the names of those that vary, ``dimensions`` how many values are drawn.
    """
    return {
        "name": [space.name for space in spaces],
        "family": [space.family for space in spaces],
        "block": [space.block for space in spaces],
        "stages": [stages_of(space) for space in spaces],
        "dimensions": [dimensions_of(space) for space in spaces],
        "parameters": [
            tuple(p.name for p in space.parameters if any(len(law.values) > 1 for law in p.laws))
            for space in spaces
        ],
        "constraints": [" & ".join(constraints_of(space)) or None for space in spaces],
        "source": [space.source or None for space in spaces],
    }


def parameter_columns(space: DesignSpace) -> Columns:
    """Return a table of a space's parameters, one row each, or one a stage where laws differ.

    ``each`` says what draws a value, ``law`` how; ``choices`` are those of a list, ``values``
    counts what can be drawn. The columns of ``space_columns`` follow, alike in all rows.
    """
    rows = [row for parameter in space.parameters for row in _rows(parameter)]
    whole = {name: cells[0] for name, cells in space_columns([space]).items()}
    del whole["parameters"]
    columns = {key: [row[key] for row in rows] for key in rows[0]}
    return columns | {
        {"name": "space"}.get(key, key): [cell] * len(rows) for key, cell in whole.items()
    }


def _rows(parameter: Parameter) -> list[dict[str, Any]]:
    if not parameter.per_stage:
        return [_row(parameter.name, "network", parameter.law)]
    if len(parameter.laws) == 1:
        return [_row(parameter.name, "stage", parameter.law)]
    return [
        _row(parameter.name, f"stage {i}", law) for i, law in enumerate(parameter.laws, start=1)
    ]


def _row(name: str, each: str, law: Law) -> dict[str, Any]:
    return {
        "parameter": name,
        "each": each,
        "law": law_name(law),
        "low": law.values[0].item(),
        "high": law.values[-1].item(),
        "quantum": getattr(law, "quantum", None),
        "choices": law.choices if isinstance(law, Choice) else None,
        "values": len(law.values),
    }
