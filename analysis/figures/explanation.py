"""The figure of a RegNet's widths: per-block width against block index (DDS figures 9, 11, 12)."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from ...designspace.widths.explaining import Explanation
from ..style import BLACK, BLUE, VERMILLION, add_caption, figure_style, new_figure


def draw_widths(axes: Axes, record: Explanation) -> Axes:
    """Draw the line, its quantised steps and the adjusted widths of every block, on a log axis."""
    j = np.arange(record.line.size)
    fine = np.linspace(0, j[-1], 400) if j.size > 1 else j
    p = record.parameters
    axes.plot(
        fine, p.w0 + p.wa * fine, color=BLACK, linewidth=1.1, label="line: $u_j = w_0 + w_a j$"
    )
    edges = np.append(j, j.size) - 0.5
    axes.stairs(
        record.quantised,
        edges,
        baseline=None,
        color=BLUE,
        linewidth=1.6,
        linestyle=(0, (5, 1.5)),
        label="quantised: $w_0 w_m^{s_j}$, rounded to 8",
    )
    axes.plot(
        j,
        record.adjusted,
        color=VERMILLION,
        linestyle="",
        marker="o",
        markersize=4,
        markerfacecolor="white",
        markeredgewidth=1.2,
        label=f"adjusted to the group width {p.group_width}",
    )
    axes.set_yscale("log")
    axes.set_yticks(_apart(sorted(set(record.adjusted.tolist())), axes))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("block $j$")
    axes.set_ylabel("width (channels)")
    return axes


def widths_figure(record: Explanation, name: str = "") -> Figure:
    """Return the figure of one RegNet's widths, with legend and parameters."""
    p = record.parameters
    with figure_style():
        figure = new_figure(4.4, 3.5)
        axes = draw_widths(figure.subplots(), record)
        # Above the axes, where neither line nor steps can be.
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.2, handlelength=2.6)
        parameters = (
            f"$d$ = {p.depth}, $w_0$ = {p.w0}, $w_a$ = {p.wa:g}, $w_m$ = {p.wm:g}, "
            f"$g$ = {p.group_width}, $b$ = {p.bottleneck_ratio:g}"
        )
        add_caption(figure, f"{name}: {parameters}." if name else f"{parameters}.")
        return figure


def _apart(widths: list[int], axes: Axes) -> list[int]:
    """Return the widths whose labels do not touch, a line being 5% of the axis."""
    low, high = np.log(axes.get_ylim())
    kept: list[int] = []
    for width in widths:
        if not kept or np.log(width / kept[-1]) > 0.05 * (high - low):
            kept.append(width)
    return kept
