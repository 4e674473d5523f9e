"""Noise over seeds within a population study: the best, the median and the worst model again."""

from __future__ import annotations

from collections.abc import Callable

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from ...analysis.noise import Noise, noise
from ...analysis.records import Status
from ...analysis.storages.storage import load_study
from ..queue.claims import trials_in
from ..queue.executors import Step
from .architectures import REPLICATE
from .studies import add_seed_runs, population_step

CHOSEN = 3  # the best, the median and the worst model


def first_errors(study: optuna.Study) -> dict[int, float]:
    """Return the error of every architecture's own training, by index; diverged ones left out."""
    return {index: errors[0] for index, errors in errors_by_seed(study).items() if 0 in errors}


def errors_by_seed(study: optuna.Study) -> dict[int, dict[int, float]]:
    """Return the errors of trainings of the study's epochs: index -> replicate -> percent."""
    errors: dict[int, dict[int, float]] = {}
    epochs = study.user_attrs["recipe"].get("epochs")
    for trial in trials_in(study, TrialState.COMPLETE):
        attrs = trial.user_attrs
        if attrs.get("epochs") != epochs:  # never mixed
            continue
        if attrs.get("status") == Status.COMPLETE and trial.value is not None:
            errors.setdefault(attrs["index"], {})[attrs.get(REPLICATE, 0)] = trial.value
    return errors


def best_median_worst(errors: dict[int, float]) -> list[int]:
    """Return the indices of the models of the least, the (lower) median and the greatest error.

    Of equal errors the lower index counts first. Fewer than three models are returned whole.
    """
    ordered = sorted(errors, key=lambda index: (errors[index], index))
    if len(ordered) <= CHOSEN:
        return ordered
    return [ordered[0], ordered[(len(ordered) - 1) // 2], ordered[-1]]


def seed_runs_step(
    name: str,
    replicates: int = 2,
    on_progress: Callable[[dict[str, int]], None] | None = None,
) -> Step:
    """Return the step of `run_workers` that trains those three with other seeds.

    It follows the `population_step` of the same study.
    """
    rest = population_step(name, on_progress)
    added = False

    def step(storage: BaseStorage) -> bool:
        nonlocal added
        if not added:
            study = load_study(storage, name)
            add_seed_runs(study, best_median_worst(first_errors(study)), replicates)
            added = True
        return rest(storage)

    return step


def noise_of(study: optuna.Study) -> Noise:
    """Return the spread over models and over seeds of a study that has seed runs.

    Raises
    ------
    ValueError
        If fewer than two models completed, or none with several seeds.
    """
    errors = errors_by_seed(study)
    repeats = {i: list(by.values()) for i, by in errors.items() if len(by) > 1}
    return noise(list(first_errors(study).values()), repeats)
