"""Optuna's journal, repaired: one file that several processes of one host share.

Optuna's own journal is destroyed by a torn last line, which a full disk or a killed writer
leaves behind: the next record is glued to it and nothing after can be read. Here every writer
cuts such a line back first. The lock is the kernel's (``flock`` on the journal itself), so that
it ends with its holder; where there is none, Optuna's lock file with a grace of 5 s serves.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOCK_GRACE = 5  # seconds, where the kernel has no file locks
FIRST_BYTES = b'{"op_code":'  # of every record of a journal
_log = logging.getLogger("regnet_ds")


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


def last_line(file: Any) -> bytes:
    """Return the last complete line of a binary file, empty if there is none."""
    end = _end_of_last_line(file, file.seek(0, os.SEEK_END))
    start = _end_of_last_line(file, max(0, end - 1))
    file.seek(start)
    return file.read(end - start)


__all__ = ["FIRST_BYTES", "Journal", "RepairedJournal", "last_line"]
