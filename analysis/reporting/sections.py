"""What a report says: a summary in words, the figures with their numbers, and exclusions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from markupsafe import Markup

from ...designspace.tables.columns import as_lists
from ..comparison import FEWEST, compare, comparison_columns, overview, sentence
from ..figures.forest import differences_figure
from ..figures.kinds import KINDS, draw_kind
from ..figures.page import Columns, Numbers, Options, Page
from ..tables.groups import Group, summary
from ..tables.table import say_exclusions
from .alternative import describe
from .rows import cell_of
from .vector import inline_svg
from .words import MOST_ONE_BY_ONE, minus

_COMPARED = (
    "For each pair the difference in mean, median and expected best of m models, with 95%"
    " intervals; an interval that holds 0 shows no difference."
)
MOST_ROWS = 150  # of the numbers of a figure
MOST_PAIRS = 6  # populations that are compared in pairs
MOST_SINGLE = 3  # populations with figures of their own
BROAD = 5.5  # inches from which a figure takes the width of the page
TALL = 1.4  # times as high as wide: as two others beside it
_TITLES = {
    "edf": "Error distributions",
    "search": "Random-search efficiency",
    "front": "Error against complexity",
    "buckets": "Error by complexity",
    "trend": "Good ranges over the populations",
    "importance": "Which parameters matter",
    "map": "Ranks over two parameters",
    "scatter": "Error against parameters",
    "correlations": "Rank correlations",
    "curves": "Learning curves",
    "ks": "How many models are needed",
    "spread": "Letter values of the errors",
    "noise": "Noise over seeds",
    "widths": "Widths of the best models",
}


@dataclass(frozen=True)
class Drawn:
    """A figure of the page, with its numbers as heads and rows."""

    id: str
    title: str
    about: str
    caption: str
    svg: Markup
    shape: str  # "broad", "tall" or neither
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int


@dataclass(frozen=True)
class Gallery:
    """The figures, those that could not be drawn with the reason, and what they say in words."""

    figures: tuple[Drawn, ...]
    absent: tuple[tuple[str, str], ...]
    findings: tuple[str, ...]
    numbers: tuple[tuple[str, Numbers], ...]  # of each figure, by its title; all of them


def draw_all(groups: Sequence[Group], options: Options) -> Gallery:
    """Draw every kind of figure that the populations have the columns for."""
    figures: list[Drawn] = []
    absent: list[tuple[str, str]] = []
    findings: list[str] = []
    numbers: list[tuple[str, Numbers]] = []
    many = len(groups) > 1
    for kind, title, shown in _wanted(groups):
        try:
            if kind == "compare":
                page = _compared(shown, options.seed)
                findings += page.text.split("\n")
                page = replace(page, text=_COMPARED)
            else:
                page = draw_kind(kind, shown, options)
            if kind == "importance" or (kind == "scatter" and not many):
                of = f"{shown[0].name}: " if many else ""
                findings.append(f"{of}{page.text}")
            figures.append(_drawn(f"figure-{len(figures) + 1}", kind, title, page))
            numbers.append((title, page.numbers))
        except ValueError as error:
            absent.append((title, str(error)))
    if len(groups) > MOST_SINGLE:
        alone = ", ".join(title.lower() for kind, title in _TITLES.items() if KINDS[kind].single)
        why = f"a report of up to {MOST_SINGLE} populations has them; choose some with --where"
        absent.append((f"Figures of one population ({alone})", why))
    return Gallery(tuple(figures), tuple(absent), tuple(findings), tuple(numbers))


def numbers_of_figures(gallery: Gallery) -> Columns:
    """Return the numbers of all figures as one table: a column ``figure`` and all their own.

    A cell is None where a figure has no such column.
    """
    heads = dict.fromkeys(head for _, columns in gallery.numbers for head in columns)
    found: Columns = {"figure": [], **{head: [] for head in heads}}
    for title, columns in gallery.numbers:
        cells = as_lists(columns)
        n = len(next(iter(cells.values()), []))
        found["figure"] += [title] * n
        for head in heads:
            found[head] += cells.get(head, [None] * n)
    return found


def exclusions(groups: Sequence[Group]) -> list[tuple[str, int, int, str]]:
    """Return for each population: its name, models that count, those that do not, and why."""
    return [
        (g.name, len(g.rows), sum(g.exclusions.values()), say_exclusions(g.exclusions))
        for g in groups
    ]


def summary_table(groups: Sequence[Group]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return heads and rows of the numbers of the error distributions."""
    records = [summary(group) for group in groups]
    heads = tuple(key for key in records[0] if key != "excluded")
    rows = [
        tuple(
            f"{value:.2f}" if isinstance(value, float) else str(value)
            for value in (record[key] for key in heads)
        )
        for record in records
    ]
    return heads, rows


def _wanted(groups: Sequence[Group]) -> Iterator[tuple[str, str, list[Group]]]:
    """Yield kind, title and populations of each figure, in the order of the page."""
    everything = list(groups)
    many = len(everything) > 1
    if many and len(everything) <= MOST_PAIRS:
        yield "compare", "Differences between the populations", everything
    for kind, title in _TITLES.items():
        if kind in ("trend", "spread") and not many:
            continue
        if kind == "noise" and not all(g.repeated and g.weights is None for g in everything):
            continue
        if not KINDS[kind].single:
            yield kind, title, everything
        for group in everything if KINDS[kind].single and len(everything) <= MOST_SINGLE else ():
            yield kind, f"{title}: {group.name}" if many else title, [group]


def _compared(groups: Sequence[Group], seed: int) -> Page:
    few = [group.name for group in groups if group.edf.n < FEWEST]
    if few:
        raise ValueError(f"{few[0]} has 1 model: a comparison needs {FEWEST}")
    found = compare(groups, rng=seed, plan=False)
    text = overview(found)
    if len(groups) <= MOST_ONE_BY_ONE:
        text = "\n".join(sentence(one) for one in found)
    return Page(differences_figure(groups, found), comparison_columns(found), text)


def _drawn(name: str, kind: str, title: str, page: Page) -> Drawn:
    figure = page.figure
    # The caption is text of the page, which wraps on any screen, and not part of the drawing.
    caption = " ".join(figure.get_supxlabel().split())
    figure.supxlabel("")
    about = minus(page.text.replace("\n", " "))
    said = minus(f"{title}. {describe(figure)} {about}".strip())
    svg = inline_svg(figure, name.replace("figure-", "f"), said)
    width, height = figure.get_size_inches()
    shape = "broad" if width > BROAD else "tall" if height > TALL * width else ""
    heads = tuple(page.numbers)
    n = len(next(iter(page.numbers.values()), []))
    kept = np.unique(np.linspace(0, n - 1, min(n, MOST_ROWS)).round().astype(int)).tolist()
    rows = tuple(tuple(_number(page.numbers[head][i]) for head in heads) for i in kept)
    return Drawn(name, title, about, minus(caption), svg, shape, heads, rows, n - len(kept))


def _number(value: Any) -> str:
    if isinstance(value, float):
        return str(cell_of("", value).shown) if value != value else minus(f"{value:.5g}")
    return str(cell_of("", value).shown)
