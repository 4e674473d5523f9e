# pyright: basic
"""Populations of any size to Parquet, part by part; the same columns as ``write_columns``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..population import Population
from ..record import RECORD_KEYS, SCHEMA, STAGE_KEYS

EMPTY_IF_ZERO = ("w0", "group_width")
EMPTY_IF_NAN = ("wa", "wm", "bottleneck_ratio")


def write_population_parts(parts: Iterable[Population], path: Path, name: str) -> int:
    """Write populations one after the other to a Parquet file, and return the number of rows.

    The column ``name`` counts through: ``name``-0, ``name``-1 ... Only one part is in memory.
    """
    written = 0
    writer: pq.ParquetWriter | None = None
    try:
        for part in parts:
            table = _table(part, name, written)
            if writer is None:
                writer = pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
            written += len(part)
    finally:
        if writer is not None:
            writer.close()
    return written


def _table(population: Population, name: str, first: int) -> pa.Table:
    n = len(population)
    numbers = pa.array(np.arange(first, first + n)).cast(pa.string())
    columns = {
        "name": pc.call_function("binary_join_element_wise", [pa.scalar(name), numbers, "-"]),
        "schema": pa.repeat(pa.scalar(SCHEMA), n),
    }
    for key in RECORD_KEYS[1:]:
        columns[key] = _column(population, key)
    return pa.table(columns)


def _column(population: Population, key: str) -> pa.Array:
    array = getattr(population, key)
    if key in STAGE_KEYS:
        present = population.stage_depths > 0
        offsets = np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int32)
        return pa.ListArray.from_arrays(offsets, pa.array(array[present]))
    if array.dtype.kind == "U":
        if array.strides[0] == 0:
            return pa.repeat(pa.scalar(str(array[0])), len(array))
        return pa.array(array.tolist(), pa.string())
    mask = None
    if key in EMPTY_IF_ZERO:
        mask = array == 0
    elif key in EMPTY_IF_NAN:
        mask = np.isnan(array)
    return pa.array(np.ascontiguousarray(array), mask=mask)
