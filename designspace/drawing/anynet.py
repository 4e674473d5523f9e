"""Candidates of an AnyNet space: every stage by itself, then the constraints on their order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..arrays import Floats, Ints
from ..spaces import DesignSpace
from ..spec import LARGEST
from .candidates import BATCH, BLOCK, Candidates, Uniforms


class AnynetDrawer:
    """Draws the blocks of one space."""

    def __init__(self, space: DesignSpace) -> None:
        self.space = space
        self._low, self._high = space.stages

    def draw(self, rng: np.random.Generator) -> Iterator[Candidates]:
        """Yield the batches of the block that this generator decides."""
        u = Uniforms(self.space, extra=int(self._high > self._low))
        for _ in range(BLOCK // BATCH):
            u.fill(rng)
            yield self._batch(u)

    def _batch(self, u: Uniforms) -> Candidates:
        count = np.full(BATCH, self._high)
        if self._high > self._low:
            n = self._high - self._low + 1
            count = self._low + np.minimum((u.extra() * n).astype(np.int64), n - 1)
        rows, by_order = np.arange(BATCH), np.zeros(BATCH, dtype=np.bool_)
        for order in self.space.orders:
            ordered, _ = self._drawn(u, order.parameter, rows)
            keep = order.holds(ordered, np.arange(self._high) < count[rows, None])
            by_order[rows[~keep]] = True
            rows = rows[keep]
        present = np.arange(self._high) < count[rows, None]
        values: dict[str, Floats] = {}
        indices: list[Ints] = []
        for parameter in self.space.parameters:
            values[parameter.name], index = self._drawn(u, parameter.name, rows)
            indices += index
        raw = np.where(present, values["width"], 0).astype(np.int64)
        all_one = np.ones((1, 1))
        ratios = np.where(present, values.get("bottleneck_ratio", all_one), 1.0)
        groups = values.get("group_width", LARGEST * all_one).astype(np.int64)
        return Candidates(
            space=self.space,
            position=rows,
            by_order=np.flatnonzero(by_order),
            indices=np.stack(indices),
            raw_widths=raw,
            stage_depths=np.where(present, values["depth"], 0).astype(np.int64),
            raw_group_widths=np.broadcast_to(groups, raw.shape),
            stage_bottleneck_ratios=ratios,
        )

    def _drawn(self, u: Uniforms, name: str, rows: Ints) -> tuple[Floats, list[Ints]]:
        """Return drawn values, shape (n, stages), or (n, 1) if shared, and their indices."""
        parameter = self.space.parameter(name)
        stages = range(self._high if parameter.per_stage else 1)
        chosen = None if len(rows) == BATCH else rows
        indices = [u.index(name, stage, chosen) for stage in stages]
        values = [parameter.law_of(s).values[i] for s, i in zip(stages, indices, strict=True)]
        return np.stack(values).T, indices
