"""Random-search efficiency, and how many models tell spaces apart (NDS figures 6 and 7)."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from ..efficiency import SearchCurve
from ..metrics import METRICS
from ..planning import KSCurve
from ..style import BLACK, BLUE, MARKERS, MOST_BANDS, legend_above, line_style, short_name

BAND = (2**7, 2**10)  # the sizes that nds recommends
_MOST_TICKS = 7


def draw_search(axes: Axes, records: Mapping[str, SearchCurve]) -> Axes:
    """Draw the mean error of the best of m models, of a few populations with a band.

    The band holds most searches; those of many would hide each other.
    """
    banded = len(records) <= MOST_BANDS
    for i, (name, record) in enumerate(records.items()):
        style = line_style(i)
        label = f"{short_name(name)}  [n = {record.n:,}]"
        axes.plot(
            record.sizes,
            record.mean,
            marker=MARKERS[i % len(MARKERS)],
            ms=3.5,
            label=label,
            **style,
        )
        if banded:
            axes.fill_between(
                record.sizes, record.low, record.high, color=style["color"], alpha=0.15, linewidth=0
            )
    _scale_by_powers_of_two(axes)
    axes.set_xlabel("models a search draws")
    axes.set_ylabel(f"{METRICS['error'].label} of the best (%)")
    confidence = next(iter(records.values())).confidence
    legend_above(axes, f"mean; band: {100 * confidence:g}% of searches" if banded else "mean")
    return axes


def draw_ks_curve(axes: Axes, records: Mapping[str, KSCurve]) -> Axes:
    """Draw the KS distance of samples of m models, and what theory expects of it."""
    for i, (name, record) in enumerate(records.items()):
        axes.plot(
            record.sizes,
            record.mean,
            marker=MARKERS[i % len(MARKERS)],
            ms=3.5,
            label=f"{short_name(name)}  [n = {record.n:,}]",
            **line_style(i),
        )
    longest = max(records.values(), key=lambda r: r.sizes[-1])
    axes.plot(
        longest.sizes,
        longest.expected,
        color=BLACK,
        linewidth=0.9,
        linestyle=(0, (1, 1.5)),
        label="a sample of any space, n unlimited",
    )
    low, high = BAND[0], min(BAND[1], float(longest.sizes[-1]))
    if high > low:
        axes.axvspan(low, high, color=BLUE, alpha=0.1, linewidth=0)
    _scale_by_powers_of_two(axes)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("models in a sample")
    axes.set_ylabel("KS distance $D$ to the population")
    legend_above(axes, f"mean of {longest.trials} samples")
    return axes


def _scale_by_powers_of_two(axes: Axes) -> None:
    """Scale the horizontal axis; the labels of millions do not touch."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(LogLocator(2, numticks=_MOST_TICKS))
    axes.xaxis.set_major_formatter("{x:,.0f}")
