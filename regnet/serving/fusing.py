"""Networks for inference: batch norm folded into the convolution before it.

A convolution with kernel k and a batch norm with statistics m, v and weights g, b are one
convolution with kernel k s and bias b - m s, where s = g / sqrt(v + epsilon). Logits agree within
1e-4 of the largest. What acts in training alone, such as stochastic depth, is left out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ..networks.layers import DropPath, GroupedConv2D

Tensor = Any
CONVOLUTIONS = (keras.layers.Conv2D, GroupedConv2D)
INACTIVE = (DropPath, keras.layers.Dropout, keras.layers.SpatialDropout2D)  # without training


@keras.saving.register_keras_serializable(package="regnet_ds")
class InferenceModel(keras.Model):
    """A functional model that refuses to train: its batch norms are folded away."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the outputs.

        Raises
        ------
        ValueError
            If ``training=True`` is asked for, as ``fit`` does.
        """
        if kwargs.get("training"):
            raise ValueError(
                f"the fused model {self.name} is for inference alone: train the model that it was "
                "made from, and fuse that"
            )
        return super().__call__(*args, **kwargs)


def fuse(model: keras.Model) -> InferenceModel:
    """Return a copy of a trained model for inference, without batch norm where it can be folded.

    A batch norm is folded if a 2D convolution, and nothing between, feeds it alone. Layers keep
    their names. The copy saves and loads as ``.keras`` like every model.

    Parameters
    ----------
    model
        A Functional or Sequential model, whatever its weights come from; models inside it are
        fused too.

    Raises
    ------
    ValueError
        If the model is a subclass without a graph of layers.
    """
    model = _functional(model)
    folds = _find_folds(model)
    skipped = {fold.norm.name for fold in folds}
    skipped |= {layer.name for layer in model.layers if isinstance(layer, INACTIVE)}
    biased = {fold.convolution.name for fold in folds}

    def copy(layer: Any) -> Any:
        if isinstance(layer, keras.Model):
            return fuse(layer)
        bias = {"use_bias": True} if layer.name in biased else {}
        return type(layer).from_config(layer.get_config() | bias)

    def call(layer: Any, *args: Any, **kwargs: Any) -> Tensor:
        return args[0] if layer.name in skipped else layer(*args, **kwargs)

    cloned: Any = keras.models.clone_model(model, clone_function=copy, call_function=call)
    fused = InferenceModel(cloned.input, cloned.output, name=model.name)
    _set_weights(fused, model, folds)
    for layer in fused.layers:  # one by one: a frozen batch norm would not take the batch's mean
        layer.trainable = _asks_for_training(layer)
    return fused


@dataclass(frozen=True)
class _Fold:
    """A batch norm and the convolution that it follows."""

    convolution: Any
    norm: Any

    def weights(self) -> list[np.ndarray]:
        """Return the kernel (kh, kw, group width, filters) and the bias (filters,) of both."""
        norm, kernel, *bias = self.norm, *map(np.float64, self.convolution.get_weights())
        scale = 1.0 / np.sqrt(np.float64(norm.moving_variance) + norm.epsilon)
        scale = scale * np.float64(norm.gamma) if norm.scale else scale
        shift = np.float64(norm.beta) if norm.center else 0.0
        moved = (bias[0] if bias else 0.0) - np.float64(norm.moving_mean)
        return [kernel * scale, shift + moved * scale]


def _functional(model: keras.Model) -> Any:
    """Return the model as a graph of layers."""
    if isinstance(model, keras.Sequential) and model.built:
        return keras.Model(model.inputs, model.outputs[0], name=model.name)
    if getattr(model, "operations", None) is None or isinstance(model, keras.Sequential):
        raise ValueError(
            f"only a Functional or a built Sequential model can be fused, got {model.name}, "
            f"a {type(model).__name__}"
        )
    return model


def _find_folds(model: Any) -> list[_Fold]:
    """Return the batch norms that can be folded, in the order of the layers."""
    readers = Counter(id(tensor) for tensor in model.outputs)
    for operation in model.operations:
        for node in operation._inbound_nodes:
            readers.update(id(tensor) for tensor in node.input_tensors)
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    once = [x for x in norms if len(x._inbound_nodes) == 1 and not _asks_for_training(x)]
    folds = map(_fold, once)
    return [fold for fold in folds if fold and readers[id(fold.norm.input)] == 1]


def _asks_for_training(layer: Any) -> bool:
    """Whether the graph calls a layer with ``training=True`` whatever the model's mode."""
    return any(node.arguments.kwargs.get("training") for node in layer._inbound_nodes)


def _fold(norm: Any) -> _Fold | None:
    """Return the norm with the convolution before it, if that is one and can take the norm."""
    source = norm.input._keras_history.operation
    if not isinstance(source, CONVOLUTIONS) or len(source._inbound_nodes) != 1:
        return None
    activation = getattr(source, "activation", keras.activations.linear)
    first = getattr(source, "data_format", None) == "channels_first"
    same_axis = norm.axis in ((1, -3) if first else (3, -1))
    return _Fold(source, norm) if same_axis and activation is keras.activations.linear else None


def _set_weights(fused: Any, model: Any, folds: list[_Fold]) -> None:
    folded = {fold.convolution.name: fold.weights() for fold in folds}
    for layer in fused.layers:
        if layer.weights and not isinstance(layer, keras.Model):  # which has its weights
            layer.set_weights(folded.get(layer.name) or model.get_layer(layer.name).get_weights())
