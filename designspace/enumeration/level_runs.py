"""Where the stages of a quantised line begin, for a whole grid of slopes and multipliers at once.

For one initial width and multiplier, a larger slope only moves block j to a higher level, and
the depth only cuts the tail. So the slopes fall into runs, on each of which all stages begin at
the same blocks (DDS section 3.3, equations 2 to 4); a run stands for hundreds of parameter
settings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Bools, Floats, Ints
from ..linear import quantise_batch
from ..spaces import DesignSpace


@dataclass(frozen=True)
class Runs:
    """The slopes of one initial width, grouped by the networks that they give.

    The n runs have shape (n,): the index of the multiplier ``wm``, of the first slope ``wa``, and
    their ``length`` in slopes. ``starts``, of shape (n, stages - 1), holds the first block of
    stages 2 onwards. With every depth of index ``depth_first`` up to ``depth_stop``, exclusive,
    there are exactly the space's stages, none skipped or merged; other settings are in no run.
    ``widths``, of shape (multipliers, stages), holds the stage widths before group
    compatibility, or 0 where no run has the multiplier.
    """

    wm: Ints
    wa: Ints
    length: Ints
    starts: Ints
    depth_first: Ints
    depth_stop: Ints
    widths: Ints

    @property
    def settings(self) -> int:
        """Settings (depth, wa, wm) with the space's stages."""
        return int(np.sum(self.length * (self.depth_stop - self.depth_first)))

    def take(self, which: Bools) -> Runs:
        """Return the runs that a mask selects."""
        return Runs(
            self.wm[which],
            self.wa[which],
            self.length[which],
            self.starts[which],
            self.depth_first[which],
            self.depth_stop[which],
            self.widths,
        )


def concatenate_runs(parts: list[Runs]) -> Runs:
    """Return the runs of several initial widths, in order; ``widths`` is left empty."""
    names = ("wm", "wa", "length", "starts", "depth_first", "depth_stop")
    arrays = [np.concatenate([getattr(part, name) for part in parts]) for name in names]
    return Runs(*arrays, widths=np.zeros((0, 0), dtype=np.int64))


def grid_of(space: DesignSpace, name: str) -> Floats:
    """Return the values that a parameter of a RegNet space can have, ascending.

    Raises
    ------
    ValueError
        If the space is not one of RegNets, or draws the number of stages.
    """
    if space.family != "regnet":
        raise ValueError(f"only spaces of RegNets can be enumerated, got {space.name}")
    if space.stages[0] != space.stages[1]:
        raise ValueError(
            f"only spaces with one number of stages can be enumerated, got {space.name} with "
            f"{space.stages[0]} to {space.stages[1]}"
        )
    return space.laws[name].values


def level_runs(space: DesignSpace, w0: int) -> Runs:
    """Return the runs of one initial width, ordered by multiplier, then slope.

    Levels are those of ``linear.levels``, to the last digit; widths come from
    ``quantise_batch``.
    """
    stages = space.stages[0]
    depths, slopes = grid_of(space, "depth"), grid_of(space, "wa")
    first = first_slopes(space, w0)
    runs, last = _runs_of(first, int(depths[-1]), len(slopes))
    starts = np.concatenate([np.zeros((len(runs.wm), 1), dtype=np.int64), runs.starts], axis=1)
    whole = np.all(np.diff(starts, axis=1) > 0, axis=1)
    depth_first = np.searchsorted(depths, starts[:, -1] + 1)
    depth_stop = np.searchsorted(depths, last, side="right")
    whole &= depth_first < depth_stop
    found = Runs(
        runs.wm, runs.wa, runs.length, runs.starts, depth_first, depth_stop, runs.widths
    ).take(whole)
    widths = _widths(space, w0, found)
    merged = widths[:, 0] == 0
    found = found.take(~merged[found.wm])
    return Runs(
        found.wm,
        found.wa,
        found.length,
        found.starts,
        found.depth_first,
        found.depth_stop,
        widths.reshape(-1, stages),
    )


def first_slopes(space: DesignSpace, w0: int) -> Ints:
    """Return the index of the smallest slope that lifts block j to level s.

    Shape (multipliers, stages, deepest - 1), for s = 1 ... stages and j = 1 ... deepest - 1;
    the number of slopes where none does.
    """
    slopes, multipliers = grid_of(space, "wa"), grid_of(space, "wm")
    deepest = int(grid_of(space, "depth")[-1])
    shape = len(multipliers), space.stages[0], deepest - 1
    index: Ints = np.indices(shape).reshape(3, -1)
    wm, level, block = multipliers[index[0]], index[1] + 1, index[2] + 1
    target: Floats = (w0 * wm ** (level - 0.5) - w0) / block
    guess = np.asarray(np.searchsorted(slopes, target), dtype=np.int64)
    todo = np.arange(len(guess))
    while len(todo):  # a step or two: the closed form is right but for the last digit
        at, rest = guess[todo], (block[todo], wm[todo], level[todo])
        low = _lifts(w0, slopes, at - 1, *rest)
        high = _lifts(w0, slopes, at, *rest)
        guess[todo] = at - low + ~high
        todo = todo[low | ~high]
    return guess.reshape(shape)


def _lifts(w0: int, slopes: Floats, index: Ints, block: Ints, wm: Floats, level: Ints) -> Bools:
    """Return whether the slope of an index lifts a block to a level, as ``linear.levels`` rounds.

    No slope before the first does, every one beyond the last does.
    """
    u = w0 + slopes[np.clip(index, 0, len(slopes) - 1)] * block
    reached = np.rint(np.log(u / w0) / np.log(wm)) >= level
    return (index >= len(slopes)) | ((index >= 0) & reached)


def _runs_of(first: Ints, deepest: int, n_slopes: int) -> tuple[Runs, Ints]:
    """Return all runs, and for each the block from which on the level is too high.

    A run ends where some block is lifted; the block at which a stage begins is the deepest
    less the number of blocks that the slope has lifted to its level.
    """
    n, stages, blocks = first.shape
    breaks = np.concatenate([np.zeros((n, 1), dtype=np.int64), first.reshape(n, -1)], axis=1)
    level: Ints = np.indices((stages, blocks))[0].reshape(-1) + 1
    level = np.concatenate([np.zeros(1, dtype=np.int64), level])
    order = np.argsort(breaks, axis=1, kind="stable")
    breaks, level = np.take_along_axis(breaks, order, axis=1), level[order]
    ends = np.append(breaks[:, 1:], np.full((n, 1), n_slopes), axis=1)
    wm, column = np.nonzero(breaks < ends)
    starts = [
        deepest - np.cumsum(level == s, axis=1, dtype=np.int64)[wm, column]
        for s in range(1, stages + 1)
    ]
    wa = breaks[wm, column]
    none = np.zeros(0, dtype=np.int64)
    stacked = np.stack(starts, axis=1)
    runs = Runs(wm, wa, ends[wm, column] - wa, stacked[:, :-1], none, none, none)
    return runs, stacked[:, -1]


def _widths(space: DesignSpace, w0: int, runs: Runs) -> Ints:
    """Return the stage widths of each multiplier from one setting of it; 0 where stages merge."""
    stages, multipliers = space.stages[0], grid_of(space, "wm")
    widths = np.zeros((len(multipliers), stages), dtype=np.int64)
    wm, example = np.unique(runs.wm, return_index=True)
    if len(wm):
        depth = grid_of(space, "depth")[runs.depth_first[example]].astype(np.int64)
        wa = grid_of(space, "wa")[runs.wa[example]]
        found, depths = quantise_batch(depth, np.full(len(wm), w0), wa, multipliers[wm])
        whole = (depths > 0).sum(axis=1) == stages
        widths[wm[whole]] = found[whole, :stages]
    return widths
