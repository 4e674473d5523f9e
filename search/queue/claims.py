"""Who trains which trial: claiming, finishing, giving back, and taking from the dead.

A trial is claimed by one atomic change from WAITING to RUNNING; its owner is recorded in a
second write. The owner is a process, known by host, pid and start time. A RUNNING trial whose
owner is dead, or that has none for longer than `GRACE`, is an orphan: it waits again under its
own number, or fails once `MAX_ATTEMPTS` in a row came no further. One process judges a storage.
On PostgreSQL, which many hosts share, owners hold leases instead (`leases`).
"""

from __future__ import annotations

import logging
import os
import socket
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import optuna
import psutil
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from ...analysis.records import PRIVATE, Status
from ...analysis.storages.storage import batch, exclusive, is_database
from .leases import OWNER, claim_next, end_lease, expired, hold_running, lease_of, settle

if TYPE_CHECKING:
    from ...analysis.storages.database import Database

GRACE = 10.0  # seconds between a claim and its owner's record
MAX_ATTEMPTS = 3
FURTHEST = PRIVATE + "furthest"  # of a trial: epochs reported, and attempts before it came so far
_CLOCK_SLACK = 2.0  # seconds that two readings of a start time may differ
_log = logging.getLogger("regnet_ds")


@dataclass(frozen=True)
class Owner:
    """A process that trains; ``token`` tells its claims from those of a namesake."""

    worker: str
    host: str
    pid: int
    started: float
    token: str
    pool: str = ""
    nth: int = 1  # of the trials that this process claims

    @classmethod
    def of_this_process(cls, worker: str, pool: str = "") -> Owner:
        """Return the owner that this process is; ``pool`` names the parent that started it."""
        pid = os.getpid()
        started = psutil.Process(pid).create_time()
        return cls(worker, socket.gethostname(), pid, started, uuid.uuid4().hex, pool)


def claim(study: optuna.Study, owner: Owner) -> FrozenTrial | None:
    """Take the lowest waiting trial; None if there is none."""
    storage = study._storage
    if is_database(storage):
        attributes = {"worker": owner.worker, OWNER: asdict(owner)}
        return claim_next(storage, study._study_id, attributes)
    waiting = trials_in(study, TrialState.WAITING)
    for trial in sorted(waiting, key=lambda trial: trial.number):
        try:
            won = storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)
        except UpdateFinishedTrialError:
            continue
        if won:
            attempts = attempts_of(storage.get_trial(trial._trial_id)) + 1
            _write(
                study,
                trial,
                {"worker": owner.worker, "attempts": attempts, OWNER: asdict(owner)},
            )
            return storage.get_trial(trial._trial_id)
    return None


def finish(
    study: optuna.Study,
    trial: FrozenTrial,
    owner: Owner,
    value: float | None,
    attributes: Mapping[str, Any],
    *,
    pruned: bool = False,
) -> bool:
    """Record a result: COMPLETE with a value, FAIL without; False if the trial was taken away.

    ``pruned``: the value is that of an epoch before the last.
    """
    state = TrialState.FAIL if value is None else TrialState.COMPLETE
    state = TrialState.PRUNED if pruned else state
    storage = study._storage
    if is_database(storage):
        return settle(storage, trial._trial_id, owner.token, state, attributes, value)
    with exclusive(study._storage):
        if not is_owner(study, trial, owner):
            return False
        with batch(study._storage):
            _write_each(study, trial, attributes)
            values = None if value is None else [value]
            storage.set_trial_state_values(trial._trial_id, state, values)
    return True


def give_back(study: optuna.Study, trial: FrozenTrial, owner: Owner) -> bool:
    """Let a claimed trial wait again, as if it had not been claimed; False if it was taken."""
    storage = study._storage
    if is_database(storage):
        attributes = {"attempts": attempts_of(trial) - 1, OWNER: None}
        return settle(storage, trial._trial_id, owner.token, TrialState.WAITING, attributes)
    with exclusive(study._storage):
        if not is_owner(study, trial, owner):
            return False
        _to_waiting(study, trial, attempts_of(trial) - 1)
    return True


def is_owner(study: optuna.Study, trial: FrozenTrial, owner: Owner) -> bool:
    """Whether the trial runs and is still this owner's."""
    now = study._storage.get_trial(trial._trial_id)
    held = now.user_attrs.get(OWNER) or {}
    return now.state == TrialState.RUNNING and held.get("token") == owner.token


def release_orphans(study: optuna.Study, *, everywhere: bool = False, pool: str = "") -> list[int]:
    """Return orphans to the queue, or fail those tried too often; the numbers of both.

    ``everywhere`` also takes trials from owners on other hosts, whose life cannot be seen here.
    On PostgreSQL an orphan's lease is over, or its owner was a process of ``pool``, this
    process's own, and is dead.
    """
    storage = study._storage
    if is_database(storage):
        return _release_expired(study, storage, pool)
    if not any(_is_orphan(trial, everywhere) for trial in trials_in(study, TrialState.RUNNING)):
        return []
    with exclusive(storage):
        orphans = [t for t in trials_in(study, TrialState.RUNNING) if _is_orphan(t, everywhere)]
        for trial in orphans:
            _release(study, trial)
    return [trial.number for trial in orphans]


def _release_expired(study: optuna.Study, storage: Database, pool: str) -> list[int]:
    with storage.exclusive() as connection:
        late = set(expired(connection, study._study_id, lease_of(study)))
        running = trials_in(study, TrialState.RUNNING) if late or pool else []
        found = [t for t in running if t._trial_id in late or _died_in(t, pool)]
        # Owners may be slow, not dead, and end a trial at this moment.
        orphans = [t for t in found if hold_running(connection, t._trial_id)]
        for trial in orphans:
            _release(study, trial)
            end_lease(connection, trial._trial_id)
    return [trial.number for trial in orphans]


def _died_in(trial: FrozenTrial, pool: str) -> bool:
    held = trial.user_attrs.get(OWNER) or {}
    mine = bool(pool) and held.get("pool") == pool and held["host"] == socket.gethostname()
    return mine and not is_alive(held["pid"], held["started"])


def _release(study: optuna.Study, trial: FrozenTrial) -> None:
    """Return an orphan to the queue, or fail it; preemptions that let it get on do not count."""
    attempts, came = attempts_of(trial), len(trial.intermediate_values)
    epochs, before = trial.user_attrs.get(FURTHEST, (0, 0))
    if came > epochs:
        epochs, before = came, attempts - 1
    if attempts - before < MAX_ATTEMPTS:
        _log.warning(
            "trial %d of %s lost its worker; it waits again", trial.number, study.study_name
        )
        _to_waiting(study, trial, attempts, {FURTHEST: [epochs, before]} if epochs else {})
    else:
        _fail(study, trial, f"its worker died {attempts - before} times")


def trials_in(study: optuna.Study, *states: TrialState) -> list[FrozenTrial]:
    """Return the trials in these states, not copied: do not change them."""
    return study._storage.get_all_trials(study._study_id, deepcopy=False, states=states)


def attempts_of(trial: FrozenTrial) -> int:
    """Return how often the training of a trial has begun."""
    return int(trial.user_attrs.get("attempts", 0))


def _is_orphan(trial: FrozenTrial, everywhere: bool) -> bool:
    held = trial.user_attrs.get(OWNER)
    if not held:
        began = trial.datetime_start
        return began is None or (datetime.now() - began).total_seconds() > GRACE
    if held["host"] != socket.gethostname():
        return everywhere
    return not is_alive(held["pid"], held["started"])


def is_alive(pid: int, started: float) -> bool:
    """Whether the process of this pid that began then still runs on this host."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return abs(process.create_time() - started) <= _CLOCK_SLACK
    except psutil.Error:
        return False


def _to_waiting(
    study: optuna.Study, trial: FrozenTrial, attempts: int, more: Mapping[str, Any] | None = None
) -> None:
    with batch(study._storage):
        _write_each(study, trial, {"attempts": attempts, OWNER: None, **(more or {})})
        study._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)


def _fail(study: optuna.Study, trial: FrozenTrial, reason: str) -> None:
    _log.warning("trial %d of %s failed: %s", trial.number, study.study_name, reason)
    with batch(study._storage):
        _write_each(study, trial, {"status": str(Status.FAILED), "reason": reason, OWNER: None})
        study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)


def _write(study: optuna.Study, trial: FrozenTrial, attributes: Mapping[str, Any]) -> None:
    with batch(study._storage):
        _write_each(study, trial, attributes)


def _write_each(study: optuna.Study, trial: FrozenTrial, attributes: Mapping[str, Any]) -> None:
    for key, value in attributes.items():
        study._storage.set_trial_user_attr(trial._trial_id, key, value)


def held_elsewhere(trials: Iterable[FrozenTrial]) -> dict[str, int]:
    """Return how many running trials other hosts hold, by host."""
    counts: dict[str, int] = {}
    for trial in trials:
        host = (trial.user_attrs.get(OWNER) or {}).get("host")
        if host and host != socket.gethostname():
            counts[host] = counts.get(host, 0) + 1
    return counts
