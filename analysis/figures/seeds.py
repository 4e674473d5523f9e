"""Errors of networks trained with several seeds, beside the spread over models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ..metrics import METRICS
from ..noise import Noise, Repeated
from ..style import MANY, MARKERS, legend_above, line_style, short_name


def draw_seed_noise(axes: Axes, records: Mapping[str, tuple[Noise, Sequence[Repeated]]]) -> Axes:
    """Draw the errors of each repeated network above its rank by mean error."""
    means = np.concatenate(
        [[one.errors.mean() for one in repeated] for _, repeated in records.values()]
    )
    rank = np.empty(means.size, dtype=np.int64)
    rank[np.argsort(means, kind="stable")] = np.arange(1, means.size + 1)
    start = 0
    for i, (name, (found, repeated)) in enumerate(records.items()):
        at = rank[start : start + len(repeated)]
        start += len(repeated)
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
            rasterized=x.size > MANY,
            label=f"{short_name(name)}  [{found.over_models:.2f} | {found.over_seeds:.2f} |"
            f" {found.ratio:.1f}]",
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("networks of several seeds, by their mean error (rank)")
    axes.set_ylabel(f"{METRICS['error'].label} ({METRICS['error'].unit})")
    legend_above(axes, "population  [sd over models | sd over seeds | ratio]")
    return axes
