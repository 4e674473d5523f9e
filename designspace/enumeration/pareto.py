"""Pareto fronts of three integer costs, exact, over tens of millions of points.

A point dominates another if it is nowhere larger and somewhere smaller. Most points fall to a
vectorised test on a coarse grid; an exact sweep (Kung, Luccio and Preparata 1975) decides the
rest.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import numpy as np

from ..arrays import Bools, Ints

OCTAVE_BITS = 5  # 2^5 cells of the coarse grid between x and 2x
MANTISSA_BITS = 52


def pareto_mask(points: Ints) -> Bools:
    """Return which points no other point dominates.

    Parameters
    ----------
    points
        Shape (n, 3), to be small in every column; negate a column to have it large. Equal
        points do not dominate each other: all of them are on the front, or none.

    Raises
    ------
    ValueError
        If the points do not have three columns.
    """
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"the points must have three columns, got the shape {points.shape}")
    mask = undominated_by_grid(points)
    mask[mask] = _sweep(points[mask])
    return mask


def undominated_by_grid(points: Ints) -> Bools:
    """Return a superset of the front, shape (n,), in a few vectorised passes.

    A point falls if one in a cell strictly before its own, in both the second and the third
    column, is no larger in the first.
    """
    if not len(points):
        return np.zeros(0, dtype=np.bool_)
    rows, columns = _cells(points[:, 1]), _cells(points[:, 2])
    shape = int(rows.max()) + 2, int(columns.max()) + 2
    best = np.full(shape, np.iinfo(np.int64).max)
    np.minimum.at(best, (rows + 1, columns + 1), points[:, 0])
    np.minimum.accumulate(best, axis=0, out=best)
    np.minimum.accumulate(best, axis=1, out=best)
    return points[:, 0] < best[rows, columns]


def _cells(values: Ints) -> Ints:
    """Return the cell of each value: exponent and leading bits, so that order is kept exactly."""
    low = int(values.min())
    positive = values if low > 0 else values - low + 1
    bits = positive.astype(np.float64).view(np.int64) >> (MANTISSA_BITS - OCTAVE_BITS)
    return bits - bits.min()


def _sweep(points: Ints) -> Bools:
    """Return which points are on the front, in O(n log n) comparisons.

    In lexicographic order only earlier points can dominate. Those that matter form a stair:
    the second column ascends where the third descends.
    """
    order = np.lexsort((points[:, 2], points[:, 1], points[:, 0]))
    kept = np.zeros(len(points), dtype=np.bool_)
    stair_y: list[int] = []
    stair_z: list[int] = []
    last: list[int] = []
    verdict = False
    for index, point in zip(order.tolist(), points[order].tolist(), strict=True):
        if point != last:
            last = point
            _, y, z = point
            below = bisect_right(stair_y, y)
            verdict = below == 0 or stair_z[below - 1] > z
            if verdict:
                start = stop = bisect_left(stair_y, y)
                while stop < len(stair_z) and stair_z[stop] >= z:
                    stop += 1
                stair_y[start:stop], stair_z[start:stop] = [y], [z]
        kept[index] = verdict
    return kept
