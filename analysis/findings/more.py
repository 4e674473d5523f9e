"""What the smaller studies and the measured times say: parts of the page, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pandas as pd

from ...designspace.tables.columns import read_columns
from .answers import Answer
from .augmented import augmentation_answers
from .rates import rate_answers
from .rungs import ladder_groups, ladder_steps
from .runtime import Times, runtime_answers
from .scaled import scaling_answers

MAPS = "maps/"
TIMES = Path(__file__).parents[1] / "data" / "runtime.csv"  # measured, comes with the package


def more_answers(table: pd.DataFrame, margin: float) -> dict[str, list[Answer]]:
    """Return the answers of `reproduce more`, by heading.

    Parameters
    ----------
    table
        Rows of the studies ``scaling/FORM``, ``rates``, ``augmentation/SIZE``, and perhaps
        ``maps/SPACE``.
    margin
        The loss that counts as none: the spread over seeds of the ladder, in points.
    """
    studies = table["study"].astype(str)
    maps = cast(pd.DataFrame, table[studies.str.startswith(MAPS)])
    steps = ladder_steps(ladder_groups(maps), margin) if len(maps) else ()
    on_maps = {"The ladder on larger maps": [step.answer() for step in steps]} if steps else {}
    return {
        **on_maps,
        "Scaling": scaling_answers(table, margin),
        "Learning rate and weight decay": rate_answers(table),
        "Augmentation": augmentation_answers(table),
    }


def time_answers(columns: Mapping[str, Sequence[Any]] | None = None) -> dict[str, list[Answer]]:
    """Return the answers of measured times; of those that come with the package by default."""
    times = Times.of(read_columns(TIMES) if columns is None else columns)
    return {"Run time": runtime_answers(times)}
