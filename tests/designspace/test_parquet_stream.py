from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from regnet_ds.designspace import SPACES, sample, stages
from regnet_ds.designspace.tables.columns import write_columns
from regnet_ds.designspace.tables.parquet_stream import write_population_parts


@pytest.mark.parametrize("name", ["regnety", "anynetx-a"])
def test_the_same_table_as_in_one_piece(tmp_path: Path, name: str) -> None:
    space = SPACES[name] & stages(2, 4)
    population = sample(space, 500, rng=np.random.default_rng(0)).population
    names = [f"net-{i}" for i in range(500)]
    write_columns({"name": names, **population.columns()}, tmp_path / "whole.parquet")
    rows = np.arange(500)
    parts = [population.take(rows[i : i + 130]) for i in range(0, 500, 130)]
    assert write_population_parts(parts, tmp_path / "parts.parquet", "net") == 500
    whole = pq.read_table(tmp_path / "whole.parquet")
    streamed = pq.read_table(tmp_path / "parts.parquet")
    assert streamed.column_names == whole.column_names
    assert streamed.to_pylist() == whole.to_pylist()
    assert pq.ParquetFile(tmp_path / "parts.parquet").num_row_groups == 4
