"""Widths of the best models block by block, with the quantised line (DDS figures 9 and 10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullFormatter

from ...designspace.arrays import Floats
from ...designspace.linear import RegNetParams, quantise
from ..style import BLACK, BLUE, VERMILLION

SHOWN = 6


@dataclass(frozen=True, eq=False)
class BlockWidths:
    """One network's widths by block, and the quantised line: its own, or the nearest.

    ``fit_error`` is e_fit of DDS section 3.3; 0 for a network's own line.
    """

    title: str
    error: float
    widths: Floats
    line: Floats
    quantised: Floats
    fit_error: float
    own: bool


def best_block_widths(rows: pd.DataFrame, shown: int = SHOWN) -> tuple[BlockWidths, ...]:
    """Return the widths of the models of least error, the best first.

    Raises
    ------
    ValueError
        If the rows have neither ``stage_widths`` with ``stage_depths`` nor RegNet parameters.
    """
    found: list[BlockWidths] = []
    order = np.argsort(rows["error"].to_numpy(np.float64), kind="stable")
    for place in order:
        made = block_widths_of_row(rows.iloc[place])
        if made is not None:
            found.append(made)
        if len(found) == shown:
            break
    if not found:
        raise ValueError(
            "no row tells its widths: stage_widths and stage_depths, or depth, w0, wa, wm"
        )
    return tuple(found)


def block_widths_of_row(row: Any) -> BlockWidths | None:
    """Return the widths of a row of a table, or None if it does not tell them."""
    params = regnet_of_row(row)
    stages = row.get("stage_widths"), row.get("stage_depths")
    if all(isinstance(s, tuple | list) for s in stages) and len(stages[0]) == len(stages[1]):
        widths = np.repeat(np.array(stages[0], np.float64), stages[1])
    elif params is not None:
        widths = np.array(quantise(params), np.float64)
    else:
        return None
    title, error = title_of_row(row), float(row["error"])
    if params is not None and params.depth == widths.size:
        line = params.w0 + params.wa * np.arange(params.depth, dtype=np.float64)
        steps = np.array(quantise(params), np.float64)
        return BlockWidths(title, error, widths, line, steps, 0.0, True)
    if widths.size < 2:
        return BlockWidths(title, error, widths, widths, widths, 0.0, False)
    from ...designspace.widths.fitting import fit_quantised

    fit = fit_quantised(widths.tolist())
    line = fit.w0 + fit.wa * np.arange(widths.size, dtype=np.float64)
    return BlockWidths(title, error, widths, line, np.array(fit.widths), fit.error, False)


def regnet_of_row(row: Any) -> RegNetParams | None:
    """Return the RegNet parameters of a row, or None."""
    values = [row.get(key) for key in ("depth", "w0", "wa", "wm")]
    if any(v is None or v != v for v in values):
        return None
    group, ratio = row.get("group_width"), row.get("bottleneck_ratio")
    try:
        return RegNetParams(
            depth=int(values[0]),
            w0=int(values[1]),
            wa=float(values[2]),
            wm=float(values[3]),
            group_width=8 if group is None or group != group else int(group),
            bottleneck_ratio=1.0 if ratio is None or ratio != ratio else float(ratio),
        )
    except ValueError:
        return None


def title_of_row(row: Any) -> str:
    """Return what a row is called: its name, or its trial or index."""
    name = row.get("name")
    if isinstance(name, str) and name:
        return name
    for key in ("trial", "index"):
        value = row.get(key)
        if value is not None and value == value:
            return f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}"
    return f"row {row.name}"


def draw_block_widths(axes: Axes, record: BlockWidths) -> Axes:
    """Draw the width of every block, and the line with its quantised steps, on a log axis."""
    j = np.arange(record.widths.size)
    axes.plot(j, record.line, color=BLACK, linewidth=0.9, label="line $w_0 + w_a j$")
    edges = np.append(j, j.size) - 0.5
    axes.stairs(
        record.quantised,
        edges,
        baseline=None,
        color=BLUE,
        linewidth=1.4,
        linestyle=(0, (5, 1.5)),
        label="quantised line",
    )
    axes.plot(
        j,
        record.widths,
        color=VERMILLION,
        linestyle="",
        marker="o",
        ms=3.2,
        markerfacecolor="white",
        label="width of a block",
    )
    axes.set_yscale("log")
    low = float(min(record.widths.min(), record.quantised.min()))
    high = float(max(record.widths.max(), record.quantised.max()))
    axes.set_ylim(low / 1.25, high * 1.25)
    ticks = [t for t in 2.0 ** np.arange(2, 14) if low / 1.25 <= t <= high * 1.25]
    axes.set_yticks(ticks if len(ticks) > 1 else [low])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    fit = "" if record.own else f", fit {record.fit_error:.3f}"
    name = record.title if len(record.title) <= 22 else f"{record.title[:21]}…"
    axes.set_title(f"{name}: {record.error:.2f}%{fit}", pad=3)
    return axes
