"""Successive halving: who goes on from rung to rung of one training of full length.

A network that pauses at a rung is told as pruned with its error there, and leaves a checkpoint;
if it goes on, it does so as a new trial that begins with the checkpoint (or, where that is gone,
at the first epoch: with the same result). A rung is judged when all of it has come, so that the
number of workers decides nothing; ASHA, which judges whoever comes first, is faster where
trainings differ much in length and gives that up.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from ...analysis.records import PRIVATE, Status
from ..queue.tasks import UNTIL
from .plan import SearchPlan

RUNG = PRIVATE + "rung"  # of a trial: the epoch at which it is compared
PHASE = PRIVATE + "phase"  # of a trial: SHORT or FINAL
SHORT, FINAL = "short", "final"


def of_phase(trials: Sequence[FrozenTrial], phase: str) -> list[FrozenTrial]:
    """Return the trials of a phase."""
    return [trial for trial in trials if trial.user_attrs.get(PHASE) == phase]


def at_rung(trials: Sequence[FrozenTrial], rung: int) -> dict[int, FrozenTrial]:
    """Return the trials of a rung by index; a failed one counts only if none stands for it."""
    found: dict[int, FrozenTrial] = {}
    for trial in of_phase(trials, SHORT):
        index = trial.user_attrs["index"]
        if trial.user_attrs[RUNG] != rung:
            continue
        if index not in found or found[index].state == TrialState.FAIL:
            found[index] = trial
    return found


def ranked(trials: Mapping[int, FrozenTrial]) -> list[int]:
    """Return the indices of those that neither failed nor diverged, the lowest error first."""
    good = {
        index: error
        for index, trial in trials.items()
        if (error := error_at_rung(trial)) is not None
    }
    return sorted(good, key=lambda index: (good[index], index))


def error_at_rung(trial: FrozenTrial) -> float | None:
    """Return the error of a finished trial at its rung; None if it failed or diverged."""
    if trial.state not in (TrialState.COMPLETE, TrialState.PRUNED) or not trial.values:
        return None
    return None if trial.user_attrs.get("status") == Status.DIVERGED else trial.values[0]


def promotions(
    trials: Sequence[FrozenTrial], plan: SearchPlan, epochs: int
) -> tuple[int, list[FrozenTrial]] | None:
    """Return the next rung and who goes there from the one before; None when all are judged.

    All trials are finished, and those of the first rung are there.
    """
    rungs = plan.rungs(epochs)
    for before, rung in itertools.pairwise(rungs):
        if at_rung(trials, rung):
            continue
        there = at_rung(trials, before)
        chosen = ranked(there)[: math.ceil(len(there) / plan.eta)]
        return (rung, [there[index] for index in chosen]) if chosen else None
    return None


def rung_attributes(rung: int, epochs: int) -> dict[str, Any]:
    """Return the attributes of a trial that comes to a rung of so many epochs."""
    pause = {UNTIL: rung} if rung < epochs else {}
    return {PHASE: SHORT, RUNG: rung, **pause}
