"""Ranks of values, ties at their middle: one sort, so that 10^7 values take seconds."""

from __future__ import annotations

import numpy as np

from ..designspace.arrays import Floats


def centred_ranks(values: Floats) -> Floats:
    """Return the ranks of finite values, ties at their middle, minus the mean rank."""
    n = values.size
    order = np.argsort(values)
    ordered = values[order]
    first = np.append(True, ordered[1:] != ordered[:-1])[:n]
    del ordered
    ranks = np.empty(n)
    if first.all():
        ranks[order] = np.arange(n) - (n - 1) / 2
        return ranks
    starts = np.flatnonzero(first)
    ties = np.diff(starts, append=n)
    ranks[order] = np.repeat(starts + (ties - n) / 2, ties)
    return ranks
