"""Design spaces as YAML text that reads back as an equal space."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, cast

from ..constraints import Bounds
from ..plain_yaml import add_resolvers
from ..spaces import DesignSpace
from .law_entries import write_laws
from .reader import AS_THEY_ARE, parse_space
from .schema import SCHEMA

FACTS = (*AS_THEY_ARE, "se_ratio", "stage_strides")


def to_yaml(space: DesignSpace) -> str:
    """Return the whole definition of a space as YAML, without a base.

    Raises
    ------
    ValueError
        If a file cannot say it: a law of one's own, parameters out of order, or a published
        name on another space. The message says what.
    """
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes text that either version of YAML would read as something else."""

    add_resolvers(Dumper)
    text = cast(Any, yaml).dump(
        _definition(space), Dumper=Dumper, sort_keys=False, default_flow_style=None, width=100
    )
    if parse_space(text, f"space {space.name}") != space:
        raise ValueError(f"space {space.name} differs from what a file can say about it")
    return text


def _definition(space: DesignSpace) -> dict[str, Any]:
    low, high = space.stages
    definition: dict[str, Any] = {"schema": SCHEMA, "name": space.name}
    if space.source:
        definition["source"] = space.source
    definition |= {
        "family": space.family,
        "block": space.block,
        "stages": low if low == high else [low, high],
        "parameters": {p.name: write_laws(p, space.family) for p in space.parameters},
    }
    constraints = _constraints(space)
    if constraints:
        definition["constraints"] = constraints
    usual = {field.name: field.default for field in fields(DesignSpace)}
    for name in FACTS:
        value = getattr(space, name)
        if value != usual[name]:
            definition[name] = list(value) if name == "stage_strides" else value
    return definition


def _constraints(space: DesignSpace) -> list[Any]:
    made: list[Any] = [{order.order: order.parameter} for order in space.orders]
    if space.bounds == Bounds():
        made.append({"bounds": "dds"})
    elif space.bounds is not None:
        limits = space.bounds
        made.append({"bounds": {"params": list(limits.params_m), "acts": limits.acts_m}})
    return made
