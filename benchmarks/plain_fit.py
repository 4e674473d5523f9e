"""A plain search for the quantised line nearest to a network's widths: the peer of the fits."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def plain_search(widths: Sequence[float] | np.ndarray, steps: int = 150) -> float:
    """Return the least error over a grid of wm, exact in wa / w0 (intervals) and w0 (median)."""
    y, j = np.log(widths), np.arange(len(widths))
    best = math.inf
    for log_wm in np.linspace(math.log(1.5), math.log(3), steps):
        k = np.arange(1, int((y.max() - y.min()) / log_wm) + 3)
        ties = np.unique(np.expm1((k[:, None] - 0.5) * log_wm) / j[1:])
        slopes = np.concatenate([[0.0], (ties[1:] + ties[:-1]) / 2])
        s = np.rint(np.log1p(slopes[:, None] * j) / log_wm)
        rest = y - s * log_wm
        error = np.abs(rest - np.median(rest, axis=1)[:, None]).mean(axis=1)
        best = min(best, float(error.min()))
    return best
