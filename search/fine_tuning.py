"""Begin with a model that has learnt: which of its layers go on learning."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

import keras


@dataclass(frozen=True, slots=True)
class Start:
    """A model of `regnet.build`, and the stage until which it is frozen (None: nothing is).

    ``freeze_until`` names the first part that learns: ``s2``, ``s3`` ... or ``head``.
    """

    model: keras.Model
    freeze_until: str | None = None


def parts(model: keras.Model) -> list[str]:
    """Return the parts of a model in order: ``stem``, ``s1`` ..., ``head``."""
    names = [match.group() for layer in model.layers if (match := _part(layer.name))]
    return list(dict.fromkeys(names))


def _part(name: str) -> re.Match[str] | None:
    return re.match(r"stem|s\d+|head", name)


def freeze(model: keras.Model, until: str | None) -> None:
    """Make the layers before a part untrainable; their batch norms keep their statistics.

    Raises
    ------
    ValueError
        If the model has no such part; the nearest is named.
    """
    if until is None:
        return
    found = parts(model)
    if until not in found:
        nearest = difflib.get_close_matches(until, found, n=1, cutoff=0.0) or [""]
        raise ValueError(f"freeze until one of {', '.join(found)}, got {until!r} ({nearest[0]}?)")
    frozen = set(found[: found.index(until)])
    for layer in model.layers:
        match = _part(layer.name)
        layer.trainable = match is None or match.group() not in frozen
