"""Widths that agree with group widths and bottleneck ratios (DDS appendix D).

Per stage, with m = 1 / b: ``v = int(max(1, w m))``, ``g <- min(g, v)``,
``u = lcm(g, m)`` if m > 1 else ``g``, ``v <- max(u, round(v / u) u)``, ``w <- int(v / m)``.
Rounding is ties to even, as in pycls ``adjust_block_compatibility``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .arrays import Column, Floats, Ints, Reals
from .blocks import BLOCKS, BOTTLENECKS, GROUPED
from .spec import LARGEST, bottleneck_multiplier

CHUNK = 16384  # rows adjusted at a time: what is in use fits the cache


def as_block_has(block: str, group_width: int, bottleneck_ratio: float) -> tuple[int, float]:
    """Return the group width and bottleneck ratio as they act in a block.

    In one without groups the group is as wide as it can be; one without a bottleneck has the
    ratio 1.
    """
    known = block in BLOCKS
    return (
        LARGEST if known and block not in GROUPED else group_width,
        1.0 if known and block not in BOTTLENECKS else bottleneck_ratio,
    )


def as_blocks_have(
    blocks: Column, group_widths: Ints, bottleneck_ratios: Floats
) -> tuple[Ints, Floats]:
    """Return what ``as_block_has`` does for many networks, all of shape (n,)."""
    kinds = blocks[:1] if blocks.strides[0] == 0 else blocks
    grouped, bottleneck = np.isin(kinds, GROUPED), np.isin(kinds, BOTTLENECKS)
    if not grouped.all():
        group_widths = np.where(grouped, group_widths, LARGEST)
    if not bottleneck.all():
        bottleneck_ratios = np.where(bottleneck, bottleneck_ratios, 1.0)
    return group_widths, bottleneck_ratios


def make_compatible(width: int, group_width: int, bottleneck_ratio: float) -> tuple[int, int]:
    """Return the width and group width of one stage after adjustment.

    Parameters
    ----------
    width, group_width
        Positive channel counts as drawn.
    bottleneck_ratio
        DDS's b; below 1 it must be 1 / integer.
    """
    m = bottleneck_multiplier(bottleneck_ratio)
    inner = int(max(1, width * m))
    group = min(group_width, inner)
    unit = math.lcm(group, int(m)) if m > 1 else group
    inner = max(unit, round(inner / unit) * unit)
    return int(inner / m), group


def make_compatible_batch(
    widths: Reals, group_widths: Reals, bottleneck_ratios: Floats, kind: Any = np.int64
) -> tuple[Any, Any]:
    """Adjust many stages at once; entries of width 0 (absent stages) stay 0.

    The three arrays broadcast together; the bottleneck ratios must already be valid. Rows are
    adjusted in chunks, so that nothing but the result grows with their number. The results are
    whole numbers of the type ``kind``.
    """
    w, g, b = np.broadcast_arrays(widths, group_widths, bottleneck_ratios)
    # stage by stage in memory, as the complexities read them
    out = np.empty(w.shape[::-1], dtype=kind).T, np.empty(w.shape[::-1], dtype=kind).T
    for start in range(0, len(w), CHUNK):
        rows = slice(start, start + CHUNK)
        out[0][rows], out[1][rows] = _adjust(w[rows], g[rows], b[rows])
    return out


def _adjust(widths: Reals, group_widths: Reals, bottleneck_ratios: Floats) -> tuple[Reals, Reals]:
    present = widths > 0
    shared = bottleneck_ratios.strides[-1] == 0
    ratios = bottleneck_ratios[..., :1] if shared else bottleneck_ratios
    if (ratios == 1).all():  # the usual case, in float64: exact, and vectorised
        wide = np.maximum(1.0, widths)
        narrow = np.minimum(group_widths, wide)
        wide /= narrow
        np.rint(wide, out=wide)
        wide *= narrow
        return (wide, narrow) if present.all() else (wide * present, narrow * present)
    m = 1.0 / bottleneck_ratios
    m = np.where(m > 1, np.rint(m), m)
    inner = np.maximum(1, (widths * m).astype(np.int64))
    group = np.minimum(group_widths.astype(np.int64), inner)
    unit = np.where(m > 1, np.lcm(group, np.maximum(1, m.astype(np.int64))), group)
    inner = np.maximum(unit, np.rint(inner / unit).astype(np.int64) * unit)
    return (inner / m).astype(np.int64) * present, group * present
