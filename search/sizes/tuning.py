"""Hyperparameters per model size: one study a size, sizes ascending, warm-started.

A study asks its sampler (TPE) in synchronous batches of a fixed size. Batch k comes from a
sampler seeded by (study seed, k) and from the results of the batches before it, in number
order, so that the number of workers decides nothing. The first trials are the size's own recipe
and the best of the next smaller size. The objective is the error on the validation split.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from ...analysis.storages.storage import batch, exclusive, open_storage
from ...designspace import NetSpec, complexity, to_record
from ..populations.settings import Settings, open_study, plain, run_folder, trial_seed
from ..populations.studies import status
from ..queue.claims import trials_in
from ..queue.executors import Step, run_workers
from ..queue.leases import PRIVATE
from ..queue.ray_cluster import RayCluster
from ..queue.tasks import DEFAULT_TRAINER, TUNING
from ..recipes.recipe import Recipe
from .tuned import best_recipe, converged, error_of, lowest_error

BATCH = 8  # trials asked together, unless said otherwise
ORIGIN = PRIVATE + "origin"  # of a trial: its size's recipe, the smaller size's best, or sampled
FIRST = PRIVATE + "first"  # of a study: the trials that are given, with their origins
RANGES = PRIVATE + "ranges"  # of a study: the priors, widened to hold the given trials
SAMPLED = "sampled"
FEWEST_RANDOM = 4  # random trials before the sampler learns from results
Prior = tuple[float, float, str]
Progress = Callable[[str, dict[str, int], float | None], None]
_log = logging.getLogger("regnet_ds")


@dataclass(frozen=True)
class Size:
    """A network to tune: its name, its recipe to begin with, and where to look for a better one.

    ``priors`` maps fields of the recipe to (low, high, "log" or "linear").
    """

    model: str
    spec: NetSpec
    recipe: Recipe
    priors: Mapping[str, Prior]

    def __post_init__(self) -> None:
        fields = self.recipe.to_dict()
        for name, (low, high, scale) in self.priors.items():
            value = fields.get(name)
            if not isinstance(value, float):
                raise ValueError(f"{name!r} of a recipe cannot be tuned over a range")
            if scale not in ("log", "linear") or not low <= high or (scale == "log" and low <= 0):
                raise ValueError(f"{name} has no range from {low!r} to {high!r}, {scale!r}")


def tune_sizes(
    url: str,
    name: str,
    sizes: Sequence[Size],
    settings: Settings,
    *,
    trials: int = 16,
    batch_size: int = BATCH,
    workers: int = 2,
    trainer: str = DEFAULT_TRAINER,
    on_progress: Progress | None = None,
    cluster: RayCluster | None = None,
) -> bool:
    """Tune every size, the smallest first, in the studies ``name/model``; resumes what is there.

    Parameters
    ----------
    settings
        Shared by all sizes, but for the recipe, which is each size's own.
    trials
        Of each size, given ones included; more continue a study.
    batch_size
        Trials asked together, a property of the studies.
    on_progress
        Called several times a second with a model, the counts of its study by status, and its
        lowest error so far (None before there is one).

    Returns
    -------
    Whether all is done; False if it was interrupted.

    Raises
    ------
    ValueError
        If there is nothing to tune, or a study was made with other settings.
    """
    names, step = tuning_step(
        name, sizes, settings, trials=trials, batch_size=batch_size, on_progress=on_progress
    )
    open_storage(url)
    return run_workers(
        url,
        names,
        workers,
        step=step,
        folder=run_folder(url, name),
        trainer=trainer,
        threads=settings.threads,
        cluster=cluster,
    )


def tuning_step(
    name: str,
    sizes: Sequence[Size],
    settings: Settings,
    *,
    trials: int = 16,
    batch_size: int = BATCH,
    on_progress: Progress | None = None,
) -> tuple[list[str], Step]:
    """Return the studies that `tune_sizes` makes, and its step of `run_workers`."""
    _require_positive(trials=trials, batch_size=batch_size)
    ordered = ascending(sizes, settings)
    names = [f"{name}/{size.model}" for size in ordered]
    begun: list[optuna.Study] = []

    def step(storage: BaseStorage) -> bool:
        for i, (size, study_name) in enumerate(zip(ordered, names, strict=True)):
            if i == len(begun):
                own = replace(settings, recipe=size.recipe.to_dict())
                smaller = begun[-1] if begun else None
                begun.append(begin(storage, study_name, size, own, batch_size, smaller))
            done = advance(begun[i], trials)
            if on_progress is not None:
                on_progress(size.model, status(begun[i]), lowest_error(begun[i]))
            if not done:
                return False
        return True

    return names, step


def _require_positive(**numbers: int) -> None:
    for name, value in numbers.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")


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


def begin(
    storage: BaseStorage,
    name: str,
    size: Size,
    settings: Settings,
    batch_size: int = BATCH,
    smaller: optuna.Study | None = None,
) -> optuna.Study:
    """Create the study of a size, or return the one that is there.

    ``smaller`` is the finished study of the next smaller size, whose best becomes a trial.
    """
    attributes = {
        "kind": TUNING,
        "model": size.model,
        "batch": batch_size,
        "priors": plain(dict(size.priors)),
        **settings.attributes(),
    }
    study = open_study(storage, name, attributes)
    with exclusive(storage):
        if FIRST not in study.user_attrs:
            units = {"resolution": settings.resolution, "classes": settings.classes}
            first = _given(size, smaller)
            ranges = _widened(size.priors, [trial["params"] for trial in first])
            record = plain(to_record(size.spec, **units))
            with batch(storage):
                study.set_user_attr("record", record)
                study.set_user_attr(RANGES, ranges)
                study.set_user_attr(FIRST, first)
    return study


def advance(study: optuna.Study, trials: int) -> bool:
    """Add the next batch once all trials are finished; True if ``trials`` of them are."""
    with exclusive(study._storage):
        there = trials_in(study, *TrialState)
        if any(not trial.state.is_finished() for trial in there):
            return False
        n = len(there)
        if n >= trials:
            return True
        size = study.user_attrs["batch"]
        k = n // size
        end = min(trials, (k + 1) * size)
        new = [_trial(study, i, *p) for i, p in enumerate(proposals(study, k), k * size)]
        with batch(study._storage):
            study.add_trials(new[n - k * size : end - k * size])
    return False


def proposals(study: optuna.Study, k: int) -> list[tuple[dict[str, float], str]]:
    """Return the parameters and origin of every trial of batch ``k``."""
    size = study.user_attrs["batch"]
    given = [(trial["params"], trial["origin"]) for trial in study.user_attrs[FIRST]]
    given = given[k * size : (k + 1) * size]
    seed = np.random.SeedSequence(study.user_attrs["seed"], spawn_key=(0, k)).generate_state(1)[0]
    startup = min(10, max(FEWEST_RANDOM, size))
    sampler = TPESampler(seed=int(seed), n_startup_trials=startup, constant_liar=True)
    # A study of its own in memory: asking the stored one would leave trials running in it.
    model = optuna.create_study(storage=_in_memory(), sampler=sampler, direction="minimize")
    told = trials_in(study, TrialState.COMPLETE)
    model.add_trials(_bare(trial) for trial in told if trial.number < k * size)
    ranges = _distributions(study)
    asked = [model.ask(ranges).params for _ in range(size - len(given))]
    return [*given, *((params, SAMPLED) for params in asked)]


def _given(size: Size, smaller: optuna.Study | None) -> list[dict[str, Any]]:
    """Return the trials that need no sampler: parameters and origin."""
    fields = size.recipe.to_dict()
    own = {name: _at_least(fields[name], prior) for name, prior in size.priors.items()}
    given = [{"params": own, "origin": "recipe"}]
    if smaller is None:
        return given
    if not converged(smaller):
        _log.warning("%s has no result to start %s from", smaller.study_name, size.model)
        return given
    best = best_recipe(smaller)
    warm = {**own, **_carried(best.recipe, size)}
    if warm != own:
        given.append({"params": warm, "origin": f"{best.study}#{best.trial}"})
    return given


def _carried(best: Recipe, size: Size) -> dict[str, float]:
    """Return a smaller size's fields; the rate goes with the batch (DDS: lr = c batch)."""
    fields = best.to_dict()
    carried = {name: fields[name] for name in size.priors}
    if best.optimizer != size.recipe.optimizer:
        carried.pop("lr", None)
    elif "lr" in carried:
        carried["lr"] *= size.recipe.batch_size / best.batch_size
    return {name: _at_least(value, size.priors[name]) for name, value in carried.items()}


def _at_least(value: float, prior: Prior) -> float:
    """Return the value, or the low end where a log scale cannot hold it."""
    low, _, scale = prior
    return float(low if scale == "log" and value <= 0 else value)


def _widened(priors: Mapping[str, Prior], given: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    return {
        name: [min(low, *(p[name] for p in given)), max(high, *(p[name] for p in given)), scale]
        for name, (low, high, scale) in priors.items()
    }


def _distributions(study: optuna.Study) -> dict[str, BaseDistribution]:
    return {
        name: FloatDistribution(low, high, log=scale == "log")
        for name, (low, high, scale) in study.user_attrs[RANGES].items()
    }


def _trial(
    study: optuna.Study, index: int, params: Mapping[str, float], origin: str
) -> FrozenTrial:
    attrs = study.user_attrs
    return create_trial(
        state=TrialState.WAITING,
        params=dict(params),
        distributions=_distributions(study),
        user_attrs={
            **attrs["record"],
            "index": index,
            "model": attrs["model"],
            "seed": trial_seed(attrs["seed"], index),
            "threads": attrs["threads"],
            "epochs": attrs["recipe"]["epochs"],
            ORIGIN: origin,
        },
    )


def _bare(trial: FrozenTrial) -> FrozenTrial:
    return create_trial(
        params=trial.params, distributions=trial.distributions, value=error_of(trial)
    )


def _in_memory() -> BaseStorage:
    return optuna.storages.InMemoryStorage()
