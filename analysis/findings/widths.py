"""Good models: widths on a quantised line (DDS section 3.3); wm, b, g and depth (section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...designspace.arrays import Floats, Ints
from ...designspace.widths.fitting import fit_quantised_batch
from ..bootstrap import good_range
from ..comparison import compare
from ..importance import rank_correlation
from ..intervals import Interval, difference, mean_interval, resampled
from ..ranges import column_of
from ..tables.groups import Group, make_groups
from .answers import FAILS, HOLDS, OPEN, Answer, above, ends

BEST = 0.2  # the share of a population that is called good
REPEATS = 2000
WM = 2.5  # DDS section 4


@dataclass(frozen=True, eq=False)
class Fits:
    """How near the widths of a population are to a quantised line.

    ``e_fit`` (n,) goes with ``errors`` (n,). ``correlation`` is Spearman's of the two, ``good``
    and ``rest`` the mean e_fit of the best fifth and of the others.
    """

    name: str
    e_fit: Floats
    errors: Floats
    correlation: Interval
    good: Interval
    rest: Interval


def block_widths(rows: pd.DataFrame) -> Ints:
    """Return the width of every block, (n, d), zeros where a network has fewer."""
    lists = [
        np.repeat(np.asarray(widths, np.int64), np.asarray(depths, np.int64))
        for widths, depths in zip(rows["stage_widths"], rows["stage_depths"], strict=True)
    ]
    found = np.zeros((len(lists), max(map(len, lists))), dtype=np.int64)
    for row, widths in zip(found, lists, strict=True):
        row[: len(widths)] = widths
    return found


def width_fits(groups: Sequence[Group]) -> tuple[Fits, ...]:
    """Return the fits of each population."""
    found: list[Fits] = []
    for group in groups:
        e_fit = fit_quantised_batch(block_widths(group.rows)).error
        errors = group.rows["error"].to_numpy(np.float64)
        order = np.argsort(errors, kind="stable")
        good = np.zeros(errors.size, dtype=np.bool_)
        good[order[: max(2, round(BEST * errors.size))]] = True
        found.append(
            Fits(
                group.name,
                e_fit,
                errors,
                rank_correlation(e_fit, errors),
                mean_interval(e_fit[good]),
                mean_interval(e_fit[~good]),
            )
        )
    return tuple(found)


def fit_answers(fits: Sequence[Fits]) -> list[Answer]:
    """Return what fits say: good models are near a line, and later rungs nearer on average."""
    answers: list[Answer] = []
    for one in fits:
        if one.name not in ("AnyNetX C", "AnyNetX D", "AnyNetX E"):
            continue
        less = difference(one.rest, one.good)
        answers.append(
            Answer(
                f"Good models of {one.name} have widths near a quantised line",
                above(one.correlation),
                f"Spearman's correlation of e_fit with the error is {one.correlation.value:.2f} "
                f"({ends(one.correlation)}); the mean e_fit of the best fifth is "
                f"{one.good.value:.3f} ({ends(one.good, 3)}), that of the others larger by "
                f"{less.value:.3f} ({ends(less, 3)}).",
            )
        )
    by_name = {one.name: mean_interval(one.e_fit) for one in fits}
    if {"AnyNetX C", "AnyNetX E"} <= by_name.keys():
        first, last = by_name["AnyNetX C"], by_name["AnyNetX E"]
        fall = difference(first, last)
        answers.append(
            Answer(
                "The mean e_fit falls from AnyNetX C to E",
                above(fall),
                f"It is {first.value:.3f} ({ends(first, 3)}) in C and {last.value:.3f} "
                f"({ends(last, 3)}) in E, a fall of {fall.value:.3f} ({ends(fall, 3)}).",
            )
        )
    return answers


def bottleneck_answer(group: Group) -> Answer:
    """Return whether models without a bottleneck (b = 1) are better than others."""
    b = column_of(group.rows, "bottleneck_ratio")
    rows = group.rows.assign(kind=np.where(b == 1, "b = 1", "b > 1"))
    parts = [(kind, pd.DataFrame(rows[rows["kind"] == kind])) for kind in ("b > 1", "b = 1")]
    one = compare(make_groups(parts), plan=False)[0]
    verdict = {"better": HOLDS, "worse": FAILS}.get(one.verdict, OPEN)
    best = best_interval(b, group.rows["error"].to_numpy(np.float64))
    return Answer(
        f"{group.name} without a bottleneck (b = 1) are better than others",
        verdict,
        f"The mean error of the {one.n_b} models with b = 1 differs by {one.mean.value:.2f} points "
        f"({ends(one.mean)}) from that of the {one.n_a} others, and a model of theirs has the "
        f"lower error in {100 * one.superiority.value:.0f}% of pairs "
        f"({ends(one.superiority, 0, 100)}%); the most likely best b is {best.value:g} "
        f"({ends(best, 0)} over resampled populations).",
    )


def wm_answer(group: Group) -> Answer:
    """Return whether the best width multiplier is near 2.5.

    It holds where the interval of the best value includes 2.5 and is shorter than half of the
    range of wm: an interval of the whole range includes every value.
    """
    wm, errors = column_of(group.rows, "wm"), group.rows["error"].to_numpy(np.float64)
    best, matters = best_interval(wm, errors), rank_correlation(wm, errors)
    found = good_range(wm, errors)
    short = best.high - best.low < np.ptp(wm) / 2
    verdict = OPEN if not short else HOLDS if best.low <= WM <= best.high else FAILS
    return Answer(
        f"The best {group.name} have wm near {WM}",
        verdict,
        f"The most likely best wm is {best.value:.2f} ({ends(best)} over resampled populations), "
        f"of {wm.min():.2f} to {wm.max():.2f} sampled; the best of {found.k} models has wm from "
        f"{found.low:.2f} to {found.high:.2f} in 95% of draws. Spearman's correlation of wm with "
        f"the error is {matters.value:.2f} ({ends(matters)}).",
    )


def depth_answer(group: Group) -> Answer:
    """Return whether errors fall with depth, as they do in DDS up to about 20 blocks."""
    depth, errors = column_of(group.rows, "depth"), group.rows["error"].to_numpy(np.float64)
    rho, best = rank_correlation(depth, errors), best_interval(depth, errors)
    return Answer(
        f"The error of {group.name} falls with depth (DDS: up to about 20 blocks)",
        above(Interval(-rho.value, -rho.high, -rho.low)),
        f"Spearman's correlation of depth with the error is {rho.value:.2f} ({ends(rho)}) over "
        f"{depth.min():.0f} to {depth.max():.0f} blocks; the most likely best depth is "
        f"{best.value:.0f} ({ends(best, 0)} over resampled populations).",
    )


def group_width_answer(group: Group) -> Answer:
    """Return whether models with g > 1 are better than depthwise ones (DDS section 3.2)."""
    g = column_of(group.rows, "group_width")
    rows = group.rows.assign(kind=np.where(g > 1, "g > 1", "g = 1"))
    parts = [(kind, pd.DataFrame(rows[rows["kind"] == kind])) for kind in ("g = 1", "g > 1")]
    one = compare(make_groups(parts), plan=False)[0]
    return Answer(
        f"{group.name} with g > 1 are better than depthwise ones",
        {"better": HOLDS, "worse": FAILS}.get(one.verdict, OPEN),
        f"The mean error of the {one.n_b} models with g > 1 differs by {one.mean.value:.2f} points "
        f"({ends(one.mean)}) from that of the {one.n_a} depthwise ones.",
    )


def best_interval(x: Floats, errors: Floats, *, rng: int = 0) -> Interval:
    """Return the most likely best value with the central 95% of it over resampled populations."""
    generator = np.random.default_rng(rng)
    n = errors.size
    found = np.empty(REPEATS)
    for i in range(REPEATS):
        rows = generator.integers(n, size=n)
        found[i] = good_range(x[rows], errors[rows]).best
    return resampled(good_range(x, errors).best, found)
