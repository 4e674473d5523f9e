"""What a backend has to do for training."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np

from ...recipes.recipe import Recipe

BACKENDS = {"tensorflow": "on_tensorflow", "jax": "on_jax"}
Shape = tuple[int, ...]
Batch = tuple[np.ndarray, np.ndarray]  # images (n, h, w, 3), target probabilities (n, classes)


@dataclass(frozen=True, slots=True)
class Place:
    """Where training runs: ``kind`` is cpu, gpu or tpu, ``devices`` what the backend calls them."""

    kind: str
    devices: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.devices)


@dataclass(frozen=True, slots=True)
class Layout:
    """The shapes that are traced, and how.

    Attributes
    ----------
    batch, evaluation
        Of images, (n, h, w, 3); n is a multiple of the devices.
    classes
        Of the data.
    xla
        Compile the training step with XLA (JAX always does).
    together
        Steps of one `Steps.train_together`.
    """

    batch: Shape
    evaluation: Shape
    classes: int
    xla: bool = False
    together: int = 1


class Steps(Protocol):
    """The traced functions of one network under one recipe.

    Images come normalised, (n, h, w, 3). Batch-norm moments, scales and offsets are those of all
    channels of ``norms`` one after the other.
    """

    norms: Sequence[Any]
    trace_seconds: float

    def __init__(self, model: keras.Model, recipe: Recipe, layout: Layout, place: Place) -> None:
        """Trace everything."""
        ...

    def train(self, images: np.ndarray, target: np.ndarray, lr: np.float32) -> Any:
        """Update the weights by one batch and return its loss before the update."""
        ...

    def train_together(self, batches: Sequence[Batch], rates: Sequence[float]) -> np.ndarray:
        """Do as many steps as the layout says by one call; return their losses."""
        ...

    def moments(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return means and unbiased variances of all batch norms over a batch, (channels,)."""
        ...

    def logits(self, images: np.ndarray, scales: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Return logits (n, classes) with these scales and offsets as batch norms."""
        ...

    def averaged(self, keep: bool = False) -> AbstractContextManager[None]:
        """Evaluate with the moving averages of the weights, where the recipe has them.

        Within the block those of ``norms`` are what is evaluated. The weights come back after it,
        unless it is left without an error and ``keep``.
        """
        ...

    def release(self) -> None:
        """Leave the weights in the model."""
        ...

    def state(self) -> list[np.ndarray]:
        """Return everything that training changes: weights, slots, averages."""
        ...

    def set_state(self, arrays: Sequence[np.ndarray]) -> None:
        """Put back what `state` returned."""
        ...

    @property
    def shapes(self) -> list[Shape]:
        """Of the arrays of `state`."""
        ...


class Backend(Protocol):
    """What a module of this package has."""

    KINDS: tuple[str, ...]  # of devices, the best first
    Steps: type[Steps]

    def find_devices(self, kind: str) -> tuple[Any, ...]:
        """Return the devices of a kind (cpu, gpu, tpu); none where there are none."""
        ...

    def use(self, place: Place) -> None:
        """Keep everybody else from these devices, and TensorFlow's data from accelerators."""
        ...

    def set_threads(self, threads: int) -> tuple[int, str]:
        """Set the backend's threads; return those in force, and a note where they are others."""
        ...


def current_backend() -> Backend:
    """Return the module of the backend that Keras has.

    Raises
    ------
    ValueError
        If training does not run on it.
    """
    name = keras.backend.backend()
    if name not in BACKENDS:
        raise ValueError(
            f"training needs Keras on TensorFlow or JAX, got {name!r}: "
            "set KERAS_BACKEND=tensorflow or KERAS_BACKEND=jax"
        )
    module: Any = importlib.import_module(f".{BACKENDS[name]}", __package__)
    return module
