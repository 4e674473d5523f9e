"""A report of populations: one HTML file that needs no network, from a template.

What comes from data is escaped by the template (jinja2, autoescape); only drawings, style sheet
and script, which this package writes, are taken as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from os import PathLike
from pathlib import Path

import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from ...designspace.atomic import whole_file
from ...designspace.tables.columns import require_suffix
from ..figures.page import Options
from ..style import MOST_BANDS
from ..tables.groups import Group, regime
from .provenance import Facts, facts_of_groups, join_facts, versions
from .rows import models_table
from .sections import Gallery, draw_all, exclusions, summary_table
from .words import minus, sentences

SUFFIXES = (".html",)
MOST_MODELS = 1_000_000
MOST_PRINTED = 100  # rows of the models


def render_report(
    groups: Sequence[Group],
    *,
    title: str = "",
    curves: pd.DataFrame | None = None,
    facts: Sequence[Facts] = (),
    seed: int = 0,
) -> str:
    """Return the report of populations as the text of an HTML page.

    Parameters
    ----------
    groups
        From `make_groups` or `match_groups`, one or more.
    title
        The heading; "" names the populations.
    curves
        Errors by epoch (`learning_curves`), or None.
    facts
        What the sources say of themselves (`facts_of_source`).
    seed
        Of what is sampled: permutations and the KS curve.

    Raises
    ------
    ValueError
        If there is no population.
    """
    gallery = draw_gallery(groups, curves=curves, seed=seed)
    return render_gallery(groups, gallery, title=title, facts=facts, seed=seed)


def draw_gallery(
    groups: Sequence[Group], *, curves: pd.DataFrame | None = None, seed: int = 0
) -> Gallery:
    """Return the figures of a report, with their numbers (`sections.numbers_of_figures`)."""
    if not groups:
        raise ValueError("a report needs at least one population")
    n = sum(len(group.rows) for group in groups)
    if n > MOST_MODELS:
        raise ValueError(
            f"a report is of up to {MOST_MODELS:,} models, got {n:,}: choose some with --where, or"
            " use edf, plot and compare, which take more"
        )
    return draw_all(groups, Options(bands=len(groups) <= MOST_BANDS, curves=curves, seed=seed))


def render_gallery(
    groups: Sequence[Group],
    gallery: Gallery,
    *,
    title: str = "",
    facts: Sequence[Facts] = (),
    seed: int = 0,
) -> str:
    """Return the page of figures that are drawn already, as `render_report` does."""
    names = ", ".join(group.name for group in groups[:4])
    heads, numbers = summary_table(groups)
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_file("report.html.j2")).render(
        title=title
        or f"Report of {names}{f' and {len(groups) - 4} more' if len(groups) > 4 else ''}",
        regime=regime([group.rows for group in groups]),
        sentences=[*sentences(groups), *map(minus, gallery.findings)],
        summary_heads=heads,
        summary_rows=numbers,
        figures=gallery.figures,
        absent=gallery.absent,
        models=models_table(groups),
        most_printed=MOST_PRINTED,
        exclusions=exclusions(groups),
        shared=facts_of_groups(groups),
        sources=join_facts(facts),
        versions=versions(),
        seed=seed,
        css=Markup(_file("report.css")),
        script=Markup(_file("report.js")),
    )


def write_report(
    groups: Sequence[Group],
    path: str | PathLike[str],
    *,
    title: str = "",
    curves: pd.DataFrame | None = None,
    facts: Sequence[Facts] = (),
    seed: int = 0,
) -> None:
    """Write `render_report` to a ``.html`` file, whole or not at all.

    Raises
    ------
    ValueError
        If the suffix is another one, there is no population, or the path cannot be written to.
    """
    out = Path(path)
    check_report(out)
    text = render_report(groups, title=title, curves=curves, facts=facts, seed=seed)
    write_page(text, out)


def write_page(text: str, out: Path) -> None:
    """Write the text of a page, whole or not at all."""
    with whole_file(out) as temporary:
        temporary.write_text(text, encoding="utf-8")


def check_report(path: Path) -> None:
    """Raise ValueError for a suffix that reports are not written in."""
    require_suffix(path, SUFFIXES)


def _file(name: str) -> str:
    return files("regnet_ds.analysis.reporting").joinpath("files", name).read_text(encoding="utf-8")
