"""A network to tune, and the trials that need no sampler.

These are the size's own recipe, the published settings of the network, and the best of the next
smaller size, each as far as the search space has its fields.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna

from ...designspace import NetSpec
from ..recipes.recipe import WHOLE, Recipe
from ..recipes.search_space import (
    Prior,
    SearchSpace,
    counts_with,
    field_of,
    is_range,
    search_space_faults,
)
from .tuned import best_recipe, converged

Params = dict[str, Any]
OWN = "recipe"  # the origin of the trial of a size's own recipe
_log = logging.getLogger("regnet_ds")


@dataclass(frozen=True)
class Size:
    """A network to tune.

    Attributes
    ----------
    recipe
        To begin with; what is not tuned stays as it says. ``base`` is its name.
    priors
        Where to look for better ones (`search_space`).
    published
        Recipes by name, each of which is one of the first trials.
    strict
        Values of the first trials are moved into the priors; else the priors are widened to
        hold them.
    """

    model: str
    spec: NetSpec
    recipe: Recipe
    priors: SearchSpace
    published: Mapping[str, Recipe] = field(default_factory=dict)
    strict: bool = False
    base: str = ""

    def __post_init__(self) -> None:
        faults = search_space_faults(self.priors, self.recipe)
        if faults:
            raise ValueError("; ".join(faults))


def first_trials(size: Size, smaller: optuna.Study | None) -> list[dict[str, Any]]:
    """Return the trials that need no sampler: parameters and origin, none twice."""
    recipes = {OWN: size.recipe, **size.published}
    if smaller is not None and not converged(smaller):
        _log.warning("%s has no result to start %s from", smaller.study_name, size.model)
    elif smaller is not None:
        best = best_recipe(smaller)
        recipes[f"{best.study}#{best.trial}"] = best.recipe
    found: list[dict[str, Any]] = []
    for origin, recipe in recipes.items():
        params = _projected(recipe, size)
        if all(params != trial["params"] for trial in found):
            found.append({"params": params, "origin": origin})
    return found


def widened(priors: SearchSpace, given: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return the priors, with the values of these parameters in them."""
    found: dict[str, list[Any]] = {}
    for key, prior in priors.items():
        values = [params[key] for params in given if key in params]
        if is_range(prior):
            low, high, scale = prior
            found[key] = [min([low, *values]), max([high, *values]), scale]
        else:
            found[key] = list(dict.fromkeys([*prior, *values]))
    return found


def _projected(recipe: Recipe, size: Size) -> Params:
    """Return a recipe's values of what is tuned, the size's own where they do not carry over."""
    optimizer = size.recipe.optimizer
    if "optimizer" in size.priors:
        optimizer = _fitted("optimizer", recipe.optimizer, size)
    params: Params = {}
    for key, prior in size.priors.items():
        name = field_of(key)
        if not counts_with(key, optimizer):
            continue
        value = getattr(recipe, name)
        if name == "optimizer":
            value = optimizer
        elif name == "lr":
            value = _rate(recipe, size, optimizer, prior)
        params[key] = _fitted(key, value, size)
    return params


def _rate(recipe: Recipe, size: Size, optimizer: str, prior: Prior) -> float:
    """Return the rate for the size's batch (DDS: lr = c batch) and this optimiser."""
    own = size.recipe
    if recipe.optimizer != optimizer:
        if own.optimizer == optimizer:
            return own.lr
        low, high, *_ = prior
        return math.sqrt(low * high)
    if (recipe.batch_size, recipe.lr_batch) == (own.batch_size, own.lr_batch):
        return recipe.lr
    return recipe.peak_lr / recipe.batch_size * (own.lr_batch or own.batch_size)


def _fitted(key: str, value: Any, size: Size) -> Any:
    """Return a value that the prior can hold: in it, if it may not be widened."""
    prior = size.priors[key]
    if not is_range(prior):
        return value if value in prior or not size.strict else _nearest(value, prior)
    low, high, scale = prior
    if scale == "log" and value <= 0:
        value = low
    if size.strict:
        value = min(max(value, low), high)
    return int(value) if field_of(key) in WHOLE else float(value)


def _nearest(value: Any, choices: Prior) -> Any:
    if all(isinstance(one, int | float) for one in (value, *choices)):
        return min(choices, key=lambda choice: abs(choice - value))
    return choices[0]
