"""Search spaces of tuning: which fields of a recipe are tuned, over which ranges or choices.

A prior is a range, ``(low, high, "log")`` or ``(low, high, "linear")`` with both ends in it, or a
sequence of choices. Its key is a field of the recipe, or ``field.optimizer`` (``lr.adamw``) where
it counts with that optimiser alone: rates of SGD and of AdamW are not comparable.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .recipe import CHOICES, FLAGS, OPTIMIZERS, Recipe, as_number, field_fault

if TYPE_CHECKING:
    from ..data.datasets import Augmentations

SCALES = ("log", "linear")
AUGMENTATIONS = ("flip", "area_factor", "pca_std")  # that data sets limit
DEFAULT = "default"  # in a file: the prior that the size has by itself
FIELDS = tuple(field.name for field in fields(Recipe))
Prior = Sequence[Any]
SearchSpace = Mapping[str, Prior]


def is_range(prior: Prior) -> bool:
    """Whether a prior is a range; else it lists choices."""
    return len(prior) == 3 and isinstance(prior[2], str) and prior[2] in SCALES


def field_of(key: str) -> str:
    """Return the field of the recipe that a parameter sets."""
    return key.partition(".")[0]


def counts_with(key: str, optimizer: str) -> bool:
    """Whether a parameter has a meaning with this optimiser."""
    return key.partition(".")[2] in ("", optimizer)


def recipe_fields(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trial's parameters as fields of a recipe."""
    return {field_of(key): value for key, value in params.items()}


def search_space_faults(
    space: SearchSpace, recipe: Recipe, allowed: Augmentations | None = None
) -> list[str]:
    """Return all that is wrong with a search space, for sizes that begin with this recipe.

    ``allowed`` are the data set's limits, which no prior may exceed.
    """
    found = [fault for key, prior in space.items() for fault in _key_faults(key, prior, space)]
    found += _missing_optimizers(space, recipe)
    found = found or _disagreement(space, recipe)
    return found or list(_excess(space, recipe, allowed))


def _key_faults(key: str, prior: Any, space: SearchSpace) -> Iterator[str]:
    name, dot, optimizer = key.partition(".")
    if name not in FIELDS:
        yield field_fault(name, None)
        return
    if dot and optimizer not in OPTIMIZERS:
        yield f"{key}: {field_fault('optimizer', optimizer)}"
    if dot and name in space:
        yield f"{name} is given both for all optimizers and for {optimizer}"
    if not isinstance(prior, list | tuple) or not prior:
        yield f"{key} must be a list of values or [low, high, log or linear], got {prior!r}"
    elif is_range(prior):
        yield from _range_faults(key, *prior)
    else:
        yield from filter(None, (field_fault(name, value) for value in prior))
        twice = [v for i, v in enumerate(prior) if v in prior[:i]]
        yield from (f"{key} lists {value!r} twice" for value in twice)


def _range_faults(key: str, low: Any, high: Any, scale: str) -> Iterator[str]:
    name = field_of(key)
    if name in CHOICES or name in FLAGS:
        yield f"{key} cannot be tuned over a range: list its values"
        return
    ends = [fault for end in (low, high) if (fault := field_fault(name, end))]
    yield from ends
    if not ends and (low > high or (scale == "log" and low <= 0)):
        yield f"{key} has no range from {low!r} to {high!r} on a {scale} scale"


def _missing_optimizers(space: SearchSpace, recipe: Recipe) -> Iterator[str]:
    possible = space.get("optimizer", [recipe.optimizer])
    if not isinstance(possible, list | tuple):
        return  # a fault of its own
    for name in sorted({field_of(key) for key in space if "." in key}):
        for optimizer in possible:
            if optimizer in OPTIMIZERS and f"{name}.{optimizer}" not in space:
                yield f"{name} has no prior for {optimizer}, which the optimizer may be"


def _disagreement(space: SearchSpace, recipe: Recipe) -> list[str]:
    """Return why the priors of several fields do not go together, if they do not."""
    worst = {"epochs": min, "warmup_epochs": max, "momentum": min, "nesterov": max}
    corner = {name: pick(_ends(space[name])) for name, pick in worst.items() if name in space}
    if "sgd" in space.get("optimizer", ()):
        corner["optimizer"] = "sgd"
    try:
        replace(recipe, **corner)
    except ValueError as error:
        return [str(error)]
    return []


def _excess(space: SearchSpace, recipe: Recipe, allowed: Augmentations | None) -> Iterator[str]:
    if allowed is None:
        return
    for key, prior in space.items():
        name = field_of(key)
        for value in _ends(prior) if name in AUGMENTATIONS else ():
            excess = replace(recipe, **{name: value}).excess(allowed)
            if name in excess:
                yield (
                    f"{key} may be {value!r}, but the data set allows no more augmentation than "
                    f"{excess[name][1]!r}"
                )


def _ends(prior: Prior) -> list[Any]:
    return list(prior[:2] if is_range(prior) else prior)


def read_search_space(path: Path) -> dict[str, Any]:
    """Return the search space of a YAML file; `with_defaults` fills in the values ``default``.

    Each field of the recipe has a list of choices, a range (``[1e-5, 1e-3, log]`` or ``{low:,
    high:, scale:}``), ``default``, or a mapping from optimisers to these.

    Raises
    ------
    ValueError
        If it cannot be read or holds no mapping, or a range is not written so: all faults.
    """
    from ...designspace.plain_yaml import read_plain

    values: Any = read_plain(path)
    if not isinstance(values, dict) or not values:
        raise ValueError(f"{path} must hold a search space, a field of the recipe a line")
    space: dict[str, Any] = {}
    faults: list[str] = []
    for name, value in values.items():
        by_optimizer = isinstance(value, dict) and any(key in OPTIMIZERS for key in value)
        parts = {f"{name}.{key}": v for key, v in value.items()} if by_optimizer else {name: value}
        for key, prior in parts.items():
            space[str(key)] = _written(str(key), prior, faults)
    if faults:
        raise ValueError(f"{path}: {'; '.join(faults)}")
    return space


def _written(key: str, value: Any, faults: list[str]) -> Any:
    """Return a prior as it is written in a file."""
    name = field_of(key)
    if isinstance(value, list):
        return [as_number(name, one) for one in value]
    if not isinstance(value, dict):
        return value
    known = ("low", "high", "scale")
    for other in value:
        if other not in known:
            nearest = difflib.get_close_matches(str(other), known, n=1, cutoff=0.0)[0]
            faults.append(f"{key}: a range has no {other!r} (nearest: {nearest})")
    missing = [end for end in known[:2] if end not in value]
    faults += [f"{key}: a range needs {end!r}" for end in missing]
    scale = value.get("scale", "linear")
    if scale not in SCALES:
        faults.append(f"{key}: the scale must be {' or '.join(SCALES)}, got {scale!r}")
    return (*(as_number(name, value.get(end)) for end in known[:2]), scale)


def with_defaults(
    space: Mapping[str, Any], priors: SearchSpace, recipe: Recipe, allowed: Augmentations | None
) -> dict[str, Prior]:
    """Return the search space of a file for a size with these priors.

    Raises
    ------
    ValueError
        With all faults of `search_space_faults`, and fields whose ``default`` is none.
    """
    found: dict[str, Prior] = {}
    faults: list[str] = []
    for key, value in space.items():
        if value != DEFAULT:
            found[key] = value
            continue
        own = {k: v for k, v in priors.items() if k == key or field_of(k) == key}
        if not own and field_of(key) in FIELDS:
            known = ", ".join(dict.fromkeys(field_of(k) for k in priors))
            faults.append(f"{key} has no default prior (these have: {known})")
        elif not own:
            faults.append(field_fault(field_of(key), None))
        found |= own
    faults += search_space_faults(found, recipe, allowed)
    if faults:
        raise ValueError("; ".join(dict.fromkeys(faults)))
    return found


def search_space_text(space: SearchSpace) -> str:
    """Return a search space as `read_search_space` reads it, a prior a line."""
    import yaml

    tree: dict[str, Any] = {}
    for key, prior in space.items():
        name, dot, optimizer = key.partition(".")
        if dot:
            tree.setdefault(name, {})[optimizer] = list(prior)
        else:
            tree[name] = list(prior)
    return yaml.safe_dump(tree, sort_keys=False, default_flow_style=None)
