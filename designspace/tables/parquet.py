# pyright: basic
"""Tables in Parquet files; pyarrow is imported when one is read or written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def read_parquet(path: Path) -> dict[str, list[Any]]:
    """Return the columns of a Parquet file as plain values.

    Raises
    ------
    ValueError
        If it is not a Parquet file or has no rows.
    """
    try:
        table = pq.read_table(path)
    except pa.ArrowException as error:
        raise ValueError(f"{path} is not a Parquet file: {error}") from error
    if not table.num_rows:
        raise ValueError(f"{path} has no rows")
    return table.to_pydict()


def write_parquet(columns: Mapping[str, Any], path: Path) -> None:
    """Write columns to a Parquet file."""
    pq.write_table(pa.table(dict(columns)), path)
