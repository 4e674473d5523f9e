"""Joining studies that exist, from this host or another: workers for whatever waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from optuna.storages import BaseStorage

from ...analysis.records import Status
from ...analysis.storages.storage import load_study, open_storage
from .counts import status
from .executors import existing, run_workers
from .guards import Guards, Limits
from .tasks import DEFAULT_TRAINER, run_folder

PENDING = (Status.WAITING, Status.RUNNING)


def join(
    url: str,
    names: Sequence[str] | None = None,
    workers: int = 1,
    *,
    name: str = "w",
    wait: bool = False,
    trainer: str = DEFAULT_TRAINER,
    guards: Guards | None = None,
    limits: Limits | None = None,
    on_progress: Callable[[str, dict[str, int]], None] | None = None,
) -> bool:
    """Train what waits in studies of a storage, until nothing waits or runs in them.

    Parameters
    ----------
    names
        The studies, in the order in which they are served; None: all of the storage.
    name
        The workers are called ``name`` and a number.
    wait
        Stay when nothing is left, until interrupted or at a limit.

    Returns
    -------
    Whether nothing is left; False if it was interrupted, or a limit was reached.

    Raises
    ------
    ValueError
        If a named study does not exist, or the storage does not take that many workers.
    WorkerError
        If workers die before they train anything.
    """
    storage = open_storage(url, create=False)
    studies = [load_study(storage, one) for one in names or ()] or existing(storage, None)
    threads = max((s.user_attrs.get("threads", 1) for s in studies), default=1)

    def step(opened: BaseStorage) -> bool:
        left = 0
        for study in existing(opened, names):
            if "kind" not in study.user_attrs:  # not one of ours
                continue
            counts = status(study)
            pending = sum(counts[one] for one in PENDING)
            left += pending
            if on_progress is not None and pending:
                on_progress(study.study_name, counts)
        return not left and not wait

    return run_workers(
        url,
        names,
        workers,
        step=step,
        folder=run_folder(url, name.rstrip("-") or "w"),
        trainer=trainer,
        threads=threads,
        name=name,
        guards=guards,
        limits=limits,
    )
