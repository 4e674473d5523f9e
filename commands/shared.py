"""What the commands share: option types, parsing of their values, and output."""

from __future__ import annotations

import gc
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import typer

from ..designspace.budget import Budget, format_size, parse_range
from ..designspace.tables.columns import Columns as Columns
from ..designspace.tables.columns import write_columns, write_text
from ..messages import is_quiet, one_line, visible


class Format(StrEnum):
    """How records are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


Flops = Annotated[
    str | None, typer.Option("--flops", help="Multiply-adds: 4G (within tolerance) or LO:HI.")
]
Params = Annotated[str | None, typer.Option("--params", help="Parameters: 20M or LO:HI.")]
Acts = Annotated[str | None, typer.Option("--acts", help="Activations: 10M or LO:HI.")]
Tolerance = Annotated[
    str, typer.Option("--tolerance", help="Around a single size; the papers use 1%.")
]
Block = Annotated[str | None, typer.Option(help="Another block: x y z r v vr basic.")]
Stages = Annotated[str | None, typer.Option(help="Another number of stages: 4, or LO:HI.")]
Bounds = Annotated[
    bool, typer.Option("--bounds", help="Keep params and acts under the papers' trends.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Decides every random draw.")]
Resolution = Annotated[int, typer.Option("--resolution", min=1, help="Input size in pixels.")]
Classes = Annotated[int, typer.Option("--classes", min=1, help="Classes of the data.")]
Output = Annotated[
    Path | None, typer.Option("--out", help="Write to a file: .csv, .json, .yaml, .parquet.")
]
OutputFormat = Annotated[Format, typer.Option("--format", help="What to print.")]


def finite(value: float | None) -> float | None:
    """Return an option's number; refuse nan and inf, which a range lets through."""
    if value is not None and not isfinite(value):
        raise typer.BadParameter("must be a finite number")
    return value


def read_tolerance(text: str) -> float:
    """Return a fraction from ``5%`` or ``0.05``."""
    percent = text.strip().endswith("%")
    try:
        value = float(text.strip().removesuffix("%"))
    except ValueError:
        raise ValueError(f"cannot read the tolerance {text!r}: write 5% or 0.05") from None
    value = value / 100 if percent else value
    if not 0 <= value < 1:
        raise ValueError(f"the tolerance must be from 0% to below 100%, got {text!r}")
    return value


def read_budget(
    flops: str | None, params: str | None, acts: str | None, tolerance: str = "5%"
) -> Budget:
    """Return the budget that the three options name."""
    fraction = read_tolerance(tolerance)
    ranges = [
        None if text is None else parse_range(text, fraction) for text in (flops, params, acts)
    ]
    return Budget(*ranges)


def note(message: str) -> None:
    """Print a line for the user to stderr, unless ``--quiet``; stdout is for data."""
    if not is_quiet():
        print(one_line(message), file=sys.stderr)


@contextmanager
def no_garbage_collection() -> Generator[None]:
    """Switch the cycle collector off in a block that makes many objects and no cycles.

    Its passes over hundreds of thousands of cells take a fifth of the time of ``account``.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def make_folder(folder: Path) -> None:
    """Make the folder, or refuse one that cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"cannot write to {folder}: {error.strerror or error}") from error


MAX_ROWS = 50


def emit(
    columns: Mapping[str, Any],
    format: Format,
    out: Path | None,
    show: Sequence[str] | None = None,
) -> None:
    """Write records to ``out``, or print them; ``show`` names the columns of a printed table."""
    if out is not None:
        write_columns(columns, out)
        n = len(next(iter(columns.values())))
        note(f"wrote {n:,} {'row' if n == 1 else 'rows'} to {out}")
    elif format is Format.TABLE:
        print_table({name: columns[name] for name in show or columns})
    else:
        write_text(columns, f".{format}", sys.stdout)


def print_table(columns: Mapping[str, Any], max_rows: int = MAX_ROWS) -> None:
    """Print columns aligned: numbers and lists to the right, text to the left."""
    n = len(next(iter(columns.values())))
    texts = {
        name: [_cell(name, cell) for cell in cells[:max_rows]] for name, cells in columns.items()
    }
    lines: list[list[str]] = [[] for _ in range(min(n, max_rows) + 1)]
    for name, cells in columns.items():
        left = any(isinstance(cell, str) for cell in cells[:max_rows])
        column = [visible(name), *texts[name]]
        width = max(map(len, column))
        for line, text in zip(lines, column, strict=True):
            line.append(text.ljust(width) if left else text.rjust(width))
    for line in lines:
        print("  ".join(line).rstrip())
    if n > max_rows:
        note(f"... and {n - max_rows:,} rows more: print them with --format csv, or use --out")


SIZES = ("flops", "params", "acts")


def _cell(name: str, cell: Any) -> str:
    if cell is None:
        return "-"
    if name in SIZES and not isinstance(cell, str):
        return format_size(cell)
    if isinstance(cell, tuple | list):
        return visible(" ".join(map(str, cell)))
    if isinstance(cell, float):
        return f"{cell:.6g}"
    return visible(str(cell))
