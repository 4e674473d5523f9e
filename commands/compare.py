"""``regnet-ds compare`` and ``regnet-ds refine``: which space is better, and the next one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import shared
from .figures import check_files
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
    read_tables,
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
    out: Annotated[
        Path | None, typer.Option("--out", help="Draw to a file: .png, .svg or .pdf.")
    ] = None,
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
    groups = load_groups(sources, study, by, diverged, errors, normalize, bins, where)
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


def refine(
    source: Annotated[str, typer.Argument(help="A table or the storage of a study.")],
    space: Annotated[
        str,
        typer.Option("--space", help="The space of the population: a name or a .yaml file."),
    ] = "",
    study: Annotated[str | None, typer.Option("--study", help="The study to read.")] = None,
    where: Where = None,
    diverged: Diverged = False,
    errors: ErrorUnit = None,
    simplify: Annotated[
        bool, typer.Option(help="Whether parameters that do not matter are shared.")
    ] = True,
    seed: shared.Seed = 0,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the space as .yaml, for the next round.")
    ] = None,
) -> None:
    """Propose the next design space from a trained population, with the evidence of each step.

    Ranges that hold the best models, orders over the stages that help, and parameters that may
    be shared. Nothing is proposed that the population does not support; the gain is measured on
    models that the proposal has not seen.

    Example: regnet-ds refine runs.journal --study anynetx-a --out next.yaml
    """
    from ..analysis.refinement import refine as refine_rows
    from ..analysis.refinement import refinement_columns, refinement_text
    from ..analysis.tables.table import say_exclusions, usable
    from ..designspace.space_catalogue import find_space

    if out is not None:
        from ..designspace.tables.columns import require_suffix

        require_suffix(out, (".yaml",))
    ((_, table),) = read_tables([source], [study] if study else None, errors, where)
    base = find_space(space or _space_of(table, source))
    rows, exclusions = usable(table, diverged=diverged)
    found = refine_rows(rows, base, rng=seed, simplify=simplify)
    shared.note(f"n = {found.n:,}; excluded: {say_exclusions(exclusions)}; seed {seed}")
    shared.note(refinement_text(found))
    if out is not None and found.steps:
        from ..designspace.atomic import whole_file
        from ..designspace.space_files.writer import to_yaml

        with whole_file(out) as temporary:
            temporary.write_text(to_yaml(found.space), encoding="utf-8")
        shared.note(f"wrote {out}")
    elif out is not None:
        shared.note(f"{out} is not written: there is no narrower space")
    if found.steps:
        shared.emit(refinement_columns(found), format, None)


def _space_of(table: object, source: str) -> str:
    cells = table["space"].dropna().unique().tolist() if "space" in table else []  # type: ignore
    names = [str(cell) for cell in cells if str(cell)]
    if len(names) != 1:
        found = f"it names {len(names)}: {', '.join(names)}" if names else "it names none"
        raise ValueError(f"say the space of {source} with --space ({found})")
    return names[0]


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command()(compare)
    app.command()(refine)
