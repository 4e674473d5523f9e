"""Training on JAX: any number of CPUs, GPUs or TPU cores, whose batch is split over all.

The step is a pure function of everything that it changes, made from Keras's own layers and our
optimisers in a ``StatelessScope``. `keras.distribution.DataParallel` says how arrays lie on the
devices: weights on all, batches in equal parts; XLA makes means over a batch, batch norm's and
the gradients', means over all devices.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import jax  # pyright: ignore[reportMissingImports]
import jax.numpy as jnp  # pyright: ignore[reportMissingImports]
import keras
import numpy as np

from ....processors import available
from ...recipes.recipe import Recipe
from ..averages import MovingAverages
from ..forward import Forward
from ..optimizer import make_optimizer
from ..precise_bn import channels
from .portable_norms import PortableScales, SharedMoments
from .seam import Batch, Layout, Place, Shape

Array = Any
KINDS = ("tpu", "gpu", "cpu")


def find_devices(kind: str) -> tuple[Any, ...]:
    """Return JAX's devices of a kind.

    Raises
    ------
    ValueError
        If this is one of several hosts.
    """
    if jax.process_count() > 1:
        raise ValueError(
            f"this is one of {jax.process_count()} hosts; training uses the devices of one"
        )
    try:
        return tuple(jax.devices(kind))
    except RuntimeError:  # how JAX says that it has none
        return ()


def use(place: Place) -> None:
    """Hide accelerators from TensorFlow, which only reads data here."""
    import tensorflow as tf

    for kind in ("GPU", "TPU"):
        try:
            tf.config.set_visible_devices([], kind)
        except RuntimeError:  # TensorFlow has already started
            pass


def set_threads(threads: int) -> tuple[int, str]:
    """Return the processors, all of which JAX uses, and a note where ``threads`` are others."""
    count = available()
    note = "" if count == threads else f"JAX uses all {count} processors, whatever --threads says"
    return count, note


class Steps:
    """The functions of one network under one recipe (`seam.Steps`)."""

    def __init__(self, model: keras.Model, recipe: Recipe, layout: Layout, place: Place) -> None:
        self._forward = Forward(model, _apply)
        self.norms = self._forward.norms
        self._weights = model.trainable_variables
        self._optimizer = make_optimizer(recipe, self._weights)
        self._clip_norm = recipe.clip_norm
        self._averages = (
            MovingAverages(self._weights, recipe.ema_decay) if recipe.ema_decay else None
        )
        averages = self._averages.variables if self._averages else []
        self._variables = [*model.weights, *self._optimizer.variables, *averages]
        trained = {id(weight) for weight in self._weights}
        self._trained = [i for i, v in enumerate(self._variables) if id(v) in trained]
        self._arrange = _Arrangement(place)
        self._load()
        start = time.perf_counter()
        self._compile(layout)
        self.trace_seconds = time.perf_counter() - start

    def _compile(self, layout: Layout) -> None:
        arrange, n = self._arrange, layout.batch[0]
        values = [arrange.like(value.shape, value.dtype) for value in self._values]
        images, target = (
            arrange.like(layout.batch, batch=0),
            arrange.like((n, layout.classes), batch=0),
        )
        width = (sum(channels(self.norms)),)
        everywhere, batch = arrange.everywhere, arrange.batch
        self._train = (
            jax.jit(self._step, donate_argnums=0, out_shardings=everywhere)
            .lower(values, images, target, arrange.like(()))
            .compile()
        )
        self._train_together = None
        if layout.together > 1:
            several = [
                arrange.like((layout.together, *one.shape), batch=1) for one in (images, target)
            ]
            self._train_together = (
                jax.jit(self._several_steps, donate_argnums=0, out_shardings=everywhere)
                .lower(values, *several, arrange.like((layout.together,)))
                .compile()
            )
        self._moments = (
            jax.jit(self._batch_moments, out_shardings=everywhere).lower(values, images).compile()
        )
        self._logits = (
            jax.jit(self._fixed_logits, out_shardings=batch(2))
            .lower(values, arrange.like(layout.evaluation, batch=0), *[arrange.like(width)] * 2)
            .compile()
        )

    def train(self, images: np.ndarray, target: np.ndarray, lr: np.float32) -> Array:
        """Update the weights by one batch and return its loss before the update."""
        put = self._arrange.put
        arguments = put(images, batch=0), put(target, batch=0), put(lr)
        self._values, loss = self._train(self._values, *arguments)
        return loss

    def train_together(self, batches: Sequence[Batch], rates: Sequence[float]) -> np.ndarray:
        """Do as many steps as the layout says by one call; return their losses."""
        if self._train_together is None:
            raise ValueError("the layout has one step at a time")
        put = self._arrange.put
        stacked = [put(np.stack(part), batch=1) for part in zip(*batches, strict=True)]
        lrs = put(np.asarray(rates, np.float32))
        self._values, losses = self._train_together(self._values, *stacked, lrs)
        return np.asarray(losses)

    def moments(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return means and unbiased variances of all batch norms over a batch, (channels,)."""
        means, variances = self._moments(self._values, self._arrange.put(images, batch=0))
        return np.asarray(means), np.asarray(variances)

    def logits(self, images: np.ndarray, scales: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Return logits (n, classes) with these scales and offsets as batch norms."""
        put = self._arrange.put
        arguments = put(images, batch=0), put(scales), put(offsets)
        return np.asarray(self._logits(self._values, *arguments))

    @contextmanager
    def averaged(self, keep: bool = False) -> Generator[None]:
        """Evaluate with the moving averages of the weights, where the recipe has them.

        The weights come back after the block, unless it is left without an error and ``keep``.
        """
        self.release()
        try:
            if self._averages is None:
                yield
            else:
                with self._averages.in_place(keep):
                    self._load()
                    yield
        finally:
            self._load()

    def release(self) -> None:
        """Leave the weights in the model."""
        for variable, value in zip(self._variables, self._values, strict=True):
            variable.assign(np.asarray(value))

    def state(self) -> list[np.ndarray]:
        """Return everything that training changes: weights, slots, averages."""
        return [np.asarray(value) for value in self._values]

    def set_state(self, arrays: Sequence[np.ndarray]) -> None:
        """Put back what `state` returned."""
        self._values = [self._arrange.put(array) for array in arrays]

    @property
    def shapes(self) -> list[Shape]:
        """Of the arrays of `state`."""
        return [tuple(value.shape) for value in self._values]

    def _load(self) -> None:
        """Take the values of the variables."""
        self._values = [self._arrange.put(variable.numpy()) for variable in self._variables]

    def _step(
        self, values: list[Array], images: Array, target: Array, lr: Array
    ) -> tuple[list[Array], Array]:
        def loss_of(trained: list[Array]) -> Array:
            changed = list(values)
            for i, value in zip(self._trained, trained, strict=True):
                changed[i] = value
            logits = self._run(changed, images, SharedMoments(lambda mean: mean))
            return -jnp.mean(jnp.sum(target * jax.nn.log_softmax(logits), axis=-1))

        loss, gradients = jax.value_and_grad(loss_of)([values[i] for i in self._trained])
        if self._clip_norm:
            norm = jnp.sqrt(sum(jnp.sum(jnp.square(gradient)) for gradient in gradients))
            factor = self._clip_norm / jnp.maximum(norm, self._clip_norm)
            gradients = [gradient * factor for gradient in gradients]
        with keras.StatelessScope(self._pairs(values)) as scope:
            self._optimizer.apply(gradients, lr)
            if self._averages is not None:
                self._averages.update()
        return [scope.get_current_value(variable) for variable in self._variables], loss

    def _several_steps(
        self, values: list[Array], images: Array, targets: Array, rates: Array
    ) -> tuple[list[Array], Array]:
        return jax.lax.scan(lambda v, step: self._step(v, *step), values, (images, targets, rates))

    def _batch_moments(self, values: list[Array], images: Array) -> tuple[Array, Array]:
        normalise = SharedMoments(lambda mean: mean)
        self._run(values, images, normalise)
        means, variances = zip(*normalise.moments, strict=True)
        return jnp.concatenate(means), jnp.concatenate(variances)

    def _fixed_logits(
        self, values: list[Array], images: Array, scales: Array, offsets: Array
    ) -> Array:
        return self._run(values, images, PortableScales(channels(self.norms), scales, offsets))

    def _run(self, values: list[Array], images: Array, normalise: Any) -> Array:
        with keras.StatelessScope(self._pairs(values)):
            return self._forward(images, normalise)

    def _pairs(self, values: list[Array]) -> list[tuple[keras.Variable, Array]]:
        return list(zip(self._variables, values, strict=True))


def _apply(layer: keras.layers.Layer, inputs: list[Array]) -> Array:
    return layer(inputs if len(inputs) > 1 else inputs[0])


class _Arrangement:
    """How arrays lie on the devices."""

    def __init__(self, place: Place) -> None:
        names = [f"{device.platform}:{device.id}" for device in place.devices]
        spread = keras.distribution.DataParallel(devices=names, auto_shard_dataset=False)
        mesh = spread.get_data_layout((len(names), 1)).backend_layout.mesh
        self.axis = spread.batch_dim_name
        self._mesh = mesh
        self.everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())

    def batch(self, rank: int, axis: int = 0) -> Any:
        """Return how an array of this rank is split along an axis."""
        spec = [self.axis if i == axis else None for i in range(rank)]
        return jax.sharding.NamedSharding(self._mesh, jax.sharding.PartitionSpec(*spec))

    def like(self, shape: Shape, dtype: Any = np.float32, batch: int | None = None) -> Any:
        """Return what stands for an array of this shape, split along the axis ``batch``."""
        where = self.everywhere if batch is None else self.batch(len(shape), batch)
        return jax.ShapeDtypeStruct(shape, dtype, sharding=where)

    def put(self, array: Any, batch: int | None = None) -> Array:
        """Return an array on the devices, split along the axis ``batch`` or whole on each."""
        where = self.everywhere if batch is None else self.batch(np.ndim(array), batch)
        return jax.device_put(array, where)
