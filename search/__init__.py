"""Training, populations and tuning. Names are imported when they are first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazily

if TYPE_CHECKING:
    from .datasets import Augmentations, Dataset, Split, load_dataset
    from .evaluation import evaluate
    from .executors import run_workers
    from .recipe import Recipe
    from .settings import Settings
    from .size_priors import priors
    from .studies import create_population_study, run_study
    from .training import Result, train
    from .tuned import best_recipe, tuned_recipes
    from .tuning import Size, tune_sizes

_HOMES = {
    "datasets": ("Augmentations", "Dataset", "Split", "load_dataset"),
    "evaluation": ("evaluate",),
    "executors": ("run_workers",),
    "recipe": ("Recipe",),
    "settings": ("Settings",),
    "size_priors": ("priors",),
    "studies": ("create_population_study", "run_study"),
    "training": ("Result", "train"),
    "tuned": ("best_recipe", "tuned_recipes"),
    "tuning": ("Size", "tune_sizes"),
}

__all__ = [
    "Augmentations",
    "Dataset",
    "Recipe",
    "Result",
    "Settings",
    "Size",
    "Split",
    "best_recipe",
    "create_population_study",
    "evaluate",
    "load_dataset",
    "priors",
    "run_study",
    "run_workers",
    "train",
    "tune_sizes",
    "tuned_recipes",
]

__getattr__ = lazily(__name__, _HOMES)
