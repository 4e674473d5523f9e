"""``regnet-ds refine``: the next design space, from a trained population."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import shared
from .figures import check_files
from .populations import (
    Bins,
    By,
    Diverged,
    ErrorUnit,
    Normalize,
    Where,
    matched,
    read_tables,
)

if TYPE_CHECKING:
    from ..analysis.refinement import Refinement
    from ..analysis.tables.groups import Group


def refine(
    source: Annotated[str, typer.Argument(help="A table or the storage of a study.")],
    space: Annotated[
        str,
        typer.Option("--space", help="The space of the population: a name or a .yaml file."),
    ] = "",
    study: Annotated[str | None, typer.Option("--study", help="The study to read.")] = None,
    where: Where = None,
    by: By = None,
    normalize: Normalize = None,
    bins: Bins = 10,
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
    picture: Annotated[
        Path | None,
        typer.Option("--picture", help="Draw the predicted EDF to a file: .png, .svg or .pdf."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Write the steps and gains: .csv .json .parquet."),
    ] = None,
) -> None:
    """Propose the next design space from a trained population, with the evidence of each step.

    Ranges that hold the best models, orders over the stages that help, and parameters that may
    be shared. Nothing is proposed that the population does not support; the gain is measured on
    models that the proposal has not seen. With --normalize models of equal complexity are
    compared; with --by each population has its own proposal.

    Example: regnet-ds refine runs.journal --study anynetx-a --out next.yaml
    """
    from ..analysis.refinement import refine as refine_rows
    from ..analysis.refinement import refinement_columns, refinement_text
    from ..analysis.tables.table import say_exclusions
    from ..designspace.space_catalogue import find_space

    if out is not None:
        from ..designspace.tables.columns import require_suffix

        require_suffix(out, (".yaml",))
    check_files(picture, data)
    tables = read_tables([source], [study] if study else None, errors, where)
    groups = matched(tables, by, diverged, normalize, bins)
    if out is not None and len(groups) > 1:
        names = ", ".join(group.name for group in groups)
        raise ValueError(f"{out} holds one space, got {len(groups)} populations: {names}")
    many = len(groups) > 1
    bases = [
        find_space(space or _space_of(group, f"{group.name} of {source}" if many else source))
        for group in groups
    ]
    found: list[Refinement] = []
    for group, base in zip(groups, bases, strict=True):
        try:
            options: Any = {"rng": seed, "simplify": simplify, "cells": group.cells}
            found.append(refine_rows(group.rows, base, **options))
        except ValueError as error:
            raise ValueError(f"{group.name}: {error}" if many else str(error)) from error
    for group, one in zip(groups, found, strict=True):
        note = f"; {group.note}" if group.note else ""
        name = f"{group.name}: " if len(groups) > 1 else ""
        said = say_exclusions(group.exclusions)
        shared.note(f"{name}n = {one.n:,}; excluded: {said}{note}; seed {seed}")
        shared.note(refinement_text(one))
    if out is not None:
        _write_space(found[0], out)
    if picture is not None:
        from ..analysis.figures.forest import refinement_figure
        from ..analysis.style import save_figure

        save_figure(refinement_figure(groups, found), picture)
        shared.note(f"wrote {picture}")
    columns = _columns(groups, found, refinement_columns)
    if data is not None:
        shared.emit(columns, format, data)
    if columns["step"]:
        shown = ("step", "change", "p_value", "evidence")
        shared.emit(columns, format, None, ("population", *shown) if len(groups) > 1 else shown)


def _columns(groups: Sequence[Group], found: Sequence[Refinement], make: Any) -> dict[str, Any]:
    """Return the steps of all proposals, each with its population and the gain of the proposal."""
    names = ("population", "step", "change", "p_value", "evidence")
    columns: dict[str, list[Any]] = {name: [] for name in (*names, "gain", "gain_low", "gain_high")}
    for group, one in zip(groups, found, strict=True):
        steps = make(one)
        for key, cells in steps.items():
            columns[key] += cells
        ends = (None,) * 3 if one.gain is None else (one.gain.value, one.gain.low, one.gain.high)
        columns["population"] += [group.name] * len(one.steps)
        for key, end in zip(("gain", "gain_low", "gain_high"), ends, strict=True):
            columns[key] += [end] * len(one.steps)
    return columns


def _write_space(found: Refinement, out: Path) -> None:
    if not found.steps:
        shared.note(f"{out} is not written: there is no narrower space")
        return
    from ..designspace.atomic import whole_file
    from ..designspace.space_files.writer import to_yaml

    with whole_file(out) as temporary:
        temporary.write_text(to_yaml(found.space), encoding="utf-8")
    shared.note(f"wrote {out}")


def _space_of(group: Group, of: str) -> str:
    table: Any = group.rows
    cells = table["space"].dropna().unique().tolist() if "space" in table else []
    names = [str(cell) for cell in cells if str(cell)]
    if len(names) != 1:
        found = f"it names {len(names)}: {', '.join(names)}" if names else "it names none"
        raise ValueError(f"say the space of {of} with --space ({found})")
    return names[0]


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(refine)
