"""What tuning gained: the recipe it found against the one it began with, on the test split.

Both are trained again with seeds that tuning has not used. The test split is read once for each
of these trainings, after every decision. A study ``NAME/MODEL/gain`` holds them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, variance
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from ...analysis.records import PRIVATE, Status
from ...analysis.storages.storage import add_trials, exclusive, load_study, open_storage
from ..populations.architectures import REPLICATE
from ..populations.settings import open_study, plain, trial_seed
from ..queue.claims import trials_in
from ..queue.counts import status
from ..queue.executors import in_turn, run_workers
from ..queue.guards import Guards, Limits
from ..queue.ray_cluster import RayCluster
from ..queue.tasks import DEFAULT_TRAINER, EVERY, GAIN, HARDWARE, SETTINGS, TEST, run_folder
from ..recipes.recipe import Recipe
from ..recipes.search_space import recipe_fields

SUFFIX = "/gain"
ROLE = PRIVATE + "role"  # of a trial: BASE or BEST
BASE, BEST = "base", "best"
FEWEST = 3  # seeds
SHARED = (
    "model", "data", "data_fingerprint", "resolution", "classes", "threads", "seed",
    HARDWARE, EVERY,
)  # fmt: skip
FIRST_SEED = 10_000  # replicates of the seeds that tuning does not use
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Gain:
    """Test errors in percent, means over ``seeds`` trainings each; ``gain`` is their difference.

    ``low`` and ``high`` are the ends of Welch's 95% interval of the gain.
    """

    base_error: float
    tuned_error: float
    gain: float
    low: float
    high: float
    seeds: int

    def columns(self) -> dict[str, float]:
        """Return the figures as columns of a table."""
        return {
            "base_test_error": self.base_error,
            "test_error": self.tuned_error,
            "gain": self.gain,
            "gain_low": self.low,
            "gain_high": self.high,
            "seeds": self.seeds,
        }


def confirm(
    url: str,
    names: Sequence[str],
    seeds: int = FEWEST,
    workers: int = 2,
    *,
    trainer: str = DEFAULT_TRAINER,
    on_progress: Callable[[str, dict[str, int]], None] | None = None,
    guards: Guards | None = None,
    limits: Limits | None = None,
    cluster: RayCluster | None = None,
) -> bool:
    """Train what tuning studies found, and what they began with; False if not all of it.

    Raises
    ------
    ValueError
        If there are fewer than three seeds, or a study has no result.
    """
    if seeds < FEWEST:
        raise ValueError(f"a gain needs at least {FEWEST} seeds, got {seeds}")
    storage = open_storage(url, create=False)
    made = [add_confirmations(storage, load_study(storage, name), seeds) for name in names]

    def step_of(name: str) -> Callable[[BaseStorage], bool]:
        def step(opened: BaseStorage) -> bool:
            counts = status(load_study(opened, name))
            if on_progress is not None:
                on_progress(name, counts)
            return not counts[Status.WAITING] and not counts[Status.RUNNING]

        return step

    studies = [study.study_name for study in made]
    return run_workers(
        url,
        studies,
        workers,
        step=in_turn([step_of(name) for name in studies]),
        folder=run_folder(url, studies[0]),
        trainer=trainer,
        threads=made[0].user_attrs["threads"],
        guards=guards,
        limits=limits,
        cluster=cluster,
    )


def add_confirmations(storage: BaseStorage, tuning: optuna.Study, seeds: int) -> optuna.Study:
    """Return the study of a tuning study's gain, with the trainings that it lacks."""
    from .tuned import best_recipe

    best = best_recipe(tuning)
    attrs = tuning.user_attrs
    shared = {key: attrs[key] for key in SHARED if key in attrs}
    base = Recipe.from_dict({**attrs["recipe"]}).to_dict()
    attributes = {"kind": GAIN, "trial": best.trial, "recipe": base, **shared}
    name = f"{tuning.study_name}{SUFFIX}"
    study = open_study(storage, name, plain(attributes), free=("trial",))
    if study.user_attrs["trial"] != best.trial:  # tuning went on and found a better one
        study.set_user_attr("trial", best.trial)
    recipes = {BASE: base, BEST: best.recipe.to_dict()}
    with exclusive(storage):
        there = {_key(trial) for trial in trials_in(study, *TrialState)}
        new = [
            _trial(tuning, role, plain(recipe), replicate)
            for replicate in range(1, seeds + 1)
            for role, recipe in recipes.items()
        ]
        add_trials(study, [trial for trial in new if _key(trial) not in there])
    return study


def _key(trial: FrozenTrial) -> tuple[Any, ...]:
    attrs = trial.user_attrs
    recipe = sorted(attrs[SETTINGS]["recipe"].items())
    return attrs[ROLE], attrs[REPLICATE], repr(recipe)


def _trial(tuning: optuna.Study, role: str, recipe: dict[str, Any], replicate: int) -> FrozenTrial:
    attrs = tuning.user_attrs
    return create_trial(
        state=TrialState.WAITING,
        user_attrs={
            **attrs["record"],
            "index": 0 if role == BASE else 1,
            "model": attrs["model"],
            "seed": trial_seed(attrs["seed"], 0, FIRST_SEED + replicate),
            "threads": attrs["threads"],
            "epochs": recipe["epochs"],
            REPLICATE: replicate,
            ROLE: role,
            SETTINGS: {"recipe": recipe},
            TEST: True,
        },
    )


def gain_of(storage: BaseStorage, tuning: optuna.Study, trial: int) -> Gain | None:
    """Return what a trial of a tuning study gained; None where it was not confirmed."""
    name = f"{tuning.study_name}{SUFFIX}"
    if all(study.study_name != name for study in storage.get_all_studies()):
        return None
    study = load_study(storage, name)
    if study.user_attrs["trial"] != trial:
        return None
    params = tuning.trials[trial].params
    fields = {**tuning.user_attrs["recipe"], **recipe_fields(params)}
    recipes = {BASE: study.user_attrs["recipe"], BEST: plain(Recipe.from_dict(fields).to_dict())}
    errors: dict[str, list[float]] = {BASE: [], BEST: []}
    for done in trials_in(study, TrialState.COMPLETE):
        attrs = done.user_attrs
        if attrs[SETTINGS]["recipe"] == recipes[attrs[ROLE]] and "test_error" in attrs:
            errors[attrs[ROLE]].append(attrs["test_error"])
    if min(len(errors[BASE]), len(errors[BEST])) < FEWEST:
        return None
    return compare(errors[BASE], errors[BEST])


def compare(base: Sequence[float], best: Sequence[float]) -> Gain:
    """Return the gain of one group of errors over another, with Welch's interval."""
    from scipy.stats import t

    parts = [variance(base) / len(base), variance(best) / len(best)]
    gain = fmean(base) - fmean(best)
    half = 0.0
    if sum(parts) > 0:
        below = [part**2 / (len(x) - 1) for part, x in zip(parts, (base, best), strict=True)]
        freedom = sum(parts) ** 2 / sum(below)
        half = float(t.ppf(0.5 + CONFIDENCE / 2, freedom)) * sum(parts) ** 0.5
    return Gain(fmean(base), fmean(best), gain, gain - half, gain + half, min(len(base), len(best)))
