"""Hyperparameters per model size: one study a size, sizes ascending, warm-started.

A study asks its sampler in synchronous batches of a fixed size (`proposals`), and trials end
early by comparison with earlier batches alone (`pruning`), so that the number of workers decides
nothing. ``asynchronous`` studies give that up: a trial is asked whenever there is room. The first
trials are the size's own recipe, the published ones and the best of the next smaller size. The
objective is the error on the validation split.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from ...analysis.storages.storage import batch, exclusive, open_storage
from ...designspace import complexity, to_record
from ..populations.settings import Settings, keep_checkpoints, open_study, plain
from ..queue.claims import trials_in
from ..queue.counts import status
from ..queue.executors import Step, run_workers
from ..queue.guards import Guards, Limits
from ..queue.pruning import ASYNCHRONOUS, NO_PRUNING, PRUNER, Pruner
from ..queue.ray_cluster import RayCluster
from ..queue.tasks import DEFAULT_TRAINER, TUNING, run_folder
from .proposals import FIRST, ORIGIN, RANGES, proposals, proposals_now, waiting
from .size import Size, first_trials, widened
from .tuned import lowest_error

BATCH = 8  # trials asked together, unless said otherwise
BASE = "base"  # of a study: the name of the recipe that it began with
Progress = Callable[[str, dict[str, int], float | None], None]


@dataclass(frozen=True)
class TuningPlan:
    """How a size is tuned.

    Attributes
    ----------
    trials
        Of each size, given ones included; more continue a study.
    batch
        Trials asked together; where ``asynchronous``, the most that are open at a time.
    pruner
        Which trials end early.
    place, seconds
        Where and how often trainings are kept (`keep_checkpoints`).
    """

    trials: int = 16
    batch: int = BATCH
    pruner: Pruner = NO_PRUNING
    asynchronous: bool = False
    place: str = ""
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("trials", "batch"):
            value = getattr(self, name)
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")


def tune_sizes(
    url: str,
    name: str,
    sizes: Sequence[Size],
    settings: Settings,
    plan: TuningPlan | None = None,
    *,
    workers: int = 2,
    trainer: str = DEFAULT_TRAINER,
    on_progress: Progress | None = None,
    guards: Guards | None = None,
    limits: Limits | None = None,
    cluster: RayCluster | None = None,
) -> bool:
    """Tune every size, the smallest first, in the studies ``name/model``; resumes what is there.

    Parameters
    ----------
    settings
        Shared by all sizes, but for the recipe, which is each size's own.
    plan
        All but the number of trials are properties of the studies.
    on_progress
        Called several times a second with a model, the counts of its study by status, and its
        lowest error so far (None before there is one).
    guards, limits
        On each trial, on the run.

    Returns
    -------
    Whether all is done; False if it was interrupted, or a limit was reached.

    Raises
    ------
    ValueError
        If there is nothing to tune, or a study was made with other settings.
    """
    names, step = tuning_step(name, sizes, settings, plan or TuningPlan(), on_progress)
    open_storage(url)
    return run_workers(
        url,
        names,
        workers,
        step=step,
        folder=run_folder(url, name),
        trainer=trainer,
        threads=settings.threads,
        guards=guards,
        limits=limits,
        cluster=cluster,
    )


def tuning_step(
    name: str,
    sizes: Sequence[Size],
    settings: Settings,
    plan: TuningPlan,
    on_progress: Progress | None = None,
) -> tuple[list[str], Step]:
    """Return the studies that `tune_sizes` makes, and its step of `run_workers`."""
    ordered = ascending(sizes, settings)
    names = [f"{name}/{size.model}" for size in ordered]
    begun: list[optuna.Study] = []

    def step(storage: BaseStorage) -> bool:
        for i, (size, study_name) in enumerate(zip(ordered, names, strict=True)):
            if i == len(begun):
                smaller = begun[-1] if begun else None
                begun.append(begin(storage, study_name, size, settings, plan, smaller))
            done = advance(begun[i], plan.trials)
            if on_progress is not None:
                on_progress(size.model, status(begun[i]), lowest_error(begun[i]))
            if not done:
                return False
        return True

    return names, step


def ascending(sizes: Sequence[Size], settings: Settings) -> list[Size]:
    """Return the sizes by multiply-adds as they are trained, the smallest first.

    Raises
    ------
    ValueError
        If there are none, or two of one name.
    """
    if not sizes:
        raise ValueError("there is no model to tune")
    models = [size.model for size in sizes]
    for model in models:
        if models.count(model) > 1:
            raise ValueError(f"the model {model} is named twice")
    units = {"resolution": settings.resolution, "classes": settings.classes}
    return sorted(sizes, key=lambda size: (complexity(size.spec, **units).flops, size.model))


def require_same(
    storage: BaseStorage, name: str, sizes: Sequence[Size], settings: Settings, plan: TuningPlan
) -> None:
    """Raise ValueError if a size's study is there already, with other settings than these."""
    there = {study.study_name for study in storage.get_all_studies()}
    for size in ascending(sizes, settings):
        if f"{name}/{size.model}" in there:
            open_study(storage, f"{name}/{size.model}", _attributes(size, settings, plan))


def begin(
    storage: BaseStorage,
    name: str,
    size: Size,
    settings: Settings,
    plan: TuningPlan,
    smaller: optuna.Study | None = None,
) -> optuna.Study:
    """Create the study of a size, or return the one that is there.

    ``smaller`` is the finished study of the next smaller size, whose best becomes a trial.
    """
    study = open_study(storage, name, _attributes(size, settings, plan))
    with exclusive(storage):
        if FIRST not in study.user_attrs:
            units = {"resolution": settings.resolution, "classes": settings.classes}
            first = first_trials(size, smaller)
            ranges = widened(size.priors, [trial["params"] for trial in first])
            record = plain(to_record(size.spec, **units))
            with batch(storage):
                study.set_user_attr("record", record)
                study.set_user_attr(BASE, size.base)
                study.set_user_attr(RANGES, ranges)
                study.set_user_attr(FIRST, first)
    keep_checkpoints(study, plan.place, plan.seconds)
    return study


def _attributes(size: Size, settings: Settings, plan: TuningPlan) -> dict[str, Any]:
    """Return what the study of a size is made with; its recipe is the size's own."""
    return {
        "kind": TUNING,
        "model": size.model,
        "batch": plan.batch,
        "priors": plain(dict(size.priors)),
        PRUNER: plan.pruner.attributes(),
        ASYNCHRONOUS: plan.asynchronous,
        **replace(settings, recipe=size.recipe.to_dict()).attributes(),
    }


def advance(study: optuna.Study, trials: int) -> bool:
    """Add the trials that are due; True if ``trials`` of them are finished."""
    asynchronous = study.user_attrs[ASYNCHRONOUS]
    with exclusive(study._storage):
        there = trials_in(study, *TrialState)
        n_open = sum(not trial.state.is_finished() for trial in there)
        n, size = len(there), study.user_attrs["batch"]
        if n >= trials or (n_open and not asynchronous):
            return n >= trials and not n_open
        if asynchronous:
            room = min(size - n_open, trials - n)
            new = waiting(study, n, proposals_now(study, there, room)) if room > 0 else []
        else:
            k = n // size
            end = min(trials, (k + 1) * size)
            new = waiting(study, k * size, proposals(study, k))[n - k * size : end - k * size]
        with batch(study._storage):
            study.add_trials(new)
    return False


__all__ = [
    "ORIGIN",
    "Size",
    "TuningPlan",
    "advance",
    "ascending",
    "begin",
    "require_same",
    "tune_sizes",
    "tuning_step",
]
