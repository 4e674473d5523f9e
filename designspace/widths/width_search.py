"""The search for the quantised line nearest to per-block widths (DDS section 3.3).

With y_j = log of the observed width, L = log wm and x = w0 / wa, the quantised line is
``log v_j = log w0 + s_j L`` where block j has level s_j >= k from ``j = ceil(g_k x)`` on,
``g_k = exp((k - 1/2) L) - 1``. So:

* for given levels, the best log w0 is the median of ``y_j - s_j L``, exactly;
* for given levels, the error is convex and piecewise linear in (log w0, L), with its corners
  where two blocks are met: ``L = (y_i - y_j) / m`` for an integer m;
* for given L, the levels change only where ``g_k x`` passes a block.

Candidates for L are these corners and a uniform grid, candidates for x those at which a level
starts at a block where the observed width changes, or after the last block. A RegNet lies at
one of them. All are screened by the sum of squares, which needs only prefix sums of y; the few
best x of every L are judged by the mean absolute error, and the best of all is improved by local
moves. Nothing is random, and a network's result does not depend on those beside it.

The optimum of RegNets is found. For other networks nothing is proved: of random AnyNets of four
stages most reach the least error of a fine exhaustive search, the mean stays within 1% of it, and
a rare one, whose best line ignores a short stage, is tens of percent above it
(``benchmarks/fitting.py`` measures this).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Bools, Floats, Ints

GRID = 16  # values of L beside the corners
MOST_CORNERS = 256  # of many, as many evenly chosen ones are tried
KEPT = 4  # values of x judged for each L
ROUNDS = 4  # of local moves
NUDGE = 1e-6  # of a block: keeps a candidate off the tie at which rounding is undecided


@dataclass(frozen=True)
class Blocks:
    """Log widths of the blocks of n networks, and the runs of equal width.

    ``y`` has shape (n, d), zero where a network has fewer blocks; ``prefix`` (n, d + 1) holds
    its prefix sums, ``depth`` (n,) the number of blocks; ``start`` and ``value`` (n, q) the first
    block and log width of each run, and the depth and NaN where a network has fewer runs.
    """

    y: Floats
    prefix: Floats
    depth: Ints
    start: Ints
    value: Floats

    def __len__(self) -> int:
        return len(self.depth)

    @property
    def here(self) -> Bools:
        """Which elements of ``y`` are blocks."""
        return self.index < self.depth[:, None]

    @property
    def index(self) -> Ints:
        """The numbers of the blocks, from 0, (d,)."""
        return np.arange(int(self.y.shape[1]))

    @property
    def span(self) -> Floats:
        """Log of the largest width over the smallest, (n,)."""
        return np.nanmax(self.value, axis=1) - np.nanmin(self.value, axis=1)

    def take(self, rows: slice | Ints) -> Blocks:
        """Return some networks."""
        return Blocks(
            self.y[rows], self.prefix[rows], self.depth[rows], self.start[rows], self.value[rows]
        )


@dataclass(frozen=True)
class Found:
    """The best levels of n networks: error, log w0, L and x (infinite where wa = 0), all (n,)."""

    error: Floats
    log_w0: Floats
    log_wm: Floats
    x: Floats

    def better(self, other: Found) -> Found:
        """Return the better of two row by row; this one where they are equal."""
        wins = other.error < self.error - 1e-12
        return Found(
            np.where(wins, other.error, self.error),
            np.where(wins, other.log_w0, self.log_w0),
            np.where(wins, other.log_wm, self.log_wm),
            np.where(wins, other.x, self.x),
        )


def make_blocks(widths: Floats) -> Blocks:
    """Return the blocks of valid widths of shape (n, d), zero where absent at the end."""
    n, d = widths.shape
    here = widths > 0
    depth = here.sum(axis=1)
    y = np.log(np.where(here, widths, 1.0))
    first = here.copy()
    first[:, 1:] &= widths[:, 1:] != widths[:, :-1]
    rows, columns = np.nonzero(first)
    counts = first.sum(axis=1)
    run = np.arange(len(rows)) - (np.cumsum(counts) - counts)[rows]
    start = np.repeat(depth[:, None], counts.max(), axis=1)
    value = np.full(start.shape, np.nan)
    start[rows, run] = columns
    value[rows, run] = y[rows, columns]
    prefix = np.zeros((n, d + 1))
    np.cumsum(y, axis=1, out=prefix[:, 1:])
    return Blocks(y, prefix, depth, start, value)


def search(blocks: Blocks, low: float, high: float) -> Found:
    """Return the best quantised line of each network, with L in [low, high]."""
    candidates = _log_wm_candidates(blocks, low, high)
    found = _screen(blocks, candidates)
    flat = np.full((len(blocks), 1), np.inf)  # one level: no start to screen
    found = found.better(_judge(blocks, found.log_wm[:, None], flat))
    step = (high - low) / (GRID - 1)
    for _ in range(ROUNDS):
        for shift in (-1.0, -0.5, 0.0, 0.5, 1.0):
            log_wm = np.clip(found.log_wm + shift * step, low, high)
            x = _moved(blocks, log_wm, found)
            found = found.better(_judge(blocks, log_wm[:, None], x))
        step /= 2
    return found


def _log_wm_candidates(blocks: Blocks, low: float, high: float) -> Floats:
    """Return values of L to try, shape (n, m), each row falling, NaN at the end."""
    q = blocks.value.shape[1]
    i, j = np.triu_indices(q, 1)
    steps = np.abs(blocks.value[:, i] - blocks.value[:, j])
    most = int(np.nanmax(steps / low, initial=0.0))
    corners = (steps[:, :, None] / np.arange(1, most + 1)).reshape(len(blocks), -1)
    corners = np.where((corners >= low) & (corners <= high), corners, np.nan)
    corners = -np.sort(-corners, axis=1)  # NaN last
    corners[:, 1:][corners[:, 1:] == corners[:, :-1]] = np.nan
    corners = -np.sort(-corners, axis=1)
    count = np.count_nonzero(~np.isnan(corners), axis=1)
    kept = min(int(count.max(initial=0)), MOST_CORNERS)
    which = np.arange(kept)
    if kept:
        thinned = np.rint(which * ((count[:, None] - 1) / max(kept - 1, 1))).astype(np.int64)
        which = np.where(count[:, None] > kept, thinned, which)
        corners = np.take_along_axis(corners, which, axis=1)
    grid = np.broadcast_to(np.linspace(low, high, GRID), (len(blocks), GRID))
    return -np.sort(-np.concatenate([corners[:, :kept], grid], axis=1), axis=1)


def _screen(blocks: Blocks, candidates: Floats) -> Found:
    """Return the best by mean absolute error among the best x, by squares, of every L."""
    x = np.full((*candidates.shape, KEPT), np.inf)
    for column in range(candidates.shape[1]):
        rows = np.flatnonzero(~np.isnan(candidates[:, column]))
        x[rows, column] = _best_by_squares(blocks.take(rows), candidates[rows, column])
    log_wm = np.where(np.isnan(candidates), candidates[:, :1], candidates)
    return _judge(blocks, np.repeat(log_wm, KEPT, axis=1), x.reshape(len(blocks), -1))


def level_starts(log_wm: Floats, n_levels: int) -> Floats:
    """Return g_k for k = 1 ... n_levels, shape (n, n_levels): level k starts at g_k x."""
    return np.expm1((np.arange(1, n_levels + 1) - 0.5) * log_wm[..., None])


def starts_at_runs(blocks: Blocks, g: Floats, highest: Ints) -> Floats:
    """Return x at which a level starts where a run does, and infinity, shape (n, m).

    Or just after the last block, where the level below must reach to the end. Both ends of each
    interval of x are returned. Levels above the ``highest`` of a network, (n,), have NaN: what
    is tried does not depend on the networks beside it.
    """
    runs = np.concatenate([blocks.start[:, 1:], blocks.depth[:, None]], axis=1)[:, :, None]
    own = np.arange(1, int(g.shape[1]) + 1) <= highest[:, None]
    g = np.where(own, g, np.nan)[:, None, :]
    ends = [((runs - e) / g).reshape(len(blocks), -1) for e in (NUDGE, 1 - NUDGE)]
    return np.concatenate([np.full((len(blocks), 1), np.inf), *ends], axis=1)


def first_blocks(blocks: Blocks, g: Floats, x: Floats) -> Ints:
    """Return the block at which each level starts, shape (n, m, k), at most the depth."""
    starts = np.ceil(g[:, None, :] * x[:, :, None])
    return np.fmin(starts, blocks.depth[:, None, None]).astype(np.int64)  # NaN: the depth


def reaches_beyond(blocks: Blocks, t: Ints, highest: Ints) -> Bools:
    """Return whether a block has a level above the ``highest`` of its network, shape (n, m)."""
    above = np.broadcast_to(highest[:, None, None], (*t.shape[:2], 1))
    return np.take_along_axis(t, above, axis=2)[:, :, 0] < blocks.depth[:, None]


def _best_by_squares(blocks: Blocks, log_wm: Floats) -> Floats:
    """Return the KEPT x of least squared error, for one L a network, over the starts at runs."""
    highest = np.ceil(blocks.span / log_wm).astype(np.int64) + 1
    n_levels = int(highest.max())
    depth = blocks.depth[:, None]
    g = level_starts(log_wm, n_levels + 1)
    x = starts_at_runs(blocks, g[:, :-1], highest)
    t = first_blocks(blocks, g, x)
    after = depth[:, :, None] - t[:, :, :-1]
    k = np.arange(1, n_levels + 1)
    s, ss = after.sum(axis=2), after @ (2 * k - 1)
    sums = np.take_along_axis(blocks.prefix, t[:, :, :-1].reshape(len(blocks), -1), axis=1)
    total = blocks.prefix[:, -1:]
    sy = n_levels * total - sums.reshape(t[:, :, :-1].shape).sum(axis=2)
    # Sum of squares about the mean of y - s L, less the part that does not depend on x.
    slope = log_wm[:, None]
    squares = slope**2 * (ss - s * s / depth) - 2 * slope * (sy - s * total / depth)
    squares[np.isnan(x) | reaches_beyond(blocks, t, highest)] = np.inf
    rows = np.arange(len(blocks))
    best = np.empty((len(blocks), KEPT), dtype=np.int64)
    for i in range(KEPT):
        best[:, i] = squares.argmin(axis=1)
        squares[rows, best[:, i]] = np.inf
    return np.nan_to_num(np.take_along_axis(x, best, axis=1), nan=np.inf, posinf=np.inf)


def _moved(blocks: Blocks, log_wm: Floats, found: Found) -> Floats:
    """Return the x at which one level starts a block earlier, as now or a block later."""
    slope = 1.0 / np.maximum(found.x, 1e-300)
    highest = np.rint(np.log1p(slope * (blocks.depth - 1)) / found.log_wm) + 1
    n_levels = int(highest.max())
    g = level_starts(log_wm, n_levels)
    t = np.minimum(np.ceil(g * found.x[:, None]), blocks.depth[:, None])
    own = np.arange(1, n_levels + 1) <= highest[:, None]
    x = found.x[:, None]
    moves = [
        np.where(own, np.maximum(t + shift - NUDGE, NUDGE) / g, x) for shift in (-1.0, 0.0, 1.0)
    ]
    return np.concatenate([x, *moves], axis=1)


def _judge(blocks: Blocks, log_wm: Floats, x: Floats) -> Found:
    """Return the best of pairs (L, x), broadcast to (n, m), by the mean absolute error."""
    log_wm = np.broadcast_to(log_wm, x.shape)
    here = blocks.here[:, None, :]
    j = blocks.index
    rows = np.arange(len(blocks))
    middle = (blocks.depth - 1) // 2
    levels = np.rint(np.log1p(j / x[:, :, None]) / log_wm[:, :, None])
    rest = np.where(here, blocks.y[:, None, :] - levels * log_wm[:, :, None], np.inf)
    log_w0 = np.sort(rest, axis=2)[rows, :, middle]
    distance = np.where(here, np.abs(rest - log_w0[:, :, None]), 0.0)
    error = distance.sum(axis=2) / blocks.depth[:, None]
    best = error.argmin(axis=1)
    return Found(error[rows, best], log_w0[rows, best], log_wm[rows, best], x[rows, best])
