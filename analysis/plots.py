"""The figures: each draws a computed record on an Axes, or a page of them on a Figure.

Sources: error EDFs with the legend "n | min | mean" (DDS figures 2, 5, 6; pycls
``sweep/plotting.py``); error against each parameter with the range of the best value (DDS
figures 7 and 8: black line the most likely best value, blue band the 95% range).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..designspace.arrays import Ints
from .bands import Band, band
from .distribution import EDF
from .metrics import METRICS, axis_for
from .ranges import ParameterRange, constants, parameter_ranges
from .style import (
    BLACK,
    BLUE,
    CROWD,
    add_caption,
    figure_style,
    label_axis,
    legend_above,
    line_style,
    new_figure,
    scatter,
    short_name,
)
from .tables.groups import Group, caption

_STEPS = 2_000  # steps that a curve is drawn with: below a pixel
_COLUMNS = 3
_BAND = {"facecolor": BLUE, "alpha": 0.2, "linewidth": 0}
_EDGE: dict[str, Any] = {"color": BLUE, "linestyle": (0, (4, 2)), "linewidth": 0.9}


def draw_edf(
    axes: Axes,
    record: EDF,
    *,
    label: str,
    i: int = 0,
    right: float | None = None,
    shown: Band | None = None,
) -> Axes:
    """Draw an EDF as exact steps from 0 to 1, continued to ``right``; i decides its style.

    A curve of more than 2,000 steps is thinned to errors less than a pixel apart.
    """
    end = record.max if right is None else right
    # Of tied errors the last step alone is seen.
    last = np.flatnonzero(np.append(record.errors[1:] != record.errors[:-1], True))
    if last.size > _STEPS:
        last = _thinned(last, record)
    x = np.concatenate(([record.min], record.errors[last], [end]))
    y = np.concatenate(([0.0], record.probability[last], [1.0]))
    style = line_style(i)
    axes.step(x, y, where="post", label=label, **style)
    if shown is not None:
        low = np.concatenate(([0.0], shown.low[last], shown.low[-1:]))
        high = np.concatenate(([shown.half_width], shown.high[last], [1.0]))
        axes.fill_between(x, low, high, step="post", color=style["color"], alpha=0.15, linewidth=0)
    return axes


def _thinned(last: Ints, record: EDF) -> Ints:
    """Return steps at even distances in probability and in error, both ends included."""
    heights = np.linspace(0, 1, _STEPS // 2 + 2)  # both ends are there anyway
    by_height = np.searchsorted(record.probability[last], heights[1:-1])
    errors = np.linspace(record.min, record.max, _STEPS // 2)
    by_error = np.searchsorted(record.errors[last], errors, side="right") - 1
    return last[np.unique(np.concatenate([[0, last.size - 1], by_height, by_error]))]


def draw_edfs(
    axes: Axes, records: Mapping[str, EDF], bands: Mapping[str, Band] | None = None
) -> Axes:
    """Draw the EDFs of several populations, with bands if given, axes and legend."""
    low, high = min(r.min for r in records.values()), max(r.max for r in records.values())
    margin = 0.03 * (high - low) or 1.0
    for i, (name, record) in enumerate(records.items()):
        label = f"{short_name(name)}  [{record.n:,} | {record.min:.2f} | {record.mean:.2f}]"
        shown = None if bands is None else bands[name]
        draw_edf(axes, record, label=label, i=i, right=high + margin, shown=shown)
    axes.set_xlim(low - margin, high + margin)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(f"{METRICS['error'].label} ({METRICS['error'].unit})")
    axes.set_ylabel("share of models with a lower error")
    legend_above(axes, "population  [n | min | mean error in %]")
    return axes


def draw_range(axes: Axes, record: ParameterRange) -> Axes:
    """Draw the errors of models against a parameter, with the range of its best value."""
    axis = axis_for(record.name, record.x)
    found = record.found
    low, best, high = (v / axis.divisor for v in (found.low, found.best, found.high))
    axes.axvspan(low, high, zorder=0.5, **_BAND)
    for edge in (low, high):
        axes.axvline(edge, zorder=0.6, **_EDGE)
    scatter(axes, record.x / axis.divisor, record.errors, scale=axis.scale)
    axes.axvline(best, color=BLACK, linewidth=1.6, zorder=1.5)
    label_axis(axes, "x", axis)
    axes.set_title(f"{_number(best)}  [{_number(low)}, {_number(high)}]", pad=3)
    return axes


def edf_figure(shown: Sequence[Group], *, bands: bool = False) -> Figure:
    """Return the figure of the error distributions of populations, with 95% bands if asked."""
    records = {p.name: p.edf for p in shown}
    around = {p.name: band(p.rows["error"], p.weights) for p in shown} if bands else None
    with figure_style():
        # A line of the legend is 0.17 inches high.
        figure = new_figure(5.0, 3.6 + 0.17 * len(shown))
        draw_edfs(figure.subplots(), records, around)
        said = " Bands hold the whole curve in 95% of samples." if bands else ""
        add_caption(figure, f"{caption(shown)}.{said}")
        return figure


def ranges_figure(shown: Group, names: Sequence[str] | None = None) -> Figure:
    """Return the figure of error against each parameter, with good ranges, of a population.

    Raises
    ------
    ValueError
        As `ranges.parameter_ranges`.
    """
    records = parameter_ranges(shown.rows, names, of=shown.name)
    columns = min(_COLUMNS, len(records))
    lines = -(-len(records) // columns)
    with figure_style():
        figure = new_figure(max(4.4, 2.4 * columns), 0.75 + 2.05 * lines)
        grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
        for axes, record in zip(grid.flat, records, strict=False):
            draw_range(axes, record)
        for axes in grid.flat[len(records) :]:
            axes.set_axis_off()
        for axes in grid[:, 0]:
            axes.set_ylabel(f"{METRICS['error'].label} ({METRICS['error'].unit})")
        _range_legend(figure, records[0])
        add_caption(figure, _range_caption(shown, records))
        return figure


def _range_legend(figure: Figure, record: ParameterRange) -> None:
    share = f"{100 * record.found.confidence:g}%"
    handles = [
        Line2D([], [], color="#555555", marker="o", markersize=3.5, linestyle=""),
        Line2D([], [], color=BLACK, linewidth=1.6),
        Patch(facecolor=(*to_rgb(BLUE), 0.2), edgecolor=BLUE, linestyle=(0, (4, 2))),
    ]
    point = "models, darker where more" if record.x.size > CROWD else "a model"
    labels = [point, "most likely best value", f"{share} range of the best value"]
    figure.legend(handles, labels, loc="outside upper center", ncols=3, columnspacing=1.5)


def _range_caption(shown: Group, records: Sequence[ParameterRange]) -> str:
    sizes = {record.found.n: record.found.k for record in records}
    k = " and ".join(f"k = {k:,} of {n:,}" for n, k in sizes.items())
    parts = [
        f"{short_name(shown.name)}: {caption([shown])}",
        f"Above each panel: the most likely best value [range], for the best of {k} models drawn"
        " with replacement",
    ]
    held = ", ".join(f"{name} = {value:g}" for name, value in constants(shown.rows).items())
    return ". ".join([*parts, f"Constant: {held}"] if held else parts) + "."


def _number(value: float) -> str:
    if abs(value) >= 1000 or value == round(value):
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".")
