"""The networks of a part of a RegNet space, as rows that differ in their depth alone.

Runs of settings (``level_runs``) that end in the same final widths and group widths, the same
kind of network, and begin their stages at the same blocks are one row. The cost of a network is
linear in its stage depths, so that of a whole row is one number a row and one a block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..arrays import Bools, Ints
from ..drawing.judging import Units, networks_of, strides_of
from ..population import Population, regnets
from ..spaces import DesignSpace
from .level_runs import Runs, concatenate_runs, grid_of, level_runs

CELLS = 1 << 20  # networks looked at together


@dataclass(frozen=True)
class Chunk:
    """Networks of one bottleneck ratio and final first width, and what they come from.

    ``bottleneck_ratio`` is an index into its grid; ``pairs`` holds the indices of initial width
    and group width that end in this width.
    """

    bottleneck_ratio: int
    width: int
    pairs: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Kinds:
    """Final stage widths and group widths, each of shape (n, stages), in ascending order.

    ``pair`` and ``raw_widths`` say what the first network of each kind came from.
    """

    stage_widths: Ints
    stage_group_widths: Ints
    pair: Ints
    raw_widths: Ints


@dataclass(frozen=True)
class Costs:
    """Flops, params and acts of each kind at depth 1 in every stage, and of each further block.

    ``base`` has shape (kinds, 3) and ``slope`` (kinds, stages, 3), with three more for each
    further pair of units.
    """

    base: Ints
    slope: Ints


@dataclass(frozen=True)
class Rows:
    """All rows of a chunk, n of them, over the m runs that they come from.

    ``run_pair`` and ``run_kind``, of shape (m,), say which pair and kind a run belongs to. Row
    i has the runs ``order[first[i]:first[i + 1]]``, in the order of the grids.
    """

    kinds: Kinds
    runs: Runs
    run_pair: Ints
    run_kind: Ints
    order: Ints
    first: Ints

    def __len__(self) -> int:
        return len(self.first) - 1

    @cached_property
    def kind(self) -> Ints:
        """The kind of each row, shape (n,)."""
        return self.run_kind[self.order[self.first[:-1]]]

    @cached_property
    def starts(self) -> Ints:
        """The first block of stages 2 onwards of each row, shape (n, stages - 1)."""
        return self.runs.starts[self.order[self.first[:-1]]]


@dataclass(frozen=True)
class Networks:
    """Some networks of a chunk: their row, the index of their depth, costs and settings.

    ``costs`` has the columns of ``Costs``; the others have shape (n,).
    """

    row: Ints
    depth: Ints
    costs: Ints
    settings: Ints

    def take(self, which: Bools) -> Networks:
        """Return the networks that a mask selects."""
        return Networks(self.row[which], self.depth[which], self.costs[which], self.settings[which])


def group_rows(space: DesignSpace, chunk: Chunk) -> Rows:
    """Return the rows of a chunk."""
    w0 = grid_of(space, "w0")
    of_w0 = {i: level_runs(space, int(w0[i])) for i in dict.fromkeys(i for i, _ in chunk.pairs)}
    parts = [of_w0[i] for i, _ in chunk.pairs]
    runs = concatenate_runs(parts)
    run_pair = np.repeat(np.arange(len(parts)), [len(part.wm) for part in parts])
    kinds, kind_of = _kinds(space, chunk, parts)
    run_kind = kind_of[run_pair, runs.wm]
    code = run_kind
    for column in runs.starts.T:
        code = code * int(grid_of(space, "depth")[-1]) + column
    order = np.argsort(code, kind="stable")
    code = code[order]
    new = np.append(True, code[1:] != code[:-1])[: len(code)]
    first = np.append(np.flatnonzero(new), len(code))
    return Rows(kinds, runs, run_pair, run_kind, order, first)


def _kinds(space: DesignSpace, chunk: Chunk, parts: list[Runs]) -> tuple[Kinds, Ints]:
    """Return the kinds, and the kind of each pair and multiplier (-1 where there is none)."""
    stages = space.stages[0]
    used = [np.flatnonzero(part.widths[:, 0]) for part in parts]
    pair = np.repeat(np.arange(len(parts)), [len(wm) for wm in used])
    raw = np.concatenate([part.widths[wm] for part, wm in zip(parts, used, strict=True)])
    final = population_of(space, chunk, (pair, raw), np.ones_like(raw))
    keys = np.concatenate([final.stage_widths, final.stage_group_widths], axis=1)
    keys, example, kind = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    kind_of = np.full((len(parts), len(grid_of(space, "wm"))), -1)
    kind_of[pair, np.concatenate(used)] = kind.reshape(-1)
    return Kinds(keys[:, :stages], keys[:, stages:], pair[example], raw[example]), kind_of


def population_of(
    space: DesignSpace,
    chunk: Chunk,
    origin: tuple[Ints, Ints],
    depths: Ints,
    units: Units | None = None,
) -> Population:
    """Return networks of a chunk from their pair and raw widths, and stage depths.

    Raw widths are those before group compatibility. The slopes and multipliers of the
    population mean nothing: its stages are given.
    """
    pair, raw = origin
    n = len(pair)
    w0, group_width = np.array(chunk.pairs)[pair].T
    return regnets(
        depth=depths.sum(axis=1),
        w0=grid_of(space, "w0")[w0].astype(np.int64),
        wa=np.ones(n),
        wm=np.full(n, 2.0),
        group_width=grid_of(space, "group_width")[group_width].astype(np.int64),
        bottleneck_ratio=np.full(n, grid_of(space, "bottleneck_ratio")[chunk.bottleneck_ratio]),
        block=space.block,
        stem_type=space.stem_type,
        stage_strides=np.broadcast_to(strides_of(space), raw.shape),
        stages=(raw, depths),
        **networks_of(space, units or Units(), n),
    )


def kind_costs(space: DesignSpace, chunk: Chunk, kinds: Kinds, units: Sequence[Units]) -> Costs:
    """Return the costs of all kinds at each of some units, by differences of whole networks."""
    ones = np.ones_like(kinds.raw_widths)
    found: list[Ints] = []
    for stage in range(-1, ones.shape[1]):
        depths = ones.copy()
        if stage >= 0:
            depths[:, stage] = 2
        counted: list[Ints] = []
        for unit in units:
            nets = population_of(space, chunk, (kinds.pair, kinds.raw_widths), depths, unit)
            counted += [nets.flops, nets.params, nets.acts]
        found.append(np.stack(counted, axis=1))
    base = found[0]
    return Costs(base, np.stack([costs - base for costs in found[1:]], axis=1))


def networks(space: DesignSpace, rows: Rows, costs: Costs) -> Iterator[Networks]:
    """Yield all networks of the rows, each once, about a million cells of the table at a time."""
    depths = grid_of(space, "depth").astype(np.int64)
    step = max(1, CELLS // len(depths))
    for start in range(0, len(rows), step):
        which = slice(start, min(start + step, len(rows)))
        settings = _settings(rows, which, len(depths))
        row, depth = np.nonzero(settings)
        fixed, per_block = _row_costs(rows, which, costs)
        cost = fixed[row] + per_block[row] * depths[depth, None]
        yield Networks(row + start, depth, cost, settings[row, depth])


def _settings(rows: Rows, which: slice, n_depths: int) -> Ints:
    """Return how many settings give each network of some rows, shape (rows, depths)."""
    first = rows.first[which.start : which.stop + 1]
    runs = rows.order[first[0] : first[-1]]
    row = np.repeat(np.arange(len(first) - 1), np.diff(first)) * (n_depths + 1)
    size = (len(first) - 1) * (n_depths + 1)
    length = rows.runs.length[runs]
    # a run adds its length from its first depth on and takes it away from its last one on
    change = np.bincount(row + rows.runs.depth_first[runs], length, size)
    change -= np.bincount(row + rows.runs.depth_stop[runs], length, size)
    table = np.cumsum(change.reshape(-1, n_depths + 1), axis=1)
    return table[:, :n_depths].astype(np.int64)


def _row_costs(rows: Rows, which: slice, costs: Costs) -> tuple[Ints, Ints]:
    """Return the costs of some rows at depth 0, and of each block, each of shape (rows, 3)."""
    kind, starts = rows.kind[which], rows.starts[which]
    fixed, slope = costs.base[kind], costs.slope[kind]
    before = np.zeros(len(kind), dtype=np.int64)
    for stage in range(starts.shape[1]):
        fixed += (starts[:, stage] - before - 1)[:, None] * slope[:, stage]
        before = starts[:, stage]
    return fixed - (before + 1)[:, None] * slope[:, -1], slope[:, -1]
