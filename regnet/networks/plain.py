"""The same network out of Keras's own layers, for programs that lack this package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from ..counting.tracing import all_layers
from .layers import BatchNorm, DropPath, GroupedConv2D, PointwiseConv2D, SymmetricMaxPooling2D

Twins = tuple[Any, Any]  # what comes before, or None, and the layer of the same name and weights
_PACKAGE = __name__.partition(".")[0]


def to_plain(model: keras.Model) -> keras.Model:
    """Return a copy of a model with Keras's own layers in place of ours.

    It computes the same outputs from the same weights, and what it saves as ``.keras`` loads
    without this package. On a CPU it is many times slower (``grouped``), and it trains
    differently: stochastic depth draws other numbers, moving variances are biased.

    Parameters
    ----------
    model
        Functional or Sequential, also with models inside it.

    Raises
    ------
    ValueError
        If the model is a subclass without a graph of layers, or has a layer of ours that Keras
        has none for.
    """
    if isinstance(model, keras.Sequential):
        ends: Any = (model.inputs[0], model.outputs[0])
    elif hasattr(model, "operations"):
        ends = (model.input, model.output)
    else:
        raise ValueError(f"the model {model.name} has no graph of layers: it is subclassed")
    before: dict[int, Any] = {}

    def clone(layer: Any) -> Any:
        first, twin = _twins(layer)
        if first is not None:
            before[id(twin)] = first
        return twin

    def call(layer: Any, *inputs: Any, **arguments: Any) -> Any:
        if id(layer) in before:
            inputs = (before[id(layer)](inputs[0]), *inputs[1:])
        return layer(*inputs, **arguments)

    graph = keras.Model(*ends, name=model.name)
    plain = keras.models.clone_model(graph, clone_function=clone, call_function=call)
    for layer in graph.layers:
        if layer.weights and not isinstance(layer, keras.Model):  # whose copy has them already
            plain.get_layer(layer.name).set_weights(layer.get_weights())
    _require_plain(plain)
    return plain


def _twins(layer: Any) -> Twins:
    if isinstance(layer, keras.Model):
        return None, to_plain(layer)
    make = _TWINS.get(type(layer))
    return make(layer) if make else (None, type(layer).from_config(layer.get_config()))


def _grouped_conv(layer: GroupedConv2D) -> Twins:
    pad = layer.kernel_size // 2
    apart = layer.padding == "symmetric" and layer.strides > 1 and pad
    initialiser: Any = layer.kernel_initializer
    conv = keras.layers.Conv2D(
        layer.filters,
        layer.kernel_size,
        layer.strides,
        "valid" if apart else "same",
        groups=layer.groups,
        use_bias=layer.use_bias,
        kernel_initializer=initialiser,
        **_common(layer),
    )
    name = f"{layer.name}_pad"
    return keras.layers.ZeroPadding2D(pad, **_common(layer, name)) if apart else None, conv


def _max_pool(layer: SymmetricMaxPooling2D) -> Twins:
    """Windows around every pixel, whose borders never win, then those that the stride keeps."""
    name = f"{layer.name}_windows"
    windows = keras.layers.MaxPooling2D(layer.pool_size, 1, "same", **_common(layer, name))
    return windows, keras.layers.MaxPooling2D(1, layer.strides, "valid", **_common(layer))


def _drop_path(layer: DropPath) -> Twins:
    """Dropout of whole images; like ours it keeps the mean."""
    shape = (None, 1, 1, 1)
    common = {"name": layer.name, "dtype": layer.dtype_policy}
    return None, keras.layers.Dropout(layer.rate, shape, layer.seed, **common)


def _parent(parent: type) -> Callable[[Any], Twins]:
    return lambda layer: (None, parent.from_config(layer.get_config()))


def _common(layer: Any, name: str = "") -> dict[str, Any]:
    return {
        "data_format": "channels_last",
        "dtype": layer.dtype_policy,
        "trainable": layer.trainable,
        "name": name or layer.name,
    }


_TWINS: dict[type, Callable[[Any], Twins]] = {
    GroupedConv2D: _grouped_conv,
    PointwiseConv2D: _parent(keras.layers.Conv2D),
    BatchNorm: _parent(keras.layers.BatchNormalization),
    SymmetricMaxPooling2D: _max_pool,
    DropPath: _drop_path,
}


def _require_plain(model: keras.Model) -> None:
    for layer in all_layers(model):
        if type(layer).__module__.partition(".")[0] == _PACKAGE:
            raise ValueError(
                f"Keras has no layer for {layer.name} ({type(layer).__name__}): "
                "replace it before, or keep the model as it is"
            )
