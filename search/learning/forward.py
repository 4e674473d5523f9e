"""A network as a function of the images and of how batch norm normalises.

Training, batch-norm statistics and evaluation walk the same layers and differ in the batch norms
alone, so these are an argument here; how other layers are applied is the backend's. Tests hold
the result equal to the model's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import keras

Tensor = Any
Normalise = Callable[[keras.layers.BatchNormalization, Tensor], Tensor]
Apply = Callable[[keras.layers.Layer, list[Tensor]], Tensor]


class Call(NamedTuple):
    """A layer, and by the identity of its Keras tensors what it takes and what it returns."""

    layer: Any
    sources: tuple[int, ...]
    result: int


class Forward:
    """The functional model ``model``, every layer of which is used once.

    ``norms`` are its batch norms in the order in which they are met; ``apply`` is how a backend
    applies the other layers.
    """

    def __init__(self, model: keras.Model, apply: Apply) -> None:
        self._apply = apply
        self._source = id(model.inputs[0])
        self._result = id(model.outputs[0])
        self._calls = calls_of(model)
        self.norms = norms_of(self._calls)

    def __call__(self, images: Tensor, normalise: Normalise) -> Tensor:
        """Return logits (n, classes) of normalised images (n, h, w, c)."""
        values = {self._source: images}
        walk(self._calls, values, self._apply, normalise)
        return values[self._result]


def calls_of(model: keras.Model) -> list[Call]:
    """Return the layers of a functional model in order, without its input."""
    return [
        Call(layer, tuple(id(x) for x in _as_list(layer.input)), id(layer.output))
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer)
    ]


def norms_of(calls: Iterable[Call]) -> tuple[keras.layers.BatchNormalization, ...]:
    """Return the batch norms in order."""
    norm = keras.layers.BatchNormalization
    return tuple(call.layer for call in calls if isinstance(call.layer, norm))


def walk(
    calls: Iterable[Call], values: dict[int, Tensor], apply: Apply, normalise: Normalise
) -> None:
    """Apply layers in turn; ``values`` holds what they take and gets what they return."""
    for call in calls:
        inputs = [values[source] for source in call.sources]
        if isinstance(call.layer, keras.layers.BatchNormalization):
            values[call.result] = normalise(call.layer, inputs[0])
        else:
            values[call.result] = apply(call.layer, inputs)


def _as_list(x: Any) -> list[Any]:
    return list(x) if isinstance(x, list | tuple) else [x]
