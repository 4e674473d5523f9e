"""What the analysis commands share: options that name populations, and reading them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..analysis.tables.groups import Group


class Unit(StrEnum):
    """What the errors of a file are."""

    PERCENT = "percent"
    SHARE = "share"


Sources = Annotated[
    list[str],
    typer.Argument(
        help="Tables (.csv .parquet .json; pycls sweep.json, nds, timm), storages of studies, or "
        "example:imagenet.",
        metavar="SOURCE",
    ),
]
Studies = Annotated[
    list[str] | None, typer.Option("--study", help="The study to read; may be repeated.")
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where", help="Only rows with these values, as family=resnet,regnety; may be repeated."
    ),
]
By = Annotated[str | None, typer.Option("--by", help="Split by this column, such as space.")]
Normalize = Annotated[
    list[str] | None,
    typer.Option("--normalize", help="Match the populations on this complexity; may be repeated."),
]
Bins = Annotated[int, typer.Option("--bins", min=1, help="Bins of each matched complexity.")]
Diverged = Annotated[
    bool, typer.Option("--diverged", help="Count diverged models, at the error of chance.")
]
ErrorUnit = Annotated[Unit | None, typer.Option("--errors", help="What the errors of files are.")]


def load_groups(
    sources: Sequence[str],
    studies: Sequence[str] | None,
    by: str | None,
    diverged: bool,
    errors: str | None,
    normalize: Sequence[str] | None,
    bins: int,
    where: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
) -> list[Group]:
    """Return the populations that the options name.

    ``columns`` are read beside the error, and those that the options name; None reads all.
    """
    wanted = read_columns(columns, by, normalize, where)
    tables = read_tables(sources, studies, errors, where, wanted)
    return matched(tables, by, diverged, normalize, bins)


def read_columns(
    columns: Sequence[str] | None,
    by: str | None,
    normalize: Sequence[str] | None,
    where: Sequence[str] | None,
) -> list[str] | None:
    """Return the columns of a Parquet file that a command and its options read; None is all."""
    if columns is None:
        return None
    filters = [one.partition("=")[0].strip() for one in where or ()]
    return [*columns, *([by] if by else []), *(normalize or ()), *filters]


def read_tables(
    sources: Sequence[str],
    studies: Sequence[str] | None,
    errors: str | None,
    where: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
) -> list[tuple[str, Any]]:
    """Return the table of every source and study, each under a name of its own."""
    from ..analysis.tables.groups import only
    from ..analysis.tables.table import load_table

    wanted = [_condition(text) for text in where or ()]
    tables = [
        (source, only(load_table(source, study, errors=errors, columns=columns), wanted, source))
        for source in sources
        for study in studies or [None]
    ]
    stems = [_name(source, table) for source, table in tables]
    # Where two sources are called alike, each has its whole path.
    names = [
        stem if stems.count(stem) == 1 else source
        for stem, (source, _) in zip(stems, tables, strict=True)
    ]
    return [(name, table) for name, (_, table) in zip(names, tables, strict=True)]


def _condition(text: str) -> tuple[str, tuple[str, ...]]:
    column, equals, values = text.partition("=")
    if not equals or not column.strip() or not values.strip():
        raise ValueError(f"cannot read the condition {text!r}: write --where COLUMN=VALUE,VALUE")
    return column.strip(), tuple(value.strip() for value in values.split(","))


def matched(
    tables: Sequence[tuple[str, Any]],
    by: str | None,
    diverged: bool,
    normalize: Sequence[str] | None,
    bins: int,
) -> list[Group]:
    """Return the populations of tables, matched on complexities if asked."""
    from ..analysis.tables.groups import make_groups, match_groups

    groups = make_groups(tables, by=by, diverged=diverged)
    return match_groups(groups, tuple(normalize), bins=bins) if normalize else groups


def read_curves(
    sources: Sequence[str],
    studies: Sequence[str] | None,
    tables: Sequence[tuple[str, Any]],
    diverged: bool,
) -> Any:
    """Return the errors by epoch of the rows of `read_tables` that count.

    A trial is told apart by its source where there are several.
    """
    import pandas as pd

    from ..analysis.tables.table import curves_of_rows, learning_curves, usable

    places = [(source, study) for source in sources for study in studies or [None]]
    found: list[Any] = []
    for (source, study), (_, table) in zip(places, tables, strict=True):
        rows = usable(table, diverged=diverged)[0]
        if "curve" in rows:
            found.append(curves_of_rows(rows))
        else:
            curves = learning_curves(source, study)
            found.append(curves[curves["trial"].isin(rows["trial"])])
    if len(found) == 1:
        return found[0]
    parts = [
        part.assign(trial=[f"{i}: {trial}" for trial in part["trial"]])
        for i, part in enumerate(found, start=1)
    ]
    return pd.concat(parts, ignore_index=True)


def _name(source: str, table: Any) -> str:
    studies = table["study"].unique().tolist() if "study" in table else []
    if len(studies) == 1:
        return str(studies[0])
    return source.partition(":")[2] if source.startswith("example:") else Path(source).stem
