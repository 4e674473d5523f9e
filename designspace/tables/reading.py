"""From the cells of a table to a population: parsing, defaults and validation in columns.

A row with ``w0`` is a RegNet, computed from its parameters; one with ``stage_widths`` alone is
an AnyNet with final stages. Faults name the row (counted from 1) and the column.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Column, Floats, Ints
from ..blocks import (
    ACTIVATIONS,
    BLOCK_ALIASES,
    BLOCK_FACTS,
    BLOCKS,
    DEFAULT_ACTIVATION,
    DEFAULT_BOTTLENECK_RATIO,
    DEFAULT_SE_RATIO,
    GROUPED,
    STEM_ALIASES,
    STEM_FACTS,
    STEM_TYPES,
    X_OR_Y,
)
from ..linear import MAX_DEPTH, WIDTH_STEP, quantise_batch
from ..population import Population, concatenate, from_records, regnets
from ..record import RECORD_KEYS, STAGE_KEYS, Record, from_record, to_record
from ..spec import DEFAULT_GROUP_WIDTH, DEFAULT_STEM_WIDTH, LARGEST, require_int
from .cells import Cells, blank
from .columns import read_columns

REQUIRED = ("depth", "w0", "wa", "wm", "group_width")
LARGEST_COUNT = 2**63 - 1  # of what a table holds
GROUP_WIDTH_IF_BLANK = {
    name: np.nan if name in GROUPED else float(DEFAULT_GROUP_WIDTH) for name in BLOCKS
}
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
    cells = Cells(read_columns(path), str(path))
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
    stems = {name: stem.total_stride for name, stem in STEM_FACTS.items()}
    stride = by_name(population.stem_type, stems) * strides.prod(axis=1)
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


def _bottleneck_ratios(cells: Cells, block: Column) -> Floats:
    default = by_name(block, DEFAULT_BOTTLENECK_RATIO)
    if "bottleneck_ratio" in cells.columns or "bot_mul" not in cells.columns:
        name, b = "bottleneck_ratio", cells.numbers("bottleneck_ratio", default)
    else:
        name, multiplier = "bot_mul", cells.numbers("bot_mul", 1.0 / default)
        cells.check(name, multiplier > 0, "expected a positive number", multiplier)
        b = 1.0 / multiplier
    cells.check(name, b > 0, "expected a positive number", b)
    possible = (b >= 1 / LARGEST) & (b <= LARGEST)
    cells.check(name, possible, f"a bottleneck ratio is from 1/{LARGEST} to {LARGEST}", b)
    m = 1.0 / b
    whole = (m <= 1) | (np.abs(m - np.rint(m)) <= 1e-6 * m)
    cells.check(name, whole, "below 1 it must be 1 / integer", b)
    return b


def _read_regnets(cells: Cells) -> Population:
    block, se_ratio = _blocks(cells)
    group_width = by_name(block, GROUP_WIDTH_IF_BLANK)
    for name in REQUIRED:
        needed = name != "group_width" or np.isnan(group_width).any()
        if needed and name not in cells.columns:
            raise ValueError(f"{cells.source}: the column {name} is missing")
    w0 = cells.integers("w0", None, 1)
    cells.check("w0", w0 % WIDTH_STEP == 0, "expected a multiple of 8", w0)
    wa, wm = cells.numbers("wa", None), cells.numbers("wm", None)
    cells.check("wa", wa >= 0, "expected at least 0", wa)
    cells.check("wm", wm > 1, "expected a number above 1", wm)
    common = _common(cells, block)
    depth = cells.integers("depth", None, 1, MAX_DEPTH)
    largest = w0 * np.power(wm, np.rint(np.log((w0 + wa * (depth - 1)) / w0) / np.log(wm)))
    cells.check("wa", largest <= LARGEST, f"the widest stage exceeds {LARGEST}", largest)
    stages = quantise_batch(depth, w0, wa, wm)
    population = regnets(
        depth=depth,
        w0=w0,
        wa=wa,
        wm=wm,
        group_width=cells.integers("group_width", group_width, 1),
        bottleneck_ratio=_bottleneck_ratios(cells, block),
        block=block,
        se_ratio=se_ratio,
        stage_strides=_strides(cells, stages[1]),
        stages=stages,
        **common,
    )
    _check_widths(cells, population)
    return population


def by_name(names: Column, values: Mapping[str, Any]) -> Column:
    """Return the value that each name stands for; 0 for others."""
    column = np.zeros(len(names), dtype=np.asarray(list(values.values())).dtype)
    for name, value in values.items():
        column[names == name] = value
    return column


def _blocks(cells: Cells) -> tuple[Column, Floats]:
    block = cells.texts("block", "x", BLOCKS, BLOCK_ALIASES)
    se_ratio = cells.numbers("se_ratio", by_name(block, DEFAULT_SE_RATIO))
    cells.check("se_ratio", (se_ratio >= 0) & (se_ratio <= 1), "expected 0 to 1", se_ratio)
    block = np.where(block == X_OR_Y, np.where(se_ratio > 0, "y", "x"), block)
    for name in sorted(set(block.tolist())):
        squeeze, here = BLOCK_FACTS[name].squeeze, block == name
        if squeeze == "never":
            wanted = f"expected 0 for block {name}"
            cells.check("se_ratio", ~here | (se_ratio == 0), wanted, se_ratio)
        elif squeeze == "always":
            wanted = f"expected more than 0 for block {name}"
            cells.check("se_ratio", ~here | (se_ratio > 0), wanted, se_ratio)
    return block, se_ratio


def _common(cells: Cells, block: Column) -> dict[str, Any]:
    activation = by_name(block, DEFAULT_ACTIVATION)
    return {
        "stem_type": cells.texts("stem_type", "simple", STEM_TYPES, STEM_ALIASES),
        "activation": cells.texts("activation", activation, ACTIVATIONS),
        "stem_width": cells.integers("stem_width", DEFAULT_STEM_WIDTH, 1),
        "head_width": cells.integers("head_width", 0, 0),
        "resolution": cells.integers("resolution", DEFAULT_RESOLUTION, 1),
        "classes": cells.integers("classes", DEFAULT_CLASSES, 1),
    }


def _check_widths(cells: Cells, population: Population) -> None:
    """Where a RegNet row names its stage widths too, they must agree."""
    name = "stage_widths"
    if name not in cells.columns:
        return
    for i, (cell, computed) in enumerate(
        zip(cells.columns[name], population.column(name), strict=True)
    ):
        expected = " ".join(map(str, computed))
        if cell == expected or blank(cell):
            continue
        if cells.list_of(i, name, cell, int) != computed:
            raise cells.fault(i, name, f"the parameters give {expected}, got {cell!r}")


def _strides(cells: Cells, stage_depths: Ints) -> Ints | None:
    """Return the strides that RegNet rows name; None where all have 2 in every stage."""
    name = "stage_strides"
    if name not in cells.columns:
        return None
    usual = [" ".join(["2"] * n) for n in range(stage_depths.shape[1] + 1)]
    n_stages = (stage_depths > 0).sum(axis=1).tolist()
    strides: Ints | None = None
    for i, (cell, n) in enumerate(zip(cells.columns[name], n_stages, strict=True)):
        if blank(cell) or (isinstance(cell, str) and cell == usual[n]):
            continue
        given = cells.list_of(i, name, cell, int)
        if len(given) != n or min(given) < 1:
            wanted = f"expected {n} positive integers, a stage each, got {cell!r}"
            raise cells.fault(i, name, wanted)
        if strides is None:
            strides = np.full(stage_depths.shape, 2, dtype=np.int64)
        strides[i, :n] = given
    return strides


def _read_anynets(cells: Cells) -> Population:
    for name in ("stage_widths", "stage_depths"):
        if name not in cells.columns:
            raise ValueError(f"{cells.source}: the column {name} is missing")
    block, se_ratio = _blocks(cells)
    common = _common(cells, block)
    ratio = _bottleneck_ratios(cells, block)
    group_width = cells.integers("group_width", 8, 1)
    records: list[Record] = []
    for i in range(len(cells)):
        record: Record = {
            "block": str(block[i]),
            "se_ratio": float(se_ratio[i]),
            "stem_type": str(common["stem_type"][i]),
            "activation": str(common["activation"][i]),
            "stem_width": int(common["stem_width"][i]),
            "head_width": int(common["head_width"][i]),
            "group_width": int(group_width[i]),
            "bottleneck_ratio": float(ratio[i]),
        }
        for name in STAGE_KEYS:
            cell = cells.columns.get(name, [None] * len(cells))[i]
            kind = float if name == "stage_bottleneck_ratios" else int
            if not blank(cell):
                record[name] = cells.list_of(i, name, cell, kind)
            elif name in ("stage_widths", "stage_depths"):
                raise cells.fault(i, name, "expected a list of numbers, got an empty cell")
        try:
            spec = from_record(record)
        except ValueError as error:
            raise cells.fault(i, "stage_widths", str(error)) from error
        size, classes = int(common["resolution"][i]), int(common["classes"][i])
        records.append(to_record(spec, resolution=size, classes=classes))
        if records[-1]["flops"] > LARGEST_COUNT:
            raise cells.fault(i, "stage_widths", f"flops exceed {LARGEST_COUNT}")
    return from_records(records)
