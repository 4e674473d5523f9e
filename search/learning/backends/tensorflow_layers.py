"""How TensorFlow applies layers and normalises in training.

The layers that make most of a network are applied without Keras's calls around them: tracing
costs about half a millisecond an operation, which decides the fixed cost of a short run. Every
other layer is called as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from ....regnet.convolutions.grouped import convolve
from ....regnet.convolutions.normalising import normalise
from ....regnet.networks.layers import GroupedConv2D, PointwiseConv2D

Tensor = Any


class BatchMoments:
    """Batch norm by the moments of the batch, which are kept, as training does.

    ``moments`` collects (mean, variance) of each batch norm; the variance is the unbiased one. A
    frozen layer normalises by its moving statistics, which are its moments.
    """

    def __init__(self) -> None:
        self.moments: list[tuple[Tensor, Tensor]] = []
        self._none = tf.constant([], dtype="float32")

    def __call__(self, layer: keras.layers.BatchNormalization, x: Tensor) -> Tensor:
        """Return x normalised over the batch, scaled and shifted by the layer's weights."""
        learns = bool(layer.trainable)
        given = (self._none, self._none)
        if not learns:
            given = (read(layer.moving_mean), read(layer.moving_variance))
        y, mean, variance = normalise(
            x,
            scale=read(layer.gamma),
            offset=read(layer.beta),
            mean=given[0],
            variance=given[1],
            epsilon=layer.epsilon,
            is_training=learns,
        )
        self.moments.append((mean, variance) if learns else given)
        return y


class FixedScales:
    """Batch norm as one scale and one offset a channel, computed beforehand.

    ``scales`` and ``offsets`` hold those of all batch norms one after the other.
    """

    def __init__(self, channels: Sequence[int], scales: Tensor, offsets: Tensor) -> None:
        parts = tf.split(scales, channels), tf.split(offsets, channels)
        self._parts = iter(list(zip(*parts, strict=True)))

    def __call__(self, layer: keras.layers.BatchNormalization, x: Tensor) -> Tensor:
        """Return x times the scale plus the offset of the next batch norm."""
        scale, offset = next(self._parts)
        if x.dtype != scale.dtype:  # mixed precision: batch norm stays in float32
            return tf.cast(tf.cast(x, scale.dtype) * scale + offset, x.dtype)
        return tf.raw_ops.AddV2(x=tf.raw_ops.Mul(x=x, y=scale), y=offset)


def apply_layer(layer: keras.layers.Layer, inputs: list[Tensor]) -> Tensor:
    """Return what a layer that is no batch norm makes of its inputs."""
    if isinstance(layer, GroupedConv2D) and _is_plain_grouped(layer):
        kernel, strides = read(layer.kernel), layer.strides
        return convolve(inputs[0], kernel, strides, layer.groups, layer.padding)
    if isinstance(layer, PointwiseConv2D) and _is_plain(layer):
        return convolve(inputs[0], read(layer.kernel), layer.strides[0], layer.groups)
    if type(layer) is keras.layers.ReLU and _is_plain_relu(layer):
        return tf.raw_ops.Relu(features=inputs[0])
    if type(layer) is keras.layers.Add and len(inputs) == 2:
        return tf.raw_ops.AddV2(x=inputs[0], y=inputs[1])
    return layer(inputs if len(inputs) > 1 else inputs[0])


def _is_plain_grouped(layer: GroupedConv2D) -> bool:
    return not layer.use_bias and layer.compute_dtype == layer.variable_dtype


def _is_plain(layer: keras.layers.Conv2D) -> bool:
    plain = not layer.use_bias and layer.activation is keras.activations.linear
    return plain and layer.compute_dtype == layer.variable_dtype


def _is_plain_relu(layer: keras.layers.ReLU) -> bool:
    return layer.max_value is None and not layer.negative_slope and not layer.threshold


def read(variable: keras.Variable) -> Tensor:
    """Return the value of a Keras variable by one operation, on TensorFlow.

    A tape that is to see it must watch the variable: it does not notice this read by itself.
    """
    resource = variable.value.handle  # type: ignore[union-attr]
    return tf.raw_ops.ReadVariableOp(resource=resource, dtype=variable.dtype)
