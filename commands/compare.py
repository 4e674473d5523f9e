"""``regnet-ds compare``: which population is better, by how much and how surely."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import shared
from .figures import Picture, check_files
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
)


def compare(
    sources: Sources,
    study: Studies = None,
    where: Where = None,
    by: By = None,
    normalize: Normalize = None,
    bins: Bins = 10,
    diverged: Diverged = False,
    errors: ErrorUnit = None,
    seed: shared.Seed = 0,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: Annotated[Path | None, Picture] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Write the table: .csv .json .parquet.")
    ] = None,
) -> None:
    """Say whether one population is better than another, by how much and how surely.

    Every pair is compared in mean, median and the expected best of m models, with 95% intervals,
    and by the KS test; with --normalize at equal complexity. One plain sentence a pair on stderr.

    Example: regnet-ds compare a.csv b.csv --normalize flops --out compare.png
    """
    from ..analysis.comparison import compare as compare_groups
    from ..analysis.comparison import comparison_columns, sentence

    check_files(out, data)
    groups = load_groups(sources, study, by, diverged, errors, normalize, bins, where, ())
    found = compare_groups(groups, rng=seed)
    if out is not None:
        from ..analysis.figures.forest import comparison_figure
        from ..analysis.style import save_figure

        save_figure(comparison_figure(groups, found), out)
        shared.note(f"wrote {out}")
    columns = comparison_columns(found)
    if data is not None:
        shared.emit(columns, format, data)
    for one in found:
        shared.note(sentence(one))
    shared.emit(columns, format, None, _SHOWN)


_SHOWN = ("a", "b", "verdict", "n_a", "n_b", "mean", "mean_low", "mean_high", "ks", "p_value")


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(compare)
