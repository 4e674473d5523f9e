"""What a block of candidates comes to: a function of its generator, for one process or many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..arrays import Ints
from ..budget import Budget
from ..spaces import DesignSpace
from .anynet import AnynetDrawer
from .candidates import BATCH, Candidates, join
from .judging import Judge, Judged, Units
from .regnet import RegnetDrawer

Job = tuple[np.random.Generator, Sequence[int]]


@dataclass(frozen=True)
class Block:
    """The accepted candidates of a block, what identifies each, and where the others fell."""

    accepted: Candidates
    keys: Ints
    fell: dict[str, Ints]

    def rejections(self, used: int) -> dict[str, int]:
        """Return how many of the first ``used`` candidates fell by each reason."""
        counts = {name: int(np.searchsorted(at, used)) for name, at in self.fell.items()}
        accepted = int(np.searchsorted(self.accepted.position, used))
        return {**counts, "stages": used - accepted - sum(counts.values())}


@dataclass(frozen=True)
class BlockWork:
    """Draws the candidates of a block and judges them by the budgets that are asked for."""

    space: DesignSpace
    units: Units
    regimes: tuple[tuple[Budget, str], ...]  # each with what its networks are unique by

    def __call__(self, job: Job) -> dict[int, Block]:
        """Return the block of a generator for each of the regimes asked for, by their index."""
        rng, wanted = job
        parts: dict[int, list[Judged]] = {i: [] for i in wanted}
        for batch in self._drawer.draw(rng):
            judge = Judge(batch, self.units)
            for i in wanted:
                parts[i].append(judge.verdict(self.regimes[i][0]))
        return {i: _block(parts[i], self.regimes[i][1]) for i in wanted}

    @cached_property
    def _drawer(self) -> RegnetDrawer | AnynetDrawer:
        return (RegnetDrawer if self.space.family == "regnet" else AnynetDrawer)(self.space)

    def __reduce__(self) -> tuple[type[BlockWork], tuple[object, ...]]:
        """Leave the drawer's tables to each process."""
        return BlockWork, (self.space, self.units, self.regimes)


def _block(parts: Sequence[Judged], unique: str) -> Block:
    accepted = join([part.accepted for part in parts])
    fell = {
        name: np.concatenate([i * BATCH + part.fell[name] for i, part in enumerate(parts)])
        for name in parts[0].fell
    }
    return Block(accepted, _keys(accepted, unique), fell)


def _keys(accepted: Candidates, unique: str) -> Ints:
    """Return what makes two accepted candidates equal, shape (n, k)."""
    if unique == "params":
        return accepted.codes()
    depths = accepted.stage_depths.astype(np.int64)
    stages = (accepted.stage_widths, depths, accepted.stage_group_widths)
    ratios = accepted.stage_bottleneck_ratios
    return np.concatenate([*stages, np.ascontiguousarray(ratios).view(np.int64)], axis=1)
