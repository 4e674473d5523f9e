"""How long a model's inference and training steps take on this device.

A step is one traced TensorFlow function, called again and again on the same random batch and
waited for. What is reported is the median of the calls, with the interval of order statistics
that holds the true median with at least 95% confidence whatever the distribution of the times.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from .networks.input_shapes import model_inputs

CONFIDENCE = 0.95
MAX_CALLS = 10_000
LEARNING_RATE = 1e-3  # small: random images and labels must not make the weights overflow


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of the calls of one step, and of what went before them.

    Attributes
    ----------
    batch
        Images a call.
    seconds
        Of each timed call, in their order.
    first_seconds
        Of the first call, which traces and plans and is not timed with the others.
    """

    batch: int
    seconds: tuple[float, ...]
    first_seconds: float

    @property
    def median(self) -> float:
        """Seconds of a call."""
        return float(np.median(self.seconds))

    @property
    def interval(self) -> tuple[float, float] | None:
        """95% interval of the median; None for fewer than 6 calls, which cannot have one."""
        return median_interval(self.seconds)


def median_interval(
    values: Sequence[float], confidence: float = CONFIDENCE
) -> tuple[float, float] | None:
    """Return the narrowest symmetric pair of order statistics that covers the median.

    Between the k-th smallest and the k-th largest of n values the median lies with probability
    1 - 2 P(B < k), B binomial of n halves. None if even the extremes fall short of ``confidence``.
    """
    n, below, found = len(values), 0.0, 0
    for k in range(n // 2):
        below += math.comb(n, k) / 2**n
        if 1 - 2 * below < confidence:
            break
        found = k + 1
    if not found:
        return None
    ordered = sorted(values)
    return ordered[found - 1], ordered[n - found]


def time_model(
    model: keras.Model,
    batch: int,
    *,
    train: bool = False,
    seconds: float = 5.0,
    resolution: tuple[int, int] | None = None,
) -> Timing:
    """Time inference, or training steps, of a model on one random batch.

    A training step is the forward pass, the gradient of the cross-entropy with random classes,
    and an update by SGD with momentum; it changes the model's weights.

    Parameters
    ----------
    model
        With one output, (n, classes) for training.
    batch
        Images a step.
    train
        Time training steps instead of inference.
    seconds
        For the timed calls together: no call begins later; warm-up comes before.
    resolution
        For a model that leaves its size open.

    Raises
    ------
    ValueError
        If an argument is out of range, the model's input does not allow it, or Keras does not run
        on TensorFlow.
    """
    if batch < 1:
        raise ValueError(f"batch must be a positive integer, got {batch!r}")
    if not 0 < seconds < math.inf:
        raise ValueError(f"seconds must be positive, got {seconds!r}")
    if keras.backend.backend() != "tensorflow":
        raise ValueError(f"timing needs Keras on TensorFlow, got {keras.backend.backend()!r}")
    inputs = _random_inputs(model_inputs(model, resolution=resolution), batch)
    step = _training_step(model, inputs) if train else _inference(model, inputs)
    return _time(step, batch, seconds)


def _random_inputs(specs: Any, batch: int) -> Any:
    import tensorflow as tf

    def draw(spec: Any) -> Any:
        if spec.shape[0] not in (1, batch):
            raise ValueError(f"the model's batch is fixed at {spec.shape[0]}, got {batch}")
        shape = (batch, *spec.shape[1:])
        if not tf.as_dtype(spec.dtype).is_floating:
            return tf.zeros(shape, spec.dtype)  # an index that every table has
        return tf.constant(np.random.default_rng(0).random(shape), spec.dtype)

    return keras.tree.map_structure(draw, specs)


def _inference(model: keras.Model, inputs: Any) -> Callable[[], object]:
    import tensorflow as tf

    forward = tf.function(lambda x: model(x, training=False))

    def run() -> object:
        return [output.numpy() for output in keras.tree.flatten(forward(inputs))]

    return run


def _training_step(model: keras.Model, inputs: Any) -> Callable[[], object]:
    import tensorflow as tf

    specs = keras.tree.map_structure(lambda x: keras.KerasTensor(x.shape, x.dtype), inputs)
    outputs = keras.tree.flatten(model.compute_output_spec(specs))
    if len(outputs) != 1 or len(outputs[0].shape) != 2:
        shapes = [tuple(output.shape) for output in outputs]
        raise ValueError(f"training needs a model with one output (n, classes), got {shapes}")
    n, classes = outputs[0].shape
    labels = tf.constant(np.random.default_rng(0).integers(0, classes, n), tf.int32)
    optimizer = keras.optimizers.SGD(LEARNING_RATE, momentum=0.9, nesterov=True)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = tf.cast(model(x, training=True), tf.float32)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return lambda: step(inputs).numpy()


def _time(step: Callable[[], object], batch: int, seconds: float) -> Timing:
    """Call a step twice to warm up, then until the time is over, once at least."""
    began = time.perf_counter()
    step()
    first = time.perf_counter() - began
    step()
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while not taken or (time.perf_counter() < end and len(taken) < MAX_CALLS):
        before = time.perf_counter()
        step()
        taken.append(time.perf_counter() - before)
    return Timing(batch, tuple(taken), first)
