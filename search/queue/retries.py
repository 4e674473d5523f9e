"""Failed trials, tried again: their places in the table are filled, their reasons kept."""

from __future__ import annotations

from collections.abc import Iterable

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from ...analysis.records import PRIVATE
from ...analysis.storages.storage import add_trials, exclusive
from .claims import trials_in
from .tasks import POPULATION, SETTINGS

RETRY_OF = PRIVATE + "retry_of"  # the number of the failed trial that this one stands for
_OF_A_RUN = ("worker", "attempts", "status", "reason", "seconds", "fingerprint")


def retry_failed(study: optuna.Study, numbers: Iterable[int] | None = None) -> list[int]:
    """Add a new trial for each failed one (of these numbers); the failed keep their reasons.

    The new ones have the index and the seed of theirs, so that the table is the one that would
    have been without failures. Those that were tried again already are left out.

    Returns
    -------
    The numbers of the failed trials that are tried again.

    Raises
    ------
    ValueError
        If a number is not that of a failed trial, or the study is not a population.
    """
    if study.user_attrs.get("kind") != POPULATION:
        raise ValueError(f"study {study.study_name!r} is not a population: nothing to try again")
    with exclusive(study._storage):
        everything = trials_in(study, *TrialState)
        failed = {t.number: t for t in everything if t.state == TrialState.FAIL}
        again = {t.user_attrs[RETRY_OF] for t in everything if RETRY_OF in t.user_attrs}
        wanted = list(failed) if numbers is None else sorted(set(numbers))
        for number in wanted:
            if number not in failed:
                known = ", ".join(map(str, failed)) or "none"
                raise ValueError(f"trial {number} has not failed; failed ones: {known}")
        chosen = [number for number in wanted if number not in again]
        add_trials(study, [_again(failed[number]) for number in chosen])
    return chosen


def _again(trial: FrozenTrial) -> FrozenTrial:
    kept = set(trial.user_attrs) - {*_OF_A_RUN, *(k for k in trial.user_attrs if ":" in k)}
    attributes = {key: trial.user_attrs[key] for key in kept | ({SETTINGS} & set(trial.user_attrs))}
    return create_trial(
        state=TrialState.WAITING,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs={**attributes, RETRY_OF: trial.number},
    )
