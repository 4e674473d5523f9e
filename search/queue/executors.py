"""Local worker processes: fresh Python processes that all run `worker`'s claim loop.

The parent starts them, restarts those that die, returns the trials of the dead to the queue,
ends those that break its guards, and stops them. They end when it does.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from ...analysis.storages.storage import (
    is_database,
    load_study,
    open_storage,
    parse_url,
    require_writable,
)
from ..quiet import QUIET
from .claims import OWNER, attempts_of, release_orphans, trials_in
from .guards import SPENT, Guards, Limits, Watch, remove_empty_stack
from .interrupts import interrupts
from .leases import RENEWALS, lease_of
from .outages import patiently
from .ray_cluster import RayCluster, run_on_ray
from .tasks import DEFAULT_TRAINER
from .worker import PATIENCE, STORAGE_VARIABLE
from .writers import check_workers, one_writer

POLL = 0.2  # seconds between looks at the workers
IDLE_DEATHS = 3  # per worker, without a trial begun between them: then it is not the trials
T = TypeVar("T")
_log = logging.getLogger("regnet_ds")


class WorkerError(RuntimeError):
    """Workers die before they train anything."""


class WorkerPool:
    """``n`` worker processes on studies of one storage, whose logs lie in ``folder``."""

    def __init__(
        self,
        url: str,
        studies: Sequence[str] | None,
        n: int,
        *,
        folder: Path,
        trainer: str = DEFAULT_TRAINER,
        threads: int = 1,
        name: str = "w",
        guards: Guards | None = None,
        trials: int | None = None,
    ) -> None:
        check_workers(url, n)
        self.id = uuid.uuid4().hex
        self._url = parse_url(url).text
        self._names = None if studies is None else list(studies)
        self._studies: dict[str, optuna.Study] = {}
        self._folder = folder
        self._trainer = trainer
        self._threads = threads
        self._name = name
        self._guards = guards or Guards()
        self._watch = Watch(self._guards, n, folder)
        self._processes: list[subprocess.Popen[bytes] | None] = [None] * n
        self._deaths = 0
        self._begun = -1
        self._judged = -math.inf
        self._shares: list[int | None] = [
            None if trials is None else (trials + i) // n for i in reversed(range(n))
        ]

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers that run."""
        return [p.pid for p in self._processes if p is not None and p.poll() is None]

    def start(self) -> None:
        """Start the workers that do not run."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for slot, process in enumerate(self._processes):
            if process is None and self._shares[slot] != 0:
                self._processes[slot] = self._spawn(slot)

    def mend(self, storage: BaseStorage) -> None:
        """Return the trials of dead workers to the queue and start new workers in their place.

        Raises
        ------
        WorkerError
            If workers keep dying without having begun a trial.
        """
        studies = self.studies(storage)
        self._watch.look(studies, self.pids, self.id)
        dead = [s for s, p in enumerate(self._processes) if p is not None and p.poll() is not None]
        self._judge(storage, studies, bool(dead))
        for slot in dead:
            process = self._processes[slot]
            if process is None:
                continue
            if process.returncode != SPENT:
                self._mourn(studies, slot, process.returncode)
            self._spend(studies, slot)
            self._close(slot)
        self.start()

    @property
    def spent(self) -> bool:
        """Whether the workers have trained as many trials as they may."""
        return all(process is None for process in self._processes) and not any(self._shares)

    def _spend(self, studies: Sequence[optuna.Study], slot: int) -> None:
        """Take from a worker's share of trials what its last process finished."""
        share = self._shares[slot]
        process = self._processes[slot]
        if share is None or process is None:
            return
        owners = self._owners_of_finished(studies)
        self._shares[slot] = share - sum(held["pid"] == process.pid for held in owners)

    def trained(self, storage: BaseStorage) -> int:
        """Return how many trials the workers have finished."""
        return len(self._owners_of_finished(self.studies(storage)))

    def _owners_of_finished(self, studies: Sequence[optuna.Study]) -> list[dict[str, Any]]:
        finished = (
            trial.user_attrs.get(OWNER) or {}
            for study in studies
            for trial in trials_in(study, *ALL)
            if trial.state.is_finished()
        )
        return [held for held in finished if held.get("pool") == self.id]

    def studies(self, storage: BaseStorage) -> list[optuna.Study]:
        """Return those of the pool's studies that the storage holds: all, if none are named."""
        if self._names is None or len(self._studies) < len(self._names):
            for study in existing(storage, self._names):
                self._studies.setdefault(study.study_name, study)
        return list(self._studies.values())

    def release(self, storage: BaseStorage) -> None:
        """Return the trials of dead workers to the queue."""
        for study in self.studies(storage):
            release_orphans(study, pool=self.id)

    def _judge(self, storage: BaseStorage, studies: Sequence[optuna.Study], died: bool) -> None:
        """Look for orphans, on a server only as often as leases call for."""
        now = time.monotonic()
        if is_database(storage) and not died:
            pause = min((lease_of(study) for study in studies), default=0.0) / RENEWALS
            if now - self._judged < pause:
                return
        self._judged = now
        self.release(storage)

    def _mourn(self, studies: Sequence[optuna.Study], slot: int, code: int) -> None:
        _log.warning("worker %s ended with code %s and is started again", self._worker(slot), code)
        begun = sum(attempts_of(trial) for study in studies for trial in trials_in(study, *ALL))
        self._deaths = self._deaths + 1 if begun == self._begun else 0
        self._begun = begun
        if self._deaths >= IDLE_DEATHS * len(self._processes):
            raise WorkerError(f"workers die at once: {self._last_words(slot)}")

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

    def kill_at_once(self) -> None:
        """Send the workers what ends them, without waiting: for handlers of signals."""
        for pid in self.pids:
            os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))

    def kill(self) -> None:
        """End the workers now."""
        for slot, process in enumerate(self._processes):
            if process is not None:
                process.kill()
                process.wait()
                self._close(slot)

    def log_file(self, slot: int) -> Path:
        """Return where a worker writes what it says."""
        return self._folder / f"worker-{self._worker(slot)}.log"

    def _worker(self, slot: int) -> str:
        return f"{self._name}{slot + 1}"

    def _spawn(self, slot: int) -> subprocess.Popen[bytes]:
        name = self._worker(slot)
        command = [
            sys.executable,
            "-m",
            "regnet_ds.search.queue.worker",
            "--trainer",
            self._trainer,
        ]
        command += ["--name", name, "--folder", str(self._folder), "--pool", self.id]
        for study in self._names or ():
            command += ["--study", study]
        limits = [n for n in (self._guards.trials, self._shares[slot]) if n is not None]
        if limits:
            command += ["--limit", str(min(limits))]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(self._threads))
        with (self._folder / f"worker-{name}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**QUIET, **threads, **os.environ, STORAGE_VARIABLE: self._url},
                start_new_session=True,  # Ctrl-C reaches the parent, which tells the workers
            )

    def _close(self, slot: int) -> None:
        process = self._processes[slot]
        if process is not None and process.stdin is not None:
            try:
                process.stdin.close()
            except OSError:
                pass
        if process is not None:
            remove_empty_stack(self._folder, process.pid)
        self._processes[slot] = None

    def _last_words(self, slot: int) -> str:
        path = self.log_file(slot)
        lines = path.read_text(errors="replace").strip().splitlines()
        return f"{lines[-1]} (all of it: {path})" if lines else f"{path} is empty"


ALL = tuple(TrialState)
Step = Callable[[BaseStorage], bool]


def run_workers(
    url: str,
    studies: Sequence[str] | None,
    n: int,
    *,
    step: Step,
    folder: Path,
    trainer: str = DEFAULT_TRAINER,
    threads: int = 1,
    name: str = "w",
    guards: Guards | None = None,
    limits: Limits | None = None,
    cluster: RayCluster | None = None,
) -> bool:
    """Run ``n`` workers until ``step``, called after each look at them, says that all is done.

    The first Ctrl-C (or SIGTERM) stops gracefully: workers return their trials, which takes
    seconds. The second kills them; their trials are returned all the same. Workers are called
    ``name`` and a number; they serve all studies of the storage where ``studies`` is None. With
    a ``cluster`` they are Ray's actors, wherever it has room.

    Returns
    -------
    Whether it was done; False if it was interrupted, be it as the last trial ended, or a limit
    was reached.

    Raises
    ------
    ValueError
        If ``n`` is not positive, or the storage does not take that many writers.
    WorkerError
        If workers die before they train anything.
    """
    settings: dict[str, Any] = {"trainer": trainer, "threads": threads, "name": name}
    limits = limits or Limits()
    if cluster is not None:
        check_workers(url, n)
        settings |= {"guards": guards, "limits": limits, "folder": folder}
        return run_on_ray(url, studies, n, step=step, cluster=cluster, **settings)
    settings |= {"guards": guards, "trials": limits.left}
    pool = WorkerPool(url, studies, n, folder=folder, **settings)
    storage = open_storage(url, create=False)
    require_writable(storage, url)
    with one_writer(url):
        pool.release(storage)
        done = False
        with interrupts(pool.kill_at_once) as interrupted:

            def patient(do: Callable[[], T]) -> T:
                return patiently(do, stopped=lambda: bool(interrupted))

            try:
                done = patient(lambda: step(storage))
                while not (done or interrupted or limits.reached):
                    patient(lambda: pool.mend(storage))
                    time.sleep(POLL)
                    done = patient(lambda: step(storage))
                    limits.reached = _reached(limits, pool)
            finally:
                if len(interrupted) < 2:
                    pool.stop()
                pool.kill()
        patient(lambda: pool.release(storage))
        limits.trained += 0 if limits.trials is None else patient(lambda: pool.trained(storage))
    return done and not interrupted  # whoever stops it does not want what comes next


def _reached(limits: Limits, pool: WorkerPool) -> str:
    """Return in words which limit a run has reached, or nothing."""
    return f"{limits.trials} trials" if pool.spent else limits.late()


def in_turn(steps: Sequence[Step]) -> Step:
    """Return the step of `run_workers` that takes these one after the other."""
    return lambda storage: all(step(storage) for step in steps)


def existing(storage: BaseStorage, names: Sequence[str] | None) -> list[optuna.Study]:
    """Return those of the named studies that the storage holds; all if none are named."""
    there = [study.study_name for study in storage.get_all_studies()]
    wanted = there if names is None else [name for name in names if name in there]
    return [load_study(storage, name) for name in wanted]


def _say_stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is None:
        return
    try:
        process.stdin.write(b"stop\n")
        process.stdin.flush()
    except OSError:  # it has ended
        pass
