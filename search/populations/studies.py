"""A population study: architectures as waiting trials, and running what waits.

Architecture i and its training seed depend on the study's seed and i alone, so that the number
of workers, interruptions and retries decide nothing. Running again with more architectures
continues the study; finished ones are never trained again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from ...analysis.records import RECORD_KEYS, Status
from ...analysis.storages.storage import (
    add_trials,
    exclusive,
    is_database,
    load_study,
    open_storage,
    require_writable,
)
from ...designspace import DesignSpace, NetSpec, Population, to_record
from ..queue.claims import held_elsewhere, release_orphans, trials_in
from ..queue.counts import status
from ..queue.executors import Step, in_turn, run_workers
from ..queue.guards import Guards, Limits
from ..queue.ray_cluster import RayCluster
from ..queue.tasks import DEFAULT_TRAINER, POPULATION, SETTINGS, run_folder
from .architectures import REPLICATE, parameter_ranges, waiting_trial
from .settings import Settings, open_study, plain, trial_seed

_UNITS = ("schema", "resolution", "classes", "flops", "params", "acts")
_ARCHITECTURE = tuple(key for key in RECORD_KEYS if key not in _UNITS)
ALL = tuple(TrialState)
Networks = Population | Sequence[NetSpec]
_log = logging.getLogger("regnet_ds")


def create_population_study(
    url: str,
    name: str,
    networks: Networks,
    settings: Settings,
    *,
    space: DesignSpace | str = "",
    budget: str = "",
    force: bool = False,
) -> optuna.Study:
    """Create a study of these architectures, or add the missing ones to the one that is there.

    Other epochs than the study's are new trials of the same architectures, from scratch: with a
    schedule that ends there is nothing to go on from.

    Parameters
    ----------
    networks
        Architecture i of the study, in order. Where the study has them already, they must be
        the same ones.
    space
        Where they were drawn from, or its name; decides the ranges of the trials' parameters.
    budget
        The budget that they were drawn within, in words.
    force
        Continue a study that was made with other settings: what is added has the new ones.

    Raises
    ------
    ValueError
        If there is a study of this name with other settings or other architectures.
    """
    attributes = {"kind": POPULATION, "space": _name(space), **settings.attributes()}
    attributes |= {"budget": budget} if budget else {}
    storage = open_storage(url)
    require_writable(storage, url)
    study = open_study(storage, name, attributes, force=force, free=("recipe.epochs",))
    add_architectures(study, networks, settings, space=space)
    return study


def add_architectures(
    study: optuna.Study,
    networks: Networks,
    settings: Settings,
    *,
    space: DesignSpace | str = "",
) -> int:
    """Add the architectures that a study lacks, as waiting trials; return how many.

    Raises
    ------
    ValueError
        If an architecture is not the one that the study has at its place.
    """
    records = _records(networks, settings)
    shared = {"space": _name(space), **settings.attributes()}
    made = study.user_attrs
    own = {k: v for k, v in shared.items() if made.get(k) != v}
    longer = _only_epochs(made, own)
    ranges = parameter_ranges(records, space)
    with exclusive(study._storage):
        regimes = [(t.user_attrs, t.user_attrs.get(SETTINGS, {})) for t in trials_in(study, *ALL)]
        there = {
            attrs["index"]: attrs
            for attrs, regime in regimes
            if (regime == own if longer else not _only_epochs(made, regime))
        }
        new: list[FrozenTrial] = []
        extra = {SETTINGS: own} if own else {}
        for i, record in enumerate(records):
            index = _place(there, i, record, {} if longer else own)
            if index is None:
                continue
            there[index] = {**record, **extra}
            seed = trial_seed(settings.seed, index)
            new.append(waiting_trial(record, ranges, index, seed, shared, extra))
        add_trials(study, new)
    return len(new)


def _records(networks: Networks, settings: Settings) -> list[dict[str, Any]]:
    """Return the networks' records in a study's units, as they read back from its storage."""
    units = {"resolution": settings.resolution, "classes": settings.classes}
    if not isinstance(networks, Population):
        return [plain(to_record(spec, **units)) for spec in networks]
    if all((getattr(networks, key) == unit).all() for key, unit in units.items()):  # counted
        drawn = networks.records()
        return [plain({key: record[key] for key in RECORD_KEYS}) for record in drawn]
    rows = (networks.row(i) for i in range(len(networks)))
    return [plain(to_record(spec, **units)) for spec in rows]


def _name(space: DesignSpace | str) -> str:
    return space if isinstance(space, str) else space.name


def _only_epochs(made: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    """Whether a trial's own settings differ from its study's in the number of epochs alone."""
    if set(own) != {"recipe"}:
        return False
    recipe = {**made["recipe"], "epochs": own["recipe"].get("epochs")}
    return recipe == own["recipe"] != made["recipe"]


def _place(
    there: Mapping[int, Mapping[str, Any]],
    i: int,
    record: Mapping[str, Any],
    own: Mapping[str, Any],
) -> int | None:
    """Return the index that architecture i takes in a study; None if the study has it.

    Where a study is continued with other settings (``own``), what it lacks comes after.
    """
    if own:
        same = (a for a in there.values() if a.get(SETTINGS) == own and _is_same(a, record))
        return None if any(same) else max(there, default=-1) + 1
    if i not in there:
        return i
    if _is_same(there[i], record):
        return None
    raise ValueError(
        f"architecture {i} of the study is another one: depth {there[i]['depth']}, widths "
        f"{there[i]['stage_widths']}, not depth {record['depth']}, widths {record['stage_widths']}"
    )


def _is_same(there: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    return all(there.get(key) == record.get(key) for key in _ARCHITECTURE)


def add_seed_runs(study: optuna.Study, indices: Iterable[int], replicates: int = 2) -> int:
    """Add trainings of architectures with other seeds, for the noise over seeds.

    The new trials have the ``index`` of their architecture, another ``seed`` and ``replicate``
    1 to ``replicates``; the population's own have replicate 0. Those that are there already are
    not added again. Returns how many were.

    Raises
    ------
    ValueError
        If the study has no architecture of an index.
    """
    with exclusive(study._storage):
        everything = trials_in(study, *ALL)
        everything = [t for t in everything if not _only_epochs(study.user_attrs, own_of(t))]
        first = {t.user_attrs["index"]: t for t in everything if not t.user_attrs.get(REPLICATE)}
        there = {(t.user_attrs["index"], t.user_attrs.get(REPLICATE, 0)) for t in everything}
        new: list[FrozenTrial] = []
        for index in dict.fromkeys(indices):
            if index not in first:
                raise ValueError(f"study {study.study_name!r} has no architecture {index}")
            for replicate in range(1, replicates + 1):
                if (index, replicate) not in there:
                    new.append(_replica(study, first[index], replicate))
        add_trials(study, new)
    return len(new)


def run_study(
    url: str,
    name: str,
    workers: int = 2,
    *,
    trainer: str = DEFAULT_TRAINER,
    take_over: bool = False,
    on_progress: Callable[[dict[str, int]], None] | None = None,
    guards: Guards | None = None,
    limits: Limits | None = None,
    cluster: RayCluster | None = None,
) -> bool:
    """Train what waits in a study with local worker processes; False if not all is trained.

    ``on_progress`` is called with the counts of `status` several times a second.
    ``take_over`` takes trials that another host holds, which are else left alone; on a server
    leases decide, and the run ends when the trials of all hosts have ended. ``guards`` limit
    each trial, ``limits`` the run; ``cluster``: as Ray's actors.

    Raises
    ------
    ValueError
        If there is no such study, or the storage does not take that many workers.
    WorkerError
        If workers die before they train anything.
    """
    show = on_progress
    return run_studies(
        url,
        [name],
        workers,
        trainer=trainer,
        take_over=take_over,
        on_progress=None if show is None else lambda _, counts: show(counts),
        guards=guards,
        limits=limits,
        cluster=cluster,
    )


def run_studies(
    url: str,
    names: Sequence[str],
    workers: int = 2,
    *,
    trainer: str = DEFAULT_TRAINER,
    take_over: bool = False,
    on_progress: Callable[[str, dict[str, int]], None] | None = None,
    guards: Guards | None = None,
    limits: Limits | None = None,
    cluster: RayCluster | None = None,
) -> bool:
    """Train what waits in several studies, one after the other; as `run_study`.

    ``on_progress`` is called with the name and the counts of the one that is trained.
    """
    storage = open_storage(url, create=False)
    studies = [load_study(storage, name) for name in names]
    for study in studies:
        if take_over:
            release_orphans(study, everywhere=True)

    return run_workers(
        url,
        names,
        workers,
        step=in_turn([population_step(name, _of(name, on_progress)) for name in names]),
        folder=run_folder(url, names[0]),
        trainer=trainer,
        threads=max(study.user_attrs["threads"] for study in studies),
        guards=guards,
        limits=limits,
        cluster=cluster,
    )


def _of(
    name: str, show: Callable[[str, dict[str, int]], None] | None
) -> Callable[[dict[str, int]], None] | None:
    return None if show is None else partial(show, name)


def population_step(name: str, on_progress: Callable[[dict[str, int]], None] | None = None) -> Step:
    """Return the step of `run_workers` that is done when nothing of a study waits or runs."""
    found: list[optuna.Study] = []

    def step(storage: BaseStorage) -> bool:
        if not found:
            found.append(load_study(storage, name))
        counts = status(found[0])
        if on_progress is not None:
            on_progress(counts)
        if counts[Status.WAITING]:
            return False
        return not counts[Status.RUNNING] or _all_run_elsewhere(found[0])

    return step


def _all_run_elsewhere(study: optuna.Study) -> bool:
    """Whether what runs is held by other hosts, whose life cannot be seen (but by a lease)."""
    if is_database(study._storage):
        return False
    running = trials_in(study, TrialState.RUNNING)
    elsewhere = held_elsewhere(running)
    if running and len(running) == sum(elsewhere.values()):
        _log.warning("trials held by other hosts are left to them: %s", elsewhere)
        return True
    return False


def own_of(trial: FrozenTrial) -> dict[str, Any]:
    """Return what a trial is trained with in place of its study's settings."""
    return trial.user_attrs.get(SETTINGS, {})


def _replica(study: optuna.Study, trial: FrozenTrial, replicate: int) -> FrozenTrial:
    own = own_of(trial)
    index = trial.user_attrs["index"]
    shared = {**study.user_attrs, **own}
    record = {k: v for k, v in trial.user_attrs.items() if k in RECORD_KEYS}
    extra = {REPLICATE: replicate, **({SETTINGS: own} if own else {})}
    seed = trial_seed(shared["seed"], index, replicate)
    return waiting_trial(record, trial.distributions, index, seed, shared, extra)
