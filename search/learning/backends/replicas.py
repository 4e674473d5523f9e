"""One or several devices of TensorFlow, each of which computes its part of a batch.

Several are a ``tf.distribute.MirroredStrategy``: weights lie on every one, gradients and the
moments of batch norm are means over all, so the result is that of one device with the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import tensorflow as tf

Tensor = Any


class Replicas:
    """The devices of the names ``devices`` (``GPU:0`` ...)."""

    def __init__(self, devices: Sequence[str]) -> None:
        self.count = len(devices)
        self._strategy = tf.distribute.MirroredStrategy(list(devices)) if self.count > 1 else None

    def scope(self) -> AbstractContextManager[Any]:
        """Return the scope in which weights are made."""
        return self._strategy.scope() if self._strategy else nullcontext()

    def everywhere(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that calls ``function`` on every device, with the same arguments.

        Its results are those of the first device.
        """
        if self._strategy is None:
            return function
        strategy = self._strategy

        def call(*arguments: Tensor) -> Any:
            results = strategy.run(function, arguments)
            return tf.nest.map_structure(
                lambda values: strategy.experimental_local_results(values)[0], results
            )

        return call

    def part(self, batch: Tensor) -> Tensor:
        """Return this device's share of a batch."""
        context = tf.distribute.get_replica_context()
        if self._strategy is None or context is None:
            return batch
        size = batch.shape[0] // self.count
        start = context.replica_id_in_sync_group * size
        part = batch[start : start + size]
        part.set_shape((size, *batch.shape[1:]))
        return part

    def whole(self, part: Tensor) -> Tensor:
        """Return the batch of which every device has a share."""
        context = tf.distribute.get_replica_context()
        if self._strategy is None or context is None:
            return part
        return context.all_gather(part, axis=0)

    def mean(self, values: Any) -> Any:
        """Return means over the devices of a tensor or a list of tensors."""
        context = tf.distribute.get_replica_context()
        if self._strategy is None or context is None:
            return values
        return context.all_reduce(tf.distribute.ReduceOp.MEAN, values)
