"""Exponential moving averages of weights, with which a network is evaluated.

``a += (1 - d) (w - a)`` after every step, where d is the decay but at most (1 + t) / (10 + t) at
step t, so that the first weights are soon forgotten.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import ops


class MovingAverages:
    """The averages of ``weights``, which start at their values; ``variables`` are the state."""

    def __init__(self, weights: Sequence[keras.Variable], decay: float) -> None:
        self._weights = list(weights)
        self._decay = decay
        self._averages = [
            keras.Variable(ops.convert_to_tensor(weight), trainable=False) for weight in weights
        ]
        self._count = keras.Variable(0.0, trainable=False, dtype="float32")

    @property
    def variables(self) -> list[keras.Variable]:
        """The averages and the number of steps."""
        return [*self._averages, self._count]

    def update(self) -> None:
        """Move the averages towards the weights."""
        self._count.assign(self._count + 1.0)
        decay: Any = ops.minimum(self._decay, (1.0 + self._count) / (10.0 + self._count))
        for average, weight in zip(self._averages, self._weights, strict=True):
            average.assign(average + (1.0 - decay) * (weight - average))

    @contextmanager
    def in_place(self, keep: bool = False) -> Generator[None]:
        """Put the averages in the place of the weights, for the block or (``keep``) for good."""
        own = [np.array(ops.convert_to_numpy(weight)) for weight in self._weights]
        self._assign([ops.convert_to_tensor(average) for average in self._averages])
        try:
            yield
        except BaseException:
            self._assign(own)
            raise
        if not keep:
            self._assign(own)

    def _assign(self, values: Sequence[object]) -> None:
        for weight, value in zip(self._weights, values, strict=True):
            weight.assign(value)
