"""The stages that other libraries make of RegNet parameters.

All of them quantise as DDS section 3.3 does, timm and torchvision in float32, ClassyVision in
float64. Their compatibility with the group width (DDS appendix D) is their own: timm and
ClassyVision round the inner width to the group width alone, also where 1 / b is not 1;
torchvision rounds halves up, and adds a group where that takes more than a tenth away.
Sources: timm 1.0 ``models/regnet.py``, torchvision 0.29 ``models/regnet.py`` and
``models/_utils.py``, ClassyVision ``models/regnet.py``. pycls does as ``linear`` and ``compat``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..linear import WIDTH_STEP, RegNetParams, stages_of
from ..spec import bottleneck_multiplier

StageTuple = tuple[int, int, int]  # depth, width, group width
SMALLEST_SHARE = 0.9  # torchvision: of a width that rounding must leave


def timm_stages(params: RegNetParams) -> tuple[StageTuple, ...]:
    """Return (depth, width, group width) of the stages that timm makes."""
    return _stages(params, np.float32, _nearest)


def classyvision_stages(params: RegNetParams) -> tuple[StageTuple, ...]:
    """Return (depth, width, group width) of the stages that ClassyVision makes."""
    return _stages(params, np.float64, _nearest)


def torchvision_stages(params: RegNetParams) -> tuple[StageTuple, ...]:
    """Return (depth, width, group width) of the stages that torchvision makes."""
    return _stages(params, np.float32, _nearest_but_not_far_below)


def _stages(
    params: RegNetParams, precision: type[np.floating], rounded: Callable[[int, int], int]
) -> tuple[StageTuple, ...]:
    m = bottleneck_multiplier(params.bottleneck_ratio)
    widths, depths = stages_of(_block_widths(params, precision))
    made: list[StageTuple] = []
    for width, depth in zip(widths, depths, strict=True):
        inner = int(width * m)
        group = min(params.group_width, inner)
        # no group fits an inner width of 0; the libraries divide by zero there
        adjusted = int(rounded(inner, group) / m) if group else 0
        made.append((depth, adjusted, group))
    return tuple(made)


def _block_widths(params: RegNetParams, precision: type[np.floating]) -> tuple[int, ...]:
    w0, wa, wm = (precision(value) for value in (params.w0, params.wa, params.wm))
    u = np.arange(params.depth, dtype=precision) * wa + w0
    s = np.rint(np.log(u / w0) / precision(math.log(params.wm)))
    widths = np.rint(w0 * np.power(wm, s) / precision(WIDTH_STEP)) * WIDTH_STEP
    return tuple(int(width) for width in widths)


def _nearest(inner: int, group: int) -> int:
    return round(inner / group) * group


def _nearest_but_not_far_below(inner: int, group: int) -> int:
    near = max(group, int(inner + group / 2) // group * group)
    return near + group if near < SMALLEST_SHARE * inner else near
