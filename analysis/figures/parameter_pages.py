"""Pages of parameters: good ranges, maps, importance, correlations and trends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...designspace.budget import format_size
from ...designspace.record import COMPLEXITY_KEYS
from ..importance import Importance, importances
from ..metrics import spoken
from ..plots import ranges_figure
from ..ranges import ParameterRange, column_of, parameter_ranges, shown_parameters
from ..rank_correlations import correlations
from ..style import add_caption, new_figure
from ..tables.groups import Group, caption
from .heat_map import draw_correlations
from .page import Columns, Options, Page, known_pairs
from .parameters import Trend, draw_importance, draw_rank_map, draw_trend, rank_map


def scatter_page(groups: Sequence[Group], options: Options) -> Page:
    """Return error against each parameter, with the range of its best value."""
    names = options.parameters or None
    records = parameter_ranges(groups[0].rows, names, of=groups[0].name)
    columns: Columns = {"parameter": [record.name for record in records]}
    for key in ("low", "best", "high", "k", "n"):
        columns[key] = [getattr(record.found, key) for record in records]
    return Page(ranges_figure(groups[0], names), columns, _say_ranges(records))


def _say_ranges(records: Sequence[ParameterRange]) -> str:
    said: list[str] = []
    for one in records:
        sizes = one.name in COMPLEXITY_KEYS
        ends = (one.found.best, one.found.low, one.found.high)
        best, low, high = (format_size(v) if sizes else f"{v:.3g}" for v in ends)
        said.append(f"{spoken(one.name)} {best} ({low} to {high})")
    k = max(one.found.k for one in records)
    return (
        f"The most likely best value, in brackets the range of the best of {k:,} models drawn at"
        f" random in 95% of draws: {'; '.join(said)}."
    )


def map_page(groups: Sequence[Group], options: Options) -> Page:
    """Return the ranks of the errors over two parameters."""
    rows, names = groups[0].rows, options.parameters
    if not names:
        names = ("lr", "weight_decay")
        if not set(names) <= {*rows.columns}:
            names = shown_parameters(rows, groups[0].name)[:2]
    if len(names) != 2:
        raise ValueError(f"a map shows two parameters, got {len(names)}: {', '.join(names)}")
    x, y = (column_of(rows, name, groups[0].name) for name in names)
    known = np.isfinite(x) & np.isfinite(y)
    if not known.any():
        raise ValueError(f"no model has both {names[0]} and {names[1]}")
    errors = rows["error"].to_numpy(np.float64)
    if not known.all():
        x, y, errors = x[known], y[known], errors[known]
    record = rank_map((names[0], names[1]), x, y, errors)
    figure = new_figure(4.6, 3.5)
    draw_rank_map(figure.subplots(), record)
    add_caption(figure, f"{groups[0].name}: {caption(groups)}. The ring is the best model.")
    columns = {names[0]: record.x, names[1]: record.y, "error": errors, "rank": record.rank}
    best = " and ".join(
        f"{spoken(name)} {values[record.best]:.4g}"
        for name, values in zip(names, (record.x, record.y), strict=True)
    )
    text = f"The darker, the better. The best of {errors.size:,} models has {best}."
    return Page(figure, columns, text)


def importance_page(groups: Sequence[Group], options: Options) -> Page:
    """Return the share of the ranks that each parameter explains, and its rank correlation."""
    rows = groups[0].rows
    names = options.parameters or shown_parameters(rows, groups[0].name)
    records = importances(
        {name: column_of(rows, name, groups[0].name) for name in names}, rows["error"]
    )
    figure = new_figure(5.0, 1.4 + 0.28 * len(records))
    records = sorted(records, key=lambda one: one.name in COMPLEXITY_KEYS)  # sizes below
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
    return Page(figure, columns, _say_importance(records))


def _say_importance(records: Sequence[Importance]) -> str:
    """Return in words what goes with the error, parameters and sizes apart."""
    matter = {True: list[str](), False: list[str]()}
    for one in records:
        if one.matters:
            said = f"{spoken(one.name)} ({100 * one.explained:.0f}%)"
            matter[one.name in COMPLEXITY_KEYS].append(said)
    if not any(matter.values()):
        return "Nothing is shown to go with the error (p < 0.05 after Holm's correction)."
    kinds = (("Parameters", matter[False]), ("Sizes", matter[True]))
    parts = [
        f"{kind} shown to go with the error: {', '.join(names)}." for kind, names in kinds if names
    ]
    return (
        f"{' '.join(parts)} In brackets: the share of the variance of the errors' ranks that it"
        " explains alone."
    )


def trend_page(groups: Sequence[Group], options: Options) -> Page:
    """Return the good ranges of parameters over populations, in order or along a complexity."""
    names = options.parameters
    if not names:
        common = set.intersection(*({*shown_parameters(g.rows, g.name)} for g in groups))
        names = tuple(n for n in shown_parameters(groups[0].rows) if n in common)
        names = tuple(n for n in names if n not in COMPLEXITY_KEYS)[:6]
    if not names:
        raise ValueError("no parameter varies in all populations: there is no trend to draw")
    along = options.complexity
    at = np.arange(len(groups), dtype=np.float64)
    if along:
        at = np.array([float(np.median(known_pairs(g, along)[0])) for g in groups])
        groups = [groups[i] for i in np.argsort(at, kind="stable")]
        at = np.sort(at)
    labels = tuple(g.name for g in groups)
    found = [parameter_ranges(g.rows, names, of=g.name) for g in groups]
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
    over = f"by the median {spoken(along)} of a population" if along else "by population"
    shown = ", ".join(spoken(name) for name in names)
    text = f"The value of the best model {over}, with the range of the best, of {shown}."
    return Page(figure, columns, text)


def correlations_page(groups: Sequence[Group], options: Options) -> Page:
    """Return the rank correlations of parameters and complexities with the error and each other."""
    rows = groups[0].rows
    names = options.parameters or shown_parameters(rows, groups[0].name)
    columns = {name: column_of(rows, name, groups[0].name) for name in names}
    record = correlations({"error": rows["error"].to_numpy(np.float64), **columns})
    size = 0.46 * len(names)
    figure = new_figure(2.6 + size, 1.7 + size)
    draw_correlations(figure.subplots(), record)
    said = "Spearman's rho; in brackets where its 95% interval holds 0."
    add_caption(figure, f"{groups[0].name}: {caption(groups)}. {said}")
    numbers: Columns = {"a": [], "b": [], "rank_correlation": [], "low": [], "high": [], "n": []}
    for one in record.pairs:
        row = (one.a, one.b, one.rho.value, one.rho.low, one.rho.high, one.n)
        for key, value in zip(numbers, row, strict=True):
            numbers[key].append(value)
    strongest = sorted(
        (one for one in record.pairs if one.a == "error" and one.known),
        key=lambda one: -abs(one.rho.value),
    )
    shown = ", ".join(f"{spoken(one.b)} {one.rho.value:+.2f}" for one in strongest)
    text = (
        f"Spearman's rank correlation with the error, where its 95% interval excludes 0: {shown}."
        if shown
        else "No rank correlation with the error is shown to differ from 0 (95% intervals)."
    )
    return Page(figure, numbers, text)
