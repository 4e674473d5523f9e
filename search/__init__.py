"""Training, populations and tuning. Names are imported when they are first used.

Its folders import one way: ``recipes`` <- ``data`` <- ``learning`` <- ``queue`` <-
``populations`` <- ``budget_search``, ``sizes`` and ``reproduction``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazily

if TYPE_CHECKING:
    from .budget_search.plan import SearchPlan
    from .budget_search.searching import Search, run_search
    from .data.datasets import Augmentations, Dataset, Split, load_dataset
    from .learning.evaluation import evaluate
    from .learning.training import Result, train
    from .populations.settings import Settings
    from .populations.studies import create_population_study, run_study
    from .queue.executors import run_workers
    from .recipes.recipe import Recipe
    from .recipes.size_priors import priors
    from .sizes.size import Size
    from .sizes.tuned import best_recipe, tuned_recipes
    from .sizes.tuning import TuningPlan, tune_sizes

_HOMES = {
    "budget_search.plan": ("SearchPlan",),
    "budget_search.searching": ("Search", "run_search"),
    "data.datasets": ("Augmentations", "Dataset", "Split", "load_dataset"),
    "learning.evaluation": ("evaluate",),
    "queue.executors": ("run_workers",),
    "recipes.recipe": ("Recipe",),
    "populations.settings": ("Settings",),
    "recipes.size_priors": ("priors",),
    "populations.studies": ("create_population_study", "run_study"),
    "learning.training": ("Result", "train"),
    "sizes.tuned": ("best_recipe", "tuned_recipes"),
    "sizes.size": ("Size",),
    "sizes.tuning": ("TuningPlan", "tune_sizes"),
}

__all__ = [
    "Augmentations",
    "Dataset",
    "Recipe",
    "Result",
    "Search",
    "SearchPlan",
    "Settings",
    "Size",
    "Split",
    "TuningPlan",
    "best_recipe",
    "create_population_study",
    "evaluate",
    "load_dataset",
    "priors",
    "run_search",
    "run_study",
    "run_workers",
    "train",
    "tune_sizes",
    "tuned_recipes",
]

__getattr__ = lazily(__name__, _HOMES)
