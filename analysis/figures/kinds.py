"""Every kind of figure: from populations to a page, and the numbers behind it.

A kind computes records, draws them on Axes and returns the page with its numbers as columns, so
that ``plot KIND --data FILE`` writes exactly what the picture shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...designspace.budget import format_size
from ..buckets import BUCKETS, make_buckets
from ..metrics import nearest, spoken
from ..style import add_caption, figure_style, new_figure
from ..tables.groups import Group, caption
from .complexity import Front, draw_buckets, draw_front
from .error_pages import edf_page, ks_page, noise_page, said, search_page, spread_page
from .networks import BlockWidths, best_block_widths, draw_block_widths
from .page import Columns, Numbers, Options, Page, complexity_of, known_pairs, stacked
from .parameter_pages import (
    correlations_page,
    importance_page,
    map_page,
    scatter_page,
    trend_page,
)
from .training import Curves, best_and_worst, draw_curves


@dataclass(frozen=True)
class Kind:
    """A kind of figure: how it is made, and what it shows."""

    make: Callable[[Sequence[Group], Options], Page]
    about: str
    single: bool = field(default=False)  # shows one population


def draw_kind(name: str, groups: Sequence[Group], options: Options | None = None) -> Page:
    """Return the page of a kind of figure.

    Raises
    ------
    ValueError
        If the kind is unknown, shows one population and got several, or the populations lack
        what it shows.
    """
    kind = find_kind(name)
    if kind.single and len(groups) != 1:
        found = ", ".join(group.name for group in groups)
        raise ValueError(f"the figure {name} shows one population, got {len(groups)}: {found}")
    with figure_style():
        return kind.make(groups, options or Options())


def find_kind(name: str) -> Kind:
    """Return a kind of figure by name, or raise ValueError that names the nearest."""
    if name not in KINDS:
        near = nearest(name, KINDS)
        raise ValueError(
            f"unknown kind of figure {name!r} (nearest: {near}); all: {', '.join(KINDS)}"
        )
    return KINDS[name]


def columns_read(
    kind: str, parameters: Sequence[str] = (), complexity: str = ""
) -> tuple[str, ...] | None:
    """Return the columns beside the error that a figure reads, or None if it may show any."""
    if kind in ("edf", "spread", "search", "ks"):
        return ()
    if kind == "map" and parameters:
        return tuple(parameters)
    return (complexity,) if kind in ("front", "buckets") and complexity else None


def _front(groups: Sequence[Group], options: Options) -> Page:
    name = complexity_of(groups, options)
    records = {g.name: Front.of(name, *known_pairs(g, name)) for g in groups}
    figure = new_figure(5.0, 3.6 + 0.17 * len(groups))
    draw_front(figure.subplots(), records)
    add_caption(figure, f"{caption(groups)}.")
    columns: Columns = {"population": [], name: [], "error": []}
    for population, record in records.items():
        order = np.argsort(record.x[record.front], kind="stable")
        columns["population"] += [population] * order.size
        columns[name] += record.x[record.front][order].tolist()
        columns["error"] += record.errors[record.front][order].tolist()
    parts = [f"{n}: {r.front.sum():,} of {r.x.size:,} models" for n, r in records.items()]
    about = (
        f"The line joins the models that no other undercuts in both {spoken(name)} and error (the"
        " Pareto front)."
    )
    return Page(figure, columns, said(about, parts))


def _buckets(groups: Sequence[Group], options: Options) -> Page:
    name = complexity_of(groups, options)
    pairs = {g.name: known_pairs(g, name) for g in groups}
    high = max(float(x.max()) for x, _ in pairs.values())
    of = min(BUCKETS, max(5, min(x.size for x, _ in pairs.values()) // 10))
    low = min(float(x.min()) for x, _ in pairs.values())
    low = low if high / 2 < low < high else 0.0  # models of one budget would share a bucket
    records = {n: make_buckets(x, e, of=of, low=low, high=high) for n, (x, e) in pairs.items()}
    figure = new_figure(4.8, 3.5 + 0.17 * len(groups))
    draw_buckets(figure.subplots(), name, records)
    add_caption(figure, f"{caption(groups)}. {of} equal buckets.")
    parts: list[str] = []
    for population, one in records.items():
        ends = [f"{one.mean[i]:.2f}% at {format_size(float(one.centre[i]))}" for i in (0, -1)]
        parts.append(f"{population}: {' and '.join(dict.fromkeys(ends))}")
    text = said(f"The mean error of models of like {spoken(name)}.", parts)
    return Page(figure, stacked(records, ("centre", "n", "mean", "sd")), text)


def _curves(groups: Sequence[Group], options: Options) -> Page:
    if options.curves is None:
        raise ValueError("the figure curves needs a study, or a table with a column curve")
    names = ", ".join(g.name for g in groups)
    record = best_and_worst(options.curves, source=names)
    figure = new_figure(4.6, 3.3)
    draw_curves(figure.subplots(), record)
    add_caption(figure, f"{names}: {caption(groups)}.")
    shown = options.curves
    columns: Numbers = {str(name): shown[name].to_numpy() for name in shown.columns}
    return Page(figure, columns, _say_curves(record))


def _say_curves(record: Curves) -> str:
    best, worst = ([float(one[1][-1]) for one in curves] for curves in (record.best, record.worst))
    text = f"After their last epoch the {len(best)} best of {record.n:,} models have errors of"
    text += f" {min(best):.2f}% to {max(best):.2f}%"
    if worst:
        text += f", the {len(worst)} worst of {min(worst):.2f}% to {max(worst):.2f}%"
    return f"{text}."


def _widths(groups: Sequence[Group], options: Options) -> Page:
    records = best_block_widths(groups[0].rows, options.shown)
    wide = min(3, len(records))
    high = -(-len(records) // wide)
    figure = new_figure(max(4.4, 2.35 * wide), 0.75 + 1.85 * high)
    grid = figure.subplots(high, wide, squeeze=False)
    for axes, record in zip(grid.flat, records, strict=False):
        draw_block_widths(axes, record)
    for axes in grid.flat[len(records) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel("width (channels)")
    for i in range(len(records)):
        if i + wide >= len(records):
            grid.flat[i].set_xlabel("block $j$")
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    add_caption(figure, f"The best of {groups[0].name}: {caption(groups)}.")
    columns: Columns = {"name": [], "error": [], "block": [], "width": [], "quantised": []}
    for record in records:
        n = record.widths.size
        columns["name"] += [record.title] * n
        columns["error"] += [record.error] * n
        columns["block"] += list(range(n))
        columns["width"] += record.widths.tolist()
        columns["quantised"] += record.quantised.tolist()
    return Page(figure, columns, _say_widths(records))


def _say_widths(records: Sequence[BlockWidths]) -> str:
    n = len(records)
    said = f"the {n} models of least error" if n > 1 else "the model of least error"
    text = f"Block by block, the widths of {said}, with the line of their parameters"
    if not all(one.own for one in records):
        text = f"Block by block, the widths of {said}, with the nearest quantised line"
    low, high = (end(one.error for one in records) for end in (min, max))
    ends = f"{low:.2f}%" if n == 1 else f"{low:.2f}% to {high:.2f}%"
    return f"{text}. Above each: its error ({ends})."


KINDS: dict[str, Kind] = {
    "edf": Kind(edf_page, "error distributions; --bands adds simultaneous bands"),
    "spread": Kind(spread_page, "letter values of the error, a population a line"),
    "scatter": Kind(scatter_page, "error against parameters, with good ranges", single=True),
    "ranges": Kind(scatter_page, "another name of scatter", single=True),
    "map": Kind(map_page, "ranks over two parameters, such as lr and weight_decay", single=True),
    "trend": Kind(trend_page, "good ranges over populations, by name or along a complexity"),
    "curves": Kind(_curves, "learning curves of the best and worst"),
    "widths": Kind(_widths, "widths by block of the best, with the quantised line", single=True),
    "front": Kind(_front, "error against complexity, with the Pareto front"),
    "search": Kind(search_page, "random-search efficiency: the best of m models"),
    "buckets": Kind(_buckets, "mean error by complexity, with 2 standard deviations"),
    "importance": Kind(importance_page, "which parameters matter", single=True),
    "correlations": Kind(
        correlations_page, "rank correlations of parameters, sizes and error", single=True
    ),
    "ks": Kind(ks_page, "how many models tell populations apart"),
    "noise": Kind(noise_page, "errors of networks trained with several seeds"),
}
