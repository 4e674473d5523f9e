"""Tables of results in, numbers and pictures out. Never imports keras, regnet or search.

Names are imported when they are first used, so that neither pandas nor matplotlib loads before
it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazily

if TYPE_CHECKING:
    from .bands import Band, band
    from .bootstrap import GoodRange, best_probability, good_range, good_range_sampled
    from .buckets import Buckets, make_buckets, pareto_front
    from .comparison import Comparison, compare, sentence
    from .distribution import EDF, KS, edf, ks
    from .efficiency import SearchCurve, search_curve
    from .examples import load_example
    from .figures.complexity import Front, draw_buckets, draw_front
    from .figures.forest import comparison_figure, draw_differences
    from .figures.heat_map import draw_correlations
    from .figures.kinds import KINDS, draw_kind
    from .figures.networks import BlockWidths, best_block_widths, draw_block_widths
    from .figures.page import Options, Page
    from .figures.parameters import (
        RankMap,
        Trend,
        draw_importance,
        draw_rank_map,
        draw_trend,
        rank_map,
    )
    from .figures.searches import draw_ks_curve, draw_search
    from .figures.seeds import draw_seed_noise
    from .figures.spread import LetterValues, draw_spread
    from .figures.training import Curves, best_and_worst, draw_curves
    from .importance import Importance, importances, rank_correlation
    from .intervals import Interval, difference, expected_best, mean_interval, median_interval
    from .matching import Matching, match
    from .metrics import METRICS, Metric, metric
    from .noise import Noise, Repeated
    from .planning import KSCurve, ks_curve, models_for_band, models_to_tell_apart
    from .plots import draw_edf, draw_edfs, draw_range, edf_figure, ranges_figure
    from .ranges import ParameterRange, parameter_ranges
    from .rank_correlations import Correlations, correlations
    from .refinement import Refinement, Step, refine
    from .reporting.document import render_report, write_report
    from .reporting.provenance import facts_of_source
    from .style import figure_style, save_figure
    from .tables.groups import Group, make_groups, match_groups, summary
    from .tables.table import learning_curves, load_table, usable
    from .two_samples import (
        AndersonDarling,
        Dominance,
        anderson_darling,
        dominance,
        superiority,
        weighted_ks,
    )

_HOMES = {
    "bands": ("Band", "band"),
    "bootstrap": ("GoodRange", "best_probability", "good_range", "good_range_sampled"),
    "buckets": ("Buckets", "make_buckets", "pareto_front"),
    "comparison": ("Comparison", "compare", "sentence"),
    "distribution": ("EDF", "KS", "edf", "ks"),
    "efficiency": ("SearchCurve", "search_curve"),
    "examples": ("load_example",),
    "figures.complexity": ("Front", "draw_buckets", "draw_front"),
    "figures.forest": ("comparison_figure", "draw_differences"),
    "figures.heat_map": ("draw_correlations",),
    "figures.kinds": ("KINDS", "draw_kind"),
    "figures.networks": ("BlockWidths", "best_block_widths", "draw_block_widths"),
    "figures.page": ("Options", "Page"),
    "figures.parameters": (
        "RankMap",
        "Trend",
        "draw_importance",
        "draw_rank_map",
        "draw_trend",
        "rank_map",
    ),
    "figures.searches": ("draw_ks_curve", "draw_search"),
    "figures.seeds": ("draw_seed_noise",),
    "figures.spread": ("LetterValues", "draw_spread"),
    "figures.training": ("Curves", "best_and_worst", "draw_curves"),
    "tables.groups": ("Group", "make_groups", "match_groups", "summary"),
    "importance": ("Importance", "importances", "rank_correlation"),
    "intervals": ("Interval", "difference", "expected_best", "mean_interval", "median_interval"),
    "matching": ("Matching", "match"),
    "metrics": ("METRICS", "Metric", "metric"),
    "noise": ("Noise", "Repeated"),
    "planning": ("KSCurve", "ks_curve", "models_for_band", "models_to_tell_apart"),
    "plots": ("draw_edf", "draw_edfs", "draw_range", "edf_figure", "ranges_figure"),
    "ranges": ("ParameterRange", "parameter_ranges"),
    "rank_correlations": ("Correlations", "correlations"),
    "refinement": ("Refinement", "Step", "refine"),
    "reporting.document": ("render_report", "write_report"),
    "reporting.provenance": ("facts_of_source",),
    "style": ("figure_style", "save_figure"),
    "tables.table": ("learning_curves", "load_table", "usable"),
    "two_samples": (
        "AndersonDarling",
        "Dominance",
        "anderson_darling",
        "dominance",
        "superiority",
        "weighted_ks",
    ),
}

__all__ = [
    "anderson_darling",
    "AndersonDarling",
    "Band",
    "band",
    "best_and_worst",
    "best_block_widths",
    "best_probability",
    "BlockWidths",
    "Buckets",
    "compare",
    "Comparison",
    "comparison_figure",
    "correlations",
    "Correlations",
    "Curves",
    "difference",
    "Dominance",
    "dominance",
    "draw_block_widths",
    "draw_buckets",
    "draw_correlations",
    "draw_curves",
    "draw_differences",
    "draw_edf",
    "draw_edfs",
    "draw_front",
    "draw_importance",
    "draw_kind",
    "draw_ks_curve",
    "draw_range",
    "draw_rank_map",
    "draw_search",
    "draw_seed_noise",
    "draw_spread",
    "draw_trend",
    "EDF",
    "edf",
    "edf_figure",
    "expected_best",
    "facts_of_source",
    "figure_style",
    "Front",
    "good_range",
    "good_range_sampled",
    "GoodRange",
    "Group",
    "Importance",
    "importances",
    "Interval",
    "KINDS",
    "KS",
    "ks",
    "ks_curve",
    "KSCurve",
    "learning_curves",
    "LetterValues",
    "load_example",
    "load_table",
    "make_buckets",
    "make_groups",
    "match",
    "match_groups",
    "Matching",
    "mean_interval",
    "median_interval",
    "Metric",
    "metric",
    "METRICS",
    "models_for_band",
    "models_to_tell_apart",
    "Noise",
    "Options",
    "Page",
    "parameter_ranges",
    "ParameterRange",
    "pareto_front",
    "ranges_figure",
    "rank_correlation",
    "rank_map",
    "RankMap",
    "refine",
    "Refinement",
    "render_report",
    "Repeated",
    "save_figure",
    "search_curve",
    "SearchCurve",
    "sentence",
    "Step",
    "summary",
    "superiority",
    "Trend",
    "usable",
    "weighted_ks",
    "write_report",
]


__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
