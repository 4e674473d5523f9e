"""Weights that make populations comparable at equal complexity (NDS section 4).

The range of a complexity is cut into bins of equal width; each bin gets the same weight and
shares it among its models. With several complexities the bins become cells of a grid. What lies
outside the range, or in a cell that not all populations reach, has weight 0 and is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..designspace.arrays import Floats, Ints
from .distribution import finite_column

BINS = 10


@dataclass(frozen=True, eq=False)
class Matching:
    """The weights of several populations, matched on one or several complexities.

    Attributes
    ----------
    names : tuple of str
        The complexities.
    ranges : tuple of (low, high)
        Their open ranges; a model at an end is outside, as in nds.
    bins : int
        Bins a complexity.
    weights : tuple of (n_i,) float arrays
        A population's weights, in the order of its models; each sums to 1.
    cells : tuple of (n_i,) int arrays
        The cell of each model, -1 where its weight is 0.
    n_cells : int
        Cells in which every population has a model: all of them have the same weight.
    """

    names: tuple[str, ...]
    ranges: tuple[tuple[float, float], ...]
    bins: int
    weights: tuple[Floats, ...]
    cells: tuple[Ints, ...]
    n_cells: int

    @property
    def dropped(self) -> tuple[int, ...]:
        """The number of models of weight 0, a population."""
        return tuple(int(np.sum(cells < 0)) for cells in self.cells)

    def describe(self) -> str:
        """Return in words what was matched, and how much was left out."""
        whole = self.bins ** len(self.names)
        cells = "all" if self.n_cells == whole else f"the {self.n_cells} shared of"
        left = f"; {sum(self.dropped):,} models outside" if sum(self.dropped) else ""
        return f"matched on {' and '.join(self.names)} in {cells} {whole} bins{left}"


def match(
    populations: Sequence[ArrayLike],
    *,
    names: Sequence[str] = ("complexity",),
    bins: int = BINS,
    ranges: Sequence[tuple[float, float]] | None = None,
    labels: Sequence[str] | None = None,
) -> Matching:
    """Return the weights of populations, matched on complexities.

    Parameters
    ----------
    populations
        The complexities of each: shape (n_i,), or (n_i, k) for k complexities; finite.
    names
        One name a complexity, for messages and captions.
    bins
        Bins a complexity, at least 1.
    ranges
        One open range a complexity. None takes what all populations share: the largest minimum
        to the smallest maximum (nds ``compute_c_range_mins``).
    labels
        What the populations are called in messages; None counts them from 1.

    Raises
    ------
    ValueError
        If the ranges are disjoint, a population has no model within, or no cell is shared.
    """
    columns = [_columns(values, len(names)) for values in populations]
    if not columns:
        raise ValueError("matching needs at least one population, got none")
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    called = labels or [f"population {i}" for i in range(1, len(columns) + 1)]
    shared = [_shared_range(columns, k, name, called) for k, name in enumerate(names)]
    chosen = shared if ranges is None else [(float(low), float(high)) for low, high in ranges]
    if len(chosen) != len(names):
        raise ValueError(f"one range a complexity is needed, got {len(chosen)} for {list(names)}")
    located = [_cells(values, chosen, bins) for values in columns]
    for label, cells in zip(called, located, strict=True):
        if (cells < 0).all():
            raise ValueError(
                f"{label} has no model with {_said(names, chosen)}: normalising is impossible"
            )
    common = set.intersection(*({*cells.tolist()} - {-1} for cells in located))
    if not common:
        raise ValueError(
            f"the populations share no bin of {' and '.join(names)}: normalising is impossible;"
            f" take fewer bins than {bins}"
        )
    located = [np.where(np.isin(cells, list(common)), cells, -1) for cells in located]
    weights = tuple(_weights(cells, len(common)) for cells in located)
    return Matching(tuple(names), tuple(chosen), bins, weights, tuple(located), len(common))


def _columns(values: ArrayLike, k: int) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    array = array[:, np.newaxis] if array.ndim == 1 else array
    if array.ndim != 2 or array.shape[1] != k:
        raise ValueError(f"{k} complexities a model are needed, got shape {array.shape}")
    for column in array.T:
        finite_column(column, "complexities")
    return array


def _shared_range(
    columns: Sequence[Floats], k: int, name: str, labels: Sequence[str]
) -> tuple[float, float]:
    """Return the largest minimum and the smallest maximum of a complexity."""
    lows = [float(values[:, k].min()) for values in columns]
    highs = [float(values[:, k].max()) for values in columns]
    low, high = max(lows), min(highs)
    if low < high:
        return low, high
    for label, least, most in zip(labels, lows, highs, strict=True):
        if least == most:
            raise ValueError(
                f"all models of {label} have {name} {least:g}: normalising is impossible"
            )
    above, below = lows.index(low), highs.index(high)
    raise ValueError(
        f"the ranges of {name} are disjoint ({labels[below]}: {lows[below]:g} to {high:g};"
        f" {labels[above]}: {low:g} to {highs[above]:g}): normalising is impossible"
    )


def _cells(values: Floats, ranges: Sequence[tuple[float, float]], bins: int) -> Ints:
    """Return the cell of each model, or -1 outside the open ranges."""
    cells = np.zeros(len(values), dtype=np.int64)
    inside = np.ones(len(values), dtype=np.bool_)
    for column, (low, high) in zip(values.T, ranges, strict=True):
        if not low < high:
            raise ValueError(f"a range needs low < high, got {low:g} to {high:g}")
        inside &= (column > low) & (column < high)
        edges = np.linspace(low, high, bins + 1)
        index = np.searchsorted(edges, column, side="right") - 1
        cells = cells * bins + np.clip(index, 0, bins - 1)
    return np.where(inside, cells, -1)


def _weights(cells: Ints, n_cells: int) -> Floats:
    _, which, counts = np.unique(cells, return_inverse=True, return_counts=True)
    return np.where(cells < 0, 0.0, 1 / (n_cells * counts[which].astype(np.float64)))


def _said(names: Sequence[str], ranges: Sequence[tuple[float, float]]) -> str:
    parts = zip(names, ranges, strict=True)
    return " and ".join(f"{name} between {low:g} and {high:g}" for name, (low, high) in parts)
