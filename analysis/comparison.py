"""Whether one design space is better than another, by how much, and how surely.

Every pair of populations is compared in mean, median and the expected best of m, with 95%
intervals; by the KS and Anderson-Darling tests; by the probability that a model of one beats one
of the other; and by stochastic dominance. With weights (`matching.match`) all of it is at equal
complexity. p-values of the KS tests are corrected by Holm over the pairs.

Source of the approach: NDS sections 3 and 4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from ..designspace.arrays import Floats, Ints
from .distribution import EDF, KS, ks
from .importance import holm
from .intervals import (
    Interval,
    default_m,
    difference,
    expected_best,
    mean_interval,
    median_interval,
)
from .planning import models_to_tell_apart
from .tables.groups import Group
from .two_samples import AndersonDarling, anderson_darling, superiority, weighted_ks

FEWEST = 2  # models of a population that can be compared
LEVEL = 0.05


@dataclass(frozen=True)
class Comparison:
    """Two populations compared; differences are error of b minus error of a, in points.

    Attributes
    ----------
    a, b : str
        Their names; a negative difference means that b is better.
    n_a, n_b : int
        Models with a weight.
    mean, median : Interval
        Differences with their intervals.
    best : Interval or None
        Difference of the expected best of m; None at matched complexity, where it has none.
    superiority : Interval
        P(a model of b has a lower error than one of a), ties count half.
    test : KS
        Two-sample Kolmogorov-Smirnov; by permutation within the bins where matched.
    anderson : AndersonDarling or None
        None at matched complexity.
    p_value : float
        That of the KS test, corrected by Holm for the number of pairs.
    ahead, behind : float
        sup (F_b - F_a) and sup (F_a - F_b).
    """

    a: str
    b: str
    n_a: int
    n_b: int
    m: int
    mean: Interval
    median: Interval
    best: Interval | None
    superiority: Interval
    test: KS
    anderson: AndersonDarling | None
    p_value: float
    ahead: float
    behind: float
    matched: str = ""
    needed: int | None = None

    @property
    def verdict(self) -> str:
        """The answer: "better", "worse" or "not told apart", of b against a.

        Better needs two of two: the corrected KS test at 5%, and an interval of superiority (or
        of the mean) that excludes no difference, all on one side.
        """
        if self.p_value >= LEVEL:
            return "not told apart"
        signs = {_sign(self.mean), -_sign(_centred(self.superiority))} - {0}
        if signs == {-1}:
            return "better"
        if signs == {1}:
            return "worse"
        return "different, neither better"

    @property
    def ordered(self) -> bool:
        """Whether one of the two is better."""
        return self.verdict in ("better", "worse")


def compare(groups: Sequence[Group], *, rng: int = 0, plan: bool = True) -> tuple[Comparison, ...]:
    """Return the comparison of every pair of populations, in the order given.

    Parameters
    ----------
    groups
        Two or more; matched on complexity if they have weights (`groups.match_groups`).
    rng
        Seed of permutations and of the plan.
    plan
        Whether to estimate how many models would tell a pair apart that these do not.

    Raises
    ------
    ValueError
        If there are fewer than two populations, or one has fewer than two models.
    """
    if len(groups) < 2:
        raise ValueError(f"a comparison needs at least two populations, got {len(groups)}")
    for group in groups:
        if group.edf.n < FEWEST:
            raise ValueError(f"{group.name} has {group.edf.n} model: a comparison needs {FEWEST}")
    found = [_pair(a, b, rng) for a, b in combinations(groups, 2)]
    corrected = holm([one.test.p_value for one in found])
    found = [replace(one, p_value=p) for one, p in zip(found, corrected, strict=True)]
    if not plan:
        return tuple(found)
    by_name = {g.name: g for g in groups}
    return tuple(
        replace(one, needed=_needed(by_name[one.a], by_name[one.b], rng))
        if one.verdict == "not told apart"
        else one
        for one in found
    )


def _pair(a: Group, b: Group, rng: int) -> Comparison:
    x, wx = _errors(a)
    y, wy = _errors(b)
    m = default_m(x.size, y.size)
    curves = a.edf, b.edf
    at = np.concatenate([curves[0].errors, curves[1].errors])
    # Just after each step: P(E <= e).
    gap = _reached(curves[1], at) - _reached(curves[0], at)
    if wx is None or wy is None:
        test: KS = ks(x, y)
        best = difference(expected_best(y, m), expected_best(x, m))
        anderson = anderson_darling(x, y)
    else:
        test = weighted_ks(x, y, wx, wy, rng=rng, strata_a=_cells(a), strata_b=_cells(b))
        best = anderson = None
    return Comparison(
        a=a.name,
        b=b.name,
        n_a=x.size,
        n_b=y.size,
        m=m,
        mean=difference(mean_interval(y, wy), mean_interval(x, wx)),
        median=difference(median_interval(y, wy), median_interval(x, wx)),
        best=best,
        superiority=superiority(y, x, wy, wx),
        test=test,
        anderson=anderson,
        p_value=test.p_value,
        ahead=float(max(gap.max(), 0.0)),
        behind=float(max(-gap.min(), 0.0)),
        matched=a.note,
    )


def _errors(group: Group) -> tuple[Floats, Floats | None]:
    errors = group.rows["error"].to_numpy(np.float64)
    if group.weights is None:
        return np.sort(errors), None  # once for all that sort them
    kept = group.weights > 0
    return errors[kept], group.weights[kept]


def _cells(group: Group) -> Ints | None:
    if group.cells is None or group.weights is None:
        return None
    return group.cells[group.weights > 0]


def _reached(curve: EDF, at: Floats) -> Floats:
    errors, heights = curve.errors, curve.probability
    place = np.searchsorted(errors, at, side="right")
    return np.where(place > 0, heights[np.maximum(place, 1) - 1], 0.0)


def _needed(a: Group, b: Group, rng: int) -> int | None:
    if a.weights is not None:  # the plan draws all models alike
        return None
    (x, _), (y, _) = _errors(a), _errors(b)
    return models_to_tell_apart(x, y, rng=rng, trials=200, most=2048)


def _sign(interval: Interval) -> int:
    return int(interval.low > 0) - int(interval.high < 0)


def _centred(share: Interval) -> Interval:
    return Interval(share.value - 0.5, share.low - 0.5, share.high - 0.5)


def sentence(one: Comparison) -> str:
    """Return the comparison in one plain sentence."""
    where = f" ({one.matched})" if one.matched else ""
    share, ends = _spoken(one.superiority, 100, 0)
    share = f"{share}% ({ends})"
    gap, ends = _spoken(one.mean, 1, 2)
    gap = f"{gap.removeprefix('-')} points {'lower' if one.mean.value < 0 else 'higher'}"
    told = one.ordered
    facts = (
        f"{'its mean error' if told else f'the mean error of {one.b}'} is {gap} (95% interval of"
        f" the difference {ends}), and a model drawn from"
        f" {'it' if told else one.b} has a lower error than one from {one.a} in {share} of pairs"
        f" (KS D = {one.test.statistic:.3f}, p {_p(one.p_value)})"
    )
    if one.verdict == "not told apart":
        more = (
            f"; about {one.needed:,} models of each would show a difference of this size"
            if one.needed and one.needed > min(one.n_a, one.n_b)
            else ""
        )
        return f"The data do not tell {one.b} and {one.a} apart{where}: {facts}{more}."
    if one.verdict == "different, neither better":
        return f"{one.b} and {one.a} differ, but neither is better throughout{where}: {facts}."
    return f"{one.b} is {one.verdict} than {one.a}{where}: {facts}."


def overview(found: Sequence[Comparison]) -> str:
    """Return in a sentence or two how many pairs differ, and what is better than all others."""
    apart = [one for one in found if one.verdict != "not told apart"]
    text = (
        f"{len(apart)} of the {len(found)} pairs of populations are told apart (p < 0.05 after"
        " Holm's correction)."
    )
    names = dict.fromkeys(name for one in found for name in (one.a, one.b))
    wins = Counter(one.b if one.verdict == "better" else one.a for one in found if one.ordered)
    most = [name for name in names if wins[name] == len(names) - 1]
    if most:
        text += f" {most[0]} is better than every other."
    return text


def comparison_columns(found: Sequence[Comparison]) -> dict[str, list[object]]:
    """Return comparisons as a table: a row a pair."""
    rows = [
        {
            "a": one.a,
            "b": one.b,
            "verdict": f"b {one.verdict}",
            "n_a": one.n_a,
            "n_b": one.n_b,
            **_interval("mean", one.mean),
            **_interval("median", one.median),
            "m": one.m,
            **_interval("best_of_m", one.best),
            **_interval("b_beats_a", one.superiority),
            "ks": one.test.statistic,
            "p_value": one.p_value,
            "anderson_darling": None if one.anderson is None else one.anderson.statistic,
            "anderson_darling_p": None if one.anderson is None else one.anderson.p_value,
            "ahead": one.ahead,
            "behind": one.behind,
        }
        for one in found
    ]
    return {key: [row[key] for row in rows] for key in rows[0]}


def _interval(name: str, one: Interval | None) -> dict[str, object]:
    ends = (None, None, None) if one is None else (one.value, one.low, one.high)
    return dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))


def _spoken(one: Interval, scale: float, digits: int) -> tuple[str, str]:
    """Return an estimate and its interval, with up to 3 digits more if these tell its ends."""
    told = (
        more
        for more in range(digits, digits + 4)
        if f"{scale * one.low:.{more}f}" != f"{scale * one.high:.{more}f}"
    )
    shown = next(told, digits)
    value, low, high = (f"{scale * x:.{shown}f}" for x in (one.value, one.low, one.high))
    return value, f"{low} to {high}"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
