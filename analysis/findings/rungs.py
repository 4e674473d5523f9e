"""The ladder of DDS section 3, rung by rung: is each space as good as, or better than, the last.

A step is judged by the comparison of its two populations (`comparison`), p-values corrected by
Holm over the steps. "No loss" is judged as a bound: the 95% interval of the mean difference must
stay below the spread over seeds, which a single training cannot show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from ..comparison import Comparison, compare
from ..importance import holm
from ..noise import Noise, noise
from ..tables.groups import Group, make_groups
from ..tables.readers import REPLICATE
from ..tables.table import usable
from .answers import FAILS, HOLDS, OPEN, Answer, ends

RUNGS: Mapping[str, str] = {
    "anynetx-a": "AnyNetX A",
    "anynetx-b": "AnyNetX B",
    "anynetx-c": "AnyNetX C",
    "anynetx-d": "AnyNetX D",
    "anynetx-e": "AnyNetX E",
    "regnetx-dds": "RegNetX",
}
NO_LOSS, BETTER = "as good", "better"
# What a step asks for, and what DDS section 3 found.
STEPS: Mapping[str, tuple[str, str]] = {
    "AnyNetX B": ("one bottleneck ratio for all stages", NO_LOSS),
    "AnyNetX C": ("one group width for all stages", NO_LOSS),
    "AnyNetX D": ("widths that do not decrease", BETTER),
    "AnyNetX E": ("depths that do not decrease", BETTER),
    "RegNetX": ("widths on a quantised line", BETTER),
}


@dataclass(frozen=True)
class Step:
    """From one rung (a) to another (b).

    ``expected`` is what DDS found of b against a; ``margin`` the loss, in points of error, that
    still counts as none.
    """

    comparison: Comparison
    asks: str
    expected: str
    margin: float

    @property
    def verdict(self) -> str:
        """Whether the finding holds here."""
        found, mean = self.comparison.verdict, self.comparison.mean
        if self.expected == BETTER:
            return {"better": HOLDS, "worse": FAILS}.get(found, OPEN)
        if found == "worse" and mean.low > 0:
            return FAILS
        return HOLDS if mean.high < self.margin else OPEN

    def answer(self) -> Answer:
        """Return the step in words."""
        one = self.comparison
        claim = f"{one.b} ({self.asks}) is {self.expected} than {one.a}"
        if self.expected == NO_LOSS:
            claim = f"{one.b} ({self.asks}) is as good as {one.a}"
        gap = f"{abs(one.mean.value):.2f} points {'lower' if one.mean.value < 0 else 'higher'}"
        share = f"{100 * one.superiority.value:.0f}% of pairs"
        p = "< 0.001" if one.p_value < 0.001 else f"= {one.p_value:.3f}"
        bound = ""
        if self.expected == NO_LOSS:
            bound = f", where a loss of less than {self.margin:.2f} counts as none"
        return Answer(
            claim,
            self.verdict,
            f"The mean error of {one.b} is {gap} (95% interval of the difference "
            f"{ends(one.mean)}{bound}), the median's difference {one.median.value:.2f} "
            f"({ends(one.median)}); a model of it has the lower error in {share} "
            f"({ends(one.superiority, 0, 100)}%); KS D = {one.test.statistic:.3f}, p {p}.",
        )


def ladder_groups(table: pd.DataFrame) -> list[Group]:
    """Return the populations of the rungs that a table has, in order.

    Raises
    ------
    ValueError
        If it has fewer than two, or none of a rung's models finished.
    """
    if not {"space", "index", REPLICATE} <= set(table):
        raise ValueError(f"a ladder needs the columns space, index and {REPLICATE}")
    there = set(table["space"])
    present = [space for space in RUNGS if space in there]
    if len(present) < 2:
        raise ValueError(f"a ladder needs two of the spaces {', '.join(RUNGS)}, got {present}")
    parts = [(RUNGS[space], table[table["space"] == space]) for space in present]
    return make_groups([(name, pd.DataFrame(part)) for name, part in parts])


def seed_noise(table: pd.DataFrame) -> Noise:
    """Return the spread over models and over seeds of a table with trainings of other seeds.

    Raises
    ------
    ValueError
        If no model was trained with several seeds.
    """
    finished = table[(table["status"] == "complete") & table["error"].notna()]
    repeats: dict[int, list[float]] = {}
    keys = ["study" if "study" in finished else "space", "index"]
    for i, (_, rows) in enumerate(finished.groupby(keys, observed=True)):
        if len(rows) > 1 and np.any(rows[REPLICATE]):
            repeats[i] = rows["error"].tolist()
    return noise(usable(table)[0]["error"].tolist(), repeats)


def ladder_steps(groups: Sequence[Group], margin: float, *, rng: int = 0) -> tuple[Step, ...]:
    """Return each step from a rung to the next, and from the first rung to the last.

    Parameters
    ----------
    groups
        Populations in the order of the ladder, named as in `RUNGS`.
    margin
        The loss that counts as none, in points of error.
    """
    pairs = [(a, b, *STEPS[b.name]) for a, b in pairwise(groups)]
    if len(groups) > 2:
        pairs.append((groups[0], groups[-1], "all steps together", BETTER))
    found = [compare([a, b], rng=rng, plan=False)[0] for a, b, _, _ in pairs]
    corrected = holm([one.p_value for one in found])
    return tuple(
        Step(replace(one, p_value=p), asks, expected, margin)
        for one, p, (_, _, asks, expected) in zip(found, corrected, pairs, strict=True)
    )
