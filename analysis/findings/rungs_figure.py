"""The figures of the ladder: every step's two error distributions, and the differences."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from ..bands import band
from ..figures.forest import draw_differences
from ..metrics import METRICS
from ..plots import draw_edf
from ..style import add_caption, figure_style, new_figure
from ..tables.groups import Group, caption
from .rungs import BETTER, Step

_COLUMNS = 3


def ladder_figure(groups: Sequence[Group], steps: Sequence[Step]) -> Figure:
    """Return a panel a step: the EDFs of both rungs with their simultaneous 95% bands."""
    by_name = {group.name: group for group in groups}
    columns = min(_COLUMNS, len(steps))
    lines = -(-len(steps) // columns)
    right = max(group.edf.max for group in groups)
    left = min(group.edf.min for group in groups)
    with figure_style():
        figure = new_figure(2.4 * columns, 0.5 + 2.4 * lines)
        grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
        for axes, step in zip(grid.flat, steps, strict=False):
            one = step.comparison
            for i, name in enumerate((one.a, one.b)):
                group = by_name[name]
                around = band(group.rows["error"])
                label = f"{name} ({group.edf.n})"
                draw_edf(axes, group.edf, label=label, i=i, right=right, shown=around)
            than = "than" if step.expected == BETTER else "as"
            than += one.a.removeprefix("AnyNetX")
            axes.set_title(f"{one.b} {step.expected} {than}: {step.verdict}", pad=3)
            axes.legend(loc="lower right", handlelength=2)
            axes.set_xlim(left - 1, right)
            axes.set_ylim(0, 1.02)
        for axes in grid.flat[len(steps) :]:
            axes.set_axis_off()
        for axes in grid[:, 0]:
            axes.set_ylabel("share of models with a lower error")
        for axes in grid[-1]:
            axes.set_xlabel(f"{METRICS['error'].label} ({METRICS['error'].unit})")
        add_caption(figure, f"{caption(groups)}. Bands hold the whole curve in 95% of samples.")
        return figure


def steps_figure(groups: Sequence[Group], steps: Sequence[Step]) -> Figure:
    """Return the differences in mean, median and expected best of every step."""
    with figure_style():
        figure = new_figure(5.4, 1.3 + 0.5 * len(steps))
        draw_differences(figure.subplots(), [step.comparison for step in steps])
        add_caption(figure, f"{caption(groups)}. Intervals: 95%.")
        return figure
