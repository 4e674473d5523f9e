"""The widths of a RegNet step by step: line, levels, quantised and adjusted (DDS section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Floats, Ints
from ..linear import RegNetParams, levels, quantise
from ..spec import NetSpec


@dataclass(frozen=True)
class Explanation:
    """The widths of d blocks, all arrays of shape (d,).

    Attributes
    ----------
    parameters
        The RegNet parameters.
    line
        ``u_j = w0 + wa j`` (DDS equation 2).
    level
        ``s_j``, the line's level, rounded (equation 3).
    step
        ``w0 wm^{s_j}`` (equation 4), before rounding.
    quantised
        The step, rounded to a multiple of 8.
    adjusted
        The width that agrees with the group width (DDS appendix D): the network's.
    stage
        The stage of each block, from 1.
    group_width
        Channels of a group in each block.
    """

    parameters: RegNetParams
    line: Floats
    level: Ints
    step: Floats
    quantised: Ints
    adjusted: Ints
    stage: Ints
    group_width: Ints

    def columns(self) -> dict[str, list[float | int]]:
        """Return the table: a row a block, blocks counted from 0 as in DDS."""
        columns: dict[str, list[float | int]] = {"block": list(range(len(self.line)))}
        for name in COLUMNS:
            columns[name] = getattr(self, name).tolist()
        return columns


COLUMNS = ("stage", "line", "level", "step", "quantised", "adjusted", "group_width")


def explain(spec: NetSpec) -> Explanation:
    """Return the widths of a RegNet's blocks, from the line to the network.

    Raises
    ------
    ValueError
        If the network has no RegNet parameters (an AnyNet).
    """
    p = spec.parameters
    if p is None:
        raise ValueError("an AnyNet has no line to explain: expected depth, w0, wa and wm")
    depths = [stage.depth for stage in spec.stages]
    level = levels(p.depth, p.w0, p.wa, p.wm)
    return Explanation(
        parameters=p,
        line=p.w0 + p.wa * np.arange(p.depth, dtype=np.float64),
        level=level,
        step=p.w0 * np.power(p.wm, level),
        quantised=np.array(quantise(p), dtype=np.int64),
        adjusted=np.repeat([stage.width for stage in spec.stages], depths),
        stage=np.repeat(np.arange(1, len(depths) + 1), depths),
        group_width=np.repeat([stage.group_width for stage in spec.stages], depths),
    )
