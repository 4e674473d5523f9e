"""A search at a budget as a study: short trainings, then the finals, on any storage and workers.

The study's seed decides which networks and seeds there are, whatever the number of workers and
interruptions. What is finished is never trained again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, create_trial

from ...analysis.records import RECORD_KEYS
from ...analysis.storages.storage import (
    add_trials,
    exclusive,
    load_study,
    open_storage,
    require_writable,
)
from ...designspace import Budget, DesignSpace, Population, sample, to_record
from ..data.sources import places
from ..populations.architectures import REPLICATE, parameter_ranges, waiting_trial
from ..populations.settings import Settings, open_study, plain, trial_seed
from ..queue.claims import trials_in
from ..queue.counts import status
from ..queue.executors import Step, run_workers
from ..queue.guards import Guards, Limits
from ..queue.ray_cluster import RayCluster
from ..queue.tasks import DEFAULT_TRAINER, FOLDER, SAVE, SEARCH, SETTINGS, checkpoint_of, run_folder
from .finals import next_finals
from .model_based import POOL, choose
from .plan import SearchPlan
from .rungs import (
    FINAL,
    PHASE,
    SHORT,
    at_rung,
    error_at_rung,
    of_phase,
    promotions,
    ranked,
    rung_attributes,
)

PLAN = "plan"  # the attribute of a study
_log = logging.getLogger("regnet_ds")


@dataclass(frozen=True)
class Search:
    """What is searched: a space within a budget, by a plan, with training as ``settings`` say."""

    space: DesignSpace
    budget: Budget
    plan: SearchPlan
    settings: Settings

    @property
    def epochs(self) -> int:
        """Of the short trainings."""
        return int(self.settings.recipe["epochs"])

    def drawn(self, n: int, *key: int) -> Population:
        """Return ``n`` networks of the space within the budget, as the study's seed decides."""
        sequence = np.random.SeedSequence(self.settings.seed, spawn_key=key)
        return sample(
            self.space,
            n,
            budget=self.budget,
            rng=np.random.default_rng(sequence),
            resolution=self.settings.resolution,
            classes=self.settings.classes,
        ).population

    def records(self, population: Population) -> list[dict[str, Any]]:
        """Return the records of networks in the units of the search."""
        units = {"resolution": self.settings.resolution, "classes": self.settings.classes}
        rows = range(len(population))
        return [plain(to_record(population.row(i), **units)) for i in rows]


def create_search(url: str, name: str, search: Search, *, force: bool = False) -> optuna.Study:
    """Create the study of a search, or return the one that is there.

    Raises
    ------
    ValueError
        If there is one with other settings, or the budget holds too few networks.
    """
    attributes = {
        "kind": SEARCH,
        "space": search.space.name,
        "budget": search.budget.describe(),
        PLAN: search.plan.attributes(),
        **search.settings.attributes(),
    }
    first = search.records(search.drawn(_first(search.plan)))
    storage = open_storage(url)
    require_writable(storage, url)
    study = open_study(storage, name, attributes, force=force)
    if FOLDER not in study.user_attrs:
        study.set_user_attr(FOLDER, run_folder(url, name).as_posix())
    with exclusive(storage):
        if not trials_in(study, *optuna.trial.TrialState):
            rung = search.plan.rungs(search.epochs)[0]
            add_trials(study, _networks(search, first, 0, rung))
    return study


def _first(plan: SearchPlan) -> int:
    """Return how many networks are drawn before anything is known of any."""
    return min(plan.batch, plan.n) if plan.method == "model" else plan.n


def run_search(
    url: str,
    name: str,
    search: Search,
    workers: int = 2,
    *,
    trainer: str = DEFAULT_TRAINER,
    on_progress: Callable[[dict[str, int]], None] | None = None,
    guards: Guards | None = None,
    limits: Limits | None = None,
    force: bool = False,
    cluster: RayCluster | None = None,
) -> bool:
    """Search to the end, with local worker processes; False if it was interrupted.

    Raises
    ------
    ValueError
        As `create_search`, or if the storage does not take that many workers.
    WorkerError
        If workers die before they train anything.
    """
    create_search(url, name, search, force=force)
    return run_workers(
        url,
        [name],
        workers,
        step=search_step(name, search, on_progress),
        folder=run_folder(url, name),
        trainer=trainer,
        threads=search.settings.threads,
        guards=guards,
        limits=limits,
        cluster=cluster,
    )


def search_step(
    name: str, search: Search, on_progress: Callable[[dict[str, int]], None] | None = None
) -> Step:
    """Return the step of `run_workers` that is done when the finals are decided."""
    found: list[optuna.Study] = []

    def step(storage: BaseStorage) -> bool:
        if not found:
            found.append(load_study(storage, name))
        done = advance(found[0], search)
        if on_progress is not None:
            on_progress(status(found[0]))
        return done

    return step


def advance(study: optuna.Study, search: Search) -> bool:
    """Add the next trials once all are finished; True if the finals are decided."""
    with exclusive(study._storage):
        trials = trials_in(study, *optuna.trial.TrialState)
        if any(not trial.state.is_finished() for trial in trials):
            return False
        new = [] if of_phase(trials, FINAL) else _next_short(search, trials)
        new = new or _next_final(search, trials)
        add_trials(study, new)
    _forget(study, trials, new)
    return not new


def _next_short(search: Search, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Return the trials of the next rung, or those that the model chooses."""
    if search.plan.method == "model":
        return _chosen(search, trials)
    found = promotions(trials, search.plan, search.epochs)
    if found is None:
        return []
    rung, chosen = found
    return [_promoted(trial, rung, search.epochs) for trial in chosen]


def _networks(
    search: Search, records: Sequence[Mapping[str, Any]], first: int, rung: int
) -> list[FrozenTrial]:
    shared = {"space": search.space.name, **search.settings.attributes()}
    ranges = parameter_ranges(records, search.space)
    extra = rung_attributes(rung, search.epochs)
    return [
        waiting_trial(record, ranges, i, trial_seed(search.settings.seed, i), shared, extra)
        for i, record in enumerate(records, first)
    ]


def _chosen(search: Search, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    there = at_rung(trials, search.epochs)
    n = min(search.plan.batch, search.plan.n - len(there))
    if n < 1:
        return []
    batch = len(there) // search.plan.batch
    pool = search.records(search.drawn(POOL, batch))
    seen = [trial.user_attrs for trial in there.values()]
    pool = [r for r in pool if not any(_is_same(r, other) for other in seen)]
    known = [(t, e) for t in there.values() if (e := error_at_rung(t)) is not None]
    if len(known) < 2:
        places_chosen = list(range(min(n, len(pool))))
    else:
        records = [trial.user_attrs for trial, _ in known]
        errors = [error for _, error in known]
        places_chosen = choose(records, errors, pool, n, search.settings.seed)
    return _networks(search, [pool[i] for i in places_chosen], len(there), search.epochs)


def _is_same(record: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    keys = ("stage_widths", "stage_depths", "stage_group_widths", "stage_bottleneck_ratios")
    return all(record[key] == other.get(key) for key in keys)


def _promoted(trial: FrozenTrial, rung: int, epochs: int) -> FrozenTrial:
    return create_trial(
        state=optuna.trial.TrialState.WAITING,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs={**_kept(trial), **rung_attributes(rung, epochs)},
        intermediate_values=trial.intermediate_values,
    )


def _kept(trial: FrozenTrial) -> dict[str, Any]:
    """Return what a trial says of its architecture and training, not of how it went."""
    keys = (*RECORD_KEYS, "index", "space", "seed", "threads", "epochs", REPLICATE, SETTINGS)
    return {key: trial.user_attrs[key] for key in keys if key in trial.user_attrs}


def _next_final(search: Search, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    last = at_rung(trials, search.epochs)
    chosen = ranked(last)[: search.plan.finalists]
    if not chosen:
        _log.warning("no network came to the end: there are no finals")
    recipe = {**search.settings.recipe, "epochs": search.plan.final_epochs}
    new: list[FrozenTrial] = []
    for index, replicate in next_finals(trials, chosen, search.plan):
        attributes = {
            **_kept(last[index]),
            "seed": trial_seed(search.settings.seed, index, replicate),
            "epochs": search.plan.final_epochs,
            REPLICATE: replicate,
            SETTINGS: plain({"recipe": recipe}),
            PHASE: FINAL,
            SAVE: True,
        }
        new.append(
            create_trial(
                state=optuna.trial.TrialState.WAITING,
                params=last[index].params,
                distributions=last[index].distributions,
                user_attrs=attributes,
            )
        )
    return new


def _forget(study: optuna.Study, old: Sequence[FrozenTrial], new: Sequence[FrozenTrial]) -> None:
    """Remove the checkpoints of trainings that do not go on."""
    going_on = {checkpoint_of(study.user_attrs, trial) for trial in new}
    for path in {checkpoint_of(study.user_attrs, trial) for trial in old} - going_on - {""}:
        places.remove(path)


__all__ = ["PLAN", "SHORT", "Search", "advance", "create_search", "run_search", "search_step"]
