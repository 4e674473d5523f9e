"""Parameters: rank maps of two (NDS figure 12), their importance, and trends over spaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from ...designspace.arrays import Floats
from ..importance import Importance
from ..metrics import METRICS, Metric, axis_for
from ..ranges import ParameterRange
from ..style import BLACK, BLUE, GREY, MANY

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
    rank = (np.argsort(np.argsort(errors, kind="stable"), kind="stable") + 1) / errors.size
    return RankMap(names, x, y, rank, int(np.argmin(errors)))


def draw_rank_map(axes: Axes, record: RankMap) -> Axes:
    """Draw each model at its two parameters, dark where its error is low, with a scale."""
    horizontal = axis_for(record.names[0], record.x)
    vertical = axis_for(record.names[1], record.y)
    x, y = record.x / horizontal.divisor, record.y / vertical.divisor
    order = np.argsort(-record.rank, kind="stable")  # the best are drawn last
    drawn = axes.scatter(
        x[order],
        y[order],
        c=record.rank[order],
        cmap="viridis",
        vmin=0,
        vmax=1,
        s=FAR if x.size > 300 else 16,
        edgecolors=GREY,  # the page's theme lightens it, so that dark points stay seen on dark
        linewidths=0.4,
        rasterized=x.size > MANY,
    )
    axes.scatter(
        x[record.best], y[record.best], s=70, facecolors="none", edgecolors=BLACK, linewidths=1.2
    )
    axes.set_xscale(horizontal.scale)
    axes.set_yscale(vertical.scale)
    axes.set_xlabel(horizontal.label)
    axes.set_ylabel(vertical.label)
    figure = axes.figure
    bar = figure.colorbar(drawn, ax=axes, pad=0.02)
    bar.set_label("rank of the error (0: best)")
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
    x = record.at
    if record.along:
        along = axis_for(record.along, x)
        x = x / along.divisor
        axes.set_xlabel(along.label)
        axes.set_xscale(along.scale)
        if along.scale == "log":
            axes.xaxis.set_major_formatter("{x:g}")
            axes.minorticks_off()
    else:
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
    axes.plot(x, best, color=BLACK, marker="o", ms=4, linewidth=1.3)
    axes.set_yscale(axis.scale)
    axes.set_ylabel(axis.label)
    return axes


def _plain(name: str) -> str:
    return METRICS.get(name, Metric(name, name.replace("_", " "))).label
