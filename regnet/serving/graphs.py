"""A model's inference as a function of TensorFlow, with its weights as constants if need be."""

from __future__ import annotations

from typing import Any

import keras

from ..convolutions.grouped import implementation

INPUT, OUTPUT = "images", "output"


def inference(model: keras.Model, shape: tuple[int | None, ...], way: str) -> Any:
    """Return a traced ``tf.function`` from ``images`` to a dictionary with ``output``.

    Parameters
    ----------
    model
        With one input and one output.
    shape
        Of the input, the batch too; None where it is open.
    way
        How convolutions are computed (``grouped.implementation``).

    Raises
    ------
    ValueError
        If Keras does not run on TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(f"this needs Keras on TensorFlow, got {keras.backend.backend()!r}")
    import tensorflow as tf

    dtype = model.inputs[0].dtype

    def run(images: Any) -> dict[str, Any]:
        with implementation(way):
            return {OUTPUT: model(images, training=False)}

    signature = [tf.TensorSpec(shape, dtype, INPUT)]
    function = tf.function(run, input_signature=signature, autograph=False)
    function.get_concrete_function()
    return function


def frozen(function: Any) -> Any:
    """Return the one concrete function of a traced one, its variables as constants."""
    from tensorflow.python.framework import (  # pyright: ignore[reportMissingImports]
        convert_to_constants,
    )

    concrete = function.get_concrete_function()
    return convert_to_constants.convert_variables_to_constants_v2(concrete)
