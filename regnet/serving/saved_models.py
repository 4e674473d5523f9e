"""SavedModels: graphs of TensorFlow that need neither Keras nor this package.

Convolutions are dense operations, which every build of TensorFlow has on every CPU: its grouped
one needs oneDNN.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from .graphs import INPUT, OUTPUT, inference


def write(model: keras.Model, shape: tuple[int | None, ...], path: Path) -> None:
    """Write a folder whose signature ``serving_default`` takes images to an output."""
    import tensorflow as tf

    function = inference(model, shape, "packed")
    holder: Any = tf.Module()
    holder.variables_of_model = [variable.value for variable in model.variables]
    holder.serve = function
    tf.saved_model.save(holder, str(path), signatures=function.get_concrete_function())


def run(path: Path, images: np.ndarray) -> np.ndarray:
    """Return the outputs of a SavedModel for images."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    return loaded.signatures["serving_default"](**{INPUT: tf.constant(images)})[OUTPUT].numpy()


def is_one(path: Path) -> bool:
    """Whether a path is the folder of a SavedModel."""
    return (path / "saved_model.pb").is_file()
