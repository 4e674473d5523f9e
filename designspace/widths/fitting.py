"""How far per-block widths are from a line: the fits of DDS section 3.3.

For a network of d blocks of widths w_0 ... w_{d-1}, in order:

* the linear fit is ``u_j = w0 + wa j``;
* the quantised linear fit is ``v_j = w0 wm^{s_j}``, ``s_j = round(log_wm(u_j / w0))``.

Its error e_fit is the least mean of ``|log(v_j / w_j)|`` over (w0, wa, wm). DDS prints "mean
log-ratio"; the absolute value is the natural reading. DDS searches an unpublished grid; how the
optimum is found here stands in ``width_search`` and ``rounded_search``. Widths of many networks
have shape (n, d), each row ending in zeros where a network has fewer blocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Floats, Ints, Reals
from ..linear import WIDTH_STEP
from .rounded_search import search_rounded
from .width_search import Blocks, Found, first_blocks, level_starts, make_blocks, search

if TYPE_CHECKING:
    from ..population import Population

WM_RANGE = (1.5, 3.0)  # of RegNetX (DDS section 3.3)
CHUNK = 256  # networks searched at a time: bounds the memory
SLOPES = 96  # values of wa / w0 on the first grid of the linear fit
SHRINK = (math.sqrt(5) - 1) / 2
GOLDEN_STEPS = 40  # each cuts the interval of wa / w0 to 0.618 of its length


@dataclass(frozen=True, slots=True)
class Fit:
    """The nearest line of one network.

    Attributes
    ----------
    w0, wa
        Initial width in channels, above 0, and slope in channels a block, at least 0.
    wm
        Width multiplier, above 1; None for a linear fit.
    error
        Mean of |log(predicted / observed)| over the blocks, at least 0; 0.05 is about 5%.
    widths
        The predicted width of every block.
    """

    w0: float
    wa: float
    wm: float | None
    error: float
    widths: tuple[float, ...]


@dataclass(frozen=True)
class Fits:
    """The nearest lines of n networks: ``Fit`` as arrays of shape (n,).

    ``wm`` is NaN for linear fits; ``widths`` has shape (n, d) and ends in zeros.
    """

    w0: Floats
    wa: Floats
    wm: Floats
    error: Floats
    widths: Floats

    def __len__(self) -> int:
        return len(self.w0)

    def row(self, i: int) -> Fit:
        """Return the fit of network ``i``."""
        wm = float(self.wm[i])
        widths = self.widths[i]
        return Fit(
            w0=float(self.w0[i]),
            wa=float(self.wa[i]),
            wm=None if math.isnan(wm) else wm,
            error=float(self.error[i]),
            widths=tuple(widths[widths > 0].tolist()),
        )


def fit_quantised(
    widths: Sequence[float], *, rounded: bool = False, wm_range: tuple[float, float] = WM_RANGE
) -> Fit:
    """Return the quantised line nearest to the widths of one network (e_fit, DDS section 3.3).

    Parameters
    ----------
    widths
        Width of every block in order, in channels, at least 2 of them.
    rounded
        False: ``v_j = w0 wm^{s_j}`` as in DDS, w0 any positive number. True: ``v_j`` and w0
        rounded to multiples of 8, as in a RegNet.
    wm_range
        Least and greatest wm to try, above 1. wa is at least 0 and has no upper bound.

    Notes
    -----
    The error is well defined, the parameters less so: all (w0, wa, wm) that give the same levels
    and the same rounded widths fit equally. Of the widths of a RegNet (before the group
    adjustment) the rounded fit has error 0 and gives w0 exactly: it is the first width. wm is
    known to about the rounding of the widest stage: within 0.3% for the 24 canonical models. wa
    is known only as far as it decides at which blocks the stages begin, within 6% for the 24;
    the middle of its interval is returned.

    Raises
    ------
    ValueError
        If a width is not positive and finite, there are fewer than 2, or ``wm_range`` is empty.
    """
    found = fit_quantised_batch(_one(widths), rounded=rounded, wm_range=wm_range)
    return found.row(0)


def fit_line(widths: Sequence[float]) -> Fit:
    """Return the line ``u_j = w0 + wa j`` nearest to the widths of one network (DDS section 3.3).

    ``widths`` as for ``fit_quantised``; so is the error, and wa is at least 0.

    Raises
    ------
    ValueError
        If a width is not positive and finite, or there are fewer than 2.
    """
    return fit_line_batch(_one(widths)).row(0)


def fit_quantised_batch(
    widths: Reals, *, rounded: bool = False, wm_range: tuple[float, float] = WM_RANGE
) -> Fits:
    """Return the nearest quantised line of n networks, widths of shape (n, d).

    See ``fit_quantised``; row by row the result is the same.

    Raises
    ------
    ValueError
        As ``fit_quantised``; the message names the row.
    """
    low, high = wm_range
    if not 1 < low <= high < math.inf:
        raise ValueError(f"wm_range must be two numbers with 1 < low <= high, got {wm_range}")

    def fit(part: Floats) -> Fits:
        blocks = make_blocks(part)
        found = search(blocks, math.log(low), math.log(high))
        if rounded:
            found = search_rounded(blocks, found, math.log(low), math.log(high))
        return _finish(blocks, found, rounded, wm_range)

    return _in_chunks(widths, fit)


def fit_line_batch(widths: Reals) -> Fits:
    """Return the nearest line of n networks, widths of shape (n, d); see ``fit_line``.

    Raises
    ------
    ValueError
        As ``fit_line``; the message names the row.
    """
    return _in_chunks(widths, lambda part: _nearest_line(make_blocks(part)))


def block_widths(population: Population) -> Ints:
    """Return the width of every block of a population's networks, (n, d), zero where absent."""
    ends = np.cumsum(population.stage_depths, axis=1)
    deepest = int(ends[:, -1].max(initial=0))
    widths = np.zeros((len(population), deepest), dtype=np.int64)
    j = np.arange(deepest)
    for s in range(ends.shape[1]):
        start = ends[:, s] - population.stage_depths[:, s]
        here = (j >= start[:, None]) & (j < ends[:, s : s + 1])
        np.copyto(widths, population.stage_widths[:, s : s + 1], where=here)
    return widths


def _one(widths: Sequence[float]) -> Floats:
    for j, width in enumerate(widths):
        if not (math.isfinite(width) and width > 0):
            raise ValueError(f"the width of block {j} must be a positive number, got {width!r}")
    if len(widths) < 2:
        raise ValueError(f"a fit needs the widths of at least 2 blocks, got {len(widths)}")
    return np.array([widths], dtype=np.float64)


def _in_chunks(widths: Reals, fit: Callable[[Floats], Fits]) -> Fits:
    _check(widths)
    rows = [widths[i : i + CHUNK] for i in range(0, len(widths), CHUNK)]
    parts = [fit(part.astype(np.float64)) for part in rows]
    if not parts:
        nothing = np.empty(0)
        return Fits(nothing, nothing, nothing, nothing, np.empty((0, widths.shape[1])))
    return Fits(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("w0", "wa", "wm", "error", "widths")
        )
    )


def _check(widths: Reals) -> None:
    if widths.ndim != 2:
        raise ValueError(f"widths must have shape (n, d), got {widths.shape}")
    bad = ~(np.isfinite(widths) & (widths >= 0))
    if bad.any():
        i, j = (int(index[0]) for index in np.nonzero(bad))
        raise ValueError(f"row {i}: the width of block {j} must be positive, got {widths[i, j]}")
    here = widths > 0
    gaps = np.flatnonzero((here[:, 1:] & ~here[:, :-1]).any(axis=1))
    if len(gaps):
        raise ValueError(f"row {gaps[0]}: a width of 0 stands before the last block")
    few = np.flatnonzero(here.sum(axis=1) < 2)
    if len(few):
        raise ValueError(f"row {few[0]}: a fit needs at least 2 blocks, got {here[few[0]].sum()}")


def _finish(blocks: Blocks, found: Found, rounded: bool, wm_range: tuple[float, float]) -> Fits:
    """Return the fits of found levels, with wa in the middle of its interval."""
    highest = int(np.rint(np.log1p((blocks.depth - 1) / found.x) / found.log_wm).max())
    g = level_starts(found.log_wm, highest + 1)
    t = first_blocks(blocks, g, found.x[:, None])[:, 0]
    levels = (blocks.index[:, None] >= t[:, None, :]).sum(axis=2)
    # Level k starts at block t: t - 1 < g x <= t, where t is within the network at all.
    last = (blocks.depth - 1)[:, None]
    most = np.where(t <= last, t / g, np.inf).min(axis=1)
    least = (np.minimum(t - 1, last) / g).max(axis=1)
    slope = np.where(np.isinf(most), 0.0, (1 / most + 1 / least) / 2)
    w0, wm = np.exp(found.log_w0), np.clip(np.exp(found.log_wm), *wm_range)
    if rounded:
        w0 = np.rint(w0)
    widths = w0[:, None] * wm[:, None] ** levels
    if rounded:
        widths = np.maximum(np.rint(widths / WIDTH_STEP), 1) * WIDTH_STEP
    return _fits(blocks, w0, slope * w0, wm, widths)


def _fits(blocks: Blocks, w0: Floats, wa: Floats, wm: Floats, widths: Floats) -> Fits:
    distance = np.where(blocks.here, np.abs(np.log(widths) - blocks.y), 0.0)
    error = distance.sum(axis=1) / blocks.depth
    return Fits(w0, wa, wm, error, np.where(blocks.here, widths, 0.0))


def _nearest_line(blocks: Blocks) -> Fits:
    """Search a grid of wa / w0, then its best interval by golden section.

    For a given wa / w0 the best log w0 is a median, exactly.
    """
    shape = np.geomspace(1e-4, 1.0, SLOPES)
    grid = np.concatenate([[0.0], shape]) * 4 * np.exp(blocks.span)[:, None]
    best = _line_errors(blocks, grid)[0].argmin(axis=1)[:, None]
    low = np.take_along_axis(grid, np.maximum(best - 1, 0), axis=1)
    high = np.take_along_axis(grid, np.minimum(best + 1, SLOPES), axis=1)
    slope = np.take_along_axis(grid, best, axis=1)
    for _ in range(GOLDEN_STEPS):
        inner = np.concatenate([high - SHRINK * (high - low), low + SHRINK * (high - low)], axis=1)
        error = _line_errors(blocks, inner)[0]
        left = error[:, :1] <= error[:, 1:]
        low, high = np.where(left, low, inner[:, :1]), np.where(left, inner[:, 1:], high)
    tried = np.concatenate([slope, (low + high) / 2], axis=1)
    error, log_w0 = _line_errors(blocks, tried)
    best = error.argmin(axis=1)
    rows = np.arange(len(blocks))
    a, w0 = tried[rows, best], np.exp(log_w0[rows, best])
    widths = w0[:, None] * (1 + a[:, None] * blocks.index)
    return _fits(blocks, w0, w0 * a, np.full(len(blocks), np.nan), widths)


def _line_errors(blocks: Blocks, slopes: Floats) -> tuple[Floats, Floats]:
    """Return the mean absolute error and log w0 of slopes wa / w0, each (n, m)."""
    j = blocks.index
    here = blocks.here[:, None, :]
    rest = np.where(here, blocks.y[:, None, :] - np.log1p(slopes[:, :, None] * j), np.inf)
    log_w0 = np.sort(rest, axis=2)[np.arange(len(blocks)), :, (blocks.depth - 1) // 2]
    distance = np.where(here, np.abs(rest - log_w0[:, :, None]), 0.0)
    return distance.sum(axis=2) / blocks.depth[:, None], log_w0
