"""A storage URL or path as an Optuna storage: the repaired journal, SQLite, PostgreSQL.

``journal:PATH`` (also a bare path) is one file that several processes of one host share;
``sqlite:///PATH`` serves one writer; ``postgresql://...`` serves many hosts.

Optuna's own journal is destroyed by a torn last line, which a full disk or a killed writer
leaves behind: the next record is glued to it and nothing after can be read. Here every writer
cuts such a line back first. The lock is the kernel's (``flock`` on the journal itself), so that
it ends with its holder; where there is none, Optuna's lock file with a grace of 5 s serves.
"""

from __future__ import annotations

import difflib
import json
import logging
import os
import threading
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState

from .records import SCHEMA

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOCK_GRACE = 5  # seconds, where the kernel has no file locks
FIRST_BYTES = b'{"op_code":'  # of every record of a journal
KINDS = ("journal", "sqlite", "postgresql")
_log = logging.getLogger("regnet_ds")


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

        return make_url(self.text).render_as_string(hide_password=True)


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
    return _open_database(place)


def load_study(storage: BaseStorage, name: str | None = None) -> optuna.Study:
    """Return a study of a storage; ``name`` may be left out where there is only one.

    Raises
    ------
    ValueError
        If there is no such study, or a newer version of this package wrote it.
    """
    names = [study.study_name for study in storage.get_all_studies()]
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
    return study


def exclusive(storage: BaseStorage) -> AbstractContextManager[None]:
    """Return a block in which no other process writes to the storage (journals only)."""
    return storage.exclusive() if isinstance(storage, Journal) else nullcontext()


def batch(storage: BaseStorage) -> AbstractContextManager[None]:
    """Return a block whose writes reach a journal together, in one write, when it ends.

    Reads within the block do not see them. Other storages write as usual.
    """
    return storage.batch() if isinstance(storage, Journal) else nullcontext()


class RepairedJournal(JournalFileBackend):
    """Optuna's journal file, whose torn last line is cut back before anything is appended."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        lock = JournalFileOpenLock(os.fspath(path), grace_period=LOCK_GRACE)
        super().__init__(os.fspath(path), lock_obj=lock)
        self._held = threading.RLock()
        self._depth = 0
        if os.access(path, os.W_OK):
            with self.exclusive():
                self._cut_torn_line()

    @contextmanager
    def exclusive(self) -> Generator[None]:
        """Hold the lock; blocks may be nested."""
        with self._held:
            self._depth += 1
            try:
                if self._depth > 1:
                    yield
                else:
                    with self._locked():
                        yield
            finally:
                self._depth -= 1

    @contextmanager
    def _locked(self) -> Generator[None]:
        if fcntl is None:
            self._lock.acquire()
            try:
                yield
            finally:
                self._lock.release()
            return
        with open(self._file_path, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield  # closing the file releases it

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append records, all in one write; what a failed write leaves is cut back."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with self.exclusive():
            self._cut_torn_line()
            with open(self._file_path, "r+b", buffering=0) as file:
                end = file.seek(0, os.SEEK_END)
                try:
                    _write(file.fileno(), lines.encode())
                except OSError:
                    file.truncate(end)
                    raise

    def _cut_torn_line(self) -> None:
        with open(self._file_path, "r+b") as file:
            size = file.seek(0, os.SEEK_END)
            end = _end_of_last_line(file, size)
            if end == size:
                return
            _log.warning("%s: cut a torn record of %d bytes", self._file_path, size - end)
            file.truncate(end)
            file.flush()
            os.fsync(file.fileno())


class Journal(JournalStorage):
    """Optuna's journal storage with two blocks: one that excludes others, one that batches."""

    def __init__(self, backend: RepairedJournal) -> None:
        self._pending: list[dict[str, Any]] | None = None
        super().__init__(backend)
        self._journal = backend
        # Optuna sets it with the first trial that this process adds; a batched one comes later.
        self._replay_result._last_created_trial_id_by_this_process = -1

    def exclusive(self) -> AbstractContextManager[None]:
        """Return a block in which no other process writes."""
        return self._journal.exclusive()

    @contextmanager
    def batch(self) -> Generator[None]:
        """Collect the writes of the block, which belongs to one thread; drop them if it fails."""
        if self._pending is not None:
            raise RuntimeError("batches of a journal cannot be nested")
        self._pending = []
        try:
            yield
            pending, self._pending = self._pending, None
            if pending:
                self._journal.append_logs(pending)
                with self._thread_lock:
                    self._sync_with_backend()
        finally:
            self._pending = None

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Change a state; to RUNNING only from WAITING, and for one process alone.

        Optuna's own answer is wrong for a process that owned the trial before.
        """
        if state != TrialState.RUNNING:
            return super().set_trial_state_values(trial_id, state, values)
        with self.exclusive():
            return super().set_trial_state_values(trial_id, state, values)

    def _write_log(self, op_code: int, extra_fields: dict[str, Any]) -> None:
        if self._pending is None:
            super()._write_log(op_code, extra_fields)
            return
        worker = self._replay_result.worker_id
        self._pending.append({"op_code": op_code, "worker_id": worker, **extra_fields})


def _write(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
    os.fsync(handle)


def _end_of_last_line(file: Any, size: int, block: int = 65_536) -> int:
    """Return where the last complete line of a binary file ends, 0 if there is none."""
    end = size
    while end > 0:
        start = max(0, end - block)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


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
    except (KeyError, TypeError, AssertionError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is a damaged journal: {error!r}") from error


def _check_journal(path: Path) -> None:
    """Refuse a file that is not a journal, before anything could be cut from it."""
    with path.open("rb") as file:
        first = file.readline(len(FIRST_BYTES))
    if first.startswith(b"SQLite format"[: len(FIRST_BYTES)]):
        raise ValueError(f"{path} is a SQLite file: write sqlite:///{path}")
    if first != FIRST_BYTES[: len(first)]:
        raise ValueError(f"{path} is not a journal: it begins with {first[:11]!r}")


def _open_database(place: StorageURL) -> RDBStorage:
    from sqlalchemy.exc import SQLAlchemyError

    waits = {"connect_args": {"timeout": 20}} if place.kind == "sqlite" else {"pool_pre_ping": True}
    try:
        return RDBStorage(place.text, engine_kwargs=waits)
    except ImportError as error:
        raise ValueError(f"cannot open {place.shown}: {error}; install psycopg") from error
    except (SQLAlchemyError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"cannot open the storage {place.shown}: {reason}") from error


__all__ = [
    "Journal",
    "RepairedJournal",
    "StorageURL",
    "batch",
    "exclusive",
    "load_study",
    "open_storage",
    "parse_url",
]
