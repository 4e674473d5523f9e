"""A study or a file as one table of results, and which of its rows count.

Conventions: a row is a trained network, ``error`` its top-1 validation error in percent,
``status`` how it ended. What is left out of a statistic is counted by reason, never dropped
silently: a population filtered in silence biases every EDF.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import chain
from os import PathLike, fspath
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from ...designspace.arrays import Bools, Column, Floats, Ints
from ...designspace.record import STAGE_KEYS
from ...designspace.tables.columns import Columns
from ..examples import PREFIX, example_path
from ..metrics import nearest
from ..noise import Repeated
from ..records import PARAMETER_KEYS, Status
from .foreign import CURVE
from .readers import (
    NAMES,
    REPLICATE,
    bad_cell,
    is_arrow,
    is_file_of_rows,
    numbers,
    read_file,
    typed,
)
from .trials import read_curves, read_study

WITHOUT_ERROR = "without error"
REPEATED = "repeated with other seeds"
TWICE = "given twice"
_SAME = ("study", "index", "space", "block", *PARAMETER_KEYS, *STAGE_KEYS, "data", "epochs")
UNITS = ("percent", "share")


def load_table(
    source: str | PathLike[str],
    study: str | None = None,
    *,
    errors: str | None = None,
    columns: Collection[str] | None = None,
) -> pd.DataFrame:
    """Return a table of results with at least the columns ``error`` and ``status``.

    Parameters
    ----------
    source
        A ``.csv``, ``.parquet``, ``.json`` or ``.yaml`` file, also a pycls ``sweep.json``, data of
        nds or timm's ``results-*.csv`` (`foreign`); ``example:imagenet`` (`load_example`); or the
        storage of a study: the path of a journal, ``journal:PATH``, ``postgresql://...`` or
        ``sqlite:///...``.
    study
        The study to read; may be left out where the storage holds one. Of a file, the rows with
        this ``study``.
    errors
        What the errors of a file are: "percent", or "share" for errors in [0, 1]. None takes
        percent, unless no error is above 1: then it must be said.
    columns
        Of a Parquet file these columns are enough (`readers.read_file`); None reads all.

    Raises
    ------
    ValueError
        If the source is missing, empty or of a newer schema, has no column ``error``, a cell is
        not what its column needs, an error is outside [0, 100], or its unit is not clear. Row and
        column are named.
    """
    name = fspath(source)
    if errors is not None and errors not in UNITS:
        raise ValueError(f"errors are percent or share, got {errors!r}")
    if name.startswith(PREFIX):
        name = str(example_path(name.removeprefix(PREFIX)))
    if not is_file_of_rows(name):
        rows = read_study(name, study)
        return checked(typed(rows, name), name)
    table = checked(read_file(Path(name), columns), name, errors)
    _require_unit(table, name, errors)
    return table if study is None else _of_study(table, study, name)


def learning_curves(source: str | PathLike[str], study: str | None = None) -> pd.DataFrame:
    """Return the error after each epoch of every trial of a study.

    Returns
    -------
    A table with the columns trial, status, epoch (from 1) and error; a trial that reported
    nothing has no row.

    A file has them in a column ``curve`` of lists, as pycls sweeps and the data of nds do; its
    rows are counted from 0 where there is no column trial.

    Raises
    ------
    ValueError
        If the source is a file of final results, or there is no such study.
    """
    name = fspath(source)
    if not is_file_of_rows(name) and not name.startswith(PREFIX):
        return read_curves(name, study)
    table = load_table(name, study)
    if CURVE not in table:
        raise ValueError(f"{name} holds final errors only; learning curves need a study")
    return curves_of_rows(table)


def curves_of_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the errors by epoch of a table with a column ``curve``, as `learning_curves` does."""
    sizes, errors = _flattened(table[CURVE])
    row = np.repeat(np.arange(len(table)), sizes)
    epoch = np.arange(1, errors.size + 1) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return pd.DataFrame(
        {
            "trial": table["trial"].to_numpy()[row] if "trial" in table else row,
            "status": pd.Categorical(table["status"])[row],
            "epoch": epoch,
            "error": errors,
        }
    )


def _flattened(curves: Any) -> tuple[Ints, Floats]:
    """Return the number of epochs of each curve, and the errors of all, one after the other."""
    if is_arrow(curves):
        import pyarrow as pa
        from pyarrow.compute import call_function

        cells: Any = pa.chunked_array(pa.array(curves.array))
        sizes = call_function("list_value_length", [cells]).fill_null(0)
        errors = call_function("list_flatten", [cells])
        return sizes.to_numpy(), errors.to_numpy().astype(np.float64)
    lists = [curve or () for curve in curves]
    errors = np.fromiter(chain.from_iterable(lists), np.float64)
    return np.fromiter(map(len, lists), np.int64, len(lists)), errors


def to_columns(table: pd.DataFrame) -> Columns:
    """Return a table as columns of plain cells, as ``designspace.tables.columns`` writes them."""
    cells = table.astype(object).where(table.notna(), None)
    return {str(name): cells[name].tolist() for name in cells}


def checked(
    table: pd.DataFrame, source: str = "the table", errors: str | None = None
) -> pd.DataFrame:
    """Return the table with ``error`` as numbers in [0, 100] and a valid ``status`` everywhere.

    A missing status column or cell means complete. Errors that are shares become percent.
    """
    if "error" not in table:
        near = nearest("error", table.columns)
        raise ValueError(f"{source} has no column error (nearest: {near})")
    values = numbers(table, "error", source).to_numpy(dtype=np.float64, na_value=np.nan)
    most, unit = (1, "a share in [0, 1]") if errors == "share" else (100, "percent in [0, 100]")
    if np.fmin.reduce(values, initial=0) < 0 or np.fmax.reduce(values, initial=0) > most:
        row = int(np.flatnonzero((values < 0) | (values > most))[0])
        raise bad_cell(source, row, "error", unit, float(values[row]))
    scaled = values * 100 if errors == "share" else values
    return table.assign(error=scaled, status=_statuses(table, source))


def _require_unit(table: pd.DataFrame, source: str, errors: str | None) -> None:
    largest = float(np.fmax.reduce(table["error"].to_numpy(), initial=0))
    if errors is None and 0 < largest <= 1:
        raise ValueError(
            f"{source}: no error is above 1 (the largest is {largest:g}): say whether they are"
            " shares or percent (errors='share' or 'percent'; on the command line --errors)"
        )


def usable(table: pd.DataFrame, *, diverged: bool = False) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the rows that count, and how many do not, by reason.

    Completed rows with an error count; so do diverged ones (at chance error) if asked for. The
    reasons are the statuses in their order in `Status`, "without error", "repeated with other
    seeds": later trainings of an architecture, made to measure the noise over seeds, would count
    it several times; and "given twice": a row that equals an earlier one in every column, if a
    trial, index or name tells rows apart.
    """
    table = checked(table)
    codes = _codes(table["status"])
    twice = _given_twice(table)
    repeated = seed_repeats(table) & ~twice
    names = [str(s) for s in Status]
    good = [names.index(Status.COMPLETE), *([names.index(Status.DIVERGED)] if diverged else [])]
    right = np.isin(codes, good)
    finished = right & ~repeated & ~twice
    missing = finished & np.isnan(table["error"].to_numpy())
    others = np.bincount(codes[~right & ~repeated & ~twice], minlength=len(names))
    counts = dict(zip(names, others.tolist(), strict=True))
    counts |= {
        WITHOUT_ERROR: int(missing.sum()),
        REPEATED: int(repeated.sum()),
        TWICE: int(twice.sum()),
    }
    exclusions = {reason: count for reason, count in counts.items() if count}
    kept = finished & ~missing
    return (table if kept.all() else cast(pd.DataFrame, table[kept])), exclusions


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
    table = _hashable(cast(pd.DataFrame, table[[*keys, "seed"]]))
    return table.duplicated(keys).to_numpy() & ~table.duplicated([*keys, "seed"]).to_numpy()


def repeated_networks(table: pd.DataFrame) -> list[Repeated]:
    """Return the networks that finished with several seeds, in the order of their first rows.

    They are told apart as in `seed_repeats`; rows given twice count once.
    """
    table = checked(table)
    done: Any = (table["status"] == Status.COMPLETE) & table["error"].notna()
    done &= ~_given_twice(table)
    repeats = seed_repeats(table)[done.to_numpy()]
    if not done.all():
        table = cast(pd.DataFrame, table[done])
    keys = [key for key in (*_SAME, "name") if key in table]
    if not repeats.any() or not keys:
        return []
    same: Any = _hashable(cast(pd.DataFrame, table[keys])).groupby(
        keys, dropna=False, sort=False, observed=True
    )
    code = same.ngroup().to_numpy()  # numbered by their first rows
    again = np.zeros(int(code.max()) + 1, np.bool_)
    again[code[repeats]] = True
    rows = np.flatnonzero(again[code] & (np.bincount(code) > 1)[code])
    rows = rows[np.argsort(code[rows], kind="stable")]
    first = np.flatnonzero(np.diff(code[rows], prepend=-1))
    errors = np.split(table["error"].to_numpy(np.float64)[rows], first[1:]) if rows.size else []
    names = _network_names(cast(pd.DataFrame, table.iloc[rows[first]]), rows[first])
    return [Repeated(name, one) for name, one in zip(names, errors, strict=True)]


def _network_names(table: pd.DataFrame, rows: Ints) -> list[str]:
    names = [f"row {row}" for row in rows.tolist()]
    for key in ("index", "name"):
        if key in table:
            cells, there = table[key].tolist(), table[key].notna().tolist()
            found = zip(cells, there, names, strict=True)
            names = [str(cell) if known else name for cell, known, name in found]
    return names


def say_exclusions(exclusions: Mapping[str, int]) -> str:
    """Return the exclusions in words: "2 diverged, 1 waiting", or "none"."""
    return ", ".join(f"{count} {reason}" for reason, count in exclusions.items()) or "none"


def _statuses(table: pd.DataFrame, source: str) -> pd.Categorical:
    """Return the statuses as categories in the order of `Status`: 10^7 of them stay small."""
    names = [str(s) for s in Status]
    if "status" not in table:
        codes = np.full(len(table), names.index(Status.COMPLETE), dtype=np.int8)
        return pd.Categorical.from_codes(codes, categories=pd.Index(names))
    cells = pd.Categorical(table["status"])
    if list(cells.categories) == names and (cells.codes >= 0).all():
        return cells
    codes, found = pd.factorize(cells)
    words = [_plain_status(cell) for cell in found]
    for i, (word, cell) in enumerate(zip(words, found, strict=True)):
        if word not in names:
            near = nearest(word, names)
            row = int(np.argmax(codes == i))
            raise bad_cell(source, row, "status", f"a status (nearest: {near})", cell)
    # The code -1 of a missing cell takes the last entry: complete.
    places = np.array([*map(names.index, words), names.index(Status.COMPLETE)], dtype=np.int8)
    return pd.Categorical.from_codes(places[codes], categories=pd.Index(names))


def _codes(status: Any) -> Column:
    return status.cat.codes.to_numpy()


def _given_twice(table: pd.DataFrame) -> Bools:
    names = [name for name in ("study", *NAMES) if name in table]
    nothing = np.zeros(len(table), dtype=np.bool_)
    if not any(name in NAMES for name in names):
        return nothing
    if not _hashable(cast(pd.DataFrame, table[names])).duplicated().any():
        return nothing  # of 10^7 rows the other columns need not be compared
    plain = [c for c in table if table[c].dtype != object and not is_arrow(table[c])]
    alike = cast(pd.DataFrame, table[plain]).duplicated(keep=False).to_numpy()
    if alike.any():  # only these can be equal in their lists and texts too
        nothing[alike] = _hashable(cast(pd.DataFrame, table[alike])).duplicated().to_numpy()
    return nothing


def _hashable(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with cells that may be lists or dicts as text."""
    texts = {c: table[c].map(str) for c in table if table[c].dtype == object}
    texts |= {c: _joined(table[c]) for c in table if is_arrow(table[c])}
    return table.assign(**cast(Any, texts))


def _joined(lists: Any) -> pd.Series:
    """Return Arrow's lists of numbers as text, a hundred times faster than one by one."""
    import pyarrow as pa
    from pyarrow.compute import call_function

    cells: Any = pa.chunked_array(pa.array(lists.array)).cast(pa.list_(pa.string()))
    texts = call_function("binary_join", [cells, pa.scalar(" ")])
    joined = pd.Series(pd.arrays.ArrowExtensionArray(texts), index=lists.index)
    missing = joined.isna()  # also where one element is
    joined[missing] = lists[missing].map(str)
    return joined


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
