"""SLURM through submitit: jobs that join a study, train what waits and end when nothing does.

A job that is preempted or runs out of time returns its trial (SIGTERM); one that is killed loses
its lease. The storage is PostgreSQL: a journal serves the processes of one host.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...analysis.storages.storage import open_storage, parse_url, require_writable
from .guards import Guards
from .tasks import DEFAULT_TRAINER
from .worker import STORAGE_VARIABLE

LOCAL = ("local", "debug")  # submitit's executors that need no cluster


def submit(
    url: str,
    studies: Sequence[str] | None,
    jobs: int,
    *,
    folder: Path,
    minutes: int = 240,
    workers: int = 1,
    trainer: str = DEFAULT_TRAINER,
    guards: Guards | None = None,
    cluster: str | None = None,
    **parameters: Any,
) -> list[Any]:
    """Submit jobs of so many workers each; return submitit's jobs.

    Parameters
    ----------
    folder
        Of submitit's logs, on a file system that the nodes share.
    minutes
        That a job may take.
    cluster
        ``slurm`` (if left out), or ``local`` for processes of this machine.
    parameters
        Of SLURM as submitit names them: ``slurm_partition="gpu"``, ``gpus_per_node=1``.

    Raises
    ------
    ValueError
        If submitit or SLURM is missing, or the storage is a file and the jobs are elsewhere.
    """
    try:
        import submitit
    except ImportError:
        raise ValueError("SLURM needs submitit: pip install 'regnet-ds[slurm]'") from None
    place = parse_url(url)
    if place.path is not None and cluster not in LOCAL:
        raise ValueError(f"{place.shown} is a file of this host: use postgresql://... on SLURM")
    require_writable(open_storage(url, create=False), url)
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=cluster or "slurm")
    except RuntimeError as error:
        raise ValueError(f"cannot submit to SLURM: {error}") from None
    executor.update_parameters(timeout_min=minutes, **parameters)
    os.environ[STORAGE_VARIABLE] = place.text  # not an argument, which submitit writes to a file
    arguments = (list(studies) if studies is not None else None, workers, trainer, guards)
    return [executor.submit(work, f"job{i + 1}-", *arguments) for i in range(jobs)]


def work(
    name: str, studies: list[str] | None, workers: int, trainer: str, guards: Guards | None
) -> bool:
    """Be a job: train what waits in the storage that the environment names."""
    from .joining import join

    url = os.environ[STORAGE_VARIABLE]
    return join(url, studies, workers, name=name, trainer=trainer, guards=guards)
