"""Memory: out of the device's as an outcome with a name, and freeing that of earlier networks."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace

from ..recipes.recipe import Recipe


class OutOfMemory(ValueError):
    """A batch does not fit into the device's memory; ``smaller`` is the recipe of half of it."""

    def __init__(self, recipe: Recipe) -> None:
        self.smaller = halved(recipe)
        what = f"out of memory with batches of {recipe.batch_size} images"
        hint = "no smaller batch is left"
        if self.smaller is not None:
            hint = (
                f"try batch_size={self.smaller.batch_size} and lr={self.smaller.lr:g}, "
                "or --halve-batch"
            )
        super().__init__(f"{what}: {hint}")


def halved(recipe: Recipe) -> Recipe | None:
    """Return the recipe with half the batch and, by the linear rule, half the learning rate.

    None where the batch is one image.
    """
    if recipe.batch_size < 2:
        return None
    size = recipe.batch_size // 2
    lr = recipe.lr if recipe.lr_batch else recipe.lr * size / recipe.batch_size
    return replace(recipe, batch_size=size, lr=lr)


def forget_networks() -> None:
    """Free what Keras and the backend keep of earlier networks, such as traced graphs.

    A process that trained twenty networks of about eleven blocks grew by 20 MiB with each, with
    this by 5. Names of layers count from the beginning again.
    """
    import keras

    keras.backend.clear_session()


@contextmanager
def memory_is_named(recipe: Recipe) -> Generator[None]:
    """Raise `OutOfMemory` for the errors of this kind of TensorFlow, JAX and Python."""
    try:
        yield
    except Exception as error:
        if not _is_of_memory(error):
            raise
        raise OutOfMemory(recipe) from error


def _is_of_memory(error: Exception) -> bool:
    """Whether an error is one, by its name: neither backend need be there."""
    if isinstance(error, MemoryError):
        return True
    name = type(error).__name__
    xla = name in ("JaxRuntimeError", "XlaRuntimeError", "InternalError")
    return name == "ResourceExhaustedError" or (xla and "RESOURCE_EXHAUSTED" in str(error))
