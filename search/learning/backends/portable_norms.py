"""Batch norm in Keras's operations alone: for JAX, and for several replicas of TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

Tensor = Any
ops: Any = keras.ops  # whose stubs say None where tensors come


class SharedMoments:
    """Batch norm by the moments of the whole batch, which are kept, as training does.

    ``moments`` collects (mean, variance) of each batch norm; the variance is the unbiased one. A
    frozen layer normalises by its moving statistics, which are its moments. Where the batch lies
    on several ``replicas``, ``share`` returns the mean of a tensor over them.
    """

    def __init__(self, share: Callable[[Tensor], Tensor], replicas: int = 1) -> None:
        self.moments: list[tuple[Tensor, Tensor]] = []
        self._share = share
        self._replicas = replicas

    def __call__(self, layer: keras.layers.BatchNormalization, x: Tensor) -> Tensor:
        """Return x normalised over the batch, scaled and shifted by the layer's weights."""
        exact = ops.cast(x, "float32")  # under mixed precision too
        if layer.trainable:
            mean = self._share(ops.mean(exact, axis=(0, 1, 2)))
            variance = self._share(ops.mean(ops.square(exact - mean), axis=(0, 1, 2)))
            n = math.prod(x.shape[:3]) * self._replicas
            self.moments.append((mean, variance * (n / max(n - 1, 1))))
        else:
            mean, variance = (
                ops.convert_to_tensor(value) for value in (layer.moving_mean, layer.moving_variance)
            )
            self.moments.append((mean, variance))
        scale = layer.gamma * ops.rsqrt(variance + layer.epsilon)
        return ops.cast((exact - mean) * scale + layer.beta, x.dtype)


class PortableScales:
    """Batch norm as one scale and one offset a channel, computed beforehand.

    ``scales`` and ``offsets`` hold those of all batch norms one after the other.
    """

    def __init__(self, channels: Sequence[int], scales: Tensor, offsets: Tensor) -> None:
        cuts = np.cumsum(channels)[:-1].tolist()
        self._parts = iter(
            list(zip(ops.split(scales, cuts), ops.split(offsets, cuts), strict=True))
        )

    def __call__(self, layer: keras.layers.BatchNormalization, x: Tensor) -> Tensor:
        """Return x times the scale plus the offset of the next batch norm."""
        scale, offset = next(self._parts)
        return ops.cast(ops.cast(x, "float32") * scale + offset, x.dtype)
