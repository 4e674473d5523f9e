"""Error against complexity: buckets (NDS figure 15) and the Pareto front (DDS figures 11, 15)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from ...designspace.arrays import Bools, Floats
from ..buckets import Buckets, pareto_front
from ..metrics import METRICS, axis_for
from ..style import (
    CROWD,
    MARKERS,
    MOST_BANDS,
    label_axis,
    legend_above,
    line_style,
    scatter,
    short_name,
)


@dataclass(frozen=True, eq=False)
class Front:
    """A population's complexity and errors, and which models nothing dominates."""

    name: str
    x: Floats
    errors: Floats
    front: Bools

    @classmethod
    def of(cls, name: str, x: Floats, errors: Floats) -> Front:
        """Return the front of a complexity called ``name``."""
        return cls(name, x, errors, pareto_front(x, errors))


def draw_front(axes: Axes, records: Mapping[str, Front]) -> Axes:
    """Draw every model, and the front of each population as steps."""
    every = np.concatenate([record.x for record in records.values()])
    axis = axis_for(next(iter(records.values())).name, every)
    crowd = every.size > CROWD  # clouds of several colours would hide each other
    if crowd:
        errors = np.concatenate([record.errors for record in records.values()])
        scatter(axes, every / axis.divisor, errors, scale=axis.scale)
    for i, (name, record) in enumerate(records.items()):
        style = line_style(i)
        x = record.x / axis.divisor
        if not crowd:
            marker = MARKERS[i % len(MARKERS)]
            scatter(axes, x, record.errors, color=style["color"], marker=marker)
        order = np.lexsort((record.errors[record.front], x[record.front]))
        label = f"{short_name(name)}  [{record.front.sum()} of {record.x.size:,} on the front]"
        fx, fe = x[record.front][order], record.errors[record.front][order]
        axes.step(fx, fe, where="post", label=label, **style)
    label_axis(axes, "x", axis)
    axes.set_ylabel(f"{METRICS['error'].label} ({METRICS['error'].unit})")
    legend_above(axes, "lines: no model has less of both")
    return axes


def draw_buckets(axes: Axes, name: str, records: Mapping[str, Buckets]) -> Axes:
    """Draw the mean error by bucket of a complexity, of a few populations with a band of 2 sd."""
    banded = len(records) <= MOST_BANDS
    axis = axis_for(name, np.concatenate([r.centre for r in records.values()]))
    for i, (population, record) in enumerate(records.items()):
        style = line_style(i)
        # All buckets: neither line nor band passes over one without models.
        x = record.low + (np.arange(record.of) + 0.5) * (record.high - record.low) / record.of
        x /= axis.divisor
        mean, sd = np.full((2, record.of), np.nan)
        mean[record.index] = record.mean
        sd[record.index] = np.where(record.n > 1, record.sd, np.nan)
        axes.plot(
            x,
            mean,
            marker=MARKERS[i % len(MARKERS)],
            ms=3.5,
            label=f"{short_name(population)}  [n = {record.n.sum():,}]",
            **style,
        )
        if banded:
            axes.fill_between(
                x, mean - 2 * sd, mean + 2 * sd, color=style["color"], alpha=0.15, linewidth=0
            )
    if axes.get_ylim()[0] < 0:
        axes.set_ylim(bottom=0)  # a band may reach below, no error does
    axes.set_xlabel(axis.label)
    axes.set_ylabel(f"{METRICS['error'].label} ({METRICS['error'].unit})")
    legend_above(axes, f"mean of a bucket{'; band: 2 standard deviations' if banded else ''}")
    return axes
