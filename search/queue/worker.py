"""The claim loop: one loop for every storage and every executor.

A worker imports its trainer once and trains trial after trial: claim the lowest that waits,
train, record. It serves its studies in order, some of which may not exist yet, and ends when
it is told to, when the process that started it dies, or (without ``wait``) when nothing waits.
Asked to stop, it returns the trial that it is training. On a server it judges, before it
claims, whose lease is over, and waits while the server is away.

As a process, its standard input is the line to its parent: ``stop`` or the end stops it.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from ...analysis.records import PRIVATE, Status
from ...analysis.storages.storage import exclusive, is_database, load_study, open_storage
from ...designspace.atomic import as_file_name
from ..learning.checkpoints import Paused
from ..learning.fingerprint import digest, environment
from .claims import Owner, claim, finish, give_back, is_owner, release_orphans
from .guards import SPENT, TRACEBACK, be_first_to_go, show_stack_on_request
from .leases import RENEWALS, Lease, kept, lease_of
from .outages import patiently
from .pruning import Judge, judge_of
from .tasks import (
    DEFAULT_TRAINER,
    RESUMED,
    UNTIL,
    Interrupted,
    Outcome,
    Trainer,
    find_trainer,
    forget,
    run_folder,
    task_of,
)

POLL = 0.1  # seconds between looks at an empty queue
PATIENCE = 10.0  # seconds that a stopped worker may take before it is cut off
STORAGE_VARIABLE = "REGNET_DS_STORAGE"  # not an argument: those show a password to everyone
ENVIRONMENTS = PRIVATE + "environments"  # of a study: fingerprint -> what it stands for
T = TypeVar("T")
_log = logging.getLogger("regnet_ds")


class _TakenAway(Exception):
    """The trial was finished, or given to another worker, while it was being trained."""


class StorageFailed(BaseException):
    """A report could not be stored: no fault of the trial, which becomes an orphan."""


class Stop:
    """A request to stop, which breaks into training but never into a write."""

    def __init__(self) -> None:
        self.requested = False
        self._armed = False

    def request(self, *_: object) -> None:
        """Ask for the stop; may be called as a signal handler."""
        self.requested = True
        if self._armed:
            self._armed = False
            raise Interrupted

    @contextmanager
    def breaks(self, armed: bool) -> Generator[None]:
        """Let a request raise `Interrupted` in the block, or hold it back until its end."""
        before, self._armed = self._armed, armed
        try:
            self._check()
            yield
        finally:
            self._armed = before
        self._check()

    def _check(self) -> None:
        if self._armed and self.requested:
            raise Interrupted


class Worker:
    """A claim loop over studies of one storage; ``folder`` takes what is not a number."""

    def __init__(
        self,
        storage: BaseStorage,
        studies: Sequence[str] | None,
        trainer: Trainer,
        *,
        name: str = "w0",
        folder: Path | None = None,
        pool: str = "",
        url: str = "",
    ) -> None:
        self.stop = Stop()
        self._storage = storage
        self._names = None if studies is None else list(studies)
        self._studies: dict[str, optuna.Study] = {}
        self._trainer = trainer
        self._folder = folder
        self._url = url  # of the storage, beside which trainings are kept
        self._owner = Owner.of_this_process(name, pool)
        self._judged: dict[str, float] = {}
        self._lease = Lease()

    def run(self, *, wait: bool = False, limit: int | None = None) -> int:
        """Train what waits, at most ``limit`` trials, then return; how many were trained.

        ``wait`` for more where nothing waits.
        """
        trained = 0
        while not self.stop.requested and (limit is None or trained < limit):
            found = patiently(self._claim, stopped=lambda: self.stop.requested)
            if found:
                self._train(*found)
                trained += 1
            elif wait:
                time.sleep(POLL)
            else:
                break
        return trained

    def _claim(self) -> tuple[optuna.Study, FrozenTrial] | None:
        for study in self._known():
            self._judge(study)
            trial = claim(study, self._owner)
            if trial:
                self._owner = replace(self._owner, nth=self._owner.nth + 1)
                return study, trial
        return None

    def _known(self) -> list[optuna.Study]:
        """Return the studies to serve that exist: those named, or all of the storage."""
        if self._names is None or any(name not in self._studies for name in self._names):
            there = {study.study_name for study in self._storage.get_all_studies()}
            wanted = sorted(there) if self._names is None else self._names
            for name in wanted:
                if name in there and name not in self._studies:
                    self._studies[name] = load_study(self._storage, name)
        names = list(self._studies) if self._names is None else self._names
        studies = [self._studies[name] for name in names if name in self._studies]
        return [study for study in studies if "kind" in study.user_attrs or self._names]

    def _judge(self, study: optuna.Study) -> None:
        """Return trials whose lease is over to the queue, where the storage has leases."""
        if not is_database(self._storage):
            return
        last = self._judged.get(study.study_name, -math.inf)
        if time.monotonic() - last > lease_of(study) / RENEWALS:
            release_orphans(study)
            self._judged[study.study_name] = time.monotonic()

    def _train(self, study: optuna.Study, trial: FrozenTrial) -> None:
        _log.info("trial %d of %s begins", trial.number, study.study_name)
        began = time.monotonic()
        judge = self._store(lambda: judge_of(study, trial))
        place = run_folder(self._url, study.study_name).as_posix() if self._url else ""
        task = task_of(study.user_attrs, trial, place)
        try:
            with kept(study, trial, self._owner.token) as self._lease, self.stop.breaks(True):
                outcome = self._trainer(
                    task, lambda epoch, error: self._report(trial, judge, epoch, error)
                )
        except Paused as paused:
            self._pause(study, trial, paused, time.monotonic() - began)
            forget(task)
        except (Interrupted, KeyboardInterrupt) as error:
            self.stop.requested = True  # if the training heard of it first
            self._store(lambda: give_back(study, trial, self._owner))
            if isinstance(error, KeyboardInterrupt):
                raise
        except _TakenAway:
            _log.warning("trial %d of %s was taken away", trial.number, study.study_name)
        except Exception as error:
            self._fail(study, trial, error)
        else:
            self._finish(study, trial, outcome)
            forget(task)

    def _report(self, trial: FrozenTrial, judge: Judge | None, epoch: int, error: float) -> None:
        with self.stop.breaks(False):
            if self._lease.lost:
                raise _TakenAway
            report = self._storage.set_trial_intermediate_value
            self._store(lambda: report(trial._trial_id, epoch, float(error)))
            if epoch >= trial.user_attrs.get(UNTIL, math.inf):
                raise Paused(float(error))
            if judge is not None and self._store(lambda: judge.ends(epoch, float(error))):
                raise Paused(float(error))

    def _store(self, write: Callable[[], T]) -> T:
        """Return what a write returns, with patience; a failure is not the trial's."""
        try:
            return patiently(write, stopped=lambda: self.stop.requested)
        except UpdateFinishedTrialError as finished:
            raise _TakenAway from finished
        except Exception as failure:
            raise StorageFailed(str(failure)) from failure

    def _finish(self, study: optuna.Study, trial: FrozenTrial, outcome: Outcome) -> None:
        attributes: dict[str, Any] = {
            "status": str(outcome.status),
            "fingerprint": self._store(lambda: self._fingerprint(study)),
        }
        for key in ("test_error", "best_epoch", "seconds", "images_per_second", "reason"):
            value = getattr(outcome, key, None)
            if value not in (None, ""):
                attributes[key] = value.item() if hasattr(value, "item") else value
        if getattr(outcome, "resumed", 0):
            attributes[RESUMED] = outcome.resumed  # pyright: ignore[reportAttributeAccessIssue]
        error = float(outcome.error)
        if outcome.status == Status.DIVERGED or error != error:
            # A sampler learns nothing from a failed trial: it is told chance.
            attributes["status"] = str(Status.DIVERGED)
            error = 100.0 * (1.0 - 1.0 / study.user_attrs["classes"])
        self._store(lambda: finish(study, trial, self._owner, error, attributes))

    def _pause(
        self, study: optuna.Study, trial: FrozenTrial, paused: Paused, seconds: float
    ) -> None:
        """Tell a trial as pruned with the error that it has come to."""
        attributes = {
            "status": str(Status.PRUNED),
            "fingerprint": self._store(lambda: self._fingerprint(study)),
            "seconds": seconds,
        }
        owner = self._owner
        self._store(lambda: finish(study, trial, owner, paused.error, attributes, pruned=True))

    def _fail(self, study: optuna.Study, trial: FrozenTrial, error: Exception) -> None:
        if not self._store(lambda: is_owner(study, trial, self._owner)):
            return
        lines = str(error).strip().splitlines() or [""]
        reason = f"{type(error).__name__}: {lines[0]}"[:200]
        _log.warning("trial %d of %s failed: %s", trial.number, study.study_name, reason)
        attributes = {"status": str(Status.FAILED), "reason": reason}
        if self._folder is not None:
            name = as_file_name(study.study_name)
            path = self._folder / f"{name}-{trial.number:05d}.traceback.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(traceback.format_exception(error)))
            attributes[TRACEBACK] = str(path)
        self._store(lambda: finish(study, trial, self._owner, None, attributes))

    def _fingerprint(self, study: optuna.Study) -> str:
        """Return the digest of this environment, which the study explains."""
        here = environment(study.user_attrs["threads"])
        name = digest(here)
        if name not in study.user_attrs.get(ENVIRONMENTS, {}):
            with exclusive(self._storage):
                known = study.user_attrs.get(ENVIRONMENTS, {})
                study.set_user_attr(ENVIRONMENTS, {**known, name: here})
        return name


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a process that a parent started; return its exit code."""
    parser = argparse.ArgumentParser(description="Train the waiting trials of studies.")
    parser.add_argument("--study", action="append", help="all of the storage if left out")
    parser.add_argument("--trainer", default=DEFAULT_TRAINER)
    parser.add_argument("--name", default="w0")
    parser.add_argument("--pool", default="")
    parser.add_argument("--limit", type=int, help="trials, then the process ends")
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    be_first_to_go()
    show_stack_on_request(options.folder, os.getpid())
    url = os.environ[STORAGE_VARIABLE]
    worker = Worker(
        patiently(lambda: open_storage(url, create=False)),
        options.study,
        find_trainer(options.trainer),
        name=options.name,
        folder=options.folder,
        pool=options.pool,
        url=url,
    )
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides, and says so
    signal.signal(signal.SIGTERM, worker.stop.request)
    threading.Thread(target=_listen, daemon=True).start()
    worker.run(wait=True, limit=options.limit)
    return 0 if worker.stop.requested else SPENT


def _listen() -> None:
    """Stop the main thread when the parent says so or is gone; end the process if it will not."""
    while True:
        said = os.read(sys.stdin.fileno(), 1024)
        if not said or b"stop" in said:
            break
    main_thread = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main_thread is not None:
        signal.pthread_kill(main_thread, signal.SIGTERM)
    else:
        import _thread

        _thread.interrupt_main(signal.SIGTERM)
    time.sleep(PATIENCE)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
