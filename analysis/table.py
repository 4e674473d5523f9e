"""A study or a file as one table of results, and which of its rows count.

Conventions: a row is a trained network, ``error`` its top-1 validation error in percent,
``status`` how it ended. What is left out of a statistic is counted by reason, never dropped
silently: a population filtered in silence biases every EDF.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from ..designspace.arrays import Bools, Column
from ..designspace.record import STAGE_KEYS
from ..designspace.tables.columns import Columns
from .metrics import nearest
from .readers import REPLICATE, bad_cell, is_file_of_rows, numbers, read_file, typed
from .records import PARAMETER_KEYS, Status
from .trials import read_curves, read_study

WITHOUT_ERROR = "without error"
REPEATED = "repeated with other seeds"
_SAME = ("study", "index", "space", "block", *PARAMETER_KEYS, *STAGE_KEYS, "data", "epochs")
_log = logging.getLogger("regnet_ds")


def load_table(source: str | PathLike[str], study: str | None = None) -> pd.DataFrame:
    """Return a table of results with at least the columns ``error`` and ``status``.

    Parameters
    ----------
    source
        A ``.csv``, ``.parquet``, ``.json`` or ``.yaml`` file, or the storage of a study: the path
        of a journal, ``journal:PATH``, ``postgresql://...`` or ``sqlite:///...``.
    study
        The study to read; may be left out where the storage holds one. Of a file, the rows with
        this ``study``.

    Raises
    ------
    ValueError
        If the source is missing, empty or of a newer schema, has no column ``error``, a cell is
        not what its column needs, or an error is outside [0, 100]. Row and column are named.
    """
    name = fspath(source)
    if not is_file_of_rows(name):
        rows = read_study(name, study)
        return checked(typed(rows, name), name)
    table = checked(read_file(Path(name)), name)
    return table if study is None else _of_study(table, study, name)


def learning_curves(source: str | PathLike[str], study: str | None = None) -> pd.DataFrame:
    """Return the error after each epoch of every trial of a study.

    Returns
    -------
    A table with the columns trial, status, epoch (from 1) and error; a trial that reported
    nothing has no row.

    Raises
    ------
    ValueError
        If the source is a file of final results, or there is no such study.
    """
    name = fspath(source)
    if is_file_of_rows(name):
        raise ValueError(f"{name} holds final errors only; learning curves need a study")
    return read_curves(name, study)


def to_columns(table: pd.DataFrame) -> Columns:
    """Return a table as columns of plain cells, as ``designspace.columns`` writes them."""
    cells = table.astype(object).where(table.notna(), None)
    return {str(name): cells[name].tolist() for name in cells}


def checked(table: pd.DataFrame, source: str = "the table") -> pd.DataFrame:
    """Return the table with ``error`` as numbers in [0, 100] and a valid ``status`` everywhere.

    A missing status column or cell means complete.
    """
    if "error" not in table:
        near = nearest("error", table.columns)
        raise ValueError(f"{source} has no column error (nearest: {near})")
    errors = numbers(table, "error", source).to_numpy(dtype=np.float64, na_value=np.nan)
    outside = np.flatnonzero((errors < 0) | (errors > 100))
    if outside.size:
        row = int(outside[0])
        raise bad_cell(source, row, "error", "percent in [0, 100]", float(errors[row]))
    known = errors[~np.isnan(errors)]
    if known.size > 1 and 0 < known.max() <= 1:
        _log.warning("%s: all errors are at most 1; they are read as percent", source)
    return table.assign(error=errors, status=_statuses(table, source))


def usable(table: pd.DataFrame, *, diverged: bool = False) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the rows that count, and how many do not, by reason.

    Completed rows with an error count; so do diverged ones (at chance error) if asked for. The
    reasons are the statuses in their order in `Status`, "without error", and "repeated with
    other seeds": later trainings of an architecture, made to measure the noise over seeds, would
    count it several times.
    """
    table = checked(table)
    status = table["status"].to_numpy()
    repeated = seed_repeats(table)
    kept = [str(Status.COMPLETE), *([str(Status.DIVERGED)] if diverged else [])]
    finished = np.isin(status, kept) & ~repeated
    missing = finished & np.isnan(table["error"].to_numpy())
    counts = {
        str(s): int(np.sum(~np.isin(status, kept) & ~repeated & (status == str(s)))) for s in Status
    }
    counts |= {WITHOUT_ERROR: int(missing.sum()), REPEATED: int(repeated.sum())}
    exclusions = {reason: count for reason, count in counts.items() if count}
    return cast(pd.DataFrame, table[finished & ~missing]), exclusions


def seed_repeats(table: pd.DataFrame) -> Bools:
    """Return which rows train an architecture of an earlier row again, with another seed.

    The column ``replicate`` says so: 0 for the population's own training. Without it an
    architecture is the same if study, ``index``, parameters, stages and epochs are; a table
    without ``index`` or ``seed`` has no repeats.
    """
    if REPLICATE in table:
        return numbers(table, REPLICATE, "the table").to_numpy(np.float64, na_value=0) > 0
    if "index" not in table or "seed" not in table:
        return np.zeros(len(table), dtype=np.bool_)
    keys = [key for key in _SAME if key in table]
    # Lists as text: a table of the user may hold what cannot be hashed.
    table = table.assign(**{key: table[key].map(str) for key in STAGE_KEYS if key in table})
    return table.duplicated(keys).to_numpy() & ~table.duplicated([*keys, "seed"]).to_numpy()


def say_exclusions(exclusions: Mapping[str, int]) -> str:
    """Return the exclusions in words: "2 diverged, 1 waiting", or "none"."""
    return ", ".join(f"{count} {reason}" for reason, count in exclusions.items()) or "none"


def _statuses(table: pd.DataFrame, source: str) -> Column:
    if "status" not in table:
        return np.full(len(table), str(Status.COMPLETE), dtype=object)
    cells: Any = table["status"].astype(object)
    status = cells.where(cells.notna(), str(Status.COMPLETE)).map(_plain_status).to_numpy()
    names = [str(s) for s in Status]
    wrong = np.flatnonzero(~np.isin(status, names))
    if wrong.size:
        row = int(wrong[0])
        near = nearest(str(status[row]), names)
        raise bad_cell(source, row, "status", f"a status (nearest: {near})", status[row])
    return status


def _plain_status(cell: Any) -> str:
    return str(cell).strip().lower()


def _of_study(table: pd.DataFrame, study: str, source: str) -> pd.DataFrame:
    if "study" not in table:
        raise ValueError(f"{source} has no column study, so it cannot be cut to {study!r}")
    names = table["study"].to_numpy()
    if not (names == study).any():
        known = sorted({str(name) for name in names if name is not None})
        raise ValueError(f"{source} has no study {study!r} (nearest: {nearest(study, known)})")
    return cast(pd.DataFrame, table[names == study])
