"""PostgreSQL as a storage: transactions of several writes, trials added in bulk, cheap reads.

Optuna's own storage commits every attribute by itself and reads each unfinished trial anew
whenever it is asked for trials: a study of thousands that wait would be slow to fill and slow
to look at. The tables are Optuna's, unchanged, so that its other tools read them too.
"""

from __future__ import annotations

import json
import threading
import weakref
import zlib
from collections import defaultdict
from collections.abc import Container, Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast

import sqlalchemy as sa
from optuna.distributions import distribution_to_json, json_to_distribution
from optuna.storages import RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import orm

LOCK = zlib.crc32(b"regnet-ds")  # the advisory lock of the storage's one judge
_ATTRIBUTES = cast(sa.Table, models.TrialUserAttributeModel.__table__)
_SYSTEM = cast(sa.Table, models.TrialSystemAttributeModel.__table__)
_PARAMS = cast(sa.Table, models.TrialParamModel.__table__)
_VALUES = cast(sa.Table, models.TrialValueModel.__table__)
_REPORTS = cast(sa.Table, models.TrialIntermediateValueModel.__table__)
_TRIALS = cast(sa.Table, models.TrialModel.__table__)
_STUDIES = cast(sa.Table, models.StudyModel.__table__)


class Database(_CachedStorage):
    """Optuna's storage on a PostgreSQL server."""

    def __init__(self, url: str, connect_timeout: int = 10) -> None:
        engine = {
            "pool_pre_ping": True,
            "pool_size": 2,
            "connect_args": {"connect_timeout": connect_timeout},
        }
        backend = _Backend(_with_driver(url), engine_kwargs=engine)
        self.engine = backend.engine
        self._sessions = _Sessions(backend.engine)
        backend.scoped_session = cast(Any, self._sessions)
        weakref.finalize(self, backend.engine.dispose)
        super().__init__(backend)

    @contextmanager
    def batch(self) -> Generator[sa.Connection]:
        """Return a block whose writes are one transaction; blocks may be nested."""
        with self._sessions.joined() as connection:
            yield connection

    @contextmanager
    def exclusive(self) -> Generator[sa.Connection]:
        """Return a block, one transaction, that no two processes are in at a time."""
        with self.batch() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
            yield connection

    def add_trials(self, study_id: int, trials: Sequence[FrozenTrial]) -> None:
        """Add trials in any state, their numbers following on those of the study."""
        if not trials:
            return
        with self.batch() as connection:
            held = sa.select(_STUDIES.c.study_id).where(_STUDIES.c.study_id == study_id)
            connection.execute(held.with_for_update())
            counted = sa.select(sa.func.count()).where(_TRIALS.c.study_id == study_id)
            first = connection.execute(counted).scalar_one()
            rows = [
                {
                    "study_id": study_id,
                    "number": first + i,
                    "state": trial.state,
                    "datetime_start": _utc(trial.datetime_start),
                    "datetime_complete": _utc(trial.datetime_complete),
                }
                for i, trial in enumerate(trials)
            ]
            inserted = sa.insert(_TRIALS).returning(
                _TRIALS.c.trial_id, sort_by_parameter_order=True
            )
            ids = connection.execute(inserted, rows).scalars().all()
            for table, parts in _parts(zip(ids, trials, strict=True)).items():
                _insert(connection, table, parts)

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """Return the trials in these states; unfinished ones alone are read past the cache."""
        if states is None or any(state in states for state in TrialState if state.is_finished()):
            return super().get_all_trials(study_id, deepcopy, states)
        return self._backend._get_trials(study_id, states, set(), -1)

    def count_states(self, study_id: int) -> dict[TrialState, int]:
        """Return how many trials there are in each state."""
        counted = (
            sa.select(_TRIALS.c.state, sa.func.count())
            .where(_TRIALS.c.study_id == study_id)
            .group_by(_TRIALS.c.state)
        )
        with self.batch() as connection:
            return {state: n for state, n in connection.execute(counted)}

    def count_attribute(
        self, study_id: int, key: str, value: Any = None, state: TrialState | None = None
    ) -> int:
        """Return how many trials (of a state) have an attribute (of this value)."""
        wanted = [_TRIALS.c.study_id == study_id, _ATTRIBUTES.c.key == key]
        if value is not None:
            wanted.append(_ATTRIBUTES.c.value_json == json.dumps(value))
        if state is not None:
            wanted.append(_TRIALS.c.state == state)
        joined = _TRIALS.join(_ATTRIBUTES, _ATTRIBUTES.c.trial_id == _TRIALS.c.trial_id)
        counted = sa.select(sa.func.count()).select_from(joined).where(*wanted)
        with self.batch() as connection:
            return connection.execute(counted).scalar_one()

    def is_writable(self) -> bool:
        """Return whether this user may add and change trials."""
        asked = sa.text("SELECT has_table_privilege('trials', :what)")
        with self.batch() as connection:
            return all(
                connection.execute(asked, {"what": what}).scalar_one()
                for what in ("INSERT", "UPDATE")
            )

    def remove_session(self) -> None:
        """Close the connections."""
        self.engine.dispose()


def _with_driver(url: str) -> str:
    """Return the URL with psycopg named, where no driver is: SQLAlchemy 2.0 takes another."""
    scheme, _, rest = url.partition("://")
    return url if "+" in scheme else f"postgresql+psycopg://{rest}"


class _Sessions:
    """Sessions for Optuna: each a transaction, or all of a thread's within one."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._local = threading.local()

    def __call__(self) -> orm.Session:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            return orm.Session(self._engine)
        return orm.Session(connection, join_transaction_mode="rollback_only")

    @contextmanager
    def joined(self) -> Generator[sa.Connection]:
        held = getattr(self._local, "connection", None)
        if held is not None:
            yield held
            return
        with self._engine.begin() as connection:
            self._local.connection = connection
            try:
                yield connection
            finally:
                self._local.connection = None


class _Backend(RDBStorage):
    """Optuna's storage that reads trials as rows: an object a row takes ten times as long."""

    def __init__(self, url: str, engine_kwargs: dict[str, Any]) -> None:
        try:
            super().__init__(url, engine_kwargs=engine_kwargs)
        except Exception:
            if hasattr(self, "engine"):
                self.engine.dispose()
            raise

    def _get_trials(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        included_trial_ids: set[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:
        wanted = [_TRIALS.c.study_id == study_id]
        if states is not None:
            wanted.append(_TRIALS.c.state.in_([state for state in TrialState if state in states]))
        if trial_id_greater_than > -1:
            older = [i for i in included_trial_ids if i <= trial_id_greater_than]
            listed = _TRIALS.c.trial_id == sa.any_(sa.cast(older, sa.ARRAY(sa.Integer)))
            wanted.append(sa.or_(listed, _TRIALS.c.trial_id > trial_id_greater_than))
        session = cast(orm.Session, self.scoped_session())
        try:
            trials = _read(session, wanted)
            session.commit()
        finally:
            session.close()
        return trials


def _read(session: orm.Session, wanted: Sequence[Any]) -> list[FrozenTrial]:
    """Return the trials that fulfil the conditions, by their ids."""
    columns = [_TRIALS.c[k] for k in ("trial_id", "number", "state")]
    columns += [_TRIALS.c.datetime_start, _TRIALS.c.datetime_complete]
    heads = session.execute(sa.select(*columns).where(*wanted).order_by(_TRIALS.c.trial_id)).all()
    if not heads:
        return []
    chosen = sa.select(_TRIALS.c.trial_id).where(*wanted).scalar_subquery()

    def rows(table: sa.Table, *names: str) -> dict[int, list[Any]]:
        found: dict[int, list[Any]] = defaultdict(list)
        query = sa.select(table.c.trial_id, *(table.c[name] for name in names))
        for trial_id, *cells in session.execute(query.where(table.c.trial_id.in_(chosen))):
            found[trial_id].append(cells)
        return found

    attributes, system = (rows(t, "key", "value_json") for t in (_ATTRIBUTES, _SYSTEM))
    params = rows(_PARAMS, "param_id", "param_name", "param_value", "distribution_json")
    values = rows(_VALUES, "objective", "value", "value_type")
    reports = rows(_REPORTS, "step", "intermediate_value", "intermediate_value_type")
    return [
        _frozen(head, attributes[i], system[i], sorted(params[i]), values[i], reports[i])
        for head in heads
        for i in (head.trial_id,)
    ]


def _frozen(
    head: Any, attributes: Any, system: Any, params: Any, values: Any, reports: Any
) -> FrozenTrial:
    laws = {name: _distribution(text) for _, name, _, text in params}
    stored = models.TrialValueModel.stored_repr_to_value
    reported = models.TrialIntermediateValueModel.stored_repr_to_intermediate_value
    return FrozenTrial(
        number=head.number,
        state=head.state,
        value=None,
        values=[stored(v, kind) for _, v, kind in sorted(values, key=_first)] or None,
        datetime_start=_local(head.datetime_start),
        datetime_complete=_local(head.datetime_complete),
        params={name: laws[name].to_external_repr(value) for _, name, value, _ in params},
        distributions=laws,
        user_attrs={key: json.loads(text) for key, text in attributes},
        system_attrs={key: json.loads(text) for key, text in system},
        intermediate_values={
            step: reported(v, kind) for step, v, kind in sorted(reports, key=_first)
        },
        trial_id=head.trial_id,
    )


def _first(row: Sequence[Any]) -> int:
    return row[0]


@lru_cache(maxsize=1000)
def _distribution(text: str) -> Any:
    """Return a distribution from its text; those of a study are few."""
    return json_to_distribution(text)


def _parts(trials: Iterable[tuple[int, FrozenTrial]]) -> dict[sa.Table, list[dict[str, Any]]]:
    """Return the rows of what trials consist of, by table."""
    parts: dict[sa.Table, list[dict[str, Any]]] = defaultdict(list)
    stored = models.TrialValueModel.value_to_stored_repr
    reported = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr
    for i, trial in trials:
        for table, attrs in ((_ATTRIBUTES, trial.user_attrs), (_SYSTEM, trial.system_attrs)):
            parts[table] += (
                {"trial_id": i, "key": k, "value_json": json.dumps(v)} for k, v in attrs.items()
            )
        for name, value in trial.params.items():
            law = trial.distributions[name]
            row = {
                "trial_id": i,
                "param_name": name,
                "distribution_json": distribution_to_json(law),
            }
            parts[_PARAMS].append({**row, "param_value": law.to_internal_repr(value)})
        for objective, value in enumerate(trial.values or ()):
            number, kind = stored(value)
            row = {"trial_id": i, "objective": objective, "value": number, "value_type": kind}
            parts[_VALUES].append(row)
        for step, value in trial.intermediate_values.items():
            number, kind = reported(value)
            row = {"trial_id": i, "step": step, "intermediate_value": number}
            parts[_REPORTS].append({**row, "intermediate_value_type": kind})
    return {table: rows for table, rows in parts.items() if rows}


def _insert(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows as one array a column: a statement a row takes several times as long."""
    columns = [table.c[name] for name in rows[0]]
    arrays = [sa.cast([row[c.name] for row in rows], sa.ARRAY(c.type)) for c in columns]
    picked = sa.select(*(sa.func.unnest(array) for array in arrays))
    connection.execute(sa.insert(table).from_select(columns, picked))


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.astimezone(UTC).replace(tzinfo=None)


def _local(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)


__all__ = ["LOCK", "Database"]
