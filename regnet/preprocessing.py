"""What becomes of pixels before a network, and of its probabilities after it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from .networks.network import image_format
from .weights.conventions import Convention, convention_named

Tensor = Any
ops: Any = keras.ops  # whose stubs say None where tensors come


def preprocess_input(
    x: Any, data_format: str | None = None, *, convention: str | Convention | None = None
) -> Any:
    """Return images as a network of a convention takes them.

    The applications hold this step themselves: without a convention nothing is done, as in
    tf_keras. With one, which a network of ``build`` or ``include_preprocessing=False`` needs,
    pixels become (x / 255 - mean) / std. Red stays first, also for pycls, whose weights
    ``load_weights`` turns round.

    Parameters
    ----------
    x
        Array or tensor of red, green and blue in [0, 255]: (h, w, 3), (n, h, w, 3) or channels
        first. It is not changed.
    data_format
        ``channels_last`` or ``channels_first``; None means ``keras.config.image_data_format()``.
    convention
        ``timm``, ``torchvision``, ``pycls``, ``tf_keras`` or one of your own.

    Returns
    -------
    float32 array where an array was given, else tensor; ``x`` itself without a convention.

    Raises
    ------
    ValueError
        If the images have not three colours, or there is no such format or convention.
    """
    data_format = image_format(data_format)
    if convention is None:
        return x
    convention = convention_named(convention)
    axis = -1 if data_format == "channels_last" else -3
    if len(x.shape) not in (3, 4) or x.shape[axis] != 3:
        raise ValueError(
            f"images must be of 3 colours, {data_format}, 3D or 4D, got {tuple(x.shape)}"
        )
    shape = (3,) if axis == -1 else (3, 1, 1)
    mean, std = (np.reshape(v, shape).astype(np.float32) for v in (convention.mean, convention.std))
    if isinstance(x, np.ndarray):
        return (x.astype(np.float32) / np.float32(255) - mean) / std
    return (ops.cast(x, "float32") / 255 - mean) / std


def normalise(images: Tensor, convention: Convention) -> Tensor:
    """Return pixels (n, h, w, c) in [0, 255] as a network takes them, in a layer of float32.

    Raises
    ------
    ValueError
        If the convention tells colours apart and there are not three.
    """
    mean, std = (np.asarray(v) * 255 for v in (convention.mean, convention.std))
    if np.ptp(mean) == np.ptp(std) == 0:
        scale, offset = float(1 / std[0]), float(-mean[0] / std[0])
        return keras.layers.Rescaling(scale, offset, dtype="float32", name="rescaling")(images)
    if images.shape[-1] != 3:
        raise ValueError(
            f"the convention {convention.name} has means of 3 colours, got {images.shape[-1]} "
            "channels: write include_preprocessing=False and normalise them before"
        )
    layer = keras.layers.Normalization(
        -1, mean.tolist(), (std**2).tolist(), dtype="float32", name="normalization"
    )
    return layer(images)


def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """Return the ``top`` ImageNet classes of each image: (WordNet id, name, score), best first.

    Keras downloads the names once, to ``~/.keras/models/imagenet_class_index.json``.

    Parameters
    ----------
    preds
        Array or tensor (n, 1000): probabilities or logits.
    top
        How many.

    Raises
    ------
    ValueError
        If the predictions are not of the 1000 classes of ImageNet.
    """
    if len(preds.shape) != 2 or preds.shape[1] != 1000:
        raise ValueError(
            f"predictions must be (n, 1000), of the classes of ImageNet, got {tuple(preds.shape)}: "
            "predict with include_top=True and classes=1000, a single image as a batch of one"
        )
    return keras.applications.imagenet_utils.decode_predictions(np.asarray(preds), top=top)
