"""Rows of a packed population trained again, from what they say alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...analysis.records import RECORD_KEYS, Status
from ...designspace import from_record
from ...regnet.convolutions.grouped import arithmetic, version_of
from ..data.datasets import load_dataset
from ..learning.fingerprint import digest, environment
from ..learning.hardware import Hardware
from ..learning.memory import forget_networks
from ..learning.training import train
from ..recipes.recipe import Recipe

DEVIATIONS = 2.0  # of the spread over seeds, between machines


@dataclass(frozen=True)
class Retrained:
    """A row and its training of today; errors in percent.

    ``same`` says whether the environment is the one that made the row: then the errors must be
    equal. ``noise`` is the spread over seeds.
    """

    study: str
    index: int
    shipped: float
    error: float
    same: bool
    noise: float

    @property
    def agrees(self) -> bool:
        """Whether the error is that of the row, or elsewhere near enough.

        The difference of two trainings has the variance of both.
        """
        if self.same:
            return self.error == self.shipped
        return abs(self.error - self.shipped) <= DEVIATIONS * np.sqrt(2) * self.noise


def draw_rows(table: pd.DataFrame, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return n random rows that completed, without repetition."""
    done = table[(table["status"] == str(Status.COMPLETE)).to_numpy()]
    if not 1 <= n <= len(done):
        raise ValueError(f"the number of models must be from 1 to {len(done)}, got {n}")
    return done.iloc[np.sort(rng.choice(len(done), n, replace=False))]


def retrain(rows: pd.DataFrame, noise: float) -> Iterator[Retrained]:
    """Yield each row of a packed table (`packing`) trained again."""
    for row in rows.to_dict("records"):
        yield _retrained(row, noise)


def _retrained(row: Mapping[Any, Any], noise: float) -> Retrained:
    record = {key: _plain(row[key]) for key in RECORD_KEYS if key in row}
    forget_networks()
    with arithmetic(version_of(json.loads(row["environment"]).get("convolution", ""))):
        result = train(
            from_record(record),
            Recipe.from_dict(json.loads(row["recipe"])),
            load_dataset(row["data"], resolution=int(row["resolution"])),
            seed=int(row["seed"]),
            threads=int(row["threads"]),
            hardware=Hardware(devices=1),
        )
        here = digest(environment(result.threads))  # others where TensorFlow had started before
    return Retrained(
        study=str(row["study"]),
        index=int(row["index"]),
        shipped=float(row["error"]),
        error=result.error,
        same=here == row["fingerprint"],
        noise=noise,
    )


def _plain(cell: Any) -> Any:
    """Return a cell of a frame as a record has it: None where it is missing."""
    if isinstance(cell, tuple):
        return list(cell)
    if cell is None or cell != cell:
        return None
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell
