"""Every kind of figure: from populations to a page, and the numbers behind it.

A kind computes records, draws them on Axes and returns the page with its numbers as columns, so
that ``plot KIND --data FILE`` writes exactly what the picture shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...designspace.arrays import Floats
from ..buckets import BUCKETS, make_buckets
from ..efficiency import search_curve
from ..importance import importances
from ..metrics import nearest
from ..planning import ks_curve
from ..plots import edf_figure, ranges_figure
from ..ranges import column_of, parameter_ranges, shown_parameters
from ..style import add_caption, figure_style, new_figure
from ..tables.groups import Group, caption
from .complexity import Front, draw_buckets, draw_front
from .networks import SHOWN, best_block_widths, draw_block_widths
from .parameters import Trend, draw_importance, draw_rank_map, draw_trend, rank_map
from .searches import draw_ks_curve, draw_search
from .training import best_and_worst, draw_curves

Columns = dict[str, list[Any]]
COMPLEXITIES = ("flops", "params", "acts")


@dataclass(frozen=True, eq=False)
class Options:
    """What a figure may be told; each kind reads what it needs.

    Attributes
    ----------
    parameters : tuple of str
        The columns to show; empty takes those that vary. A map takes two.
    complexity : str
        The horizontal axis of front and buckets; "" takes the first that is there.
    bands : bool
        Whether EDFs have simultaneous bands.
    shown : int
        Networks in the figure of widths.
    curves : DataFrame or None
        Errors by epoch, for the figure of curves.
    seed : int
        Of the samples that the KS curve draws.
    """

    parameters: tuple[str, ...] = ()
    complexity: str = ""
    bands: bool = False
    shown: int = SHOWN
    curves: pd.DataFrame | None = None
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Page:
    """A figure, the numbers behind it as columns, and what it shows in words."""

    figure: Figure
    numbers: Columns
    text: str


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


def _edf(groups: Sequence[Group], options: Options) -> Page:
    figure = edf_figure(groups, bands=options.bands)
    columns: Columns = {"population": [], "error": [], "probability": []}
    for group in groups:
        record = group.edf
        last = np.append(record.errors[1:] != record.errors[:-1], True)
        columns["population"] += [group.name] * int(last.sum())
        columns["error"] += record.errors[last].tolist()
        columns["probability"] += record.probability[last].tolist()
    parts = [
        f"{g.name}: {len(g.rows):,} models, best {g.edf.min:.2f}%, mean {g.edf.mean:.2f}%"
        for g in groups
    ]
    return Page(figure, columns, "Error distributions. " + "; ".join(parts) + ".")


def _scatter(groups: Sequence[Group], options: Options) -> Page:
    names = options.parameters or None
    records = parameter_ranges(groups[0].rows, names)
    columns: Columns = {"parameter": [record.name for record in records]}
    for key in ("low", "best", "high", "k", "n"):
        columns[key] = [getattr(record.found, key) for record in records]
    text = "; ".join(
        f"{r.name} {r.found.best:g} ({r.found.low:g} to {r.found.high:g})" for r in records
    )
    figure = ranges_figure(groups[0], names)
    return Page(figure, columns, f"Most likely best values, with the range of the best: {text}.")


def _map(groups: Sequence[Group], options: Options) -> Page:
    rows, names = groups[0].rows, options.parameters
    if not names:
        names = ("lr", "weight_decay")
        if not set(names) <= {*rows.columns}:
            names = shown_parameters(rows)[:2]
    if len(names) != 2:
        raise ValueError(f"a map shows two parameters, got {len(names)}: {', '.join(names)}")
    x, y = (column_of(rows, name) for name in names)
    known = np.isfinite(x) & np.isfinite(y)
    if not known.any():
        raise ValueError(f"no model has both {names[0]} and {names[1]}")
    errors = rows["error"].to_numpy(np.float64)[known]
    record = rank_map((names[0], names[1]), x[known], y[known], errors)
    figure = new_figure(4.6, 3.5)
    draw_rank_map(figure.subplots(), record)
    add_caption(figure, f"{groups[0].name}: {caption(groups)}. The ring is the best model.")
    columns: Columns = {
        names[0]: record.x.tolist(),
        names[1]: record.y.tolist(),
        "error": errors.tolist(),
        "rank": record.rank.tolist(),
    }
    best = f"{names[0]} {record.x[record.best]:g}, {names[1]} {record.y[record.best]:g}"
    return Page(figure, columns, f"The best of {errors.size:,} models has {best}.")


def _importance(groups: Sequence[Group], options: Options) -> Page:
    rows = groups[0].rows
    names = options.parameters or shown_parameters(rows)
    records = importances({name: column_of(rows, name) for name in names}, rows["error"])
    figure = new_figure(5.0, 1.4 + 0.28 * len(records))
    draw_importance(figure.subplots(), records)
    add_caption(figure, f"{groups[0].name}: {caption(groups)}. p-values corrected by Holm.")
    columns: Columns = {
        "parameter": [r.name for r in records],
        "rank_correlation": [r.correlation.value for r in records],
        "low": [r.correlation.low for r in records],
        "high": [r.correlation.high for r in records],
        "explained": [r.explained for r in records],
        "p_value": [r.p_value for r in records],
        "n": [r.n for r in records],
    }
    matter = [f"{r.name} ({100 * r.explained:.0f}% of the ranks)" for r in records if r.matters]
    text = (
        f"Shown to matter: {', '.join(matter)}." if matter else "No parameter is shown to matter."
    )
    return Page(figure, columns, text)


def _search(groups: Sequence[Group], options: Options) -> Page:
    records = {g.name: search_curve(g.rows["error"], weights=g.weights) for g in groups}
    figure = new_figure(4.8, 3.5 + 0.17 * len(groups))
    draw_search(figure.subplots(), records)
    add_caption(figure, f"{caption(groups)}.")
    return Page(figure, _stacked(records, ("sizes", "mean", "sd", "low", "median", "high")), "")


def _ks(groups: Sequence[Group], options: Options) -> Page:
    records = {g.name: ks_curve(g.rows["error"], rng=options.seed) for g in groups}
    figure = new_figure(4.8, 3.6 + 0.17 * len(groups))
    draw_ks_curve(figure.subplots(), records)
    add_caption(figure, f"{caption(groups)}. Shaded: 128 to 1,024 models (NDS).")
    return Page(figure, _stacked(records, ("sizes", "mean", "expected")), "")


def _front(groups: Sequence[Group], options: Options) -> Page:
    name = _complexity(groups, options)
    records = {g.name: Front.of(name, *_known(g, name)) for g in groups}
    figure = new_figure(5.0, 3.6 + 0.17 * len(groups))
    draw_front(figure.subplots(), records)
    add_caption(figure, f"{caption(groups)}.")
    columns: Columns = {"population": [], name: [], "error": []}
    for population, record in records.items():
        order = np.argsort(record.x[record.front], kind="stable")
        columns["population"] += [population] * order.size
        columns[name] += record.x[record.front][order].tolist()
        columns["error"] += record.errors[record.front][order].tolist()
    return Page(figure, columns, f"Models that nothing dominates in {name} and error.")


def _buckets(groups: Sequence[Group], options: Options) -> Page:
    name = _complexity(groups, options)
    pairs = {g.name: _known(g, name) for g in groups}
    high = max(float(x.max()) for x, _ in pairs.values())
    of = min(BUCKETS, max(5, sum(x.size for x, _ in pairs.values()) // 10))
    records = {n: make_buckets(x, e, of=of, high=high) for n, (x, e) in pairs.items()}
    figure = new_figure(4.8, 3.5 + 0.17 * len(groups))
    draw_buckets(figure.subplots(), name, records)
    add_caption(figure, f"{caption(groups)}. {of} equal buckets.")
    return Page(figure, _stacked(records, ("centre", "n", "mean", "sd")), "")


def _trend(groups: Sequence[Group], options: Options) -> Page:
    names = options.parameters
    if not names:
        common = set.intersection(*({*shown_parameters(g.rows)} for g in groups))
        names = tuple(n for n in shown_parameters(groups[0].rows) if n in common)
        names = tuple(n for n in names if n not in COMPLEXITIES)[:6]
    if not names:
        raise ValueError("no parameter varies in all populations: there is no trend to draw")
    along = options.complexity
    at = np.arange(len(groups), dtype=np.float64)
    if along:
        at = np.array([float(np.median(_known(g, along)[0])) for g in groups])
        groups = [groups[i] for i in np.argsort(at, kind="stable")]
        at = np.sort(at)
    labels = tuple(g.name for g in groups)
    found = [parameter_ranges(g.rows, names) for g in groups]
    trends = [
        Trend(name, along, labels, at, tuple(ranges[i] for ranges in found))
        for i, name in enumerate(names)
    ]
    wide = min(3, len(trends))
    high = -(-len(trends) // wide)
    figure = new_figure(max(4.4, 2.5 * wide), 0.6 + 2.6 * high)
    grid = figure.subplots(high, wide, squeeze=False)
    for axes, trend in zip(grid.flat, trends, strict=False):
        draw_trend(axes, trend)
    for axes in grid.flat[len(trends) :]:
        axes.set_axis_off()
    add_caption(figure, f"{caption(groups)}. Points: most likely best value; bars: its range.")
    columns: Columns = {"parameter": [], "population": [], "low": [], "best": [], "high": []}
    for trend in trends:
        for label, one in zip(labels, trend.ranges, strict=True):
            columns["parameter"].append(trend.name)
            columns["population"].append(label)
            for end in ("low", "best", "high"):
                columns[end].append(getattr(one.found, end))
    return Page(figure, columns, "Good ranges of parameters over the populations.")


def _curves(groups: Sequence[Group], options: Options) -> Page:
    if options.curves is None:
        raise ValueError("the figure curves needs a study, or a table with a column curve")
    record = best_and_worst(options.curves)
    figure = new_figure(4.6, 3.3)
    draw_curves(figure.subplots(), record)
    add_caption(figure, f"{', '.join(g.name for g in groups)}: {caption(groups)}.")
    shown = options.curves
    columns: Columns = {str(name): shown[name].tolist() for name in shown.columns}
    return Page(figure, columns, f"Errors by epoch of {record.n} models.")


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
    return Page(figure, columns, f"Widths by block of the {len(records)} best models.")


def _stacked(records: Mapping[str, Any], names: Sequence[str]) -> Columns:
    columns: Columns = {"population": [], **{name: [] for name in names}}
    for population, record in records.items():
        for name in names:
            columns[name] += getattr(record, name).tolist()
        columns["population"] += [population] * (
            len(columns[names[0]]) - len(columns["population"])
        )
    return columns


def _complexity(groups: Sequence[Group], options: Options) -> str:
    if options.complexity:
        return options.complexity
    for name in COMPLEXITIES:
        if all(name in g.rows and np.isfinite(column_of(g.rows, name)).any() for g in groups):
            return name
    raise ValueError(f"the populations share none of the columns {', '.join(COMPLEXITIES)}")


def _known(group: Group, name: str) -> tuple[Floats, Floats]:
    """Return a column and the errors, of the models that have a value."""
    x = column_of(group.rows, name)
    known = np.isfinite(x)
    if not known.any():
        raise ValueError(f"{group.name}: the column {name} is empty in all {len(x)} rows")
    return x[known], group.rows["error"].to_numpy(np.float64)[known]


KINDS: dict[str, Kind] = {
    "edf": Kind(_edf, "error distributions; --bands adds simultaneous bands"),
    "scatter": Kind(_scatter, "error against parameters, with good ranges", single=True),
    "ranges": Kind(_scatter, "another name of scatter", single=True),
    "map": Kind(_map, "ranks over two parameters, such as lr and weight_decay", single=True),
    "trend": Kind(_trend, "good ranges over populations, by name or along a complexity"),
    "curves": Kind(_curves, "learning curves of the best and worst"),
    "widths": Kind(_widths, "widths by block of the best, with the quantised line", single=True),
    "front": Kind(_front, "error against complexity, with the Pareto front"),
    "search": Kind(_search, "random-search efficiency: the best of m models"),
    "buckets": Kind(_buckets, "mean error by complexity, with 2 standard deviations"),
    "importance": Kind(_importance, "which parameters matter", single=True),
    "ks": Kind(_ks, "how many models tell populations apart"),
}
