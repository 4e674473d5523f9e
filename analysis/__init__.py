"""Tables of results in, numbers and pictures out. Never imports keras, regnet or search.

Names are imported when they are first used, so that neither pandas nor matplotlib loads before
it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazily

if TYPE_CHECKING:
    from .bootstrap import GoodRange, best_probability, good_range, good_range_sampled
    from .distribution import EDF, KS, edf, ks
    from .groups import Group, make_groups, summary
    from .metrics import METRICS, Metric, metric
    from .plots import draw_edf, draw_edfs, draw_range, edf_figure, ranges_figure
    from .ranges import ParameterRange, parameter_ranges
    from .style import figure_style, save_figure
    from .table import learning_curves, load_table, usable

_HOMES = {
    "bootstrap": ("GoodRange", "best_probability", "good_range", "good_range_sampled"),
    "distribution": ("EDF", "KS", "edf", "ks"),
    "groups": ("Group", "make_groups", "summary"),
    "metrics": ("METRICS", "Metric", "metric"),
    "plots": ("draw_edf", "draw_edfs", "draw_range", "edf_figure", "ranges_figure"),
    "ranges": ("ParameterRange", "parameter_ranges"),
    "style": ("figure_style", "save_figure"),
    "table": ("learning_curves", "load_table", "usable"),
}

__all__ = [
    "EDF",
    "KS",
    "METRICS",
    "GoodRange",
    "Metric",
    "Group",
    "ParameterRange",
    "best_probability",
    "draw_edf",
    "draw_edfs",
    "draw_range",
    "edf",
    "edf_figure",
    "figure_style",
    "good_range",
    "good_range_sampled",
    "ks",
    "learning_curves",
    "load_table",
    "make_groups",
    "metric",
    "parameter_ranges",
    "ranges_figure",
    "save_figure",
    "summary",
    "usable",
]


__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
