"""The traced functions of a training: one step, batch-norm moments, logits. TensorFlow.

Each is traced once, with fixed shapes; together they are the fixed cost of a short run.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..recipes.recipe import Recipe
from .averages import MovingAverages
from .forward import BatchMoments, FixedScales, Forward
from .optimizer import make_optimizer
from .precise_bn import channels

Tensor = Any
Shape = tuple[int, ...]


class Steps:
    """The functions of one network under one recipe.

    ``batch_shape`` and ``evaluation_shape`` are those of images, (n, h, w, 3).
    """

    def __init__(
        self,
        model: keras.Model,
        recipe: Recipe,
        batch_shape: Shape,
        evaluation_shape: Shape,
        classes: int,
    ) -> None:
        self._forward = Forward(model)
        self.norms = self._forward.norms
        self._model_weights = model.weights
        self._weights = model.trainable_variables
        self._optimizer = make_optimizer(recipe, self._weights)
        self._clip_norm = recipe.clip_norm
        self._averages = (
            MovingAverages(self._weights, recipe.ema_decay) if recipe.ema_decay else None
        )
        start = time.perf_counter()
        images = tf.TensorSpec(batch_shape)
        target = tf.TensorSpec((batch_shape[0], classes))
        per_channel = tf.TensorSpec((sum(channels(self.norms)),))
        self._train = _traced(self._train_step, images, target, tf.TensorSpec(()))
        self._moments = _traced(self._batch_moments, images)
        self._logits = _traced(
            self._fixed_logits, tf.TensorSpec(evaluation_shape), per_channel, per_channel
        )
        self.trace_seconds = time.perf_counter() - start

    def train(self, images: np.ndarray, target: np.ndarray, lr: np.float32) -> Tensor:
        """Update the weights by one batch and return its loss before the update."""
        return self._train(tf.constant(images), tf.constant(target), tf.constant(lr))

    def moments(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return means and variances of all batch norms over a batch, each (channels,)."""
        means, variances = self._moments(tf.constant(images))
        return means.numpy(), variances.numpy()

    def logits(self, images: np.ndarray, scales: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Return logits (n, classes) with these scales and offsets as batch norms."""
        return self._logits(tf.constant(images), tf.constant(scales), tf.constant(offsets)).numpy()

    @contextmanager
    def averaged(self, keep: bool = False) -> Generator[None]:
        """Evaluate with the moving averages of the weights, where the recipe has them.

        The weights come back after the block, unless it is left without an error and ``keep``.
        """
        if self._averages is None:
            yield
            return
        with self._averages.in_place(keep):
            yield

    def state(self) -> list[np.ndarray]:
        """Return everything that training changes: weights, slots, averages."""
        return [variable.numpy() for variable in self._variables]

    def set_state(self, arrays: Sequence[np.ndarray]) -> None:
        """Put back what `state` returned."""
        for variable, array in zip(self._variables, arrays, strict=True):
            variable.assign(array)

    @property
    def shapes(self) -> list[Shape]:
        """Of the arrays of `state`."""
        return [tuple(variable.shape) for variable in self._variables]

    @property
    def _variables(self) -> list[keras.Variable]:
        averages = self._averages.variables if self._averages else []
        return [*self._model_weights, *self._optimizer.variables, *averages]

    def _train_step(self, images: Tensor, target: Tensor, lr: Tensor) -> Tensor:
        weights = [weight.value for weight in self._weights]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            logits = self._forward(images, BatchMoments())
            losses = tf.nn.softmax_cross_entropy_with_logits(target, logits)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, weights)
        if self._clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, self._clip_norm)
        self._optimizer.apply(gradients, lr)
        if self._averages is not None:
            self._averages.update()
        return loss

    def _batch_moments(self, images: Tensor) -> tuple[Tensor, Tensor]:
        normalise = BatchMoments()
        self._forward(images, normalise)
        means, variances = zip(*normalise.moments, strict=True)
        return tf.concat(means, 0), tf.concat(variances, 0)

    def _fixed_logits(self, images: Tensor, scales: Tensor, offsets: Tensor) -> Tensor:
        return self._forward(images, FixedScales(channels(self.norms), scales, offsets))


def _traced(function: Any, *signature: tf.TensorSpec) -> Any:
    return tf.function(function, autograph=False).get_concrete_function(*signature)
