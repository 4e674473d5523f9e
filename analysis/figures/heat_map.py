"""Rank correlations as a heat map, drawn by seaborn."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from ..metrics import METRICS, Metric
from ..rank_correlations import Correlations
from ..style import BLUE, VERMILLION

# Blue where more of it goes with a lower error, vermillion with a higher one.
_COLOURS = LinearSegmentedColormap.from_list("signed", [BLUE, "#F4F4F4", VERMILLION])


def _readable(value: float) -> str:
    """Return the colour of text on the colour of a correlation, of the better contrast.

    Neither is pure white or black, which follow the theme of a page.
    """
    shares = np.array(_COLOURS((value + 1) / 2)[:3])
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ [0.2126, 0.7152, 0.0722])  # WCAG 2
    return "#fdfdfd" if (luminance + 0.05) ** 2 < 1.05 * 0.05 else "#1a1a1a"


def draw_correlations(axes: Axes, record: Correlations) -> Axes:
    """Draw the lower triangle of the matrix with its numbers, the error in the first column."""
    import seaborn as sns  # takes seconds, so here alone

    matrix = record.matrix()
    k = len(record.names)
    place = {name: i for i, name in enumerate(record.names)}
    texts = np.full((k, k), "", dtype=object)
    for one in record.pairs:
        said = f"{one.rho.value:z.2f}".replace("-", "\N{MINUS SIGN}")
        texts[place[one.b], place[one.a]] = said if one.known else f"({said})"
    labels = [METRICS.get(n, Metric(n, n.replace("_", " "))).label for n in record.names]
    sns.heatmap(
        matrix[1:, :-1],
        mask=np.triu(np.ones((k - 1, k - 1), dtype=np.bool_), 1),
        annot=texts[1:, :-1],
        fmt="",
        annot_kws={"fontsize": 6},
        cmap=_COLOURS,
        vmin=-1,
        vmax=1,
        square=True,
        linewidths=0.8,
        xticklabels=labels[:-1],
        yticklabels=labels[1:],
        cbar_kws={"label": "rank correlation (no unit)", "shrink": 0.8},
        ax=axes,
    )
    for text in axes.texts:
        across, down = (int(place) for place in text.get_position())
        text.set_color(_readable(matrix[down + 1, across]))
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.set_xticks(axes.get_xticks(), labels[:-1], rotation=40, ha="right", rotation_mode="anchor")
    axes.set_title("rank correlation with the error, and of parameters", pad=4)
    return axes
