"""``regnet-ds edf`` and ``regnet-ds plot``: error distributions and figures of results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import shared

if TYPE_CHECKING:
    from ..analysis.groups import Group

KINDS = ("edf", "scatter", "ranges")  # ranges is another name of scatter
Sources = Annotated[
    list[str],
    typer.Argument(help="Tables (.csv .parquet .json) or storages of studies.", metavar="SOURCE"),
]
Studies = Annotated[
    list[str] | None, typer.Option("--study", help="The study to read; may be repeated.")
]
By = Annotated[str | None, typer.Option("--by", help="Split by this column, such as space.")]
Diverged = Annotated[
    bool, typer.Option("--diverged", help="Count diverged models, at the error of chance.")
]
Picture = typer.Option("--out", help="Draw to a file: .png, .svg or .pdf.")


def edf(
    sources: Sources,
    study: Studies = None,
    by: By = None,
    diverged: Diverged = False,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: Annotated[Path | None, Picture] = None,
) -> None:
    """Compare error distributions: n, min, mean and quantiles of the error in percent.

    Example: regnet-ds edf population.csv --by space --out edf.svg
    """
    _check_picture(out)
    groups = _groups(sources, study, by, diverged)
    if out is not None:
        _draw("edf", groups, None, out)
    _print_summaries(groups, format)


def plot(
    kind: Annotated[str, typer.Argument(help="edf or scatter.", metavar="KIND")],
    sources: Sources,
    out: Annotated[Path, Picture],
    study: Studies = None,
    by: By = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", help="Of scatter: a column to show; may be repeated."),
    ] = None,
    diverged: Diverged = False,
    format: shared.OutputFormat = shared.Format.TABLE,
) -> None:
    """Draw a figure of results, and print its numbers.

    edf: error distributions. scatter (or ranges): error against every parameter, with the range
    of its best value.

    Example: regnet-ds plot scatter runs.journal --study small --out ranges.png
    """
    from ..analysis.metrics import nearest

    if kind not in KINDS:
        raise ValueError(f"unknown kind of figure {kind!r} (nearest: {nearest(kind, KINDS)})")
    _check_picture(out)
    groups = _groups(sources, study, by, diverged)
    _draw(kind, groups, parameter, out)
    if kind == "edf":
        _print_summaries(groups, format)
    else:
        _print_ranges(groups[0], parameter, format)


def _groups(
    sources: Sequence[str], studies: Sequence[str] | None, by: str | None, diverged: bool
) -> list[Group]:
    from ..analysis.groups import make_groups
    from ..analysis.table import load_table

    tables = [
        (source, load_table(source, study)) for source in sources for study in studies or [None]
    ]
    stems = [_name(source, table) for source, table in tables]
    # Where two sources are called alike, each has its whole path.
    names = [
        stem if stems.count(stem) == 1 else source
        for stem, (source, _) in zip(stems, tables, strict=True)
    ]
    named = [(name, table) for name, (_, table) in zip(names, tables, strict=True)]
    return make_groups(named, by=by, diverged=diverged)


def _name(source: str, table: Any) -> str:
    studies = table["study"].unique().tolist() if "study" in table else []
    return str(studies[0]) if len(studies) == 1 else Path(source).stem


def _check_picture(out: Path | None) -> None:
    if out is not None:
        from ..analysis.style import check_picture

        check_picture(out)


def _draw(kind: str, groups: list[Group], names: Sequence[str] | None, out: Path) -> None:
    from ..analysis.plots import edf_figure, ranges_figure
    from ..analysis.style import save_figure

    if kind == "edf":
        figure = edf_figure(groups)
    elif len(groups) == 1:
        figure = ranges_figure(groups[0], names)
    else:
        found = ", ".join(group.name for group in groups)
        raise ValueError(f"a scatter shows one population, got {len(groups)}: {found}")
    save_figure(figure, out)
    shared.note(f"wrote {out}")


def _print_summaries(groups: Sequence[Group], format: shared.Format) -> None:
    from ..analysis.groups import summary

    records = [summary(group) for group in groups]
    columns = {key: [record[key] for record in records] for key in records[0]}
    shared.emit(columns, format, None)


def _print_ranges(group: Group, names: Sequence[str] | None, format: shared.Format) -> None:
    from ..analysis.ranges import parameter_ranges

    records = parameter_ranges(group.rows, names)
    columns: dict[str, list[Any]] = {"parameter": [record.name for record in records]}
    for key in ("low", "best", "high", "k", "n"):
        columns[key] = [getattr(record.found, key) for record in records]
    shared.emit(columns, format, None)


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command()(edf)
    app.command()(plot)
