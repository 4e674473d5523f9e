"""Claims on PostgreSQL, which many hosts share: who is dead cannot be seen, so owners renew leases.

A claim is one statement that passes over what others claim at the same moment, in one
transaction with its owner and its lease. A lease is a row of Optuna's table of heartbeats, by
the server's clock. An owner renews it in a thread while it trains; one that has not done so for
the study's `LEASE` is taken for dead, whoever looks first, one at a time. After a stop of the
server nobody is judged for as long as a lease.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from ...analysis.records import PRIVATE
from ...analysis.storages.storage import is_database

if TYPE_CHECKING:
    import sqlalchemy as sa

    from ...analysis.storages.database import Database

OWNER = PRIVATE + "owner"
LEASE = PRIVATE + "lease"  # of a study: seconds
DEFAULT_LEASE = 60.0
RENEWALS = 5  # in the time of a lease
_CLAIM = """
UPDATE trials SET state = 'RUNNING', datetime_start = now() AT TIME ZONE 'utc'
WHERE trial_id = (
    SELECT trial_id FROM trials WHERE study_id = %(study)s AND state = 'WAITING'
    ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING trial_id"""
_HOLD = "SELECT 1 FROM trials WHERE trial_id = %(trial)s AND state = 'RUNNING' FOR UPDATE"
_ATTEMPTS = """
SELECT value_json FROM trial_user_attributes WHERE trial_id = %(trial)s AND key = 'attempts'"""
_HELD = f"""
SELECT 1 FROM trials JOIN trial_user_attributes AS owner USING (trial_id)
WHERE trial_id = %(trial)s AND state = 'RUNNING' AND owner.key = '{OWNER}'
    AND owner.value_json::jsonb ->> 'token' = %(token)s
FOR UPDATE OF trials"""
_SET = """
INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (%(trial)s, %(key)s, %(value)s)
ON CONFLICT (trial_id, key) DO UPDATE SET value_json = EXCLUDED.value_json"""
_RENEW = """
INSERT INTO trial_heartbeats (trial_id, heartbeat) VALUES (%(trial)s, now() AT TIME ZONE 'utc')
ON CONFLICT (trial_id) DO UPDATE SET heartbeat = EXCLUDED.heartbeat"""
_END = "DELETE FROM trial_heartbeats WHERE trial_id = %(trial)s"
_BEGIN = """
INSERT INTO trial_heartbeats (trial_id, heartbeat)
SELECT trial_id, now() AT TIME ZONE 'utc' FROM trials
WHERE study_id = %(study)s AND state = 'RUNNING'
    AND NOT EXISTS (SELECT 1 FROM trial_heartbeats AS h WHERE h.trial_id = trials.trial_id)
ON CONFLICT (trial_id) DO NOTHING"""
_EXPIRED = """
SELECT trial_id FROM trials JOIN trial_heartbeats AS h USING (trial_id)
WHERE study_id = %(study)s AND state = 'RUNNING'
    AND h.heartbeat < (now() AT TIME ZONE 'utc') - make_interval(secs => %(lease)s)
    AND pg_postmaster_start_time() < now() - make_interval(secs => %(lease)s)
ORDER BY number"""
_log = logging.getLogger("regnet_ds")


def lease_of(study: optuna.Study) -> float:
    """Return how many seconds the owner of a trial may be silent."""
    return float(study.user_attrs.get(LEASE, DEFAULT_LEASE))


def claim_next(
    storage: Database, study_id: int, attributes: Mapping[str, Any]
) -> FrozenTrial | None:
    """Take the lowest waiting trial that no one else takes; None if there is none."""
    with storage.batch() as connection:
        trial_id = connection.exec_driver_sql(_CLAIM, {"study": study_id}).scalar()
        if trial_id is None:
            return None
        attempts = connection.exec_driver_sql(_ATTEMPTS, {"trial": trial_id}).scalar()
        number = int(json.loads(attempts or "0")) + 1
        write(connection, trial_id, {**attributes, "attempts": number})
        connection.exec_driver_sql(_RENEW, {"trial": trial_id})
        return storage.get_trial(trial_id)


def settle(
    storage: Database,
    trial_id: int,
    token: str,
    state: TrialState,
    attributes: Mapping[str, Any],
    value: float | None = None,
) -> bool:
    """End a claim, all in one transaction; False if it is not held by this token any more."""
    with storage.batch() as connection:
        if not connection.exec_driver_sql(_HELD, {"trial": trial_id, "token": token}).first():
            return False
        write(connection, trial_id, attributes)
        end_lease(connection, trial_id)
        storage.set_trial_state_values(trial_id, state, None if value is None else [value])
        return True


def renew(storage: Database, trial_id: int, token: str) -> bool:
    """Renew the lease on a trial; False if it is not held by this token any more."""
    with storage.batch() as connection:
        if not connection.exec_driver_sql(_HELD, {"trial": trial_id, "token": token}).first():
            return False
        connection.exec_driver_sql(_RENEW, {"trial": trial_id})
        return True


def expired(connection: sa.Connection, study_id: int, lease: float) -> list[int]:
    """Return the ids of running trials whose lease is over; those without one get one."""
    connection.exec_driver_sql(_BEGIN, {"study": study_id})
    found = connection.exec_driver_sql(_EXPIRED, {"study": study_id, "lease": lease})
    return list(found.scalars())


def hold_running(connection: sa.Connection, trial_id: int) -> bool:
    """Keep all others from changing a trial until the transaction ends; whether it still runs."""
    return connection.exec_driver_sql(_HOLD, {"trial": trial_id}).first() is not None


def end_lease(connection: sa.Connection, trial_id: int) -> None:
    """Forget the lease on a trial, so that its next owner begins with a new one."""
    connection.exec_driver_sql(_END, {"trial": trial_id})


def write(connection: sa.Connection, trial_id: int, attributes: Mapping[str, Any]) -> None:
    """Set attributes of a trial."""
    rows = [{"trial": trial_id, "key": k, "value": json.dumps(v)} for k, v in attributes.items()]
    if rows:
        connection.exec_driver_sql(_SET, rows)


class Lease:
    """What a worker holds while it trains; ``lost`` once the trial was given to another."""

    def __init__(self) -> None:
        self.lost = False


@contextmanager
def kept(study: optuna.Study, trial: FrozenTrial, token: str) -> Generator[Lease]:
    """Renew the lease on a trial in the block (where the storage has leases)."""
    lease = Lease()
    storage = study._storage
    if not is_database(storage):
        yield lease
        return
    over = threading.Event()
    pause = lease_of(study) / RENEWALS

    def keep() -> None:
        while not over.wait(pause):
            try:
                lease.lost = not renew(storage, trial._trial_id, token)
            except Exception as error:  # the server is away: try again
                _log.warning("cannot renew the lease on trial %d: %s", trial.number, error)

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        over.set()
        thread.join(timeout=pause)
