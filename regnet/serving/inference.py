"""The fastest inference of a trained model on this device, as a function with constant weights.

With constants TensorFlow joins a convolution, its bias, the activation and the sum that follow to
one operation, and oneDNN orders the weights once. Grouped convolutions stay one operation where
oneDNN or the device has them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from ..convolutions.grouped import grouped_gradients, native_is_fast
from .fusing import fuse
from .graphs import frozen, inference

Tensor = Any


def compile_inference(
    model: keras.Model,
    batch: int | None = None,
    *,
    fused: bool = True,
    resolution: tuple[int, int] | None = None,
) -> Callable[[Tensor], Tensor]:
    """Return a function from images (batch, h, w, c) to outputs, with the weights of now.

    Later changes of the model's weights do not reach it.

    Parameters
    ----------
    model
        A Functional or Sequential model with one input and one output.
    batch
        Images a call; None leaves it open.
    fused
        Fold batch norm into the convolutions first.
    resolution
        Height and width, for a model that leaves them open; None leaves them open.

    Raises
    ------
    ValueError
        If Keras does not run on TensorFlow, or an argument does not suit the model.
    """
    if batch is not None and batch < 1:
        raise ValueError(f"batch must be a positive integer, got {batch!r}")
    shape = image_shape(model, resolution)
    native = native_is_fast() or grouped_gradients("float32")
    function = inference(
        fuse(model) if fused else model, (batch, *shape), "native" if native else "auto"
    )
    constant = frozen(function)
    import tensorflow as tf

    dtype = model.inputs[0].dtype
    return lambda images: constant(tf.convert_to_tensor(images, dtype))[0]


def image_shape(
    model: keras.Model, resolution: tuple[int, int] | None = None
) -> tuple[int | None, ...]:
    """Return the shape of the model's one input of images, without the batch.

    Raises
    ------
    ValueError
        If the model has other inputs or outputs, or fixes another resolution.
    """
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    if len(inputs) != 1 or len(outputs) != 1 or len(inputs[0].shape) != 4:
        raise ValueError(
            "this takes a model from one image (h, w, c) to one output, got "
            f"{[tuple(x.shape[1:]) for x in inputs]} to {[tuple(x.shape[1:]) for x in outputs]}"
        )
    _, *shape = inputs[0].shape
    if resolution is None:
        return tuple(shape)
    channels_first = shape[0] is not None and shape[1] is None is shape[2]
    sizes = slice(1, 3) if channels_first else slice(0, 2)
    for fixed, asked in zip(shape[sizes], resolution, strict=True):
        if fixed not in (None, asked):
            raise ValueError(f"the model's input is {tuple(shape)}, got the size {resolution}")
    shape[sizes] = resolution
    return tuple(shape)
