"""A network as a function of the images and of how batch norm normalises.

Training, batch-norm statistics and evaluation walk the same layers and differ in the batch norms
alone, so these are an argument here; how other layers are applied is the backend's. Tests hold
the result equal to the model's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

Tensor = Any
Normalise = Callable[[keras.layers.BatchNormalization, Tensor], Tensor]
Apply = Callable[[keras.layers.Layer, list[Tensor]], Tensor]


class Forward:
    """The functional model ``model``, every layer of which is used once.

    ``norms`` are its batch norms in the order in which they are met; ``apply`` is how a backend
    applies the other layers.
    """

    def __init__(self, model: keras.Model, apply: Apply) -> None:
        self._apply = apply
        self._source = id(model.inputs[0])
        self._result = id(model.outputs[0])
        self._calls = [
            (layer, [id(x) for x in _as_list(layer.input)], id(layer.output))
            for layer in model.layers
            if not isinstance(layer, keras.layers.InputLayer)
        ]
        self.norms: tuple[keras.layers.BatchNormalization, ...] = tuple(
            layer
            for layer, _, _ in self._calls
            if isinstance(layer, keras.layers.BatchNormalization)
        )

    def __call__(self, images: Tensor, normalise: Normalise) -> Tensor:
        """Return logits (n, classes) of normalised images (n, h, w, c)."""
        values = {self._source: images}
        for layer, sources, result in self._calls:
            inputs = [values[source] for source in sources]
            if isinstance(layer, keras.layers.BatchNormalization):
                values[result] = normalise(layer, inputs[0])
            else:
                values[result] = self._apply(layer, inputs)
        return values[self._result]


def _as_list(x: Any) -> list[Any]:
    return list(x) if isinstance(x, list | tuple) else [x]
