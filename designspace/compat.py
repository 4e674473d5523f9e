"""Widths that agree with group widths and bottleneck ratios (DDS appendix D).

Per stage, with m = 1 / b: ``v = int(max(1, w m))``, ``g <- min(g, v)``,
``u = lcm(g, m)`` if m > 1 else ``g``, ``v <- max(u, round(v / u) u)``, ``w <- int(v / m)``.
Rounding is ties to even, as in pycls ``adjust_block_compatibility``.
"""

from __future__ import annotations

import math

import numpy as np

from .arrays import Floats, Ints
from .spec import bottleneck_multiplier


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
    widths: Ints, group_widths: Ints, bottleneck_ratios: Floats
) -> tuple[Ints, Ints]:
    """Adjust many stages at once; entries of width 0 (absent stages) stay 0.

    The three arrays broadcast together; the bottleneck ratios must already be valid.
    """
    m = 1.0 / bottleneck_ratios
    m = np.where(m > 1, np.rint(m), m)
    inner = np.maximum(1, (widths * m).astype(np.int64))
    group = np.minimum(group_widths, inner)
    unit = np.where(m > 1, np.lcm(group, np.maximum(1, m.astype(np.int64))), group)
    inner = np.maximum(unit, np.rint(inner / unit).astype(np.int64) * unit)
    present = widths > 0
    return np.where(present, (inner / m).astype(np.int64), 0), np.where(present, group, 0)
