"""The models that ``tune`` tunes: which, from which recipe, over which search space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .training_options import read_recipe

if TYPE_CHECKING:
    from ..designspace import NetSpec
    from ..search.data.datasets import Dataset
    from ..search.data.sources.streams import StreamedDataset
    from ..search.recipes.recipe import Recipe
    from ..search.sizes.size import Size


class Base(StrEnum):
    """The recipe that tuning begins with."""

    SHORT = "short"
    PAPER = "paper"
    POST = "post"


def read_models(texts: list[str], all_models: bool) -> dict[str, NetSpec]:
    """Return networks by name: canonical ones, and ones of ``key=value`` parameters."""
    from ..designspace.catalogue import CANONICAL, canonical, canonical_name
    from .describe import read_parameters

    if all_models == bool(texts):
        raise ValueError("name the models to tune: --model NAME (may be repeated), or --all")
    found: dict[str, NetSpec] = {}
    for text in texts or list(CANONICAL):
        if "=" in text:
            pairs = text.replace(",", " ").split()
            named, spec = ",".join(sorted(pairs)), read_parameters(pairs)
        else:
            named = canonical_name(text)
            spec = canonical(named)
        if named in found:
            raise ValueError(f"the model {text} is named twice")
        found[named] = spec
    return found


def read_sizes(
    models: Mapping[str, NetSpec],
    base: Base,
    regime: tuple[int | None, list[str] | None],
    space: Path | None,
    data: Dataset | StreamedDataset,
) -> list[Size]:
    """Return the sizes of the options; ``regime`` are epochs and fields of the recipe."""
    from ..search.recipes.search_space import read_search_space

    epochs, fields = regime
    asked = None if space is None else read_search_space(space)
    sizes: list[Size] = []
    for named, spec in models.items():
        recipe = read_recipe(base_recipe(base, named), epochs, fields)
        words = ", ".join([str(base), *([f"epochs={epochs}"] if epochs else []), *(fields or [])])
        published = published_recipes(named, recipe, data)
        try:
            size = make_size(named, spec, recipe, data, space=asked, published=published)
        except ValueError as error:
            raise ValueError(f"{space}: {error}" if space else str(error)) from None
        sizes.append(replace(size, base=words))
    return sizes


def base_recipe(base: Base, named: str) -> Recipe:
    """Return the recipe that a model begins with; only canonical ones have published ones."""
    from ..search.recipes.recipe import Recipe

    if base is Base.SHORT or "=" in named:
        return Recipe()
    return Recipe.paper(named) if base is Base.PAPER else Recipe.post(named)


def published_recipes(
    named: str, recipe: Recipe, data: Dataset | StreamedDataset
) -> dict[str, Recipe]:
    """Return the published settings of a canonical model, for the epochs and batch of a recipe."""
    if "=" in named:
        return {}
    found: dict[str, Recipe] = {}
    for base in (Base.PAPER, Base.POST):
        one = base_recipe(base, named)
        lr = one.peak_lr * recipe.batch_size / one.batch_size
        one = replace(
            one, lr=lr, batch_size=recipe.batch_size, epochs=recipe.epochs, warmup_epochs=0
        )
        found[str(base)] = one.narrowed(data.augmentations)
    return found


def make_size(
    named: str,
    spec: NetSpec,
    recipe: Recipe,
    data: Dataset | StreamedDataset,
    *,
    space: Mapping[str, Any] | None = None,
    published: Mapping[str, Recipe] | None = None,
) -> Size:
    """Return a network to tune on a data set, with its recipe narrowed to what the data allow.

    ``space`` is what `read_search_space` returns; without it the size has its own priors.
    """
    from ..designspace.cost import complexity
    from ..search.recipes.search_space import with_defaults
    from ..search.recipes.size_priors import priors
    from ..search.sizes.size import Size

    cost = complexity(spec, resolution=data.image_size, classes=data.classes)
    narrowed = recipe.narrowed(data.augmentations)
    tunes_optimizer = space is None or "optimizer" in space
    ranges = priors(
        cost.flops,
        optimizer=None if tunes_optimizer else recipe.optimizer,
        batch_size=recipe.batch_size,
        steps=recipe.epochs * (len(data.train) // recipe.batch_size),
        allowed=data.augmentations,
    )
    if space is not None:
        ranges = with_defaults(space, ranges, narrowed, data.augmentations)
    return Size(named, spec, narrowed, ranges, dict(published or {}), strict=space is not None)
