"""Every network of a RegNet space: counts, counts by multiply-adds, and Pareto fronts, exact.

Networks are the same if their stages are: final widths, depths, group widths and bottleneck
ratio, after group compatibility (DDS appendix D). Many parameter settings give one network. The
work is one addition a network and cost, whatever the number of settings (``network_rows``).

A chunk holds all networks with the same first width and bottleneck ratio. Chunks share no
network, so that counts add up, and the front of a space is that of the fronts of its chunks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Ints
from ..blocks import GROUPED
from ..budget import parse_range
from ..catalogue import CANONICAL
from ..compat import make_compatible
from ..constraints import BOUND_UNITS
from ..drawing.judging import Units
from ..spaces import DesignSpace
from .level_runs import grid_of
from .network_rows import Chunk, Networks, Rows, group_rows, kind_costs, networks
from .pareto import pareto_mask, undominated_by_grid

BINS_A_DECADE = 10
DECADES = range(5, 15)  # of multiply-adds
FRONTS = {"least": (1, 1, 1), "densest": (-1, 1, 1)}  # name -> signs of flops, params, acts
N_COUNTS = 5  # columns of a front before the network: flops, params, acts, networks, settings


@dataclass(frozen=True)
class Found:
    """What a chunk, or a whole space, holds.

    ``bins``, of shape (bins, 2), counts networks and settings by multiply-adds: bin i is from
    ``flops_edges()[i]`` to below the next. ``fronts`` holds a table of int64 for each of
    ``FRONTS``, one row a point: flops, params, acts, networks and settings at the point; then
    widths, depths and group widths of the first of these networks; then the indices of a setting
    that gives it, into the grids of depth, w0, wa, wm, group width and bottleneck ratio.
    """

    bins: Ints
    fronts: dict[str, Ints]

    @property
    def networks(self) -> int:
        """Distinct networks."""
        return int(self.bins[:, 0].sum())

    @property
    def settings(self) -> int:
        """Parameter settings that give them."""
        return int(self.bins[:, 1].sum())


def plan(space: DesignSpace) -> tuple[Chunk, ...]:
    """Return the chunks of a space, in order.

    Raises
    ------
    ValueError
        If the space is not one of RegNets with one number of stages and grouped blocks.
    """
    if space.block not in GROUPED:
        raise ValueError(f"only blocks {', '.join(GROUPED)} can be enumerated, got {space.block!r}")
    pairs: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for b, ratio in enumerate(grid_of(space, "bottleneck_ratio").tolist()):
        for i, w0 in enumerate(grid_of(space, "w0").tolist()):
            for k, group_width in enumerate(grid_of(space, "group_width").tolist()):
                width, _ = make_compatible(int(w0), int(group_width), ratio)
                pairs.setdefault((b, width), []).append((i, k))
    return tuple(Chunk(b, width, tuple(found)) for (b, width), found in sorted(pairs.items()))


def regimes() -> dict[str, tuple[int, int]]:
    """Return the closed range of multiply-adds of each canonical regime, within 5%."""
    names = dict.fromkeys(name.partition("-")[2] for name in CANONICAL)
    ranges = {name: parse_range(name) for name in names}
    found = {name: (int(np.ceil(low)), int(np.floor(high))) for name, (low, high) in ranges.items()}
    return dict(sorted(found.items(), key=lambda item: item[1]))


def decade_edges() -> list[int]:
    """Return the edges of the histogram: 0, then ten a decade of multiply-adds."""
    tenths = range(DECADES.start * BINS_A_DECADE, DECADES.stop * BINS_A_DECADE)
    return [0, *(int(np.ceil(10 ** (k / BINS_A_DECADE))) for k in tenths)]


def flops_edges() -> Ints:
    """Return the edges of all bins: those of the histogram, and the ends of the regimes."""
    ends = [end for low, high in regimes().values() for end in (low, high + 1)]
    return np.unique(np.array([*decade_edges(), *ends], dtype=np.int64))


def enumerate_chunk(
    space: DesignSpace,
    chunk: Chunk,
    units: Units = Units(),  # noqa: B008 (frozen)
) -> Found:
    """Return what one chunk holds, its costs counted at ``units``."""
    rows = group_rows(space, chunk)
    bounded = [] if space.bounds is None else [Units(**BOUND_UNITS)]
    costs = kind_costs(space, chunk, rows.kinds, [units, *bounded])
    edges = flops_edges()
    bins = np.zeros((len(edges), 2), dtype=np.int64)
    kept: dict[str, list[Networks]] = {name: [] for name in FRONTS}
    for part in networks(space, rows, costs):
        if space.bounds is not None:
            part = part.take(space.bounds.holds(*part.costs[:, 3:].T))
        if not len(part.row):
            continue
        which = np.searchsorted(edges, part.costs[:, 0], side="right") - 1
        bins[:, 0] += np.bincount(which, minlength=len(edges))
        bins[:, 1] += np.bincount(which, part.settings, len(edges)).astype(np.int64)
        for name, signs in FRONTS.items():
            kept[name].append(part.take(undominated_by_grid(part.costs[:, :3] * signs)))
    fronts = {
        name: _front(space, chunk, rows, (kept[name], signs)) for name, signs in FRONTS.items()
    }
    return Found(bins, fronts)


def empty(space: DesignSpace) -> Found:
    """Return what nothing of a space holds."""
    bins = np.zeros((len(flops_edges()), 2), dtype=np.int64)
    return Found(bins, {name: _no_points(space) for name in FRONTS})


def _no_points(space: DesignSpace) -> Ints:
    return np.zeros((0, N_COUNTS + 3 * space.stages[0] + 6), dtype=np.int64)


def _front(
    space: DesignSpace, chunk: Chunk, rows: Rows, kept: tuple[list[Networks], tuple[int, ...]]
) -> Ints:
    """Return the table of a front of one chunk, from what may be on it."""
    parts, signs = kept
    if not parts:
        return _no_points(space)
    found = Networks(*(np.concatenate([getattr(p, n) for p in parts]) for n in _NETWORK_FIELDS))
    found = found.take(pareto_mask(found.costs[:, :3] * signs))
    depth = grid_of(space, "depth").astype(np.int64)[found.depth]
    starts = np.concatenate([rows.starts[found.row], depth[:, None]], axis=1)
    depths = np.diff(starts, prepend=0)
    kind = rows.kind[found.row]
    table = np.concatenate(
        [
            found.costs[:, :3],
            np.ones((len(kind), 1), dtype=np.int64),
            found.settings[:, None],
            rows.kinds.stage_widths[kind],
            depths,
            rows.kinds.stage_group_widths[kind],
            _examples(chunk, rows, found),
        ],
        axis=1,
    )
    return merge_equal(table)


_NETWORK_FIELDS = ("row", "depth", "costs", "settings")


def _examples(chunk: Chunk, rows: Rows, found: Networks) -> Ints:
    """Return the first setting, in the order of the grids, of each network."""
    result = np.zeros((len(found.row), 6), dtype=np.int64)
    runs = rows.runs
    for n, (row, depth) in enumerate(zip(found.row.tolist(), found.depth.tolist(), strict=True)):
        mine = rows.order[rows.first[row] : rows.first[row + 1]]
        covers = (runs.depth_first[mine] <= depth) & (depth < runs.depth_stop[mine])
        run = mine[np.argmax(covers)]
        w0, group_width = chunk.pairs[rows.run_pair[run]]
        result[n] = depth, w0, runs.wa[run], runs.wm[run], group_width, chunk.bottleneck_ratio
    return result


def merge_equal(table: Ints) -> Ints:
    """Return a front's table in ascending order, with one row for equal flops, params and acts.

    Networks and settings add up; the rest is that of the first row.
    """
    network = [table[:, i] for i in range(table.shape[1] - 1, N_COUNTS - 1, -1)]
    table = table[np.lexsort((*network, table[:, 2], table[:, 1], table[:, 0]))]
    if not len(table):
        return table
    new = np.append(True, np.any(table[1:, :3] != table[:-1, :3], axis=1))
    first = np.flatnonzero(new)
    merged = table[first]
    merged[:, 3:N_COUNTS] = np.add.reduceat(table[:, 3:N_COUNTS], first, axis=0)
    return merged


def combine(parts: Sequence[Found]) -> Found:
    """Return what several chunks hold together, at least one, in whatever order they come."""
    fronts: dict[str, Ints] = {}
    for name, signs in FRONTS.items():
        table = np.concatenate([part.fronts[name] for part in parts])
        fronts[name] = merge_equal(table[pareto_mask(table[:, :3] * signs)])
    return Found(np.sum([part.bins for part in parts], axis=0), fronts)
