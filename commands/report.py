"""``regnet-ds report``: populations as one HTML file, with figures, models and provenance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from . import shared
from .figures import Numbers, check_files
from .populations import (
    Bins,
    By,
    Diverged,
    ErrorUnit,
    Normalize,
    Sources,
    Studies,
    Where,
    matched,
    read_curves,
    read_tables,
)


def report(
    sources: Sources,
    out: Annotated[Path, typer.Option("--out", help="The report: a .html file.")],
    study: Studies = None,
    where: Where = None,
    by: By = None,
    normalize: Normalize = None,
    bins: Bins = 10,
    diverged: Diverged = False,
    errors: ErrorUnit = None,
    title: Annotated[str, typer.Option("--title", help="The heading of the page.")] = "",
    seed: shared.Seed = 0,
    data: Numbers = None,
) -> None:
    """Write a report of results as one HTML file that needs no network.

    A summary in words, every figure that the results have the columns for, all models in a
    table that can be sorted, the best and the worst, what is excluded, and provenance.

    Example: regnet-ds report runs.journal --study small --out report.html
    """
    from ..analysis.reporting.document import (
        check_report,
        draw_gallery,
        render_gallery,
        write_page,
    )
    from ..analysis.reporting.provenance import facts_of_source
    from ..analysis.reporting.sections import numbers_of_figures

    check_report(out)
    check_files(None, data)
    tables = read_tables(sources, study, errors, where)
    groups = matched(tables, by, diverged, normalize, bins)
    facts = [facts_of_source(source, one) for source in sources for one in study or [None]]
    curves = _curves(sources, study, tables, diverged)
    gallery = draw_gallery(groups, curves=curves, seed=seed)
    write_page(render_gallery(groups, gallery, title=title, facts=facts, seed=seed), out)
    shared.note(f"wrote {out} ({out.stat().st_size / 1e6:.2f} MB)")
    if data is not None:
        shared.emit(numbers_of_figures(gallery), shared.Format.TABLE, data)


def _curves(
    sources: Sequence[str],
    studies: Sequence[str] | None,
    tables: Sequence[tuple[str, Any]],
    diverged: bool,
) -> Any:
    """Return the errors by epoch, or None where a source has only final results."""
    try:
        return read_curves(sources, studies, tables, diverged)
    except ValueError:
        return None


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(report)
