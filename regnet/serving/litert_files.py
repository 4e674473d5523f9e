"""LiteRT (TensorFlow Lite) files, whose convolutions take groups as they are."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np

from .graphs import INPUT, OUTPUT, frozen, inference


def write(model: keras.Model, shape: tuple[int | None, ...], path: Path) -> None:
    """Write a model in float32, of open batch."""
    path.write_bytes(_convert(model, shape, []))


def write_int8(model: keras.Model, shape: tuple[int | None, ...], path: Path) -> None:
    """Write a model with weights in 8 bits, one scale a filter; maps are scaled as they come."""
    import tensorflow as tf

    path.write_bytes(_convert(model, shape, [tf.lite.Optimize.DEFAULT]))


def _convert(model: keras.Model, shape: tuple[int | None, ...], optimizations: list[Any]) -> bytes:
    import tensorflow as tf

    if None in shape[1:]:
        raise ValueError(f"LiteRT needs a size, and the model's is {shape[1:]}: give a resolution")
    constant = frozen(inference(model, shape, "native"))
    holder: Any = tf.Module()
    holder.serve = tf.function(
        lambda images: {OUTPUT: constant(images)[0]},
        input_signature=[tf.TensorSpec(shape, model.inputs[0].dtype, INPUT)],
        autograph=False,
    )
    with tempfile.TemporaryDirectory() as folder:
        signature = holder.serve.get_concrete_function()
        tf.saved_model.save(holder, folder, signatures=signature)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = optimizations
        return converter.convert()


def run(path: Path, images: np.ndarray) -> np.ndarray:
    """Return the outputs of a file for images, by LiteRT's or TensorFlow's interpreter."""
    interpreter = _interpreter(path)
    (entry,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(entry["index"], images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(entry["index"], images)
    interpreter.invoke()
    (out,) = interpreter.get_output_details()
    return interpreter.get_tensor(out["index"])


def _interpreter(path: Path) -> Any:
    try:
        from ai_edge_litert.interpreter import (  # pyright: ignore[reportMissingImports]
            Interpreter,
        )
    except ImportError:
        import tensorflow as tf

        Interpreter = tf.lite.Interpreter
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's says that it will go
        return Interpreter(model_path=str(path))
