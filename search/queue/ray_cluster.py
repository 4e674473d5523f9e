"""Ray as an executor: one actor a worker, on whatever nodes the cluster has.

An actor runs `run_workers` with one worker process on its node, so claims, guards and limits
are those of every other worker. The driver only places actors, replaces those that are lost
with their node, and drains them. Results are in the storage, never in Ray.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage

from ...analysis.storages.storage import open_storage, parse_url, require_writable
from .claims import release_orphans
from .guards import Guards, Limits
from .interrupts import interrupts
from .outages import patiently
from .worker import PATIENCE

POLL = 0.5  # seconds between looks at the actors
LOSSES = 20  # actors in a row that are lost before any trial ends: then it is not the nodes
Step = Callable[[BaseStorage], bool]
_log = logging.getLogger("regnet_ds")


@dataclass(frozen=True)
class RayCluster:
    """Where the actors run: ``address`` as `ray.init` takes it (None: a cluster of this machine).

    ``resources`` are those of one worker beside its threads, as ``{"TPU": 4}`` or ``{"GPU": 1}``.
    """

    address: str | None = None
    resources: Mapping[str, float] = field(default_factory=dict)


class Served:
    """What an actor is: workers of one process on its node, until it is told to stop."""

    def __init__(self, url: str, studies: Sequence[str] | None, settings: dict[str, Any]) -> None:
        self._url, self._studies, self._settings = url, studies, settings
        self._stopping = False

    def serve(self) -> bool:
        """Train until told to stop or a limit is reached; whether it was told to."""
        from .executors import run_workers

        step = self._is_told
        return run_workers(self._url, self._studies, 1, step=step, **self._settings)

    def _is_told(self, _: BaseStorage) -> bool:
        return self._stopping

    def stop(self) -> None:
        """Let the worker return its trial and end."""
        self._stopping = True


def run_on_ray(
    url: str,
    studies: Sequence[str] | None,
    n: int,
    *,
    step: Step,
    cluster: RayCluster,
    folder: Path,
    trainer: str,
    threads: int = 1,
    name: str = "w",
    guards: Guards | None = None,
    limits: Limits | None = None,
) -> bool:
    """Run ``n`` workers as Ray actors until ``step`` says that all is done; as `run_workers`.

    Raises
    ------
    ValueError
        If Ray is missing or its cluster does not answer, or the storage is a file and the
        cluster has other hosts.
    WorkerError
        If workers die before they train anything.
    """
    ray = _connect(cluster)
    try:
        _require_shared(url, ray.nodes())
        limits = limits or Limits()
        settings: dict[str, Any] = {"trainer": trainer, "threads": threads, "guards": guards}
        settings["folder"] = folder if parse_url(url).path is None else folder.absolute()
        actors = _Actors(ray, _absolute(url), studies, n, cluster, settings, name, limits)
        storage = open_storage(url, create=False)
        require_writable(storage, url)
        return _drive(actors, storage, step, limits)
    finally:
        ray.shutdown()


def _drive(actors: _Actors, storage: BaseStorage, step: Step, limits: Limits) -> bool:
    done = False
    with interrupts(actors.kill) as interrupted:

        def patient(do: Callable[[], Any]) -> Any:
            return patiently(do, stopped=lambda: bool(interrupted))

        try:
            done = patient(lambda: step(storage))
            while not (done or interrupted or limits.reached):
                actors.mend()
                time.sleep(POLL)
                done = patient(lambda: step(storage))
                if actors.spent:
                    limits.reached = f"{limits.trials} trials"
                limits.reached = limits.reached or limits.late()
        finally:
            if len(interrupted) < 2:
                actors.drain()
            actors.kill()
    for study in actors.studies(storage):
        release_orphans(study)
    return done and not interrupted


class _Actors:
    """The actors of a run: slot -> (actor, what `serve` will return)."""

    def __init__(
        self,
        ray: Any,
        url: str,
        studies: Sequence[str] | None,
        n: int,
        cluster: RayCluster,
        settings: dict[str, Any],
        name: str,
        limits: Limits,
    ) -> None:
        resources = dict(cluster.resources)
        gpus = resources.pop("GPU", 0)
        self._ray, self._url, self._names, self._n = ray, url, studies, n
        self._class = ray.remote(
            num_cpus=settings["threads"],
            num_gpus=gpus,
            resources=resources or None,
            max_concurrency=2,
            max_restarts=0,
            scheduling_strategy="SPREAD",
        )(Served)
        self._settings, self._name = settings, name
        self._running: dict[int, tuple[Any, Any]] = {}
        self._ended: set[int] = set()
        self._losses = 0
        trials = limits.trials
        self._shares = [None if trials is None else (trials + i) // n for i in reversed(range(n))]

    @property
    def spent(self) -> bool:
        """Whether every worker has trained what it may."""
        return len(self._ended) == self._n

    def studies(self, storage: BaseStorage) -> list[Any]:
        """Return the studies that are served."""
        from .executors import existing

        return existing(storage, self._names)

    def mend(self) -> None:
        """Start actors where there are none, and in place of the lost."""
        from .executors import WorkerError

        for slot, (_, serving) in list(self._running.items()):
            if not self._ray.wait([serving], timeout=0)[0]:
                continue
            del self._running[slot]
            try:
                self._ray.get(serving)
                self._ended.add(slot)
            except self._ray.exceptions.RayTaskError as error:
                raise WorkerError(str(error).strip().splitlines()[-1]) from None
            except self._ray.exceptions.RayError as error:
                self._losses += 1
                _log.warning("actor %s%d is lost and replaced: %s", self._name, slot + 1, error)
                if self._losses > LOSSES * self._n:
                    raise WorkerError(f"actors are lost again and again: {error}") from None
        for slot in range(self._n):
            if slot not in self._running and slot not in self._ended:
                self._start(slot)

    def _start(self, slot: int) -> None:
        share = self._shares[slot]
        if share == 0:
            self._ended.add(slot)
            return
        settings = {**self._settings, "name": f"{self._name}{slot + 1}-"}
        settings["limits"] = Limits(trials=share)
        actor = self._class.remote(self._url, self._names, settings)
        self._running[slot] = actor, actor.serve.remote()

    def drain(self, patience: float = 2 * PATIENCE) -> None:
        """Let the workers return their trials."""
        for actor, _ in self._running.values():
            actor.stop.remote()
        serving = [serving for _, serving in self._running.values()]
        if serving:
            self._ray.wait(serving, num_returns=len(serving), timeout=patience)

    def kill(self) -> None:
        """End the actors now; their workers end with them."""
        for actor, _ in self._running.values():
            self._ray.kill(actor)
        self._running.clear()


def read_resources(text: str) -> dict[str, float]:
    """Return resources from ``TPU=4`` or ``GPU=1,accelerator_type:A100=0.1``.

    Raises
    ------
    ValueError
        If it cannot be read, or a number is not above 0.
    """
    found: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, number = part.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = 0.0
        if not equals or not name or not value > 0:
            raise ValueError(f"cannot read the resources {text!r}: write TPU=4 or GPU=1,CPU=2")
        found[name] = value
    return found


def _connect(cluster: RayCluster) -> Any:
    # Else Ray rebuilds the environment of `uv run` on every node, which has one already.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    try:
        import ray
    except ImportError:
        raise ValueError(
            "the executor ray needs Ray: pip install 'regnet-ds[ray]', or --executor local"
        ) from None
    try:
        ray.init(
            address=cluster.address, log_to_driver=False, logging_level=logging.ERROR,
            include_dashboard=False if cluster.address is None else None,
        )  # fmt: skip
    except (ConnectionError, RuntimeError, TimeoutError) as error:
        first = (str(error).strip().splitlines() or [""])[0]
        raise ValueError(f"no Ray cluster answers at {cluster.address!r}: {first}") from None
    return ray


def _require_shared(url: str, nodes: Sequence[Mapping[str, Any]]) -> None:
    place, here = parse_url(url), socket.gethostname()
    others = {node["NodeManagerHostname"] for node in nodes if node["Alive"]} - {here}
    if place.path is not None and others:
        raise ValueError(
            f"{place.shown} is a file of this host, and the cluster has others "
            f"({', '.join(sorted(others))}): use postgresql://..."
        )


def _absolute(url: str) -> str:
    """Return the URL as it reads from any folder."""
    place = parse_url(url)
    if place.path is None:
        return place.text
    prefix = "journal:" if place.kind == "journal" else "sqlite:///"
    return f"{prefix}{place.path.absolute()}"
