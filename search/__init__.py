"""Training, populations and tuning. Names are imported when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .datasets import Augmentations, Dataset, Split, load_dataset
    from .evaluation import evaluate
    from .recipe import Recipe
    from .size_priors import priors
    from .training import Result, train

_ROOMS = {
    "Augmentations": "datasets",
    "Dataset": "datasets",
    "Recipe": "recipe",
    "Result": "training",
    "Split": "datasets",
    "evaluate": "evaluation",
    "load_dataset": "datasets",
    "priors": "size_priors",
    "train": "training",
}

__all__ = [
    "Augmentations",
    "Dataset",
    "Recipe",
    "Result",
    "Split",
    "evaluate",
    "load_dataset",
    "priors",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_ROOMS[name]}", __name__), name)
