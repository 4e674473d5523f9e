"""Complexity of many networks at once: the twin of ``cost.complexity`` over arrays.

Rows are counted in chunks that fit the cache. Every number is an integer, held in float64,
which is faster than int64 and exact while they stay below 2**53; a chunk whose totals exceed
half of this is counted again in int64.
"""

from __future__ import annotations

import numpy as np

from .arrays import Bools, Column, Floats, Ints, Reals
from .blocks import BLOCK_FACTS, BLOCKS, STEM_FACTS, STEM_TYPES, Block
from .cost_fold import Fold, Kind, Rows
from .spec import require_choice, require_int

METRICS = ("flops", "params", "acts")
EXACT = 2.0**52  # float64 holds every integer up to twice this, and no part is larger than that
LIMIT = 2.0**63 * (1 - 1e-9)


def complexity_batch(
    *,
    stage_widths: Reals,
    stage_depths: Reals,
    stage_strides: Ints,
    stage_group_widths: Reals,
    stage_bottleneck_ratios: Floats,
    se_ratio: Floats,
    stem_width: Ints,
    head_width: Ints,
    resolution: Ints,
    classes: Ints,
    channels: int = 3,
    block: str | Column = "x",
    stem_type: str | Column = "simple",
    metrics: tuple[str, ...] = METRICS,
) -> tuple[Ints, ...]:
    """Return the asked metrics of n networks, each int64 of shape (n,), in the asked order.

    Equal to ``complexity`` row by row, for square inputs. Beside its results it needs memory
    for a chunk of rows only, if rows share block and stem.

    Parameters
    ----------
    stage_widths, stage_depths, stage_strides, stage_group_widths, stage_bottleneck_ratios
        Shape (n, s), in the form of ``Stage.of_block``, with depth 0 where a network has no
        such stage; whole numbers but for the ratios.
    se_ratio, stem_width, head_width, resolution, classes
        Shape (n,), valid values.
    channels
        Input channels, at least 1.
    block, stem_type
        Names, one for all rows or an array of shape (n,).
    metrics
        Some of ``flops``, ``params`` and ``acts``: the others are not computed.

    Raises
    ------
    ValueError
        If a metric is unknown, or a total exceeds the largest int64.
    """
    require_int("channels", channels)
    unknown = [name for name in metrics if name not in METRICS]
    if unknown:
        raise ValueError(f"metrics must be of {', '.join(METRICS)}, got {unknown[0]!r}")
    stages = (stage_widths, stage_depths, stage_strides, stage_group_widths)
    rows = Rows(
        (*stages, stage_bottleneck_ratios),
        (se_ratio, stem_width, head_width, resolution, classes),
        channels,
    )
    n = len(stage_widths)
    totals = {name: np.empty(n, dtype=np.int64) for name in metrics}
    for kind, which in _kinds(block, stem_type, n):
        if which is None:
            _count(rows, kind, totals)
            continue
        part = {name: np.empty(len(which), dtype=np.int64) for name in metrics}
        _count(rows.take(which), kind, part)
        for name, values in part.items():
            totals[name][which] = values
    return tuple(totals[name] for name in metrics)


def _kinds(block: str | Column, stem_type: str | Column, n: int) -> list[tuple[Kind, Ints | None]]:
    """Return the kinds of network that are counted differently and their rows; None means all."""
    rows: dict[Kind, list[Bools | None]] = {}
    for name, of_block in _groups(block, n):
        require_choice("block", name, BLOCKS)
        for stem, of_stem in _groups(stem_type, n):
            require_choice("stem_type", stem, STEM_TYPES)
            here = of_stem if of_block is None else of_block
            if of_block is not None and of_stem is not None:
                here = of_block & of_stem
            rows.setdefault((_counted_as(name), STEM_FACTS[stem]), []).append(here)
    if len(rows) == 1:
        return [(kind, None) for kind in rows]
    return [
        (kind, np.flatnonzero(np.logical_or.reduce([m for m in masks if m is not None])))
        for kind, masks in rows.items()
    ]


def _groups(names: str | Column, n: int) -> list[tuple[str, Bools | None]]:
    """Return each name and its rows; None means all."""
    if n == 0:
        return []
    if isinstance(names, str):
        return [(names, None)]
    first = str(names[0])
    if names.strides[0] == 0 or bool((names == first).all()):
        return [(first, None)]
    return [(str(name), names == name) for name in sorted(set(names.tolist()))]


def _counted_as(block: str) -> Block:
    """Return the facts of one of the blocks that are counted alike: X, Y and R are."""
    return BLOCK_FACTS["x" if block in ("y", "r") else block]


def _count(rows: Rows, kind: Kind, totals: dict[str, Ints]) -> None:
    for where, chunk in rows.chunks():
        counted = Fold(chunk, kind, tuple(totals), np.float64).totals()
        largest = max(float(np.max(values)) for values in counted.values())
        if largest >= LIMIT:
            raise ValueError(f"a network's complexity exceeds the largest int64: {largest:.3g}")
        if largest >= EXACT:
            counted = Fold(chunk, kind, tuple(totals), np.int64).totals()
        for name, values in counted.items():
            totals[name][where] = values
