"""Columns of raw cells: numbers and names out of them, faults by row and column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..arrays import Bools, Column, Floats, Ints
from ..record import SCHEMA
from ..spec import LARGEST
from .columns import Columns


class Cells:
    """Columns of raw cells that know their file and their row numbers."""

    def __init__(self, columns: Columns, source: str, rows: Ints | None = None) -> None:
        self.columns = columns
        self.source = source
        n = len(next(iter(columns.values())))
        self.rows = np.arange(1, n + 1) if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, mask: Bools) -> Cells:
        """Return the rows that a mask selects, with their numbers."""
        if mask.all():
            return self
        which = np.flatnonzero(mask).tolist()
        columns = {name: [cells[i] for i in which] for name, cells in self.columns.items()}
        return Cells(columns, self.source, self.rows[mask])

    def present(self, name: str) -> Bools:
        """Return which cells of a column are not blank."""
        cells = self.columns.get(name, [None] * len(self))
        return np.array([not blank(cell) for cell in cells], dtype=np.bool_)

    def fault(self, i: int, name: str, message: str) -> ValueError:
        """Return an error that names file, row and column."""
        return ValueError(f"{self.source}, row {self.rows[i]}, column {name}: {message}")

    def refuse_newer_schema(self) -> None:
        """Raise ValueError if a newer program wrote the file."""
        schema = self.integers("schema", SCHEMA, 1)
        if (schema > SCHEMA).any():
            raise ValueError(
                f"{self.source} has schema {schema.max()}, which is newer than this program's "
                f"{SCHEMA}: update regnet-ds"
            )

    def numbers(self, name: str, default: float | Floats | None) -> Floats:
        """Return a column as floats; ``default`` fills blanks, None or NaN forbids them."""
        if name not in self.columns:
            if default is None:
                raise ValueError(f"{self.source}: the column {name} is missing")
            return np.broadcast_to(np.float64(default), (len(self),))
        cells = self.columns[name]
        try:
            values = np.array(cells, dtype=np.float64)
        except (TypeError, ValueError):
            values = self._slow_numbers(name, cells, default)
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            i = int(bad[0])
            if default is not None and blank(cells[i]):
                values = self._slow_numbers(name, cells, default)
            else:
                raise self.fault(i, name, f"expected a number, got {cells[i]!r}")
        return values

    def _slow_numbers(self, name: str, cells: list[Any], default: float | Floats | None) -> Floats:
        values = np.empty(len(cells))
        filled = None if default is None else np.broadcast_to(default, (len(cells),))
        for i, cell in enumerate(cells):
            if blank(cell):
                if filled is None or np.isnan(filled[i]):
                    raise self.fault(i, name, "expected a number, got an empty cell")
                values[i] = filled[i]
                continue
            try:
                values[i] = float(cell)
            except (TypeError, ValueError):
                raise self.fault(i, name, f"expected a number, got {cell!r}") from None
            if not np.isfinite(values[i]):
                raise self.fault(i, name, f"expected a number, got {cell!r}")
        return values

    def integers(
        self, name: str, default: float | Floats | None, low: int, high: int = LARGEST
    ) -> Ints:
        """Return a column of integers in [low, high] (see ``numbers``)."""
        values = self.numbers(name, default)
        self.check(name, values == np.rint(values), "expected an integer", values)
        wanted = "expected a positive integer" if low == 1 else f"expected at least {low}"
        self.check(name, values >= low, wanted, values)
        self.check(name, values <= high, f"expected at most {high}", values)
        return values.astype(np.int64)

    def texts(
        self,
        name: str,
        default: str | Column,
        choices: tuple[str, ...],
        aliases: Mapping[str, str] | None = None,
    ) -> Column:
        """Return a column of names in lower case; ``default`` fills blanks."""
        if name not in self.columns:
            return np.broadcast_to(np.asarray(default), (len(self),))
        aliases = aliases or {}
        values = ["" if blank(c) else str(c).strip().lower() for c in self.columns[name]]
        for value in set(values) - {"", *choices, *aliases}:
            wanted = f"expected one of {', '.join(choices)}, got {value!r}"
            raise self.fault(values.index(value), name, wanted)
        named = np.array([aliases.get(value, value) for value in values])
        return np.where(named == "", default, named)

    def check(self, name: str, good: Bools, wanted: str, values: Column) -> None:
        """Raise ValueError at the first row that is not good."""
        if not good.all():
            i = int(np.flatnonzero(~good)[0])
            raise self.fault(i, name, f"{wanted}, got {_plain(values[i])}")

    def list_of(self, i: int, name: str, cell: Any, kind: Callable[[Any], Any]) -> tuple[Any, ...]:
        """Return the numbers of a list in row ``i``, separated by spaces if it is text."""
        parts = cell.split() if isinstance(cell, str) else cell
        try:
            return tuple(kind(part) for part in parts)
        except (TypeError, ValueError):
            raise self.fault(i, name, f"expected a list of numbers, got {cell!r}") from None


def blank(cell: Any) -> bool:
    """Return whether a cell says nothing."""
    return cell is None or cell == "" or (isinstance(cell, str) and not cell.strip())


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
