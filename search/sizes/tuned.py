"""What tuning found: the best recipe of every size, read from the studies of `tuning`."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from ...analysis.records import Status
from ...analysis.storages.storage import load_study, open_storage
from ..queue.claims import trials_in
from ..queue.tasks import TUNING
from ..recipes.recipe import Recipe
from ..recipes.search_space import recipe_fields
from .gain import gain_of


@dataclass(frozen=True)
class Tuned:
    """What a tuning study found, and where."""

    model: str
    recipe: Recipe
    study: str
    trial: int
    error: float
    data: str
    resolution: int


def best_recipe(study: optuna.Study) -> Tuned:
    """Return the recipe of the lowest validation error, the earlier one of equals.

    Raises
    ------
    ValueError
        If the study is not a tuning study or has no completed trial.
    """
    if study.user_attrs.get("kind") != TUNING:
        raise ValueError(f"study {study.study_name!r} is not a tuning study")
    done = converged(study)
    if not done:
        raise ValueError(f"study {study.study_name!r} has no completed trial")
    best = min(done, key=lambda trial: (error_of(trial), trial.number))
    fields = {**study.user_attrs["recipe"], **recipe_fields(best.params)}
    return Tuned(
        model=study.user_attrs["model"],
        recipe=Recipe.from_dict(fields),
        study=study.study_name,
        trial=best.number,
        error=error_of(best),
        data=study.user_attrs["data"],
        resolution=study.user_attrs["resolution"],
    )


def tuned_recipes(url: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """Return what the tuning studies of a storage found, by model name.

    Each is a mapping with ``recipe`` (its fields), ``study``, ``trial``, ``error`` (percent,
    validation), ``data``, ``resolution``, what `Gain.columns` has where the gain was confirmed,
    and ``base``, the recipe over which it was gained. Of several studies of one model, that of
    the lowest error.

    Raises
    ------
    ValueError
        If the storage cannot be read or holds no result of tuning.
    """
    storage = open_storage(url, create=False)
    found: dict[str, Tuned] = {}
    gains: dict[str, dict[str, Any]] = {}
    for frozen in storage.get_all_studies():
        if frozen.user_attrs.get("kind") != TUNING:
            continue
        study = load_study(storage, frozen.study_name)
        if not converged(study):
            continue
        tuned = best_recipe(study)
        if tuned.model not in found or tuned.error < found[tuned.model].error:
            found[tuned.model] = tuned
            gain = gain_of(storage, study, tuned.trial)
            base = study.user_attrs.get("base", "")
            gains[tuned.model] = {
                **({} if gain is None else gain.columns()),
                **({"base": base} if base else {}),
            }
    if not found:
        raise ValueError(f"{os.fspath(url)} holds no result of tuning: run regnet-ds tune first")
    return {
        model: {
            "recipe": tuned.recipe.to_dict(),
            "study": tuned.study,
            "trial": tuned.trial,
            "error": tuned.error,
            "data": tuned.data,
            "resolution": tuned.resolution,
            **gains[model],
        }
        for model, tuned in found.items()
    }


def has_result(study: optuna.Study) -> bool:
    """Whether a trial of a tuning study completed without diverging."""
    return bool(converged(study))


def lowest_error(study: optuna.Study) -> float | None:
    """Return the lowest error so far of a tuning study; None before there is one."""
    return min((error_of(trial) for trial in converged(study)), default=None)


def converged(study: optuna.Study) -> list[FrozenTrial]:
    """Return the completed trials that did not diverge."""
    done = trials_in(study, TrialState.COMPLETE)
    return [trial for trial in done if trial.user_attrs.get("status") != Status.DIVERGED]


def error_of(trial: FrozenTrial) -> float:
    """Return the validation error of a completed trial, in percent."""
    return trial.values[0] if trial.values else math.inf
