"""``regnet-ds edf`` and ``regnet-ds plot``: error distributions and figures of results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import shared
from .populations import (
    Bins,
    By,
    Diverged,
    ErrorUnit,
    Normalize,
    Sources,
    Studies,
    Where,
    load_groups,
    matched,
    read_columns,
    read_curves,
    read_tables,
)

if TYPE_CHECKING:
    from ..analysis.tables.groups import Group

Picture = typer.Option("--out", help="Draw to a file: .png, .svg or .pdf.")
Numbers = Annotated[
    Path | None,
    typer.Option("--data", help="Write the numbers behind the picture: .csv .json .parquet."),
]


def edf(
    sources: Sources,
    study: Studies = None,
    where: Where = None,
    by: By = None,
    normalize: Normalize = None,
    bins: Bins = 10,
    diverged: Diverged = False,
    errors: ErrorUnit = None,
    bands: Annotated[
        bool, typer.Option("--bands", help="Of the picture: simultaneous 95% bands.")
    ] = False,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: Annotated[Path | None, Picture] = None,
    data: Numbers = None,
) -> None:
    """Compare error distributions: n, min, mean and quantiles of the error in percent.

    With --normalize the populations are weighted to have equal complexity, as in NDS.

    Example: regnet-ds edf population.csv --by space --normalize flops --out edf.svg
    """
    check_files(out, data)
    groups = load_groups(sources, study, by, diverged, errors, normalize, bins, where, ())
    if out is not None or data is not None:
        _make("edf", groups, {"bands": bands}, out, data)
    _print_summaries(groups, format)


def plot(
    kind: Annotated[str, typer.Argument(help="The kind of figure; see above.", metavar="KIND")],
    sources: Sources,
    out: Annotated[Path, Picture],
    study: Studies = None,
    where: Where = None,
    by: By = None,
    normalize: Normalize = None,
    bins: Bins = 10,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", help="A column to show; may be repeated. A map takes two."),
    ] = None,
    complexity: Annotated[
        str,
        typer.Option(
            "--complexity", help="The axis of front, buckets and trend: flops, params or acts."
        ),
    ] = "",
    bands: Annotated[bool, typer.Option("--bands", help="Of edf: simultaneous 95% bands.")] = False,
    diverged: Diverged = False,
    errors: ErrorUnit = None,
    seed: shared.Seed = 0,
    format: shared.OutputFormat = shared.Format.TABLE,
    data: Numbers = None,
) -> None:
    """Draw a figure of results, and print its numbers.

    edf: error distributions. spread: letter values of the errors. scatter (or ranges): error
    against every parameter, with the range of its best value. map: ranks over two parameters.
    trend: good ranges over populations. curves: learning curves. widths: widths by block of the
    best. front: error against complexity. search: random-search efficiency. buckets: error by
    complexity. importance: which parameters matter. correlations: rank correlations of
    parameters, sizes and error. ks: how many models are needed. noise: errors of several seeds.

    Example: regnet-ds plot scatter runs.journal --study small --out ranges.png
    """
    from ..analysis.figures.kinds import columns_read, find_kind

    find_kind(kind)
    check_files(out, data)
    columns = read_columns(columns_read(kind, parameter or (), complexity), by, normalize, where)
    tables = read_tables(sources, study, errors, where, columns)
    groups = matched(tables, by, diverged, normalize, bins)
    options = {
        "parameters": tuple(parameter or ()),
        "complexity": complexity,
        "bands": bands,
        "seed": seed,
        "curves": read_curves(sources, study, tables, diverged) if kind == "curves" else None,
    }
    numbers = _make(kind, groups, options, out, data)
    if kind == "edf":
        _print_summaries(groups, format)
    else:
        shared.emit(numbers, format, None)


def noise(
    sources: Sources,
    study: Studies = None,
    where: Where = None,
    by: By = None,
    errors: ErrorUnit = None,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: Annotated[Path | None, Picture] = None,
    data: Numbers = None,
) -> None:
    """Compare the spread of errors over models with the noise over seeds.

    Of a table that holds networks trained with several seeds: standard deviations in percentage
    points, with the 95% interval of that over seeds. Models tell networks apart only where their
    spread is well above the noise.

    Example: regnet-ds noise example:ladder --by space
    """
    from ..analysis.figures.error_pages import noise_columns, noise_of, say_noise

    check_files(out, data)
    groups = load_groups(sources, study, by, False, errors, None, 1, where)
    columns = noise_columns(groups)
    if out is not None or data is not None:
        _make("noise", groups, {}, out, data)
    for group in groups:
        shared.note(say_noise(group.name, noise_of(group)))
    shared.emit(columns, format, None)


def check_files(out: Path | None, data: Path | None) -> None:
    """Raise ValueError unless the suffixes of a figure and of a table are known."""
    if out is not None:
        from ..analysis.style import check_picture

        check_picture(out)
    if data is not None:
        from ..designspace.tables.columns import require_suffix

        require_suffix(data)


def _make(
    kind: str, groups: Sequence[Group], options: dict[str, Any], out: Path | None, data: Path | None
) -> Mapping[str, Any]:
    """Draw the figure, write what is asked for, and return the numbers behind it."""
    from ..analysis.figures.kinds import draw_kind
    from ..analysis.figures.page import Options
    from ..analysis.style import save_figure

    page = draw_kind(kind, groups, Options(**options))
    if out is not None:
        save_figure(page.figure, out)
        shared.note(f"wrote {out}")
    if data is not None:
        shared.emit(page.numbers, shared.Format.TABLE, data)
    return page.numbers


def _print_summaries(groups: Sequence[Group], format: shared.Format) -> None:
    from ..analysis.tables.groups import summary

    records = [summary(group) for group in groups]
    columns = {key: [record[key] for record in records] for key in records[0]}
    for matching in dict.fromkeys(group.note for group in groups if group.note):
        shared.note(matching)
    shared.emit(columns, format, None)


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command()(edf)
    app.command()(plot)
    app.command()(noise)
