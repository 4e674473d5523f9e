"""Learning curves of the best and worst models of a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ...designspace.arrays import Floats, Ints
from ..metrics import METRICS
from ..style import BLUE, GREY, VERMILLION, legend_above

SHOWN = 5
MOST = 1_000  # other curves
MOST_LINES = 300  # from which they are pixels in a vector file


@dataclass(frozen=True, eq=False)
class Curves:
    """Errors by epoch of some models: those of least, and of largest last error.

    ``others`` hold the rest, or `MOST` of them at even ranks; a curve is a pair of arrays, epochs
    (from 1) and errors. ``n`` counts all models.
    """

    best: tuple[tuple[Floats, Floats], ...]
    worst: tuple[tuple[Floats, Floats], ...]
    others: tuple[tuple[Floats, Floats], ...]
    n: int

    @property
    def said(self) -> str:
        """The others in words."""
        n = self.n - len(self.best) - len(self.worst)
        return f"{len(self.others):,} of the {n:,} others" if n > MOST else f"the {n:,} others"


def best_and_worst(curves: pd.DataFrame, shown: int = SHOWN, source: str = "the table") -> Curves:
    """Return the curves of completed models, from `table.learning_curves` of ``source``.

    Raises
    ------
    ValueError
        If no completed model has a curve.
    """
    done: Any = curves[curves["status"].isin(["complete", "diverged"])]
    trial, _ = pd.factorize(done["trial"], sort=True)
    order = np.argsort(trial, kind="stable")
    errors = done["error"].to_numpy(np.float64)[order]
    epochs = done["epoch"].to_numpy(np.float64)[order]
    starts = np.flatnonzero(np.diff(trial[order], prepend=-1))
    ends = np.append(starts[1:], errors.size)
    known = np.logical_and.reduceat(np.isfinite(errors), starts) if starts.size else starts > 0
    starts, ends = starts[known], ends[known]
    n = starts.size
    if not n:
        raise ValueError(f"{source} has no completed model with an error by epoch: nothing to draw")
    ranked = np.argsort(errors[ends - 1], kind="stable")
    k = min(shown, max(1, n // 2))
    last = max(k, n - k)
    between = ranked[k:last]
    if between.size > MOST:
        between = between[np.linspace(0, between.size - 1, MOST).round().astype(np.int64)]

    def curves_of(places: Ints) -> tuple[tuple[Floats, Floats], ...]:
        cut = [slice(starts[i], ends[i]) for i in places]
        return tuple((epochs[one], errors[one]) for one in cut)

    return Curves(curves_of(ranked[:k]), curves_of(ranked[last:]), curves_of(between), n)


def draw_curves(axes: Axes, record: Curves) -> Axes:
    """Draw the curves of the best (solid) and the worst (dashed) over those of the others."""
    kinds = (
        (record.others, GREY, "-", 0.5, record.said),
        (record.worst, VERMILLION, (0, (4, 1.5)), 1.3, f"the {len(record.worst)} worst"),
        (record.best, BLUE, "-", 1.5, f"the {len(record.best)} best"),
    )
    for curves, colour, dashes, width, label in kinds:
        for i, (epochs, errors) in enumerate(curves):
            axes.plot(
                epochs,
                errors,
                color=colour,
                linestyle=dashes,
                linewidth=width,
                alpha=min(1.0, max(0.1, 40 / len(curves))) if curves is record.others else 1.0,
                marker="o" if epochs.size == 1 else None,
                ms=3,
                rasterized=len(curves) > MOST_LINES,
                label=label if i == 0 else None,
            )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"{METRICS['error'].label} ({METRICS['error'].unit})")
    legend_above(axes, f"{record.n:,} models, by their last error", columns=3)
    legend: Any = axes.get_legend()
    for handle in legend.legend_handles:  # the faint curves would have a faint key
        handle.set_alpha(1)
    return axes
