"""A study in a SQLite file: checked before Optuna touches it, and damage in plain words."""

from __future__ import annotations

import logging
from collections.abc import Container, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState

QUICKLY_CHECKED = 2**26  # bytes of a file that is read through when it is opened
TIMEOUT = 20  # seconds to wait for another writer
_optuna_log = logging.getLogger("optuna.storages._rdb.storage")


def check_sqlite(path: Path, create: bool) -> None:
    """Refuse a damaged database, and one of another program, which would get Optuna's tables.

    Raises
    ------
    ValueError
        If it is either, or there is nothing to read and nothing shall be made.
    """
    import sqlite3

    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            tables = {str(name) for (name,) in rows}
            checked = path.stat().st_size <= QUICKLY_CHECKED
            whole = database.execute("PRAGMA quick_check(1)").fetchone() if checked else ("ok",)
    except (sqlite3.Error, OSError, UnicodeError) as error:
        raise ValueError(f"cannot open the storage {path}: {error}") from error
    if whole != ("ok",):
        raise ValueError(f"{path} is a damaged SQLite file: {' '.join(map(str, whole))}")
    if "studies" not in tables and (tables or not create):
        found = f"it has the tables {', '.join(sorted(tables)[:5])}" if tables else "it is empty"
        raise ValueError(f"{path} is a SQLite file, but no storage of studies: {found}")


class SQLiteFile(RDBStorage):
    """Optuna's storage in a SQLite file; what cannot be read is a ValueError that names it."""

    def __init__(self, path: Path, url: str) -> None:
        self._path = path
        super().__init__(url, engine_kwargs={"connect_args": {"timeout": TIMEOUT}})

    @contextmanager
    def _reading(self, *, missing: bool = False) -> Generator[None]:
        try:
            yield
        except Exception as error:  # whatever the values of a damaged file lead to
            if missing and isinstance(error, KeyError):  # Optuna's answer: there is no such study
                raise
            reason = error.__cause__ or error
            raise ValueError(f"{self._path} is damaged: {str(reason).splitlines()[0]}") from error

    def get_all_studies(self) -> list[FrozenStudy]:
        """Return all studies."""
        with self._reading():
            return super().get_all_studies()

    def get_study_id_from_name(self, study_name: str) -> int:
        """Return the number of a study."""
        with self._reading(missing=True):
            return super().get_study_id_from_name(study_name)

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """Return what a study wants."""
        with self._reading(missing=True):
            return super().get_study_directions(study_id)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """Return a study's attributes."""
        with self._reading(missing=True):
            return super().get_study_user_attrs(study_id)

    def _get_trials(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        included_trial_ids: set[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:
        """Return trials: what a study asks, which wraps the storage to keep finished ones."""
        with self._reading(), _without_warnings():
            return super()._get_trials(study_id, states, included_trial_ids, trial_id_greater_than)


@contextmanager
def _without_warnings() -> Generator[None]:
    """Keep Optuna from logging a value that cannot be read before it raises the same error."""
    before = _optuna_log.level
    _optuna_log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        _optuna_log.setLevel(before)


__all__ = ["SQLiteFile", "check_sqlite"]
