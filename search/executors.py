"""Local worker processes: fresh Python processes that all run `worker`'s claim loop.

The parent starts them, restarts those that die, returns the trials of the dead to the queue,
and stops them. They end when it does.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from ..analysis.storage import load_study, open_storage, parse_url
from .claims import attempts_of, release_orphans, trials_in
from .quiet import QUIET
from .tasks import DEFAULT_TRAINER
from .worker import PATIENCE

POLL = 0.2  # seconds between looks at the workers
IDLE_DEATHS = 3  # per worker, without a trial begun between them: then it is not the trials
_log = logging.getLogger("regnet_ds")


class WorkerError(RuntimeError):
    """Workers die before they train anything."""


class WorkerPool:
    """``n`` worker processes on studies of one storage, whose logs lie in ``folder``."""

    def __init__(
        self,
        url: str,
        studies: Sequence[str],
        n: int,
        *,
        folder: Path,
        trainer: str = DEFAULT_TRAINER,
        threads: int = 1,
    ) -> None:
        check_workers(url, n)
        self._url = parse_url(url).text
        self._studies = list(studies)
        self._folder = folder
        self._trainer = trainer
        self._threads = threads
        self._processes: list[subprocess.Popen[bytes] | None] = [None] * n
        self._deaths = 0
        self._begun = -1

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers that run."""
        return [p.pid for p in self._processes if p is not None and p.poll() is None]

    def start(self) -> None:
        """Start the workers that do not run."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for slot, process in enumerate(self._processes):
            if process is None:
                self._processes[slot] = self._spawn(f"w{slot + 1}")

    def mend(self, storage: BaseStorage) -> None:
        """Return the trials of dead workers to the queue and start new workers in their place.

        Raises
        ------
        WorkerError
            If workers keep dying without having begun a trial.
        """
        dead = [s for s, p in enumerate(self._processes) if p is not None and p.poll() is not None]
        studies = existing(storage, self._studies)
        for study in studies:
            release_orphans(study)
        for slot in dead:
            process = self._processes[slot]
            code = process.returncode if process else None
            _log.warning("worker w%d ended with code %s and is started again", slot + 1, code)
            begun = sum(attempts_of(trial) for study in studies for trial in trials_in(study, *ALL))
            self._deaths = self._deaths + 1 if begun == self._begun else 0
            self._begun = begun
            if self._deaths >= IDLE_DEATHS * len(self._processes):
                raise WorkerError(f"workers die at once: {self._last_words(slot)}")
            self._close(slot)
        self.start()

    def stop(self, patience: float = PATIENCE) -> None:
        """Ask the workers to return their trials and end; kill those that take too long."""
        running = [process for process in self._processes if process is not None]
        for process in running:
            _say_stop(process)
        deadline = time.monotonic() + patience
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _log.warning("worker %d does not stop and is killed", process.pid)
        self.kill()

    def kill(self) -> None:
        """End the workers now."""
        for slot, process in enumerate(self._processes):
            if process is not None:
                process.kill()
                process.wait()
                self._close(slot)

    def log_file(self, slot: int) -> Path:
        """Return where a worker writes what it says."""
        return self._folder / f"worker-w{slot + 1}.log"

    def _spawn(self, name: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "regnet_ds.search.worker"]
        command += ["--storage", self._url, "--trainer", self._trainer]
        command += ["--name", name, "--folder", str(self._folder)]
        for study in self._studies:
            command += ["--study", study]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(self._threads))
        with (self._folder / f"worker-{name}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**QUIET, **threads, **os.environ},
                start_new_session=True,  # Ctrl-C reaches the parent, which tells the workers
            )

    def _close(self, slot: int) -> None:
        process = self._processes[slot]
        if process is not None and process.stdin is not None:
            try:
                process.stdin.close()
            except OSError:
                pass
        self._processes[slot] = None

    def _last_words(self, slot: int) -> str:
        path = self.log_file(slot)
        lines = path.read_text(errors="replace").strip().splitlines()
        return f"{lines[-1]} (all of it: {path})" if lines else f"{path} is empty"


ALL = tuple(TrialState)
Step = Callable[[BaseStorage], bool]


def run_workers(
    url: str,
    studies: Sequence[str],
    n: int,
    *,
    step: Step,
    folder: Path,
    trainer: str = DEFAULT_TRAINER,
    threads: int = 1,
) -> bool:
    """Run ``n`` workers until ``step``, called after each look at them, says that all is done.

    The first Ctrl-C (or SIGTERM) stops gracefully: workers return their trials, which takes
    seconds. The second kills them; their trials are returned all the same.

    Returns
    -------
    Whether it was done; False if it was interrupted.

    Raises
    ------
    ValueError
        If ``n`` is not positive, or the storage does not take that many writers.
    WorkerError
        If workers die before they train anything.
    """
    pool = WorkerPool(url, studies, n, folder=folder, trainer=trainer, threads=threads)
    storage = open_storage(url, create=False)
    for study in existing(storage, studies):
        release_orphans(study)
    done = False
    with _interrupts(pool) as interrupted:
        try:
            done = step(storage)
            while not (done or interrupted):
                pool.mend(storage)
                time.sleep(POLL)
                done = step(storage)
        finally:
            if len(interrupted) < 2:
                pool.stop()
            pool.kill()
    for study in existing(storage, studies):
        release_orphans(study)
    return done


def in_turn(steps: Sequence[Step]) -> Step:
    """Return the step of `run_workers` that takes these one after the other."""
    return lambda storage: all(step(storage) for step in steps)


def existing(storage: BaseStorage, names: Sequence[str]) -> list[optuna.Study]:
    """Return those of the named studies that the storage holds."""
    there = {study.study_name for study in storage.get_all_studies()}
    return [load_study(storage, name) for name in names if name in there]


def check_workers(url: str, n: int) -> None:
    """Raise ValueError unless the storage takes ``n`` workers."""
    if n < 1:
        raise ValueError(f"workers must be at least 1, got {n}")
    if n > 1 and parse_url(url).kind == "sqlite":
        raise ValueError(
            f"SQLite takes one writer, so one worker, got {n}: use journal:PATH for more"
        )


@contextmanager
def _interrupts(pool: WorkerPool) -> Generator[list[int]]:
    """Count SIGINT and SIGTERM in the block; from the second on, kill the workers at once."""
    received: list[int] = []

    def handle(number: int, _: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            for pid in pool.pids:
                os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        else:
            _log.warning("stopping: running trials are returned (again: stop now)")

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say_stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is None:
        return
    try:
        process.stdin.write(b"stop\n")
        process.stdin.flush()
    except OSError:  # it has ended
        pass
