"""Parameters: rank maps of two (NDS figure 12), their importance, and trends over spaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ...designspace.arrays import Floats
from ...designspace.record import COMPLEXITY_KEYS
from ..density import make_grid
from ..importance import Importance
from ..metrics import METRICS, Metric, axis_for
from ..ranges import ParameterRange
from ..style import BLACK, BLUE, CROWD, GREY, MANY, label_axis

NEAR, FAR = 26, 9  # points of the marker of the best model and of any


@dataclass(frozen=True, eq=False)
class RankMap:
    """Two parameters of each model and the rank of its error among all, in (0, 1]."""

    names: tuple[str, str]
    x: Floats
    y: Floats
    rank: Floats
    best: int


def rank_map(names: tuple[str, str], x: Floats, y: Floats, errors: Floats) -> RankMap:
    """Return the map of two parameters; rank = (argsort(argsort(error)) + 1) / n, as nds."""
    rank = np.empty(errors.size)
    rank[np.argsort(errors, kind="stable")] = np.arange(1, errors.size + 1) / errors.size
    return RankMap(names, x, y, rank, int(np.argmin(errors)))


def draw_rank_map(axes: Axes, record: RankMap) -> Axes:
    """Draw each model at its two parameters, dark where its error is low, with a scale.

    Of a crowd of models the mean rank of each cell of a grid is drawn.
    """
    horizontal = axis_for(record.names[0], record.x)
    vertical = axis_for(record.names[1], record.y)
    x, y = record.x / horizontal.divisor, record.y / vertical.divisor
    said = "rank of the error (0: best)"
    drawn: Any
    if x.size > CROWD:
        grid = make_grid(x, y, horizontal.scale, vertical.scale)
        drawn = axes.pcolormesh(
            grid.x_edges, grid.y_edges, grid.means(record.rank), cmap="viridis", rasterized=True
        )
        said = "mean rank of the errors (0: best)"
    else:
        order = np.argsort(-record.rank, kind="stable")  # the best are drawn last
        drawn = axes.scatter(
            x[order],
            y[order],
            c=record.rank[order],
            cmap="viridis",
            vmin=0,
            vmax=1,
            s=FAR if x.size > 300 else 16,
            edgecolors=GREY,  # the page's theme lightens it, so that dark points are seen on dark
            linewidths=0.4,
            rasterized=x.size > MANY,
        )
    axes.scatter(
        x[record.best], y[record.best], s=70, facecolors="none", edgecolors=BLACK, linewidths=1.2
    )
    label_axis(axes, "x", horizontal)
    label_axis(axes, "y", vertical)
    figure = axes.figure
    bar = figure.colorbar(drawn, ax=axes, pad=0.02)
    bar.set_label(said)
    bar.outline.set_linewidth(0.5)  # type: ignore[operator]
    return axes


def draw_importance(axes: Axes, records: Sequence[Importance]) -> Axes:
    """Draw the share of ranks that each parameter explains, and its rank correlation."""
    shown = list(reversed(records))
    at = np.arange(len(shown))
    axes.barh(
        at,
        [one.explained for one in shown],
        height=0.55,
        color=[BLUE if one.matters else "white" for one in shown],
        edgecolor=BLUE,
        linewidth=0.8,
        label="share of the ranks explained (filled: p < 0.05)",
    )
    for i, one in enumerate(shown):
        rho = one.correlation
        axes.plot([rho.low, rho.high], [i, i], color=BLACK, linewidth=1)
        label = "rank correlation with the error, 95% interval" if i == 0 else None
        axes.plot(rho.value, i, "o", color=BLACK, ms=4, markerfacecolor="white", label=label)
    sizes = sum(one.name in COMPLEXITY_KEYS for one in shown)
    if 0 < sizes < len(shown):
        axes.axhline(sizes - 0.5, color=GREY, linewidth=0.7)  # parameters above, sizes below
    axes.axvline(0, color=GREY, linewidth=0.7)
    axes.set_xlim(-1.02, 1.02)
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.set_yticks(at, [_plain(one.name) for one in shown])
    axes.set_xlabel("rank correlation; share explained (no unit)")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.2, alignment="left")
    return axes


@dataclass(frozen=True, eq=False)
class Trend:
    """The good range of one parameter in several populations, in order.

    ``at`` is where a population stands: its median of the complexity ``along``, or its number.
    """

    name: str
    along: str
    labels: tuple[str, ...]
    at: Floats
    ranges: tuple[ParameterRange, ...]


def draw_trend(axes: Axes, record: Trend) -> Axes:
    """Draw the most likely best value by population, with the range of the best."""
    axis = axis_for(record.name, np.concatenate([r.x for r in record.ranges]))
    low, best, high = (
        np.array([getattr(r.found, end) for r in record.ranges]) / axis.divisor
        for end in ("low", "best", "high")
    )
    along = axis_for(record.along, record.at) if record.along else None
    x = record.at if along is None else record.at / along.divisor
    if along is None:
        axes.set_xticks(x, record.labels, rotation=30, ha="right", rotation_mode="anchor")
        axes.set_xlim(-0.5, len(x) - 0.5)
    axes.errorbar(
        x,
        best,
        yerr=np.maximum([best - low, high - best], 0),
        color=BLUE,
        ecolor=BLUE,
        elinewidth=5,
        capsize=0,
        linestyle="",
        alpha=0.3,
    )
    joined = "-" if along else ""  # names have no order to join
    axes.plot(x, best, color=BLACK, marker="o", ms=4, linewidth=1.3, linestyle=joined)
    if along is not None:
        label_axis(axes, "x", along)
    label_axis(axes, "y", axis)
    return axes


def _plain(name: str) -> str:
    return METRICS.get(name, Metric(name, name.replace("_", " "))).label
