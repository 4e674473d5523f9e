"""Points too many to draw, as the cells of a grid: how many lie in each, or their mean.

A column of few distinct values has a cell for each, or for as many each; any other has even steps
of its axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm, to_rgb

from ..designspace.arrays import Floats, Ints
from .metrics import Scale

STEPS = 200  # cells along an axis: a pixel or two
FEW = 64  # distinct values that have a cell each


@dataclass(frozen=True, eq=False)
class Grid:
    """The edges of the cells along both axes, and the cell of each point, row by row of y."""

    x_edges: Floats
    y_edges: Floats
    cell: Ints

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return self.y_edges.size - 1, self.x_edges.size - 1

    def counts(self) -> Floats:
        """Return the number of points in each cell, NaN where there is none."""
        found = np.bincount(self.cell, minlength=int(np.prod(self.shape))).astype(np.float64)
        found[found == 0] = np.nan
        return found.reshape(self.shape)

    def means(self, values: Floats) -> Floats:
        """Return the mean of the points' values in each cell, NaN where there is none."""
        total = np.bincount(self.cell, weights=values, minlength=int(np.prod(self.shape)))
        return total.reshape(self.shape) / self.counts()


def make_grid(x: Floats, y: Floats, x_scale: Scale = "linear", y_scale: Scale = "linear") -> Grid:
    """Return the grid of points, finite and positive along a logarithmic axis."""
    x_edges, column = _steps(x, x_scale)
    y_edges, row = _steps(y, y_scale)
    return Grid(x_edges, y_edges, row * (x_edges.size - 1) + column)


def draw_density(axes: Axes, x: Floats, y: Floats, *, color: str, scale: Scale = "linear") -> None:
    """Draw how many points lie where, the more the denser the colour, as pixels."""
    grid = make_grid(x, y, scale)
    shades = LinearSegmentedColormap.from_list("shades", [(*to_rgb(color), a) for a in (0.1, 1)])
    drawn = axes.pcolormesh(
        grid.x_edges, grid.y_edges, grid.counts(), norm=LogNorm(), cmap=shades, rasterized=True
    )
    drawn.sticky_edges.x.clear()  # a margin, as around points
    drawn.sticky_edges.y.clear()


def _steps(values: Floats, scale: Scale) -> tuple[Floats, Ints]:
    """Return the edges of cells along an axis, and the place of each value among them."""
    sample = values[:: max(1, values.size // 20_000)]
    if pd.unique(sample).size <= sample.size / 2:
        distinct = np.sort(pd.unique(values))
        gaps = np.diff(distinct)
        even = distinct.size > 1 and gaps.max() < 1.5 * np.median(gaps)
        if 1 < distinct.size <= FEW or even:
            # As many values in every cell, or cells of more would stand out as stripes.
            each = -(-distinct.size // STEPS)
            return _between(distinct, each, scale), np.searchsorted(distinct, values) // each
    at = np.log(values) if scale == "log" else values
    low, high = float(at.min()), float(at.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, STEPS + 1)
    place = ((at - low) * (STEPS / (high - low))).astype(np.int64)
    return (np.exp(edges) if scale == "log" else edges), np.minimum(place, STEPS - 1)


def _between(distinct: Floats, each: int, scale: Scale) -> Floats:
    """Return edges half-way between groups of values, the outer ones as far on the other side."""
    at = np.log(distinct) if scale == "log" else distinct
    middles = (at[1:] + at[:-1]) / 2
    ends = 2 * at[0] - middles[0], 2 * at[-1] - middles[-1]
    edges = np.concatenate((ends[:1], middles[each - 1 :: each], ends[1:]))
    return np.exp(edges) if scale == "log" else edges
