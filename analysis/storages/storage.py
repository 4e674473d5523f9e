"""A storage URL or path as an Optuna storage: the repaired journal, SQLite, PostgreSQL.

``journal:PATH`` (also a bare path) is one file that several processes of one host share;
``sqlite:///PATH`` serves one writer; ``postgresql://...`` serves many hosts.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from ..records import SCHEMA
from .journal import FIRST_BYTES, Journal, RepairedJournal, last_line
from .soundness import require_sound

if TYPE_CHECKING:
    from typing import TypeGuard

    from .database import Database

KINDS = ("journal", "sqlite", "postgresql")


@dataclass(frozen=True)
class StorageURL:
    """A storage: its kind, the file it lives in (None for a server) and its text for Optuna."""

    kind: str
    path: Path | None
    text: str

    @property
    def shown(self) -> str:
        """The storage in messages, without a password."""
        if self.path is not None:
            return str(self.path)
        from sqlalchemy.engine import make_url

        url = make_url(self.text)
        if "password" in url.query:
            url = url.update_query_dict({"password": "***"})
        return url.render_as_string(hide_password=True)


def parse_url(url: str | os.PathLike[str]) -> StorageURL:
    """Return the parts of a storage URL.

    Raises
    ------
    ValueError
        If it is empty or its scheme is unknown.
    """
    text = os.fspath(url)
    if text.startswith("sqlite:"):
        path = text.removeprefix("sqlite:///")
        if path in (text, "", ":memory:"):
            raise ValueError(f"a SQLite storage is written sqlite:///PATH, got {text!r}")
        return StorageURL("sqlite", Path(path), text)
    scheme, colon, _ = text.partition("://")
    if colon and scheme.partition("+")[0] == "postgresql":
        return StorageURL("postgresql", None, text)
    if colon and not text.startswith("journal:"):
        near = difflib.get_close_matches(scheme, KINDS, n=1, cutoff=0.0)[0]
        raise ValueError(
            f"unknown storage {scheme + '://'!r} (nearest: {near}); "
            "write journal:PATH, sqlite:///PATH or postgresql://..."
        )
    path = text.removeprefix("journal://").removeprefix("journal:")
    if not path:
        raise ValueError(f"the storage {text!r} names no file: write journal:PATH")
    return StorageURL("journal", Path(path), f"journal:{path}")


def open_storage(url: str | os.PathLike[str], *, create: bool = True) -> BaseStorage:
    """Open a storage, and make it where there is none if ``create``.

    Raises
    ------
    ValueError
        If it is missing, cannot be read, is not a storage, or its server does not answer.
    """
    place = parse_url(url)
    if place.path is not None:
        _check_file(place.path, create)
    if place.kind == "journal":
        return _open_journal(place)
    if place.path is not None:
        from .sqlite_file import check_sqlite

        check_sqlite(place.path, create)
    return _open_database(place)


def load_study(storage: BaseStorage, name: str | None = None) -> optuna.Study:
    """Return a study of a storage; ``name`` may be left out where there is only one.

    Raises
    ------
    ValueError
        If there is no such study, a newer version of this package wrote it, or it is damaged.
    """
    names = [study.study_name for study in storage.get_all_studies()]
    for known in names:
        if not isinstance(known, str):
            raise ValueError(f"the storage is damaged: a study's name is {known!r}, not a text")
    if not names:
        raise ValueError("the storage holds no study")
    if name is None and len(names) > 1:
        raise ValueError(f"the storage holds {len(names)} studies, name one: {', '.join(names)}")
    name = names[0] if name is None else name
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)[0]
        raise ValueError(f"unknown study {name!r} (nearest: {near})")
    study = optuna.load_study(study_name=name, storage=storage)
    schema = study.user_attrs.get("schema", SCHEMA)
    if not isinstance(schema, int) or schema > SCHEMA:
        raise ValueError(
            f"study {name!r} has schema {schema!r}, newer than {SCHEMA}: update regnet-ds"
        )
    require_sound(study, trials=not is_database(storage))
    return study


def is_database(storage: BaseStorage) -> TypeGuard[Database]:
    """Return whether a storage is a server that many hosts share."""
    if isinstance(storage, Journal):  # SQLAlchemy need not be imported
        return False
    from .database import Database

    return isinstance(storage, Database)


def exclusive(storage: BaseStorage) -> AbstractContextManager[Any]:
    """Return a block in which no other process writes (SQLite has one writer anyway)."""
    if isinstance(storage, Journal) or is_database(storage):
        return storage.exclusive()
    return nullcontext()


def batch(storage: BaseStorage) -> AbstractContextManager[Any]:
    """Return a block whose writes reach the storage together when it ends, or not at all.

    Reads of a journal within the block do not see them. SQLite writes as usual.
    """
    if isinstance(storage, Journal) or is_database(storage):
        return storage.batch()
    return nullcontext()


def add_trials(study: optuna.Study, trials: Sequence[FrozenTrial]) -> None:
    """Add trials to a study, all or none of them (but on SQLite)."""
    storage = study._storage
    if is_database(storage):
        storage.add_trials(study._study_id, trials)
        return
    with batch(storage):
        study.add_trials(trials)


def count_states(study: optuna.Study) -> dict[TrialState, int]:
    """Return how many trials a study has in each state."""
    storage = study._storage
    if is_database(storage):
        return storage.count_states(study._study_id)
    return Counter(t.state for t in storage.get_all_trials(study._study_id, deepcopy=False))


def require_writable(storage: BaseStorage, url: str | os.PathLike[str]) -> None:
    """Raise ValueError if a server does not let this user write to the storage."""
    if not is_database(storage) or storage.is_writable():
        return
    raise ValueError(f"the user of {parse_url(url).shown} may read the storage, but not write")


def _check_file(path: Path, create: bool) -> None:
    if path.is_dir():
        raise ValueError(f"cannot open the storage {path}: it is a folder")
    if path.exists():
        return
    if not create:
        raise ValueError(f"cannot read {path}: no such file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"cannot make the folder {path.parent}: {error.strerror}") from error


def _open_journal(place: StorageURL) -> Journal:
    path = place.path or Path()
    try:
        if path.exists():
            _check_journal(path)
        return Journal(RepairedJournal(path))
    except OSError as error:
        raise ValueError(f"cannot open {path}: {error.strerror or error}") from error
    except NotAJournal:
        raise
    except Exception as error:  # whatever Optuna's replay of a wrong record leads to
        raise ValueError(f"{path} is a damaged journal: {error!r}") from error


class NotAJournal(ValueError):
    """A file is something else."""


def _check_journal(path: Path) -> None:
    """Refuse a file that is not a journal, before anything could be cut from it.

    Optuna passes over a last record that it cannot read, and then writes after it.
    """
    with path.open("rb") as file:
        first = file.readline(len(FIRST_BYTES))
        last = last_line(file)
    if first.startswith(b"SQLite format"[: len(FIRST_BYTES)]):
        raise NotAJournal(f"{path} is a SQLite file: write sqlite:///{path}")
    if first != FIRST_BYTES[: len(first)]:
        raise NotAJournal(f"{path} is not a journal: it begins with {first[:11]!r}")
    try:
        json.loads(last or b"{}")
    except ValueError as error:
        raise NotAJournal(f"{path} is a damaged journal: its last record: {error}") from error


def _open_database(place: StorageURL) -> BaseStorage:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        if place.path is not None:
            from .sqlite_file import SQLiteFile

            return SQLiteFile(place.path, place.text)
        from .database import Database

        return Database(place.text)
    except ImportError as error:
        raise ValueError(
            f"cannot open {place.shown}: no driver for it; pip install 'regnet-ds[postgresql]'"
        ) from error
    except (SQLAlchemyError, RuntimeError) as error:
        raise ValueError(f"cannot open the storage {place.shown}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Return what a database's driver says, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    several = len(lines) > 1 and "Multiple connection attempts" in lines[0]
    return re.sub(r"^\(\S+\) ", "", lines[several]) if lines else type(error).__name__


__all__ = [
    "Journal",
    "RepairedJournal",
    "StorageURL",
    "add_trials",
    "batch",
    "count_states",
    "exclusive",
    "is_database",
    "load_study",
    "open_storage",
    "parse_url",
    "require_writable",
]
