"""One visual language for all figures, and files that hold them.

Colours are those of Okabe and Ito (distinct for the colour-blind); line styles and markers
differ too, so that figures survive greyscale print. The style is set in a context and touches
no global setting; figures are made without pyplot.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.style import context
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from ..designspace.arrays import Floats
from ..designspace.atomic import whole_file
from ..designspace.tables.columns import require_suffix
from .density import draw_density
from .metrics import Axis, Scale

BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, ORANGE, SKY, BLACK = "#CC79A7", "#E69F00", "#56B4E9", "#000000"
GREY = "#555555"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MANY = 20_000  # points from which a vector file holds pixels
CROWD = 200_000  # points from which a density is drawn in place of them
MOST_BANDS = 3  # populations whose bands do not hide each other
_LONGEST_NAME = 40
_SHORT = 100  # an axis from low to 100 low is short
LINES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (1, 1)),
    (0, (6, 1.5, 1, 1.5)),
    (0, (3, 1, 1, 1, 1, 1)),
)
# Metadata without a date and ids without chance: the same numbers give the same file.
FORMATS: dict[str, dict[str, Any]] = {
    ".png": {"dpi": 200},
    ".svg": {"metadata": {"Date": None}},
    ".pdf": {"metadata": {"CreationDate": None}},
}
STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 7.5,
    "legend.title_fontsize": 7.5,
    "legend.frameon": False,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.5,
    "svg.hashsalt": "regnet-ds",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "figure.dpi": 100,
}
_CAPTION_SIZE = 6.5


@contextmanager
def figure_style() -> Iterator[None]:
    """Draw in the style of the project within the block, whatever the user's settings are."""
    with context(["default", STYLE]):
        yield


def line_style(i: int) -> dict[str, Any]:
    """Return colour and line style of the i-th line of a figure; 35 differ."""
    shift = i // len(COLOURS)
    return {"color": COLOURS[i % len(COLOURS)], "linestyle": LINES[(i + shift) % len(LINES)]}


def short_name(name: str) -> str:
    """Return a name that fits in a legend."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def legend_above(axes: Axes, title: str, columns: int = 1) -> None:
    """Put the legend above the axes, where no curve can be."""
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        borderaxespad=0.2,
        handlelength=3,
        alignment="left",
        ncols=columns,
        title=title,
    )


def label_axis(axes: Axes, which: Literal["x", "y"], shown: Axis) -> None:
    """Give an axis whose data are drawn its scale and label; few ticks, whose labels do not touch.

    A logarithmic axis of up to two decades has ticks at 1, 2 and 5, a longer one at 1 alone.
    """
    axes.set(**{f"{which}scale": shown.scale, f"{which}label": shown.label})
    axis: Any = axes.xaxis if which == "x" else axes.yaxis
    if shown.scale == "linear":
        if shown.whole:
            axis.set_major_locator(MaxNLocator("auto", integer=True, steps=(1, 2, 2.5, 5, 10)))
        return
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    short = high <= _SHORT * low
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if short else (1,)))
    axis.set_minor_formatter(NullFormatter())
    if short or shown.divisor > 1:
        axis.set_major_formatter("{x:g}")  # 10 G rather than 10^1 G


def scatter(
    axes: Axes,
    x: Floats,
    y: Floats,
    *,
    color: str = GREY,
    marker: str = "o",
    scale: Scale = "linear",
) -> None:
    """Draw points: as pixels where they are many, as their density where they are a crowd.

    ``scale`` is that of the horizontal axis.
    """
    few = x.size <= 300
    if x.size > CROWD:
        draw_density(axes, x, y, color=color, scale=scale)
        return
    axes.scatter(
        x,
        y,
        s=11 if few else 5,
        color=color,
        marker=marker,
        alpha=0.8 if few else 0.5,
        edgecolors="white",
        linewidths=0.3,
        rasterized=x.size > MANY,
        zorder=2,
    )


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, in inches, that keeps its parts from overlapping."""
    return Figure(figsize=(width, height), layout="constrained")


def add_caption(figure: Figure, text: str) -> None:
    """Write a line under a figure, wrapped to its width."""
    # A letter is about half as wide as high; 72 points are an inch.
    letters = int(figure.get_figwidth() * 72 / (0.56 * _CAPTION_SIZE))
    wrapped = "\n".join(textwrap.wrap(text, letters))
    figure.supxlabel(wrapped, fontsize=_CAPTION_SIZE, color="#444444", x=0.01, ha="left")


def check_picture(path: Path) -> None:
    """Raise ValueError for a suffix that figures are not written in."""
    require_suffix(path, FORMATS)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure whole or not at all: .png (200 dpi), .svg or .pdf.

    Raises
    ------
    ValueError
        If the suffix is another one, or the path cannot be written to.
    """
    suffix = require_suffix(path, FORMATS)
    with whole_file(path) as temporary, figure_style():
        figure.savefig(temporary, format=suffix[1:], **FORMATS[suffix])
