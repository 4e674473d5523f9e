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
Norm = Any  # keras.layers.BatchNormalization, built


class BatchMoments:
    """Batch norm by the moments of the batch, which are kept, as training does.

    ``moments`` collects (means, variances), batch norm by batch norm or of several at once; the
    variances are the unbiased ones. A frozen layer normalises by its moving statistics, which are
    its moments.
    """

    def __init__(self) -> None:
        self.moments: list[tuple[Tensor, Tensor]] = []

    def __call__(self, layer: Norm, x: Tensor) -> Tensor:
        """Return x normalised over the batch, scaled and shifted by the layer's weights."""
        y, moments = self.compute(layer, x, self.arguments(layer))
        self.keep(moments)
        return y

    @staticmethod
    def arguments(layer: Norm) -> list[Tensor]:
        """Return scale and offset, and the moving statistics of a frozen layer."""
        learnt = [read(layer.gamma), read(layer.beta)]
        given = [] if layer.trainable else [read(layer.moving_mean), read(layer.moving_variance)]
        return learnt + given

    @staticmethod
    def compute(layer: Norm, x: Tensor, arguments: Sequence[Tensor]) -> tuple[Tensor, Any]:
        """Return x normalised with these arguments of a layer like this one, and its moments."""
        scale, offset, *given = arguments
        statistics = given or [tf.constant([], tf.float32)] * 2
        y, mean, variance = normalise(
            x,
            scale=scale,
            offset=offset,
            mean=statistics[0],
            variance=statistics[1],
            epsilon=layer.epsilon,
            is_training=not given,
        )
        return y, tuple(given) or (mean, variance)

    def keep(self, moments: Any) -> None:
        """Note the moments of the next batch norms."""
        self.moments.append(moments)


class FixedScales:
    """Batch norm as one scale and one offset a channel, computed beforehand.

    ``scales`` and ``offsets`` hold those of all batch norms one after the other.
    """

    def __init__(self, channels: Sequence[int], scales: Tensor, offsets: Tensor) -> None:
        parts = tf.split(scales, channels), tf.split(offsets, channels)
        self._parts = iter(list(zip(*parts, strict=True)))

    def __call__(self, layer: Norm, x: Tensor) -> Tensor:
        """Return x times the scale plus the offset of the next batch norm."""
        return self.compute(layer, x, self.arguments(layer))[0]

    def arguments(self, _: Norm) -> list[Tensor]:
        """Return scale and offset of the next batch norm."""
        return list(next(self._parts))

    @staticmethod
    def compute(_: Norm, x: Tensor, arguments: Sequence[Tensor]) -> tuple[Tensor, None]:
        """Return x times the scale plus the offset."""
        scale, offset = arguments
        if x.dtype != scale.dtype:  # mixed precision: batch norm stays in float32
            return tf.cast(tf.cast(x, scale.dtype) * scale + offset, x.dtype), None
        return tf.raw_ops.AddV2(x=tf.raw_ops.Mul(x=x, y=scale), y=offset), None

    def keep(self, _: Any) -> None:
        """There are no moments."""


def apply_layer(layer: keras.layers.Layer, inputs: list[Tensor]) -> Tensor:
    """Return what a layer that is no batch norm makes of its inputs."""
    if kind_of(layer) is None:
        return layer(inputs if len(inputs) > 1 else inputs[0])
    return apply_with(layer, inputs, weights_of(layer))


def weights_of(layer: keras.layers.Layer) -> list[Tensor]:
    """Return the values of a layer's weights."""
    return [read(weight) for weight in layer.weights]


def apply_with(layer: Any, inputs: list[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """Return what a layer with a `kind_of` its own makes of its inputs by these weights."""
    if isinstance(layer, GroupedConv2D):
        return convolve(inputs[0], weights[0], layer.strides, layer.groups, layer.padding)
    if isinstance(layer, PointwiseConv2D):
        y = convolve(inputs[0], weights[0], layer.strides[0], layer.groups)
        y = tf.raw_ops.AddV2(x=y, y=weights[1]) if layer.use_bias else y
        return y if layer.activation is keras.activations.linear else layer.activation(y)
    if type(layer) is keras.layers.ReLU:
        return tf.raw_ops.Relu(features=inputs[0])
    if type(layer) is keras.layers.Add:
        return tf.raw_ops.AddV2(x=inputs[0], y=inputs[1])
    return layer(inputs if len(inputs) > 1 else inputs[0])


def kind_of(layer: Any) -> tuple[Any, ...] | None:
    """Return what decides a layer's function beside its weights' values; None if not known here.

    Layers of equal kinds and inputs of equal shapes do the same operations.
    """
    if isinstance(layer, GroupedConv2D | PointwiseConv2D):
        if layer.compute_dtype != layer.variable_dtype:
            return None
        kernel: Any = layer.kernel
        common = (type(layer), layer.strides, layer.groups, tuple(kernel.shape))
        if isinstance(layer, GroupedConv2D):
            return None if layer.use_bias else (*common, layer.padding)
        return (*common, layer.use_bias, layer.activation)
    if isinstance(layer, keras.layers.BatchNormalization):
        gamma: Any = layer.gamma
        return type(layer), layer.epsilon, bool(layer.trainable), tuple(gamma.shape)
    if type(layer) is keras.layers.ReLU:
        plain = layer.max_value is None and not layer.negative_slope and not layer.threshold
        return (type(layer),) if plain else None
    if type(layer) is keras.layers.GlobalAveragePooling2D:
        return type(layer), layer.keepdims, layer.data_format
    if type(layer) is keras.layers.Activation:
        return type(layer), layer.activation
    known = type(layer) in (keras.layers.Add, keras.layers.Multiply) and len(layer.input) == 2
    return (type(layer),) if known else None


def read(variable: keras.Variable) -> Tensor:
    """Return the value of a Keras variable by one operation, on TensorFlow.

    A tape that is to see it must watch the variable: it does not notice this read by itself.
    """
    resource = variable.value.handle  # type: ignore[union-attr]
    return tf.raw_ops.ReadVariableOp(resource=resource, dtype=variable.dtype)
