"""How many trials of a study there are of every status."""

from __future__ import annotations

import optuna
from optuna.trial import TrialState

from ...analysis.records import Status
from ...analysis.storages.storage import count_states, is_database
from .claims import trials_in
from .retries import RETRY_OF

_STATES = {
    TrialState.COMPLETE: Status.COMPLETE,
    TrialState.PRUNED: Status.PRUNED,
    TrialState.FAIL: Status.FAILED,
    TrialState.RUNNING: Status.RUNNING,
    TrialState.WAITING: Status.WAITING,
}


def status(study: optuna.Study) -> dict[str, int]:
    """Return how many trials there are of every status; failed ones tried again count once."""
    counts = {str(status): 0 for status in Status}
    for state, n in count_states(study).items():
        counts[str(_STATES[state])] += n
    diverged, retried = _count_refined(study)
    counts[str(Status.DIVERGED)] += diverged
    counts[str(Status.COMPLETE)] -= diverged
    counts[str(Status.FAILED)] -= retried
    return counts


def _count_refined(study: optuna.Study) -> tuple[int, int]:
    """Return how many completed trials have diverged, and how many failed ones have a successor."""
    storage, trials = study._storage, study._study_id
    if is_database(storage):
        diverged = storage.count_attribute(trials, "status", Status.DIVERGED, TrialState.COMPLETE)
        return diverged, storage.count_attribute(trials, RETRY_OF)
    done = trials_in(study, TrialState.COMPLETE)
    diverged = sum(trial.user_attrs.get("status") == Status.DIVERGED for trial in done)
    return diverged, sum(RETRY_OF in trial.user_attrs for trial in trials_in(study, *TrialState))
