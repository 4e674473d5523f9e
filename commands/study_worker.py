"""``regnet-ds study worker``: train what waits in a storage, from this or any other machine."""

from __future__ import annotations

import socket
from typing import Annotated

import typer

from . import shared
from .training_options import (
    Fresh,
    MaxTrials,
    Memory,
    Storage,
    TimeLimit,
    Trainer,
    TrialTime,
    finish,
    quiet_optuna,
    read_guards,
    read_limits,
    shown_storage,
)


def worker(
    storage: Storage,
    study: Annotated[
        list[str] | None, typer.Option(help="To serve, in this order; all if left out.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that train.")] = 1,
    name: Annotated[
        str | None, typer.Option(help="Of the workers, NAME1 ...; the host's if left out.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Stay when nothing is left, for what comes.")
    ] = False,
    memory: Memory = None,
    trial_time: TrialTime = None,
    fresh: Fresh = None,
    time_limit: TimeLimit = None,
    max_trials: MaxTrials = None,
    trainer: Trainer = None,
) -> None:
    """Join studies: train what waits, until nothing waits or runs anywhere.

    On PostgreSQL any number of machines join; a machine that is lost costs a minute: its trials
    wait again when their leases are over. Ctrl-C returns what is being trained.

    Example: regnet-ds study worker --storage postgresql://me:secret@host/regnet --workers 4
    """
    from ..analysis.storages.storage import open_storage
    from ..search.queue.executors import check_workers
    from ..search.queue.joining import join
    from ..search.queue.tasks import DEFAULT_TRAINER

    check_workers(storage, workers)
    quiet_optuna()
    guards = read_guards(memory, trial_time, fresh)
    limits = read_limits(time_limit, max_trials)
    from .progress import trial_progress

    open_storage(storage, create=False)
    with trial_progress() as show:
        done = join(
            storage,
            study,
            workers,
            name=f"{name or socket.gethostname()}-",
            wait=wait,
            trainer=trainer or DEFAULT_TRAINER,
            guards=guards,
            limits=limits,
            on_progress=lambda one, counts: show(one, counts, sum(counts.values())),
        )
    if done:
        shared.note(f"nothing waits in {shown_storage(storage)}")
    finish(done, limits.reached)
