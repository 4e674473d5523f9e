"""Complexity counted from a built Keras model, layer by layer, whatever it was built from.

Conventions of ``designspace.cost``: FLOPs are multiply-adds of one image, of convolutions and
fully connected layers (bias adds count); params are all weights but moving statistics, whatever
``trainable`` says; acts are the elements of the outputs of convolutions, of max pooling and of
fully connected layers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras

from ..designspace import Complexity
from .layers import GroupedConv2D


class LayerCost(NamedTuple):
    """What one layer adds to a model's complexity."""

    layer: str
    flops: int
    params: int
    acts: int


def account(model: keras.Model) -> Complexity:
    """Return the complexity of a built model.

    Raises
    ------
    ValueError
        If a layer with weights is of a kind that cannot be counted, or a map's size is unknown.
    """
    rows = by_layer(model)
    return Complexity(
        flops=sum(row.flops for row in rows),
        params=sum(row.params for row in rows),
        acts=sum(row.acts for row in rows),
    )


def by_layer(model: keras.Model) -> list[LayerCost]:
    """Return the cost of every layer that has one, in the model's order.

    Raises
    ------
    ValueError
        As ``account`` does.
    """
    layers = list(_leaves(model))
    unknown = [layer for layer in layers if _params(layer) and not isinstance(layer, _KNOWN)]
    if unknown:
        names = ", ".join(f"{layer.name} ({type(layer).__name__})" for layer in unknown)
        raise ValueError(f"cannot count these layers, which have weights: {names}")
    rows = [_cost(layer) for layer in layers]
    return [row for row in rows if any(row[1:])]


# Layers that use every weight, biases too, once at each position of their output.
_PRODUCTS = (keras.layers.Conv2D, GroupedConv2D, keras.layers.Dense)
_KNOWN = (*_PRODUCTS, keras.layers.BatchNormalization)
_STATISTICS = ("moving_mean", "moving_variance", "seed_generator_state")


def _leaves(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer


def _cost(layer: Any) -> LayerCost:
    params, flops, acts = _params(layer), 0, 0
    if isinstance(layer, _PRODUCTS):
        acts = _output_size(layer)
        channels = int(layer.weights[0].shape[-1])
        flops = params * (acts // channels)
    elif isinstance(layer, keras.layers.MaxPooling2D):
        acts = _output_size(layer)
    return LayerCost(layer.name, flops, params, acts)


def _params(layer: Any) -> int:
    """Return the number of weights that are not statistics."""
    weights = (weight for weight in layer.weights if weight.name not in _STATISTICS)
    return sum(math.prod(weight.shape) for weight in weights)


def _output_size(layer: Any) -> int:
    """Return the elements of one image's output."""
    shape = tuple(layer.output.shape[1:])
    if None in shape:
        raise ValueError(f"the output of layer {layer.name} has an unknown size: {shape}")
    return math.prod(shape)
