"""Learning curves of the best and worst models of a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ...designspace.arrays import Floats
from ..metrics import METRICS
from ..style import BLUE, GREY, VERMILLION, legend_above

SHOWN = 5


@dataclass(frozen=True, eq=False)
class Curves:
    """Errors by epoch of some models: those of least, and of largest last error.

    ``others`` hold all the rest; a curve is a pair of arrays, epochs (from 1) and errors.
    """

    best: tuple[tuple[Floats, Floats], ...]
    worst: tuple[tuple[Floats, Floats], ...]
    others: tuple[tuple[Floats, Floats], ...]

    @property
    def n(self) -> int:
        """The number of models."""
        return len(self.best) + len(self.worst) + len(self.others)


def best_and_worst(curves: pd.DataFrame, shown: int = SHOWN, source: str = "the table") -> Curves:
    """Return the curves of completed models, from `table.learning_curves` of ``source``.

    Raises
    ------
    ValueError
        If no completed model has a curve.
    """
    done: Any = curves[curves["status"].isin(["complete", "diverged"])]
    found = [
        (rows["epoch"].to_numpy(np.float64), rows["error"].to_numpy(np.float64))
        for _, rows in done.groupby("trial", sort=True)
    ]
    found = [(epochs, errors) for epochs, errors in found if np.isfinite(errors).all()]
    if not found:
        raise ValueError(f"{source} has no completed model with an error by epoch: nothing to draw")
    found.sort(key=lambda curve: float(curve[1][-1]))
    k = min(shown, max(1, len(found) // 2))
    worst = found[max(k, len(found) - k) :]
    return Curves(tuple(found[:k]), tuple(worst), tuple(found[k : len(found) - len(worst)]))


def draw_curves(axes: Axes, record: Curves) -> Axes:
    """Draw the curves of the best (solid) and the worst (dashed) over those of the others."""
    kinds = (
        (record.others, GREY, "-", 0.5, f"the {len(record.others)} others"),
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
                label=label if i == 0 else None,
            )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"{METRICS['error'].label} ({METRICS['error'].unit})")
    legend_above(axes, f"{record.n} models, by their last error", columns=3)
    return axes
