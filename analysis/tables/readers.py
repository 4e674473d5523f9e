"""Files of results as data frames, every bad cell named.

Lists (stage widths and the like) are space-separated in CSV, arrays in JSON and YAML, lists in
Parquet; in the frame they are tuples. Rows are counted from 1, without the header.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...designspace.record import SCHEMA, STAGE_KEYS
from ...designspace.tables.columns import SUFFIXES, read_columns
from ..metrics import METRICS
from ..records import RECORD_KEYS, RESULT_KEYS, TEXT_COLUMNS
from .foreign import CURVE, translated

REPLICATE = "replicate"  # above 0: a training for the noise over seeds
NUMBER_COLUMNS = frozenset((*RECORD_KEYS, *RESULT_KEYS, *METRICS, REPLICATE)) - {
    *TEXT_COLUMNS,
    *STAGE_KEYS,
    CURVE,
}
NAMES = ("trial", "index", "name")  # a table with one of them can tell a row given twice
# What is read of a Parquet file whatever is asked for.
_ALWAYS = (
    *("error", "status", "schema", "study", *NAMES, REPLICATE),
    *("space", "data", "resolution", "classes", "epochs"),
)
_MANY = 100_000  # rows from which text of a Parquet file is kept as categories
_MISSING = frozenset(("", "na", "nan", "null", "none"))


def is_file_of_rows(source: str) -> bool:
    """Return whether a source is a table in a file by its suffix, else it is a storage."""
    return Path(source).suffix.lower() in (*SUFFIXES, ".yml")


def read_file(path: Path, columns: Collection[str] | None = None) -> pd.DataFrame:
    """Return the rows of a file of results, with numbers as numbers and lists as tuples.

    Parameters
    ----------
    columns
        Of a Parquet file only these are read, and what tells which rows count; None reads all.
        All are read too where one of these is missing, so that the nearest can be named.

    Raises
    ------
    ValueError
        If the file is missing, empty, not readable as its suffix says, written by a newer
        version, or a cell does not hold what its column needs.
    """
    if path.is_dir():
        raise ValueError(f"cannot read {path}: it is a folder")
    if not path.is_file():
        raise ValueError(f"cannot read {path}: no such file")
    if path.suffix.lower() == ".parquet":
        return typed(_read_parquet(path, columns), str(path))
    found = translated(read_columns(path), str(path))
    cells = {name: [_cell(c) for c in column] for name, column in found.items()}
    return typed(pd.DataFrame(cells, dtype=object), str(path))


def _read_parquet(path: Path, columns: Collection[str] | None) -> pd.DataFrame:
    """Return the columns of a Parquet file, all if None."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            large = file.metadata.num_rows > _MANY
        wanted = schema.names if columns is None else _wanted(path, schema, columns)
        if large:
            rows = _column_by_column(path, schema, wanted)
        else:
            rows = pq.read_table(path, columns=wanted).to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{path} is not a Parquet file: {str(error).splitlines()[0]}") from error
    if rows.empty:
        raise ValueError(f"{path} has no rows")
    return rows


def _column_by_column(path: Path, schema: Any, wanted: Sequence[str]) -> pd.DataFrame:
    """Return columns of many rows: never all held twice, and text of few values as categories.

    Lists of numbers stay Arrow's, which are ten times smaller than tuples.
    """
    import pyarrow.parquet as pq
    from pyarrow.types import is_string

    found: dict[str, Any] = {}
    for name in wanted:
        text = [name] if is_string(schema.field(name).type) else []
        one = pq.read_table(path, columns=[name], read_dictionary=text)
        if _is_list_of_numbers(schema.field(name).type):
            found[name] = pd.Series(pd.arrays.ArrowExtensionArray(one.column(name)))
        else:
            found[name] = one.to_pandas(self_destruct=True, ignore_metadata=True)[name]
    return pd.DataFrame(found, copy=False)


def _is_list_of_numbers(kind: Any) -> bool:
    from pyarrow.types import is_floating, is_integer, is_large_list, is_list

    listed = is_list(kind) or is_large_list(kind)
    return listed and (is_integer(kind.value_type) or is_floating(kind.value_type))


def _wanted(path: Path, schema: Any, columns: Collection[str]) -> list[str]:
    """Return the columns to read: all where rows may be repeated, which takes all to tell."""
    import pyarrow.parquet as pq
    from pyarrow.types import is_nested

    if not {"error", *columns} <= {*schema.names}:
        return schema.names
    names = [name for name in NAMES if name in schema.names]
    within = ["study"] if "study" in schema.names else []
    if any(is_nested(schema.field(name).type) for name in [*within, *names]):
        return schema.names
    if names:
        told: Any = pq.read_table(path, columns=[*within, *names]).to_pandas()
        if any(told.duplicated([*within, name]).any() for name in names):
            return schema.names
    return [name for name in schema.names if name in {*_ALWAYS, *columns}]


def _cell(cell: Any) -> Any:
    return None if isinstance(cell, str) and cell.strip().lower() in _MISSING else cell


def typed(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """Return the table with numbers as numbers and lists as tuples; refuse a newer schema.

    Columns that are not ours become numbers if all their cells are.
    """
    changed: dict[str, Any] = {}
    for column in table.columns:
        if column in NUMBER_COLUMNS:
            changed[column] = numbers(table, column, source)
        elif is_arrow(table[column]):
            continue
        elif column in STAGE_KEYS or column == CURVE:
            changed[column] = _lists(table, column, source)
        elif column not in TEXT_COLUMNS and table[column].dtype == object:
            changed[column] = _numbers_if_all(table[column])
    table = table.assign(**changed)
    newest = (
        float(np.fmax.reduce(table["schema"].to_numpy(), initial=0)) if "schema" in table else 0
    )
    if newest > SCHEMA:
        raise ValueError(
            f"{source} has schema {newest:g}, newer than {SCHEMA}, which this version reads:"
            " update regnet-ds"
        )
    return table


def numbers(table: pd.DataFrame, column: str, source: str) -> pd.Series:
    """Return a column as numbers, missing ones as NaN, or raise ValueError for a bad cell."""
    cells: Any = table[column]
    if pd.api.types.is_numeric_dtype(cells.dtype) and not pd.api.types.is_bool_dtype(cells.dtype):
        return cells
    numeric: Any = pd.to_numeric(cells, errors="coerce")
    truths = cells.map(lambda cell: isinstance(cell, bool | np.bool_)).to_numpy(dtype=bool)
    wrong = np.flatnonzero((numeric.isna() & cells.notna()).to_numpy() | truths)
    if wrong.size:
        raise bad_cell(source, int(wrong[0]), column, "a number", cells.iloc[wrong[0]])
    return numeric


def is_arrow(cells: Any) -> bool:
    """Return whether a column holds Arrow's lists: a large Parquet file's (`read_file`)."""
    return isinstance(cells.dtype, pd.ArrowDtype)


def bad_cell(source: str, row: int, column: str, wanted: str, cell: object) -> ValueError:
    """Return the error that names the row (counted from 0 here) and column of a cell."""
    return ValueError(f"{source}, row {row + 1}, column {column}: expected {wanted}, got {cell!r}")


def _numbers_if_all(cells: Any) -> Any:
    numeric: Any = pd.to_numeric(cells.where(cells.notna(), np.nan), errors="coerce")
    return cells if (numeric.isna() & cells.notna()).any() or numeric.isna().all() else numeric


def _lists(table: pd.DataFrame, column: str, source: str) -> list[tuple[float, ...] | None]:
    lists: list[tuple[float, ...] | None] = []
    for row, cell in enumerate(table[column]):
        try:
            lists.append(_list(cell))
        except (TypeError, ValueError) as error:
            raise bad_cell(source, row, column, "a list of numbers", cell) from error
    return lists


def _list(cell: Any) -> tuple[float, ...] | None:
    if cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return None
    if isinstance(cell, int | float):  # a list of one, typed as a number
        cell = [cell]
    items = [float(item) for item in (cell.split() if isinstance(cell, str) else cell)]
    return tuple(int(item) if item.is_integer() else item for item in items)
