"""Errors of networks trained with several seeds, beside the spread over models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ..metrics import METRICS
from ..noise import Noise, Repeated, together
from ..style import MARKERS, legend_above, line_style, short_name

MOST_NETWORKS = 2_000


def draw_seed_noise(axes: Axes, records: Mapping[str, tuple[Noise, Sequence[Repeated]]]) -> Axes:
    """Draw the errors of each repeated network above its rank by mean error.

    Of more than `MOST_NETWORKS` that many are drawn, at even ranks.
    """
    means = together([one.errors for _, repeated in records.values() for one in repeated])[2]
    rank = np.empty(means.size, dtype=np.int64)
    rank[np.argsort(means, kind="stable")] = np.arange(1, means.size + 1)
    drawn = np.zeros(means.size + 1, dtype=np.bool_)
    shown = min(means.size, MOST_NETWORKS)
    drawn[np.linspace(1, means.size, shown).round().astype(np.int64)] = True
    start = 0
    for i, (name, (found, every)) in enumerate(records.items()):
        at = rank[start : start + len(every)]
        start += len(every)
        repeated = [every[k] for k in np.flatnonzero(drawn[at]).tolist()]
        at = at[drawn[at]]
        colour = line_style(i)["color"]
        low = [one.errors.min() for one in repeated]
        high = [one.errors.max() for one in repeated]
        axes.vlines(at, low, high, color=colour, linewidth=1.1, alpha=0.7, zorder=2)
        x = np.repeat(at, [one.errors.size for one in repeated])
        axes.plot(
            x,
            np.concatenate([one.errors for one in repeated]),
            linestyle="",
            marker=MARKERS[i % len(MARKERS)],
            ms=3.5,
            color=colour,
            markeredgecolor="white",
            markeredgewidth=0.3,
            zorder=3,
            label=f"{short_name(name)}  [{found.over_models:.2f} | {found.over_seeds:.2f} |"
            f" {found.ratio:.1f}]",
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("networks of several seeds, by their mean error (rank)")
    axes.set_ylabel(f"{METRICS['error'].label} ({METRICS['error'].unit})")
    legend_above(axes, "population  [sd over models | sd over seeds | ratio]")
    return axes
