"""The search for the RegNet nearest to per-block widths: w0 and all widths multiples of 8.

``v_j = 8 round(w0 wm^{s_j} / 8)``, the widths that a RegNet really has (see ``width_search`` for
the unrounded line and the symbols). For given w0 and wm the error is a sum over levels of a
function of the block where the level starts, so that suffix sums give it for every x.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Floats, Ints
from ..linear import WIDTH_STEP
from .width_search import (
    Blocks,
    Found,
    first_blocks,
    level_starts,
    reaches_beyond,
    starts_at_runs,
)

EDGE = 3.999  # rounding to multiples of 8 moves a width by less than 4
PREFER_UNROUNDED = 1e-6  # of equally good fits, the one nearest before rounding
EXACT = 1e-5  # an error that only PREFER_UNROUNDED leaves
GRID = 8  # values of L beside those at which a width is met


def search_rounded(blocks: Blocks, line: Found, low: float, high: float) -> Found:
    """Return the best RegNet of each network, with L in [low, high], given the best line."""
    n = len(blocks)
    found = Found(np.full(n, np.inf), np.zeros(n), np.full(n, high), np.full(n, np.inf))
    for w0 in _initial_widths(blocks, line):
        unmet = found.error > EXACT  # a network met exactly needs no other w0
        candidates = _log_wm_candidates(blocks, w0, low, high)
        candidates = np.concatenate([line.log_wm[:, None], candidates], axis=1)
        for column in range(candidates.shape[1]):
            log_wm = candidates[:, column]
            rows = np.flatnonzero(~np.isnan(log_wm) & unmet)
            if len(rows):
                part = _best_start(blocks.take(rows), w0[rows], log_wm[rows], line.x[rows])
                found = found.better(_scattered(part, rows, n))
    return found


def _scattered(part: Found, rows: Ints, n: int) -> Found:
    whole = [np.full(n, fill) for fill in (np.inf, 0.0, 1.0, 1.0)]
    for array, values in zip(whole, (part.error, part.log_w0, part.log_wm, part.x), strict=True):
        array[rows] = values
    return Found(*whole)


def _initial_widths(blocks: Blocks, line: Found) -> list[Floats]:
    """Return multiples of 8 about the first width and about the w0 of the line, each (n,)."""
    first = np.rint(np.exp(blocks.y[:, 0]) / WIDTH_STEP)
    below = np.floor(np.exp(line.log_w0) / WIDTH_STEP)
    return [np.maximum(w, 1) * WIDTH_STEP for w in (first, below, below + 1)]


def _log_wm_candidates(blocks: Blocks, w0: Floats, low: float, high: float) -> Floats:
    """Return values of L at which a level meets an observed width, or just rounds to it.

    Shape (n, m), NaN at the end.
    """
    widths = np.exp(blocks.value)
    met = [np.log(np.maximum(widths + edge, 1.0) / w0[:, None]) for edge in (-EDGE, 0.0, EDGE)]
    steps = np.concatenate(met, axis=1)
    most = max(1, int(np.nanmax(steps / low, initial=1.0)))
    corners = (steps[:, :, None] / np.arange(1, most + 1)).reshape(len(blocks), -1)
    corners = np.where((corners >= low) & (corners <= high), corners, np.nan)
    corners.sort(axis=1)
    corners = corners[:, : int(np.count_nonzero(~np.isnan(corners), axis=1).max(initial=0))]
    grid = np.broadcast_to(np.linspace(low, high, GRID), (len(blocks), GRID))
    return np.concatenate([grid, corners], axis=1)


def _best_start(blocks: Blocks, w0: Floats, log_wm: Floats, x: Floats) -> Found:
    """Return the best x for one pair (w0, L) a network."""
    n, d = blocks.y.shape
    beyond = np.maximum(0.0, np.nanmax(blocks.value, axis=1) - np.log(w0))
    highest = np.ceil(beyond / log_wm).astype(np.int64) + 1
    n_levels = int(highest.max())
    g = level_starts(log_wm, n_levels + 1)
    x = np.concatenate([x[:, None], starts_at_runs(blocks, g[:, :-1], highest)], axis=1)
    t = first_blocks(blocks, g, x)
    costs = _costs(blocks, w0, log_wm, n_levels)
    # From block t on, being at level k rather than k - 1 adds suffix[k, t].
    suffix = np.zeros((n, n_levels, d + 1))
    gains = np.diff(costs, axis=1)[:, :, ::-1]
    suffix[:, :, :d] = np.cumsum(gains, axis=2)[:, :, ::-1]
    index = np.swapaxes(t[:, :, :-1], 1, 2)
    error = costs[:, 0].sum(axis=1)[:, None] + np.take_along_axis(suffix, index, 2).sum(axis=1)
    error[np.isnan(x) | reaches_beyond(blocks, t, highest)] = np.inf
    best = error.argmin(axis=1)
    rows = np.arange(len(blocks))
    return Found(error[rows, best] / blocks.depth, np.log(w0), log_wm, x[rows, best])


def _costs(blocks: Blocks, w0: Floats, log_wm: Floats, n_levels: int) -> Floats:
    """Return |log v - y| of every level and block, shape (n, n_levels + 1, d), 0 where absent."""
    plain = np.log(w0)[:, None] + np.arange(n_levels + 1) * log_wm[:, None]
    rounded = np.log(np.maximum(np.rint(np.exp(plain) / WIDTH_STEP), 1) * WIDTH_STEP)
    y = blocks.y[:, None, :]
    cost = np.abs(rounded[:, :, None] - y) + PREFER_UNROUNDED * np.abs(plain[:, :, None] - y)
    return np.where(blocks.here[:, None, :], cost, 0.0)
