"""What keeps a trial from taking the machine along: limits on memory and time, fresh processes.

The parent of the workers watches them: a worker whose trial needs more than its share of memory
or more than its time is ended, and the trial fails with that reason. A process that has trained
others before (TensorFlow's memory grows) gets the benefit of the doubt: its trial waits again
and has a fresh process. The stack of a trial that hangs is kept as its traceback.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import optuna
import psutil
from optuna.trial import FrozenTrial, TrialState

from ...analysis.records import PRIVATE, Status
from .claims import OWNER, Owner, finish, trials_in

SPENT = 75  # the exit code of a worker that has trained as many trials as it may
SHARE = 0.9  # of the machine's memory, for all workers together
TRACEBACK = PRIVATE + "traceback"
_STACK_PATIENCE = 0.3  # seconds that writing a stack may take
_log = logging.getLogger("regnet_ds")


@dataclass(frozen=True)
class Guards:
    """Limits on the trials of a worker.

    Attributes
    ----------
    memory
        Bytes that a worker may hold (resident); None: an equal share of 90% of the machine's.
    seconds
        That a trial may take; None: no limit.
    trials
        That a process trains before a fresh one takes its place; None: no limit.
    """

    memory: int | None = None
    seconds: float | None = None
    trials: int | None = None

    def __post_init__(self) -> None:
        for name in ("memory", "seconds", "trials"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"the limit on {name} must be above 0, got {value}")

    def memory_of(self, workers: int) -> int:
        """Return the bytes that each of so many workers may hold."""
        if self.memory is not None:
            return self.memory
        return int(SHARE * psutil.virtual_memory().total / workers)


@dataclass
class Limits:
    """How long a run may take and how many trials it may train; ``reached`` says which it was.

    Attributes
    ----------
    seconds
        From ``began`` on, after which running trials are returned and the run ends; None: no limit.
    trials
        That are trained to their end; None: no limit.
    trained
        How many were, by processes of this machine, in runs that have ended.
    """

    seconds: float | None = None
    trials: int | None = None
    reached: str = ""
    trained: int = 0
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        for name, given in (("time limit", self.seconds), ("number of trials", self.trials)):
            if given is not None and not given > 0:
                raise ValueError(f"the {name} must be above 0, got {given}")

    @property
    def left(self) -> int | None:
        """How many trials the next run may train."""
        return None if self.trials is None else max(0, self.trials - self.trained)

    def late(self) -> str:
        """Return in words which time is over, or nothing."""
        if self.seconds is None or time.monotonic() - self.began <= self.seconds:
            return ""
        return f"{self.seconds:g} s"


class Watch:
    """Ends the workers of a pool that break its guards, and says so of their trials."""

    def __init__(self, guards: Guards, workers: int, folder: Path) -> None:
        self._guards = guards
        self._memory = guards.memory_of(workers)
        self._folder = folder
        self._since: dict[tuple[int, str, int], float] = {}

    def look(self, studies: Iterable[optuna.Study], pids: Iterable[int], pool: str) -> None:
        """End the workers of the pool that need too much memory or time."""
        large = {pid: size for pid in pids if (size := _resident(pid)) > self._memory}
        if not large and self._guards.seconds is None:
            return
        now, seen = time.monotonic(), {}
        for study in studies:
            for trial in trials_in(study, TrialState.RUNNING):
                held = trial.user_attrs.get(OWNER) or {}
                if held.get("pool") != pool:
                    continue
                owner = Owner(**held)
                key = (study._study_id, f"{owner.token} {owner.nth}", trial.number)
                seen[key] = self._since.get(key, now)
                if owner.pid in large:
                    self._end_large(study, trial, owner, large[owner.pid])
                elif self._guards.seconds is not None and now - seen[key] > self._guards.seconds:
                    self._end_slow(study, trial, owner, self._guards.seconds)
        self._since = seen

    def _end_large(self, study: optuna.Study, trial: FrozenTrial, owner: Owner, size: int) -> None:
        _end(owner.pid)
        needed = f"needed {size / 2**30:.2f} GiB of memory, more than {self._memory / 2**30:.2f}"
        if owner.nth > 1:
            _log.warning("worker %s %s; its trial waits again", owner.worker, needed)
            return  # the dead lose their trials
        self._fail(study, trial, owner, needed, None)

    def _end_slow(
        self, study: optuna.Study, trial: FrozenTrial, owner: Owner, seconds: float
    ) -> None:
        stack = _ask_for_stack(self._folder, owner.pid)
        _end(owner.pid)
        self._fail(study, trial, owner, f"took longer than {seconds:g} s", stack)

    def _fail(
        self, study: optuna.Study, trial: FrozenTrial, owner: Owner, why: str, stack: Path | None
    ) -> None:
        _log.warning("trial %d of %s failed: %s", trial.number, study.study_name, why)
        attributes = {"status": str(Status.FAILED), "reason": why}
        if stack is not None:
            attributes[TRACEBACK] = str(stack)
        finish(study, trial, owner, None, attributes)


def be_first_to_go() -> None:
    """Let the kernel end this process, before any other, when the machine is out of memory."""
    try:
        Path("/proc/self/oom_score_adj").write_text("1000")
    except OSError:  # another system
        pass


def show_stack_on_request(folder: Path, pid: int) -> None:
    """Write the stacks of this process to a file when it gets SIGUSR1."""
    if hasattr(signal, "SIGUSR1"):
        folder.mkdir(parents=True, exist_ok=True)
        file = _stack_file(folder, pid).open("w")
        faulthandler.register(signal.SIGUSR1, file=file, all_threads=True)


def _ask_for_stack(folder: Path, pid: int) -> Path | None:
    path = _stack_file(folder, pid)
    if not path.exists():
        return None
    os.kill(pid, signal.SIGUSR1)
    time.sleep(_STACK_PATIENCE)
    return path if path.stat().st_size else None


def remove_empty_stack(folder: Path, pid: int) -> None:
    """Remove the file of a process that was never asked for its stacks."""
    path = _stack_file(folder, pid)
    if path.exists() and not path.stat().st_size:
        path.unlink()


def _stack_file(folder: Path, pid: int) -> Path:
    return folder / f"stack-{pid}.traceback.txt"


def _resident(pid: int) -> int:
    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return 0


def _end(pid: int) -> None:
    """Kill a child of this process; its exit code is left to who started it."""
    try:
        process = psutil.Process(pid)
        process.kill()
        deadline = time.monotonic() + 5
        while process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
            time.sleep(0.01)
    except psutil.Error:
        pass
