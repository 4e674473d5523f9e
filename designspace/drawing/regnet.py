"""Candidates of a RegNet space: the quantised line by where its stages start."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..arrays import Bools, Floats, Ints
from ..laws import Law
from ..linear import level_widths, quantise_blocks, stage_starts, thresholds
from ..spaces import DesignSpace
from .candidates import BATCH, BLOCK, Candidates

LINE = ("depth", "w0", "wa", "wm")
BODY = ("group_width", "bottleneck_ratio")
MAX_TABLE = 10_000_000  # entries of a grid of widths that is looked through
PART_BITS = 12
PARTS = 2**PART_BITS  # equal parts of [0, 1) in the tables of the first test
MAX_SPREAD = 0.02  # relative, of the values in a part for which its middle can stand
Indices = dict[str, Ints]


class RegnetDrawer:
    """Draws the blocks of one space; holds the tables that all of them read.

    A batch takes uniforms for depth, w0, wa and wm of all its candidates, a row each, then for
    group width and bottleneck ratio of those that keep the rule on stages.
    """

    def __init__(self, space: DesignSpace) -> None:
        self.space = space
        high = space.stages[1]
        self._laws = space.laws
        self._values = {name: law.values for name, law in self._laws.items()}
        self._first_test = _FirstTest(space)
        self._per_w0 = 1 / self._values["w0"]
        self._t = thresholds(self._values["wm"], high)
        self._powers = np.power(self._values["wm"], np.arange(high)[:, None])

    def draw(self, rng: np.random.Generator) -> Iterator[Candidates]:
        """Yield the batches of the block that this generator decides."""
        u = np.empty((sum(self._laws[name].n_uniforms for name in LINE), BATCH))
        for _ in range(BLOCK // BATCH):
            rng.random(out=u)
            yield self._batch(u, rng)

    def _batch(self, u: Floats, rng: np.random.Generator) -> Candidates:
        line = _rows_of(self._laws, LINE, u)
        rows = self._first_test.survivors(line)
        index = {name: self._laws[name].index(line[name].take(rows, axis=1)) for name in LINE}
        stages = self._quantise(index)
        good = np.flatnonzero(stages.good)
        rows = rows[good]
        index = {name: i.take(good) for name, i in index.items()}
        more = rng.random((sum(self._laws[name].n_uniforms for name in BODY), len(rows)))
        for name, mine in _rows_of(self._laws, BODY, more).items():
            index[name] = self._laws[name].index(mine)
        group, ratio = (self._values[name][index[name]][:, None] for name in BODY)
        widths = stages.widths.take(good, axis=1).T
        return Candidates(
            space=self.space,
            position=rows,
            by_order=np.zeros(0, dtype=np.int64),
            indices=np.stack([index[name] for name, _, _ in self.space.slots]),
            raw_widths=widths,
            raw_group_widths=np.broadcast_to(group, widths.shape),
            stage_depths=stages.depths.take(good, axis=1).T,
            stage_bottleneck_ratios=np.broadcast_to(ratio, widths.shape),
        )

    def _quantise(self, index: Indices) -> _Stages:
        """Return the stages of each row, and which rows keep the rule on them."""
        low, high = self.space.stages
        depth = self._values["depth"].take(index["depth"])
        slope = self._values["wa"].take(index["wa"])
        slope *= self._per_w0.take(index["w0"])
        starts, near = stage_starts(slope, self._t.take(index["wm"], axis=1))
        good = starts[high - 1] >= depth
        if low > 1:
            good &= starts[low - 2] < depth
        for start, following in pairwise(starts):
            follows = following > start  # else a level is skipped
            good &= follows if low == high else follows | (start >= depth)
        ends = np.minimum(starts, depth, out=starts)
        depths = ends.copy()
        depths[1:] -= ends[:-1]
        w0 = self._values["w0"].take(index["w0"])
        widths = level_widths(w0, self._powers.take(index["wm"], axis=1))
        if low < high:
            widths[depths <= 0] = 0
        if self._merges:
            for width, following in pairwise(widths):
                good &= (following > width) | (following == 0)
        stages = _Stages(widths, depths, good)
        if len(near):
            self._decide({name: i[near] for name, i in index.items()}, near, stages)
        return stages

    @cached_property
    def _merges(self) -> bool:
        """Whether two levels of some line of the grid can round to one width."""
        w0, powers = self._values["w0"], self._powers
        if w0.size * powers.size > MAX_TABLE:
            return True
        return any(bool((np.diff(level_widths(w, powers), axis=0) <= 0).any()) for w in w0)

    def _decide(self, index: Indices, rows: Ints, stages: _Stages) -> None:
        """Quantise some rows by the reference formula, in place."""
        low, high = self.space.stages
        depth, w0, wa, wm = (self._values[name][index[name]] for name in LINE)
        w, d = quantise_blocks(depth.astype(np.int64), w0.astype(np.int64), wa, wm)
        last = np.rint(np.log((w0 + wa * (depth - 1)) / w0) / np.log(wm))
        n = (d > 0).sum(axis=1)
        stages.good[rows] = (n == last + 1) & (low <= n) & (n <= high)
        stages.widths[:, rows] = stages.depths[:, rows] = 0
        kept = min(w.shape[1], high)
        stages.widths[:kept, rows] = w[:, :kept].T
        stages.depths[:kept, rows] = d[:, :kept].T


class _Stages(NamedTuple):
    """Widths and depths of the stages, shape (s, n), and which rows keep the space's rule."""

    widths: Floats
    depths: Floats
    good: Bools


def _rows_of(laws: dict[str, Law], names: tuple[str, ...], u: Floats) -> dict[str, Floats]:
    """Return the rows of uniforms of each parameter."""
    rows: dict[str, Floats] = {}
    first = 0
    for name in names:
        rows[name] = u[first : first + laws[name].n_uniforms]
        first += laws[name].n_uniforms
    return rows


class _FirstTest:
    """A quick, generous test of the number of stages, from the uniforms alone.

    The last block, d - 1, is at level s or above if (wa / w0) (d - 1) >= t_s. Each factor is
    looked up for the part of [0, 1) that its uniform falls into, where the middle of the
    part's values stands for them; the limits allow for how far they are from it. A part whose
    values differ much has NaN, which passes every test.
    """

    def __init__(self, space: DesignSpace) -> None:
        low, high = space.stages
        laws = space.laws
        tables = [
            _middles(laws["depth"], laws["depth"].values - 1),
            _middles(laws["wa"], laws["wa"].values),
            _middles(laws["w0"], 1 / laws["w0"].values),
        ]
        t = thresholds(laws["wm"].values, high)
        most = _middles(laws["wm"], t[high - 1])
        spread = 1e-9 + sum(table.spread for table in tables)
        self._factors = dict(zip(("depth", "wa", "w0"), tables, strict=True))
        self._most = most.values * (1 + 1.1 * (spread + most.spread))
        self._least = None
        if low > 1:
            least = _middles(laws["wm"], t[low - 2])
            self._least = least.values * (1 - 1.1 * (spread + least.spread))

    def survivors(self, line: dict[str, Floats]) -> Ints:
        """Return the rows that may have the right number of stages."""
        part = {name: _part(u) for name, u in line.items()}
        reach = self._factors["depth"].values.take(part["depth"])
        reach *= self._factors["wa"].values.take(part["wa"])
        reach *= self._factors["w0"].values.take(part["w0"])
        out = reach > self._most.take(part["wm"])
        if self._least is not None:
            out |= reach < self._least.take(part["wm"])
        return np.flatnonzero(~out)


class _Middles(NamedTuple):
    """The middle of what a draw can be in each part of [0, 1), and the largest distance to it.

    One entry more repeats the last, for a uniform that rounds to 1.
    """

    values: Floats
    spread: float


def _middles(law: Law, values: Floats) -> _Middles:
    """Return the middles of a monotone function, ``values``, of the grid of a law."""
    if law.n_uniforms != 1:
        return _Middles(np.full(PARTS + 1, values[0] if len(values) == 1 else np.nan), 0.0)
    ends = np.arange(PARTS + 1) / PARTS
    overlap = 2.0**-40
    first = values[law.index(np.maximum(ends[:-1] - overlap, 0.0)[None])]
    last = values[law.index(np.minimum(ends[1:] + overlap, 1 - 2.0**-53)[None])]
    middle = (first + last) / 2
    with np.errstate(invalid="ignore"):
        spread = np.where(first == last, 0.0, np.abs(last - first) / 2 / middle)
    narrow = spread <= MAX_SPREAD
    table = np.where(narrow, middle, np.nan)
    return _Middles(np.append(table, table[-1]), float(spread[narrow].max(initial=0.0)))


def _part(u: Floats) -> Ints:
    """Return the part of [0, 1) that each first uniform falls into; 0 where there is none.

    The part is in the leading bits of u + 1, which is faster to read than to compute. The sum
    rounds: a uniform right below a part's end may count to the next one, which allows for it.
    """
    if u.size == 0:
        return np.zeros(int(u.shape[1]), dtype=np.int64)
    bits = (u[0] + 1.0).view(np.int64)
    bits >>= 52 - PART_BITS
    bits -= 1023 << PART_BITS
    return bits
