"""What a report says: a summary in words, the figures with their numbers, and exclusions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from markupsafe import Markup

from ...designspace.budget import format_size
from ...designspace.record import COMPLEXITY_KEYS
from ...designspace.tables.columns import as_lists
from ..comparison import FEWEST, compare, comparison_columns, sentence
from ..figures.forest import differences_figure
from ..figures.kinds import KINDS, draw_kind
from ..figures.networks import title_of_row
from ..figures.page import Columns, Numbers, Options, Page
from ..intervals import mean_interval
from ..tables.groups import Group, summary
from ..tables.table import say_exclusions
from .rows import cell_of
from .vector import inline_svg

MOST_ROWS = 150  # of the numbers of a figure
MOST_PAIRS = 6  # populations that are compared in pairs
MOST_SINGLE = 4  # populations with figures of their own
BROAD = 5.5  # inches from which a figure takes the width of the page
_TITLES = {
    "edf": "Error distributions",
    "spread": "Letter values of the errors",
    "search": "Random-search efficiency",
    "scatter": "Error against parameters",
    "importance": "Which parameters matter",
    "correlations": "Rank correlations",
    "map": "Ranks over two parameters",
    "widths": "Widths of the best models",
    "trend": "Good ranges over the populations",
    "front": "Error against complexity",
    "buckets": "Error by complexity",
    "curves": "Learning curves",
    "ks": "How many models are needed",
    "noise": "Noise over seeds",
}


@dataclass(frozen=True)
class Drawn:
    """A figure of the page, with its numbers as heads and rows."""

    id: str
    title: str
    about: str
    caption: str
    svg: Markup
    broad: bool
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
    for kind, title, shown in _wanted(groups):
        try:
            if kind == "compare":
                page = _compared(shown, options.seed)
                findings += page.text.split("\n")
                page = replace(page, text="Every pair of populations; in words in the summary.")
            else:
                page = draw_kind(kind, shown, options)
            if kind == "scatter":
                page = replace(page, text=_ranges(page))
            if kind in ("scatter", "importance"):
                of = f"{shown[0].name}: " if len(groups) > 1 else ""
                findings.append(f"{of}{page.text}")
            figures.append(_drawn(f"figure-{len(figures) + 1}", kind, title, page))
            numbers.append((title, page.numbers))
        except ValueError as error:
            absent.append((title, str(error)))
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


def sentences(groups: Sequence[Group]) -> list[str]:
    """Return the summary of the populations in words, a sentence or two each."""
    return [_sentence(group) for group in groups]


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
        yield "compare", "The populations compared", everything
    for kind, title in _TITLES.items():
        if kind in ("trend", "spread") and not many:
            continue
        if kind == "noise" and not all(g.repeated and g.weights is None for g in everything):
            continue
        if not KINDS[kind].single:
            yield kind, title, everything
        for group in everything[:MOST_SINGLE] if KINDS[kind].single else ():
            yield kind, f"{title}: {group.name}" if many else title, [group]


def _compared(groups: Sequence[Group], seed: int) -> Page:
    few = [group.name for group in groups if group.edf.n < FEWEST]
    if few:
        raise ValueError(f"{few[0]} has 1 model: a comparison needs {FEWEST}")
    found = compare(groups, rng=seed, plan=False)
    text = "\n".join(sentence(one) for one in found)
    return Page(differences_figure(groups, found), comparison_columns(found), text)


def _ranges(page: Page) -> str:
    """Return the good ranges of a scatter in words, with sizes and three digits."""
    rows = zip(*(page.numbers[key] for key in ("parameter", "best", "low", "high")), strict=True)
    said: list[str] = []
    for name, *values in rows:
        sizes = name in COMPLEXITY_KEYS
        best, low, high = (format_size(v) if sizes else f"{v:.3g}" for v in values)
        said.append(f"{name} {best} ({low} to {high})")
    return f"Most likely best values, with the range of the best: {'; '.join(said)}."


def _drawn(name: str, kind: str, title: str, page: Page) -> Drawn:
    figure = page.figure
    # The caption is text of the page, which wraps on any screen, and not part of the drawing.
    caption = " ".join(figure.get_supxlabel().split())
    figure.supxlabel("")
    about = page.text.replace("\n", " ") or f"{title}."
    svg = inline_svg(figure, name.replace("figure-", "f"), f"{title}. {about}")
    broad = figure.get_figwidth() > BROAD
    heads = tuple(page.numbers)
    n = len(next(iter(page.numbers.values()), []))
    kept = np.unique(np.linspace(0, n - 1, min(n, MOST_ROWS)).round().astype(int)).tolist()
    rows = tuple(tuple(_number(page.numbers[head][i]) for head in heads) for i in kept)
    return Drawn(name, title, about, caption, svg, broad, heads, rows, n - len(kept))


def _sentence(group: Group) -> str:
    record = summary(group)
    errors = group.rows["error"].to_numpy(np.float64)
    best = group.rows.iloc[int(np.argmin(errors))]
    n = len(errors)
    if n == 1:
        return f"{group.name}: one model counts, with an error of {errors[0]:.2f}%."
    found = mean_interval(errors, group.weights)
    matched = f" ({group.note})" if group.note else ""
    return (
        f"{group.name}: {n:,} models count{matched}; excluded: {record['excluded']}. The best, "
        f"{title_of_row(best)}, has an error of {errors.min():.2f}%. The mean is "
        f"{found.value:.2f}% (95% interval {found.low:.2f}% to {found.high:.2f}%), the median "
        f"{record['median']:.2f}%; eight in ten models lie between {record['q10']:.2f}% and "
        f"{record['q90']:.2f}%."
    )


def _number(value: Any) -> str:
    if isinstance(value, float):
        return cell_of("", value).shown if value != value else f"{value:.5g}"
    return str(cell_of("", value).shown)
