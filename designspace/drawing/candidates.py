"""Candidates of a design space in blocks, with the rules on stages and orders already applied.

A block of 65,536 candidates takes its uniforms from one generator, batch by batch, in each a
row a draw; so what it holds depends on nothing else. A batch fits into the cache. The cheapest
test comes first, and only what survives it is looked at further.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..arrays import Column, Floats, Ints, Reals
from ..compat import make_compatible_batch
from ..spaces import DesignSpace

BLOCK = 65_536
BATCH = 32768  # candidates drawn at a time; it decides which candidates a seed gives


@dataclass(frozen=True)
class Candidates:
    """The candidates of one batch that keep the space's rules.

    ``position`` says where each stood, shape (n,), and ``by_order`` where those stood that fell
    by an order; both ascend. All others fell by their stages. ``indices`` point into the grids
    of the space's laws, shape (slots, n). Stage arrays have shape (n, s), with depth 0 where a
    network has fewer than s stages; the raw widths and group widths are as drawn. They hold
    whole numbers, as int64 or as float64, in which they are counted without conversion.
    """

    space: DesignSpace
    position: Ints
    by_order: Ints
    indices: Ints
    raw_widths: Reals
    raw_group_widths: Reals
    stage_depths: Reals
    stage_bottleneck_ratios: Floats

    def __len__(self) -> int:
        return len(self.position)

    @cached_property
    def compatible(self) -> tuple[Floats, Floats]:
        """Widths and group widths that agree with each other, whole numbers, (n, s) each."""
        raw = self.raw_widths, self.raw_group_widths
        return make_compatible_batch(*raw, self.stage_bottleneck_ratios, kind=np.float64)

    @property
    def stage_widths(self) -> Ints:
        """Widths after they were made to agree with the groups, shape (n, s)."""
        return self.compatible[0].astype(np.int64)

    @property
    def stage_group_widths(self) -> Ints:
        """Group widths that agree with the widths, shape (n, s)."""
        return self.compatible[1].astype(np.int64)

    def take(self, rows: Ints) -> Candidates:
        """Return some of the candidates."""
        return Candidates(
            self.space,
            self.position[rows],
            self.by_order,
            self.indices[:, rows],
            **{name: _take(getattr(self, name), rows) for name in STAGE_ARRAYS},
        )

    def values(self, name: str) -> Floats:
        """Return the drawn values of a parameter that a network has one of, shape (n,)."""
        for i, (slot, _, law) in enumerate(self.space.slots):
            if slot == name:
                return law.values[self.indices[i]]
        raise ValueError(f"space {self.space.name} has no parameter {name!r}")

    def codes(self) -> Ints:
        """Return each tuple of parameters as a few numbers, shape (n, words), in mixed radix."""
        words = [(self.stage_depths > 0).sum(axis=1)]
        size = self.space.stages[1] + 1
        for i, (name, stage, law) in enumerate(self.space.slots):
            index = self.indices[i]
            if self.space.parameter(name).per_stage:  # what an absent stage drew does not count
                index = np.where(self.stage_depths[:, stage] > 0, index, 0)
            if size * len(law.values) >= 2**63:
                words.append(np.zeros_like(words[0]))
                size = 1
            words[-1] = words[-1] * len(law.values) + index
            size *= len(law.values)
        return np.stack(words, axis=1)


STAGE_ARRAYS = ("raw_widths", "raw_group_widths", "stage_depths", "stage_bottleneck_ratios")


def _take(array: Column, rows: Ints) -> Column:
    """Return rows of an array (n, s), stage by stage in memory as it is itself."""
    if array.strides[1] == 0:
        return np.broadcast_to(array[rows, :1], (len(rows), array.shape[1]))
    return array.T.take(rows, axis=1).T


def join(parts: Sequence[Candidates], step: int = BATCH) -> Candidates:
    """Return candidates together; the positions of part i are counted from i times ``step``."""
    return Candidates(
        space=parts[0].space,
        position=np.concatenate([i * step + part.position for i, part in enumerate(parts)]),
        by_order=np.concatenate([i * step + part.by_order for i, part in enumerate(parts)]),
        indices=np.concatenate([part.indices for part in parts], axis=1),
        **{n: np.concatenate([getattr(part, n) for part in parts]) for n in STAGE_ARRAYS},
    )


class Uniforms:
    """The uniforms of a batch, and the index of each draw into the grid of its law."""

    def __init__(self, space: DesignSpace, extra: int = 0) -> None:
        firsts = np.cumsum([0, *(law.n_uniforms for _, _, law in space.slots)])
        self._slots = {
            (name, stage): (law, slice(int(first), int(first) + law.n_uniforms))
            for (name, stage, law), first in zip(space.slots, firsts, strict=False)
        }
        self._u = np.empty((int(firsts[-1]) + extra, BATCH))

    def fill(self, rng: np.random.Generator) -> None:
        """Draw the uniforms of the next batch."""
        rng.random(out=self._u)

    def index(self, name: str, stage: int = 0, rows: Ints | None = None) -> Ints:
        """Return the indices of a parameter's draw, for all candidates or for some."""
        law, mine = self._slots[name, stage]
        u = self._u[mine]
        return law.index(u if rows is None else u[:, rows])

    def extra(self) -> Floats:
        """Return the last row, which belongs to no parameter."""
        return self._u[-1]
