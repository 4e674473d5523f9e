"""The figure of e_fit against error (DDS figure 7)."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from ..metrics import METRICS
from ..style import add_caption, figure_style, new_figure, scatter
from .widths import BEST, Fits

_COLUMNS = 3


def fits_figure(fits: Sequence[Fits]) -> Figure:
    """Return error against e_fit, a panel for each population, with the rank correlation."""
    columns = min(_COLUMNS, len(fits))
    lines = -(-len(fits) // columns)
    with figure_style():
        figure = new_figure(2.3 * columns, 0.5 + 2.0 * lines)
        grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
        for axes, one in zip(grid.flat, fits, strict=False):
            scatter(axes, one.e_fit, one.errors)
            rho = one.correlation
            axes.set_title(f"{one.name}: {rho.value:.2f} [{rho.low:.2f}, {rho.high:.2f}]", pad=3)
        for axes in grid.flat[len(fits) :]:
            axes.set_axis_off()
        for axes in grid[:, 0]:
            axes.set_ylabel(f"{METRICS['error'].label} ({METRICS['error'].unit})")
        for axes in grid[-1]:
            axes.set_xlabel("e_fit")
        add_caption(
            figure,
            "Error against the distance of the widths from a quantised line (e_fit). Above each "
            "panel: Spearman's correlation with its 95% interval; the best "
            f"{BEST:.0%} are called good.",
        )
        return figure
