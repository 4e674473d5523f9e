"""What a tuning study asks its sampler (TPE), and what the sampler knows when it is asked.

Batch k comes from a sampler seeded by (study seed, k) and from the results of the batches before
it, in number order. Without batches each trial comes from whatever is known at the moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from ...analysis.records import PRIVATE
from ..populations.settings import trial_seed
from ..queue.claims import trials_in
from ..queue.pruning import JUDGED
from ..recipes.recipe import WHOLE
from ..recipes.search_space import Prior, counts_with, field_of, is_range, recipe_fields
from .tuned import error_of

ORIGIN = PRIVATE + "origin"  # of a trial: a recipe's name, the smaller size's best, or sampled
FIRST = PRIVATE + "first"  # of a study: the trials that are given, with their origins
RANGES = PRIVATE + "ranges"  # of a study: the priors, widened to hold the given trials
SAMPLED = "sampled"
FEWEST_RANDOM = 4  # random trials before the sampler learns from results
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
Proposal = tuple[dict[str, Any], str]  # parameters and origin


def proposals(study: optuna.Study, k: int) -> list[Proposal]:
    """Return the parameters and origin of every trial of batch ``k``."""
    size = study.user_attrs["batch"]
    given = _given(study)[k * size : (k + 1) * size]
    told = [trial for trial in trials_in(study, *ENDED) if trial.number < k * size]
    model = _model(study, (0, k), told)
    ranges = _distributions(study)
    asked = [_ask(model, ranges, study) for _ in range(size - len(given))]
    return [*given, *((params, SAMPLED) for params in asked)]


def proposals_now(study: optuna.Study, there: Sequence[FrozenTrial], n: int) -> list[Proposal]:
    """Return the next ``n`` trials after those that are there, from what is known of them."""
    given = _given(study)[len(there) : len(there) + n]
    model = _model(study, (1, len(there)), there)
    ranges = _distributions(study)
    for params, _ in given:
        model.add_trial(_bare(params, ranges, state=TrialState.RUNNING))
    asked = [_ask(model, ranges, study) for _ in range(n - len(given))]
    return [*given, *((params, SAMPLED) for params in asked)]


def waiting(study: optuna.Study, first: int, proposed: Iterable[Proposal]) -> list[FrozenTrial]:
    """Return waiting trials of these parameters, numbered from ``first``."""
    attrs, ranges = study.user_attrs, _distributions(study)
    made: list[FrozenTrial] = []
    for index, (params, origin) in enumerate(proposed, first):
        attributes = {
            **attrs["record"],
            "index": index,
            "model": attrs["model"],
            "seed": trial_seed(attrs["seed"], index),
            "threads": attrs["threads"],
            "epochs": {**attrs["recipe"], **recipe_fields(params)}["epochs"],
            ORIGIN: origin,
            **({JUDGED: True} if origin == SAMPLED else {}),
        }
        made.append(
            create_trial(
                state=TrialState.WAITING,
                params=dict(params),
                distributions={key: ranges[key] for key in params},
                user_attrs=attributes,
            )
        )
    return made


def _given(study: optuna.Study) -> list[Proposal]:
    return [(trial["params"], trial["origin"]) for trial in study.user_attrs[FIRST]]


def _model(study: optuna.Study, key: tuple[int, int], told: Sequence[FrozenTrial]) -> optuna.Study:
    """Return a study in memory with a sampler that has been told these trials.

    Asking the stored one would leave trials running in it.
    """
    attrs = study.user_attrs
    seed = np.random.SeedSequence(attrs["seed"], spawn_key=key).generate_state(1)[0]
    startup = min(10, max(FEWEST_RANDOM, attrs["batch"]))
    sampler = TPESampler(seed=int(seed), n_startup_trials=startup, constant_liar=True)
    storage = optuna.storages.InMemoryStorage()
    model = optuna.create_study(storage=storage, sampler=sampler, direction="minimize")
    for trial in sorted(told, key=lambda trial: trial.number):
        if trial.state != TrialState.FAIL:
            model.add_trial(_told(trial))
    return model


def _told(trial: FrozenTrial) -> FrozenTrial:
    """Return what the sampler needs of a trial."""
    if trial.state == TrialState.COMPLETE:
        return _bare(trial.params, trial.distributions, value=error_of(trial))
    if trial.state == TrialState.PRUNED:
        last = dict([max(trial.intermediate_values.items())])
        return _bare(trial.params, trial.distributions, state=trial.state, intermediate_values=last)
    return _bare(trial.params, trial.distributions, state=TrialState.RUNNING)


def _bare(
    params: Mapping[str, Any], ranges: Mapping[str, BaseDistribution], **rest: Any
) -> FrozenTrial:
    return create_trial(
        params=dict(params), distributions={key: ranges[key] for key in params}, **rest
    )


def _ask(
    model: optuna.Study, ranges: Mapping[str, BaseDistribution], study: optuna.Study
) -> dict[str, Any]:
    """Return new parameters, those of other optimisers left out."""
    optimizer = study.user_attrs["recipe"]["optimizer"]
    trial = model.ask()
    for key in sorted(ranges, key=lambda key: key != "optimizer"):
        if counts_with(key, trial.params.get("optimizer", optimizer)):
            _suggest(trial, key, ranges[key])
    return trial.params


def _suggest(trial: optuna.Trial, key: str, law: BaseDistribution) -> None:
    if isinstance(law, CategoricalDistribution):
        trial.suggest_categorical(key, law.choices)
    elif isinstance(law, IntDistribution):
        trial.suggest_int(key, law.low, law.high, log=law.log)
    elif isinstance(law, FloatDistribution):
        trial.suggest_float(key, law.low, law.high, log=law.log)


def _distributions(study: optuna.Study) -> dict[str, BaseDistribution]:
    return {key: _distribution(key, prior) for key, prior in study.user_attrs[RANGES].items()}


def _distribution(key: str, prior: Prior) -> BaseDistribution:
    if not is_range(prior):
        return CategoricalDistribution(tuple(prior))
    low, high, scale = prior
    if field_of(key) in WHOLE:
        return IntDistribution(low, high, log=scale == "log")
    return FloatDistribution(low, high, log=scale == "log")
