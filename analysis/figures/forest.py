"""The figures of a comparison: error distributions with bands, and the differences by pair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..bands import band
from ..comparison import Comparison
from ..distribution import EDF, edf
from ..plots import draw_edfs
from ..refinement import Refinement
from ..style import (
    BLACK,
    BLUE,
    GREEN,
    VERMILLION,
    add_caption,
    figure_style,
    new_figure,
    short_name,
)
from ..tables.groups import Group, caption

_ROWS = (("mean", "o", BLUE), ("median", "s", VERMILLION), ("best", "^", GREEN))


def draw_differences(axes: Axes, records: Sequence[Comparison]) -> Axes:
    """Draw the differences in mean, median and expected best of each pair, with intervals."""
    names: list[str] = []
    for i, one in enumerate(reversed(records)):
        names.append(f"{short_name(one.b)}\nminus {short_name(one.a)}")
        for row, (name, marker, colour) in enumerate(_ROWS):
            interval = getattr(one, name)
            if interval is None:
                continue
            y = i + 0.22 * (1 - row)
            label = f"expected best of {one.m:,}" if name == "best" else name
            axes.plot([interval.low, interval.high], [y, y], color=colour, linewidth=1.3)
            axes.plot(
                interval.value,
                y,
                marker=marker,
                color=colour,
                ms=4.5,
                linestyle="",
                markerfacecolor="white",
                label=label if i == len(records) - 1 else None,
            )
    axes.axvline(0, color=BLACK, linewidth=0.8)
    axes.set_yticks(np.arange(len(records)), names)
    axes.set_ylim(-0.6, len(records) - 0.4)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("difference in error (percentage points); left of 0 the first is better")
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.2, ncols=3, handlelength=1.5
    )
    return axes


def comparison_figure(groups: Sequence[Group], records: Sequence[Comparison]) -> Figure:
    """Return the figure of a comparison: EDFs with 95% bands above the differences."""
    with figure_style():
        below = 0.9 + 0.5 * len(records)
        above = 3.1 + 0.17 * len(groups)
        figure = new_figure(5.4, above + below + 0.4)
        top, bottom = figure.subplots(2, 1, height_ratios=[above, below])
        curves = {g.name: g.edf for g in groups}
        draw_edfs(top, curves, {g.name: band(g.rows["error"], g.weights) for g in groups})
        draw_differences(bottom, records)
        add_caption(figure, f"{caption(groups)}. Bands and intervals: 95%.")
        return figure


def differences_figure(groups: Sequence[Group], records: Sequence[Comparison]) -> Figure:
    """Return the differences by pair alone, for a page that has EDFs of its own."""
    with figure_style():
        figure = new_figure(5.4, 1.3 + 0.5 * len(records))
        draw_differences(figure.subplots(), records)
        add_caption(figure, f"{caption(groups)}. Intervals: 95%.")
        return figure


def refinement_figure(groups: Sequence[Group], found: Sequence[Refinement]) -> Figure:
    """Return the EDF of each population, and that predicted for its proposed space.

    The prediction is of the models that proposals made without them keep; a population without
    a proposal that claims a gain has its own EDF alone.
    """
    with figure_style():
        figure = new_figure(5.0, 3.6 + 0.34 * len(groups))
        curves: dict[str, EDF] = {}
        for group, one in zip(groups, found, strict=True):
            curves[group.name] = edf(one.errors)
            if one.unseen is not None and one.unseen.any():
                curves[f"{group.name}, proposed"] = edf(one.errors[one.unseen])
        draw_edfs(figure.subplots(), curves)
        said = "Proposed: models that steps found without them keep."
        for one in found:
            if one.drawn_from is not None:
                said += f" The curves are of {one.n:,} models drawn from {one.drawn_from:,}."
        add_caption(figure, f"{caption(groups)}. {said}")
        return figure
