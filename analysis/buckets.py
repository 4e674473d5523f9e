"""Errors by complexity: buckets with mean and spread, and the models that nothing dominates.

Source: NDS figure 15 (nds ``bin_jobs``); DDS figures 11 and 15 for the fronts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..designspace.arrays import Bools, Floats, Ints
from .distribution import finite_column

BUCKETS = 20


@dataclass(frozen=True, eq=False)
class Buckets:
    """Mean and spread of the error in equal buckets of a complexity; empty ones are left out.

    Attributes
    ----------
    index : (k,) int array
        The number of each bucket, from 0.
    centre, n, mean, sd : (k,) arrays
        Its middle, models, mean error and population standard deviation (ddof 0), in percent.
        The band of nds is mean +- 2 sd.
    low, high, of : float, float, int
        The closed range, and into how many buckets it is cut.
    outside : int
        Models outside the range.
    """

    index: Ints
    centre: Floats
    n: Ints
    mean: Floats
    sd: Floats
    low: float
    high: float
    of: int
    outside: int


def make_buckets(
    complexity: ArrayLike,
    errors: ArrayLike,
    *,
    of: int = BUCKETS,
    low: float = 0.0,
    high: float | None = None,
) -> Buckets:
    """Return the buckets of a population over [low, high].

    Parameters
    ----------
    complexity, errors
        (n,) finite values of the same models.
    of
        The number of equal buckets, at least 1; nds takes 20.
    low, high
        The closed range; None takes the largest complexity.

    Raises
    ------
    ValueError
        If the columns do not fit, the range is empty or no model lies within.
    """
    x, e = _pair(complexity, errors)
    top = float(x.max()) if high is None else float(high)
    if of < 1:
        raise ValueError(f"there must be at least 1 bucket, got {of}")
    if not low < top:
        raise ValueError(f"buckets need low < high, got {low:g} to {top:g}")
    inside = (x >= low) & (x <= top)
    if not inside.any():
        raise ValueError(f"no model has a complexity in [{low:g}, {top:g}]")
    x, e = x[inside], e[inside]
    size = (top - low) / of
    index = np.minimum(((x - low) / size).astype(np.int64), of - 1)
    n = np.bincount(index, minlength=of)
    used = np.flatnonzero(n)
    mean = np.bincount(index, e, of)[used] / n[used]
    square = np.bincount(index, (e - mean[np.searchsorted(used, index)]) ** 2, of)[used]
    return Buckets(
        index=used,
        centre=np.asarray(low + (used + 0.5) * size, dtype=np.float64),
        n=n[used],
        mean=mean,
        sd=np.sqrt(square / n[used]),
        low=low,
        high=top,
        of=of,
        outside=int(np.sum(~inside)),
    )


def pareto_front(costs: ArrayLike, errors: ArrayLike) -> Bools:
    """Return which models no other model dominates: nowhere worse, and somewhere better.

    Parameters
    ----------
    costs
        (n,) or (n, k) complexities, to be small; finite.
    errors
        (n,) finite errors, to be small.

    Returns
    -------
    (n,) mask; equal models are on the front together, or not at all.
    """
    e = finite_column(errors, "errors")
    c = np.asarray(costs, dtype=np.float64)
    c = c[:, np.newaxis] if c.ndim == 1 else c
    if c.ndim != 2 or len(c) != e.size or not np.isfinite(c).all():
        raise ValueError(f"costs must be finite, one row an error, got shape {c.shape}")
    if c.shape[1] == 1:
        return _front_of_pairs(c[:, 0], e)
    points = np.column_stack([c, e])
    _, first, same = np.unique(points, axis=0, return_index=True, return_inverse=True)
    unique = points[first]  # in lexicographic order: only earlier points can dominate
    kept: list[int] = []
    verdict = np.zeros(len(unique), dtype=np.bool_)
    front = np.empty((0, points.shape[1]))
    for i, point in enumerate(unique):
        if not (front <= point).all(axis=1).any():
            verdict[i] = True
            kept.append(i)
            front = unique[kept]
    return verdict[same.reshape(-1)]


def _front_of_pairs(cost: Floats, errors: Floats) -> Bools:
    """Return the front of one cost: what is below all errors of smaller costs, ties together."""
    order = np.lexsort((errors, cost))
    x, e = cost[order], errors[order]
    start = np.append(True, x[1:] != x[:-1])  # of models of equal cost the first has least error
    least = e[start]
    before = np.minimum.accumulate(np.concatenate(([np.inf], least[:-1])))
    run = np.cumsum(start) - 1
    verdict = np.empty(x.size, dtype=np.bool_)
    verdict[order] = (e == least[run]) & (least < before)[run]
    return verdict


def _pair(x: ArrayLike, errors: ArrayLike) -> tuple[Floats, Floats]:
    values, e = finite_column(x, "complexities"), finite_column(errors, "errors")
    if values.size != e.size:
        raise ValueError(f"one error a complexity is needed: got {values.size} and {e.size}")
    return values, e
