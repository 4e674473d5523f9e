"""Recipes in YAML files, with every fault named at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .recipe import Recipe

PUBLISHED = ("short", "paper", "post")


def recipe_text(recipe: Recipe) -> str:
    """Return a recipe as YAML, a field a line."""
    import yaml

    return yaml.safe_dump(recipe.to_dict(), sort_keys=False)


def read_recipe_file(path: Path) -> Recipe:
    """Return the recipe in a YAML file; fields that it lacks take their defaults.

    Raises
    ------
    ValueError
        If it cannot be read, or has unknown fields or values out of range: all are listed.
    """
    from ...designspace.plain_yaml import read_plain, shown

    values: Any = read_plain(path)
    if isinstance(values, dict) and isinstance(values.get("recipe"), dict):
        values = dict(values["recipe"])  # a file of regnet-ds canonical
        values.pop("source", None)  # of the tuned
    if not isinstance(values, dict):
        raise ValueError(f"{path} must hold the fields of a recipe, got {shown(values)}")
    try:
        return Recipe.from_dict(values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def named_recipe(text: str, model: str) -> Recipe:
    """Return ``short`` (DDS section 3), ``paper`` or ``post`` of a model, or that of a file.

    Raises
    ------
    ValueError
        If there is no such recipe, or the model is not one of the published ones.
    """
    if text == "short":
        return Recipe()
    if text in ("paper", "post"):
        if not model:
            raise ValueError(f"the recipe {text!r} is that of a canonical model: name one")
        return Recipe.paper(model) if text == "paper" else Recipe.post(model)
    if not Path(text).exists():
        raise ValueError(f"no recipe {text!r}: {', '.join(PUBLISHED)}, or a file .yaml")
    return read_recipe_file(Path(text))
