"""From the cells of a table to a population: parsing, defaults and validation in columns.

A row with ``w0`` is a RegNet, computed from its parameters; one with ``stage_widths`` alone is
an AnyNet with final stages. Faults name the row (counted from 1) and the column.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import Bools, Column, Floats, Ints
from .columns import Columns, read_columns
from .linear import MAX_DEPTH, WIDTH_STEP
from .population import Population, concatenate, from_records, regnets
from .record import RECORD_KEYS, SCHEMA, STAGE_KEYS, Record, from_record, to_record
from .spec import (
    ACTIVATIONS,
    BLOCKS,
    DEFAULT_SE_RATIO,
    DEFAULT_STEM_WIDTH,
    LARGEST,
    STEM_TYPES,
    require_int,
)

REQUIRED = ("depth", "w0", "wa", "wm", "group_width")
DEFAULT_RESOLUTION, DEFAULT_CLASSES = 224, 1000
ALIASES = {"bot_mul": "bottleneck_ratio"}


def read_population(
    path: Path, *, resolution: int | None = None, classes: int | None = None
) -> Population:
    """Return the population of a CSV, JSON, YAML or Parquet file.

    ``resolution`` and ``classes`` hold for every row; None means what the row names, else 224
    and 1000. Columns that are not record keys are kept as ``extra``; complexities are computed
    anew.

    Raises
    ------
    ValueError
        If the file cannot be read, a column is missing or a cell is bad (row and column named).
    """
    cells = _Cells(read_columns(path), str(path))
    cells.refuse_newer_schema()
    for name, value in (("resolution", resolution), ("classes", classes)):
        if value is not None:
            require_int(name, value)
            cells.columns[name] = [value] * len(cells)
    regnet = cells.present("w0")
    if not regnet.any() and "stage_widths" not in cells.columns:
        raise ValueError(f"{path}: the column w0 (or stage_widths, for AnyNets) is missing")
    parts: list[Population] = []
    rows = np.concatenate([np.flatnonzero(regnet), np.flatnonzero(~regnet)])
    if regnet.any():
        parts.append(_read_regnets(cells.take(regnet)))
    if not regnet.all():
        parts.append(_read_anynets(cells.take(~regnet)))
    population = concatenate(parts).take(np.argsort(rows))
    strides = np.where(population.stage_depths > 0, population.stage_strides, 1)
    stride = 2 * strides.prod(axis=1)
    cells.check(
        "resolution",
        population.resolution >= stride,
        f"expected at least the total stride of the network, {stride.max()} px",
        population.resolution,
    )
    known = {*RECORD_KEYS, *ALIASES}
    return population.with_extra(
        **{
            name: _object_column(column)
            for name, column in cells.columns.items()
            if name not in known
        }
    )


def _object_column(cells: list[Any]) -> Column:
    column = np.empty(len(cells), dtype=object)
    column[:] = cells
    return column


class _Cells:
    """Columns of raw cells that know their file and their row numbers."""

    def __init__(self, columns: Columns, source: str, rows: Ints | None = None) -> None:
        self.columns = columns
        self.source = source
        n = len(next(iter(columns.values())))
        self.rows = np.arange(1, n + 1) if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, mask: Bools) -> _Cells:
        if mask.all():
            return self
        which = np.flatnonzero(mask).tolist()
        columns = {name: [cells[i] for i in which] for name, cells in self.columns.items()}
        return _Cells(columns, self.source, self.rows[mask])

    def present(self, name: str) -> Bools:
        cells = self.columns.get(name, [None] * len(self))
        return np.array([not _blank(cell) for cell in cells], dtype=np.bool_)

    def fault(self, i: int, name: str, message: str) -> ValueError:
        return ValueError(f"{self.source}, row {self.rows[i]}, column {name}: {message}")

    def refuse_newer_schema(self) -> None:
        schema = self.integers("schema", SCHEMA, 1)
        if (schema > SCHEMA).any():
            raise ValueError(
                f"{self.source} has schema {schema.max()}, which is newer than this program's "
                f"{SCHEMA}: update regnet-ds"
            )

    def numbers(self, name: str, default: float | Floats | None) -> Floats:
        """Return a column as floats; ``default`` fills blanks, None forbids them."""
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
            if default is not None and _blank(cells[i]):
                values = self._slow_numbers(name, cells, default)
            else:
                raise self.fault(i, name, f"expected a number, got {cells[i]!r}")
        return values

    def _slow_numbers(self, name: str, cells: list[Any], default: float | Floats | None) -> Floats:
        values = np.empty(len(cells))
        filled = None if default is None else np.broadcast_to(default, (len(cells),))
        for i, cell in enumerate(cells):
            if _blank(cell):
                if filled is None:
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

    def integers(self, name: str, default: int | None, low: int, high: int = LARGEST) -> Ints:
        values = self.numbers(name, default)
        self.check(name, values == np.rint(values), "expected an integer", values)
        wanted = "expected a positive integer" if low == 1 else f"expected at least {low}"
        self.check(name, values >= low, wanted, values)
        self.check(name, values <= high, f"expected at most {high}", values)
        return values.astype(np.int64)

    def texts(self, name: str, default: str, choices: tuple[str, ...]) -> Column:
        if name not in self.columns:
            return np.broadcast_to(np.asarray(default), (len(self),))
        values = [default if _blank(c) else str(c).strip().lower() for c in self.columns[name]]
        for value in set(values) - set(choices):
            wanted = f"expected one of {', '.join(choices)}, got {value!r}"
            raise self.fault(values.index(value), name, wanted)
        return np.array(values)

    def check(self, name: str, good: Bools, wanted: str, values: Column) -> None:
        if not good.all():
            i = int(np.flatnonzero(~good)[0])
            raise self.fault(i, name, f"{wanted}, got {_plain(values[i])}")


def _blank(cell: Any) -> bool:
    return cell is None or cell == "" or (isinstance(cell, str) and not cell.strip())


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _bottleneck_ratios(cells: _Cells) -> Floats:
    if "bottleneck_ratio" in cells.columns or "bot_mul" not in cells.columns:
        name, b = "bottleneck_ratio", cells.numbers("bottleneck_ratio", 1.0)
    else:
        name, multiplier = "bot_mul", cells.numbers("bot_mul", 1.0)
        cells.check(name, multiplier > 0, "expected a positive number", multiplier)
        b = 1.0 / multiplier
    cells.check(name, b > 0, "expected a positive number", b)
    m = 1.0 / b
    whole = (m <= 1) | (np.abs(m - np.rint(m)) <= 1e-6 * m)
    cells.check(name, whole, "below 1 it must be 1 / integer", b)
    return b


def _read_regnets(cells: _Cells) -> Population:
    for name in REQUIRED:
        if name not in cells.columns:
            raise ValueError(f"{cells.source}: the column {name} is missing")
    w0 = cells.integers("w0", None, 1)
    cells.check("w0", w0 % WIDTH_STEP == 0, "expected a multiple of 8", w0)
    wa, wm = cells.numbers("wa", None), cells.numbers("wm", None)
    cells.check("wa", wa >= 0, "expected at least 0", wa)
    cells.check("wm", wm > 1, "expected a number above 1", wm)
    block, se_ratio = _blocks(cells)
    common = _common(cells)
    depth = cells.integers("depth", None, 1, MAX_DEPTH)
    largest = w0 * np.power(wm, np.rint(np.log((w0 + wa * (depth - 1)) / w0) / np.log(wm)))
    cells.check("wa", largest <= LARGEST, f"the widest stage exceeds {LARGEST}", largest)
    population = regnets(
        depth=depth,
        w0=w0,
        wa=wa,
        wm=wm,
        group_width=cells.integers("group_width", None, 1),
        bottleneck_ratio=_bottleneck_ratios(cells),
        block=block,
        se_ratio=se_ratio,
        **common,
    )
    _check_stages(cells, population)
    return population


def _blocks(cells: _Cells) -> tuple[Column, Floats]:
    block = cells.texts("block", "x", BLOCKS)
    default = np.where(block == "y", DEFAULT_SE_RATIO["y"], DEFAULT_SE_RATIO["x"])
    se_ratio = cells.numbers("se_ratio", default)
    cells.check("se_ratio", (se_ratio >= 0) & (se_ratio <= 1), "expected 0 to 1", se_ratio)
    fits = (block == "y") == (se_ratio > 0)
    cells.check("se_ratio", fits, "expected 0 for block x and more than 0 for block y", se_ratio)
    return block, se_ratio


def _common(cells: _Cells) -> dict[str, Any]:
    cells.texts("stem_type", "simple", STEM_TYPES)
    cells.texts("activation", "relu", ACTIVATIONS)
    return {
        "stem_width": cells.integers("stem_width", DEFAULT_STEM_WIDTH, 1),
        "head_width": cells.integers("head_width", 0, 0),
        "resolution": cells.integers("resolution", DEFAULT_RESOLUTION, 1),
        "classes": cells.integers("classes", DEFAULT_CLASSES, 1),
    }


def _check_stages(cells: _Cells, population: Population) -> None:
    """Where a RegNet row names its stage widths or strides too, they must agree."""
    for name in ("stage_widths", "stage_strides"):
        if name not in cells.columns:
            continue
        for i, (cell, computed) in enumerate(
            zip(cells.columns[name], population.column(name), strict=True)
        ):
            expected = " ".join(map(str, computed))
            if cell == expected or _blank(cell):
                continue
            if _numbers_of(cells, i, name, cell, int) != computed:
                raise cells.fault(i, name, f"the parameters give {expected}, got {cell!r}")


def _numbers_of(
    cells: _Cells, i: int, name: str, cell: Any, kind: Callable[[Any], Any]
) -> tuple[Any, ...]:
    parts = cell.split() if isinstance(cell, str) else cell
    try:
        return tuple(kind(part) for part in parts)
    except (TypeError, ValueError):
        raise cells.fault(i, name, f"expected a list of numbers, got {cell!r}") from None


def _read_anynets(cells: _Cells) -> Population:
    for name in ("stage_widths", "stage_depths"):
        if name not in cells.columns:
            raise ValueError(f"{cells.source}: the column {name} is missing")
    block, se_ratio = _blocks(cells)
    common = _common(cells)
    ratio = _bottleneck_ratios(cells)
    group_width = cells.integers("group_width", 8, 1)
    records: list[Record] = []
    for i in range(len(cells)):
        record: Record = {
            "block": str(block[i]),
            "se_ratio": float(se_ratio[i]),
            "stem_width": int(common["stem_width"][i]),
            "head_width": int(common["head_width"][i]),
            "group_width": int(group_width[i]),
            "bottleneck_ratio": float(ratio[i]),
        }
        for name in STAGE_KEYS:
            cell = cells.columns.get(name, [None] * len(cells))[i]
            kind = float if name == "stage_bottleneck_ratios" else int
            if not _blank(cell):
                record[name] = _numbers_of(cells, i, name, cell, kind)
            elif name in ("stage_widths", "stage_depths"):
                raise cells.fault(i, name, "expected a list of numbers, got an empty cell")
        try:
            spec = from_record(record)
        except ValueError as error:
            raise cells.fault(i, "stage_widths", str(error)) from error
        size, classes = int(common["resolution"][i]), int(common["classes"][i])
        records.append(to_record(spec, resolution=size, classes=classes))
    return from_records(records)
