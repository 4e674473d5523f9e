"""Complexity of one chunk of networks, all rows in step, in float64 or int64.

What is equal in all rows of a chunk is a plain number, so that one stem, stride and resolution
cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np

from .arrays import Bools, Column, Ints
from .blocks import Block, Stem

CHUNK = 16384  # rows counted at a time: the columns in use fit the cache, calls are few
Value: TypeAlias = Any  # a column of the chunk, or one Python number for all its rows
Kind: TypeAlias = tuple[Block, Stem]


class Rows(NamedTuple):
    """The columns of the stages, (n, s) each, and of the networks, (n,) each."""

    stages: tuple[Column, ...]
    networks: tuple[Column, ...]
    channels: int

    def take(self, which: Ints) -> Rows:
        """Return some of the rows."""
        stages = tuple(column[which] for column in self.stages)
        return Rows(stages, tuple(column[which] for column in self.networks), self.channels)

    def chunks(self) -> Iterator[tuple[slice, Rows]]:
        """Yield the rows in chunks, and where each stands."""
        for start in range(0, len(self.stages[0]), CHUNK):
            rows = slice(start, start + CHUNK)
            stages = tuple(column[rows] for column in self.stages)
            networks = tuple(column[rows] for column in self.networks)
            yield rows, Rows(stages, networks, self.channels)


def _value(column: Column, kind: Any) -> Value:
    """Return a column in the type of the calculation, or one number if all rows are equal."""
    first = column[0]
    if column.strides[0] == 0 or (first == column[-1] and bool((column == first).all())):
        return first.item()
    return column.astype(kind, copy=False)


class _Stage(NamedTuple):
    """One stage of the chunk, and what enters it: ``channels`` of ``before`` x ``before``."""

    channels: Value
    width: Value
    inner: Value
    depth: Value
    group_width: Value
    before: Value
    after: Value
    project: Value  # whether the first block changes the shape


class _Share(NamedTuple):
    """Weights or channels of a stage: at the input's size, and at the output's."""

    early: Value
    late: Value


class Fold:
    """Counts one chunk in one type: a walk over the stages, all rows in step."""

    def __init__(self, rows: Rows, kind: Kind, metrics: tuple[str, ...], type: Any) -> None:
        self.rows, self.type = rows, type
        self.block, self.stem = kind
        se_ratio, channels, head, size, classes = rows.networks
        self.se_ratio: Value = _value(se_ratio, np.float64)
        self.channels: Value = _value(channels, type)
        self.head: Value = _value(head, type)
        self.size: Value = _value(size, type)
        self.classes: Value = _value(classes, type)
        self.sums: dict[str, Value] = dict.fromkeys(metrics, 0)

    def totals(self) -> dict[str, Value]:
        """Return the metrics of the networks, columns or single numbers."""
        self._stem()
        for s in range(self.rows.stages[0].shape[1]):
            self._stage(*(column[:, s] for column in self.rows.stages))
        self._head()
        return self.sums

    def _add(self, name: str, value: Value, present: Bools | None = None) -> None:
        if name in self.sums:
            value = value if present is None else _where(present, value)
            self.sums[name] = self.sums[name] + value

    def _stem(self) -> None:
        c = self.channels
        self.size = self._strided(self.size, self.stem.stride)
        pixels = self.size * self.size
        weights = self.stem.kernel**2 * self.rows.channels * c
        self._add("flops", weights * pixels)
        self._add("params", weights + 2 * c)
        self._add("acts", c * pixels)
        if self.stem.pool:
            self.size = self._strided(self.size, 2)
            self._add("acts", c * (self.size * self.size))

    def _strided(self, size: Value, stride: Value) -> Value:
        if isinstance(size, int) and isinstance(stride, int):
            return -(-size // stride)
        return np.ceil(size / stride).astype(self.type)

    def _stage(
        self, widths: Column, depths: Column, strides: Column, groups: Column, ratios: Column
    ) -> None:
        depth: Value
        width: Value
        stride: Value
        depth, width, stride = (_value(c, self.type) for c in (depths, widths, strides))
        present = None if np.min(depth) > 0 else depths > 0
        if present is not None and not present.any():
            return
        size: Value = self._strided(self.size, stride)
        stage = _Stage(
            self.channels,
            width,
            self._inner(width, _value(ratios, np.float64)),
            depth,
            _value(groups, self.type),
            self.size * self.size,
            size * size,
            self._projected(width, stride),
        )
        self._count(stage, present)
        if present is not None:
            width = _where(present, width, self.channels)
            size = _where(present, size, self.size)
        self.channels, self.size = width, size

    def _projected(self, width: Value, stride: Value) -> Value:
        if self.block.shortcut != "projection":
            return False
        if isinstance(stride, int) and stride > 1:
            return True
        return (self.channels != width) | (stride != 1)

    def _inner(self, width: Value, ratio: Value) -> Value:
        """Channels of the 3x3 convolution, as ``Stage.inner_width``."""
        if (isinstance(ratio, float) and ratio == 1.0) or not self.block.bottleneck:
            return width
        m = np.asarray(1.0 / ratio)
        return np.rint(width * np.where(m > 1, np.rint(m), m)).astype(self.type)

    def _count(self, stage: _Stage, present: Bools | None) -> None:
        """Add what a stage costs: its convolutions, batch norms and squeezes."""
        asked = self.sums.keys()
        pixels = (stage.before, stage.after)
        if asked & {"flops", "params"}:
            weights = self._weights(stage)
            if "flops" in asked:
                self._add("flops", _at(weights, pixels), present)
            if "params" in asked:
                self._add("params", weights.early + weights.late, present)
        if asked & {"params", "acts"}:
            channels = self._channels(stage)
            if "params" in asked:  # of batch norm
                self._add("params", 2 * (channels.early + channels.late), present)
            if "acts" in asked:
                self._add("acts", _at(channels, pixels), present)
        if np.any(self.se_ratio):
            weights, acts = self._squeezes(stage)
            self._add("flops", weights, present)
            self._add("params", weights, present)
            self._add("acts", acts, present)

    def _weights(self, stage: _Stage) -> _Share:
        """Weights of all convolutions of a stage."""
        c, w, v = stage.channels, stage.width, stage.inner
        later, joint = stage.depth - 1, c * w
        shortcut = _where(stage.project, joint)
        if self.block.bottleneck:
            first = v * (9 * stage.group_width + w)
            early = joint if v is w else c * v
            return _Share(early, first + later * (first + w * v) + shortcut)
        square = 9 * w * w
        n = self.block.n_convs
        return _Share(0, 9 * joint + (n - 1 + n * later) * square + shortcut)

    def _channels(self, stage: _Stage) -> _Share:
        """Output channels of all convolutions of a stage."""
        w, v = stage.width, stage.inner
        shortcut = _where(stage.project, w)
        if self.block.bottleneck:
            return _Share(v, stage.depth * (2 * v + w) - v + shortcut)
        return _Share(0, stage.depth * (self.block.n_convs * w) + shortcut)

    def _squeezes(self, stage: _Stage) -> tuple[Value, Value]:
        """Weights (with biases) and acts of the squeeze-and-excitations of a stage."""
        v, later = stage.inner, stage.depth - 1
        first, rest = self._squeeze(stage.channels), self._squeeze(stage.width)
        weights = _where(first > 0, 2 * v * first + first + v)
        weights = weights + later * _where(rest > 0, 2 * v * rest + rest + v)
        acts = _where(first > 0, first + v) + later * _where(rest > 0, rest + v)
        return weights, acts

    def _squeeze(self, channels: Value) -> Value:
        return np.rint(channels * self.se_ratio).astype(self.type)

    def _head(self) -> None:
        c, head, pixels = self.channels, self.head, self.size * self.size
        if not (isinstance(head, int) and head == 0):
            self._add("flops", c * head * pixels)
            self._add("params", c * head + 2 * head)
            self._add("acts", head * pixels)
            c = np.where(np.asarray(head) > 0, head, c)
        dense = c * self.classes + self.classes
        self._add("flops", dense)
        self._add("params", dense)
        self._add("acts", self.classes)


def _at(share: _Share, pixels: tuple[Value, Value]) -> Value:
    early, late = share
    if isinstance(early, int) and early == 0:
        return late * pixels[1]
    return early * pixels[0] + late * pixels[1]


def _where(condition: Value, value: Value, otherwise: Value = 0) -> Value:
    """Return the value where the condition holds, else the other."""
    if isinstance(condition, bool):
        return value if condition else otherwise
    return cast(Column, np.where(condition, value, otherwise))
