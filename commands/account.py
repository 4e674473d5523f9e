"""``regnet-ds account``: the complexity of every configuration in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import shared

SHOW = ("block", "depth", "stage_widths", "stage_depths", "flops", "params", "acts")


def account(
    file: Annotated[Path, typer.Argument(help="CSV, JSON, YAML or Parquet: a row a network.")],
    resolution: Annotated[
        int | None,
        typer.Option(min=1, help="Of all rows; else what the row says, or 224."),
    ] = None,
    classes: Annotated[
        int | None,
        typer.Option(min=1, help="Of all rows; else what the row says, or 1000."),
    ] = None,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Count FLOPs, parameters and activations of every configuration in a file.

    A row with depth, w0, wa, wm and group_width is a RegNet; one with stage_widths and
    stage_depths an AnyNet. Further columns are kept.

    Example: regnet-ds account nets.csv --out counted.csv
    """
    from ..designspace.tables.columns import require_suffix
    from ..designspace.tables.reading import read_population

    if out is not None:
        require_suffix(out)
    with shared.no_garbage_collection():
        population = read_population(file, resolution=resolution, classes=classes)
        columns = population.columns()
        show = ("name", *SHOW) if "name" in columns else SHOW
        shared.emit(columns, format, out, show=show)


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(account)
