"""The maps after the stem and after each stage, as backbones of detectors and the like need."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import keras

from .network import CHANNELS_LAST, TO_FIRST

_PLACE = re.compile(r"(?:stem|s(\d+)_b\d+)_.+")


def stage_features(model: keras.Model, stages: Sequence[int] | None = None) -> keras.Model:
    """Return a model from images to a list of maps, one a stage (timm's ``features_only``).

    It shares layers and weights with the given one; what follows the last stage is left out. For
    one stage alone Keras returns the map itself.

    Parameters
    ----------
    model
        Made by ``build`` or an application, or from such a one by ``to_plain``.
    stages
        Which, in this order: 0 is the stem, 1 the first stage. None means all of them, the stem
        first.

    Raises
    ------
    ValueError
        If the model has no such stage.
    """
    ends = _ends(model)
    if stages is None:
        stages = sorted(ends)
    unknown = [stage for stage in stages if stage not in ends]
    if unknown or not stages:
        has = f"stages 0 (the stem) to {max(ends)}" if ends else "no stages of a RegNet"
        raise ValueError(f"the model {model.name} has {has}, got {list(stages)}")
    maps = [ends[stage] for stage in stages]
    if any(layer.name == CHANNELS_LAST for layer in model.layers):
        maps = [
            keras.layers.Permute(TO_FIRST, name=f"stage_{stage}_channels_first")(x)
            for stage, x in zip(stages, maps, strict=True)
        ]
    return keras.Model(model.input, maps, name=f"{model.name}_features")


def _ends(model: keras.Model) -> dict[int, Any]:
    """Return the last tensor of each stage: layers are listed in the order in which they run."""
    ends = {}
    for layer in model.layers:
        place = _PLACE.fullmatch(layer.name)
        if place:
            ends[int(place[1] or 0)] = layer.output
    return ends
