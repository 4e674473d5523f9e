"""Training on TensorFlow: one CPU, one GPU, or several devices in step.

One step, batch-norm moments and logits are traced once, with fixed shapes; together they are the
fixed cost of a short run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ...recipes.recipe import Recipe
from ..averages import MovingAverages
from ..fingerprint import GRAPH_OPTIMIZER
from ..forward import Forward, calls_of, norms_of
from ..optimizer import make_optimizer
from ..precise_bn import channels
from .portable_norms import SharedMoments
from .replicas import Replicas
from .seam import Batch, Layout, Place, Shape
from .shared_blocks import BlockwiseForward
from .tensorflow_layers import BatchMoments, FixedScales, apply_layer

Tensor = Any
KINDS = ("gpu", "cpu")


def find_devices(kind: str) -> tuple[str, ...]:
    """Return the names of TensorFlow's devices of a kind; it has no TPUs (use JAX).

    Raises
    ------
    ValueError
        If they are TPUs.
    """
    if kind == "tpu":
        raise ValueError("accelerator tpu needs Keras on JAX: set KERAS_BACKEND=jax (docs/tpu.md)")
    name = kind.upper()
    physical = tf.config.list_physical_devices(name)
    count = sum(len(tf.config.get_logical_device_configuration(d) or [d]) for d in physical)
    return tuple(f"{name}:{i}" for i in range(count))


def use(place: Place) -> None:
    """Hide GPUs from TensorFlow where training is to run on the CPU."""
    if place.kind == "cpu":
        _hide("GPU")


def _hide(kind: str) -> None:
    try:
        tf.config.set_visible_devices([], kind)
    except RuntimeError:  # TensorFlow has already started
        pass


def set_threads(threads: int) -> tuple[int, str]:
    """Set TensorFlow's threads; return those in force, and a note where they are others.

    Threads can be set only before TensorFlow first computes. Grappler's passes are switched off:
    they cost more than they save on networks of this kind (a step is as fast without them).
    """
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": not GRAPH_OPTIMIZER})
    threading = tf.config.threading
    try:
        threading.set_intra_op_parallelism_threads(threads)
        threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:  # TensorFlow has already started its threads
        pass
    actual = threading.get_intra_op_parallelism_threads()
    if actual == threads:
        return actual, ""
    return actual, f"TensorFlow had already started with {actual or 'its default of'} threads"


class Steps:
    """The functions of one network under one recipe (`seam.Steps`)."""

    def __init__(self, model: keras.Model, recipe: Recipe, layout: Layout, place: Place) -> None:
        self._replicas = Replicas(place.devices)
        self._model = self._trained = model
        with self._replicas.scope():
            if self._replicas.count > 1:  # the model's own weights lie on one device
                self._trained = keras.models.clone_model(model)
                self._trained.set_weights(model.get_weights())
            alone = self._replicas.count == 1 and not layout.xla
            self._forward: Callable[[Tensor, Any], Tensor] = (
                BlockwiseForward(self._trained) if alone else Forward(self._trained, apply_layer)
            )
            self.norms = norms_of(calls_of(self._trained))
            self._weights = self._trained.trainable_variables
            self._optimizer = make_optimizer(recipe, self._weights)
            self._averages = (
                MovingAverages(self._weights, recipe.ema_decay) if recipe.ema_decay else None
            )
        self._clip_norm = recipe.clip_norm
        start = time.perf_counter()
        self._trace(layout)
        self.trace_seconds = time.perf_counter() - start

    def _trace(self, layout: Layout) -> None:
        images = tf.TensorSpec(layout.batch)
        target = tf.TensorSpec((layout.batch[0], layout.classes))
        per_channel = tf.TensorSpec((sum(channels(self.norms)),))
        everywhere = self._replicas.everywhere
        step = everywhere(self._train_step)
        self._train = _traced(step, images, target, tf.TensorSpec(()), xla=layout.xla)
        self._train_together = None
        if layout.together > 1 and self._replicas.count == 1:  # collectives fail in loops
            several = [_several(spec, layout.together) for spec in (images, target)]
            rates = tf.TensorSpec((layout.together,))
            self._train_together = _traced(_repeated(step), *several, rates, xla=layout.xla)
        self._moments = _traced(everywhere(self._batch_moments), images)
        self._logits = _traced(
            everywhere(self._fixed_logits),
            tf.TensorSpec(layout.evaluation),
            per_channel,
            per_channel,
        )

    def train(self, images: np.ndarray, target: np.ndarray, lr: np.float32) -> Tensor:
        """Update the weights by one batch and return its loss before the update."""
        return self._train(tf.constant(images), tf.constant(target), tf.constant(lr))

    def train_together(self, batches: Sequence[Batch], rates: Sequence[float]) -> np.ndarray:
        """Do as many steps as the layout says, on one device by one call; return their losses."""
        if self._train_together is None:
            losses = [
                self.train(*batch, np.float32(rate))
                for batch, rate in zip(batches, rates, strict=True)
            ]
            return np.array([float(loss) for loss in losses])
        images, targets = (tf.constant(np.stack(part)) for part in zip(*batches, strict=True))
        return self._train_together(images, targets, tf.constant(rates, tf.float32)).numpy()

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

    def release(self) -> None:
        """Leave the weights in the model."""
        if self._trained is not self._model:
            self._model.set_weights(self._trained.get_weights())

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
        return [*self._trained.weights, *self._optimizer.variables, *averages]

    def _train_step(self, images: Tensor, target: Tensor, lr: Tensor) -> Tensor:
        images, target = self._replicas.part(images), self._replicas.part(target)
        weights = [weight.value for weight in self._weights]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            logits = self._forward(images, self._normaliser())
            losses = tf.nn.softmax_cross_entropy_with_logits(target, logits)
            loss = tf.reduce_mean(losses)
        gradients = self._replicas.mean(tape.gradient(loss, weights))
        if self._clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, self._clip_norm)
        self._optimizer.apply(gradients, lr)
        if self._averages is not None:
            self._averages.update()
        return self._replicas.mean(loss)

    def _batch_moments(self, images: Tensor) -> tuple[Tensor, Tensor]:
        normalise = self._normaliser()
        self._forward(self._replicas.part(images), normalise)
        means, variances = zip(*normalise.moments, strict=True)
        return tf.concat(means, 0), tf.concat(variances, 0)

    def _fixed_logits(self, images: Tensor, scales: Tensor, offsets: Tensor) -> Tensor:
        normalise = FixedScales(channels(self.norms), scales, offsets)
        return self._replicas.whole(self._forward(self._replicas.part(images), normalise))

    def _normaliser(self) -> BatchMoments | SharedMoments:
        if self._replicas.count == 1:
            return BatchMoments()
        return SharedMoments(self._replicas.mean, self._replicas.count)


def _traced(function: Any, *signature: tf.TensorSpec, xla: bool = False) -> Any:
    traced = tf.function(function, autograph=False, jit_compile=xla or None)
    return traced.get_concrete_function(*signature)


def _several(spec: Any, count: int) -> Any:
    return tf.TensorSpec((count, *spec.shape), spec.dtype)


def _repeated(step: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return a function of stacked arguments that calls ``step`` for each in turn."""

    def steps(images: Tensor, targets: Tensor, rates: Tensor) -> Tensor:
        count = rates.shape[0]

        def body(i: Tensor, losses: Tensor) -> tuple[Tensor, Tensor]:
            loss = step(images[i], targets[i], rates[i])
            return i + 1, tf.tensor_scatter_nd_update(losses, [[i]], [loss])

        start = (tf.constant(0), tf.zeros(count))
        _, losses = tf.while_loop(lambda i, _: i < count, body, start, maximum_iterations=count)
        return losses

    return steps
