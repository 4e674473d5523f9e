"""The finals: the best of a search, trained long with as many seeds as the noise asks for.

Every finalist is trained with a few seeds. One whose mean error is above the lowest by more
than a one-sided t interval (the variance over seeds pooled) is out; the others get a seed more,
until one is left or all have the most.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from optuna.trial import FrozenTrial, TrialState

from ...analysis.records import Status
from ..populations.architectures import REPLICATE
from .plan import SearchPlan
from .rungs import FINAL, of_phase

CONFIDENCE = 0.95
Errors = Mapping[int, Sequence[float]]


def final_errors(trials: Sequence[FrozenTrial]) -> dict[int, list[float]]:
    """Return the errors over seeds of every finalist by index; failed ones are left out."""
    errors: dict[int, list[float]] = {}
    for trial in of_phase(trials, FINAL):
        found = errors.setdefault(trial.user_attrs["index"], [])
        done = trial.state == TrialState.COMPLETE and trial.values
        if done and trial.user_attrs.get("status") != Status.DIVERGED:
            found.append(trial.values[0])
    return errors


def undecided(errors: Errors) -> list[int]:
    """Return the indices that the noise over seeds does not tell from the best, it included."""
    from scipy.stats import t

    means = {i: sum(found) / len(found) for i, found in errors.items() if found}
    if not means:
        return []
    best = min(means, key=lambda i: (means[i], i))
    freedom = sum(len(errors[i]) - 1 for i in means)
    if not freedom:
        return sorted(means)
    squares = sum((x - means[i]) ** 2 for i in means for x in errors[i])
    spread = math.sqrt(squares / freedom) * float(t.ppf(CONFIDENCE, freedom))
    return sorted(
        i
        for i in means
        if means[i] - means[best] <= spread * math.sqrt(1 / len(errors[i]) + 1 / len(errors[best]))
    )


def next_finals(
    trials: Sequence[FrozenTrial], chosen: Sequence[int], plan: SearchPlan
) -> list[tuple[int, int]]:
    """Return (index, replicate from 1) of the next trainings of the finals; none when decided.

    All trials are finished; ``chosen`` are the finalists.
    """
    tried: dict[int, int] = {}
    for trial in of_phase(trials, FINAL):
        index, replicate = trial.user_attrs["index"], trial.user_attrs[REPLICATE]
        tried[index] = max(tried.get(index, 0), replicate)
    if not tried:
        return [(i, r) for i in chosen for r in range(1, plan.fewest_seeds + 1)]
    open_ones = undecided(final_errors(trials))
    if len(open_ones) < 2:
        return []
    return [(i, tried[i] + 1) for i in open_ones if tried[i] < plan.most_seeds]
