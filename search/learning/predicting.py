"""Classes of image files, by the model of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ..data.sources import places
from ..data.sources.checking import image_fault
from ..data.sources.streams import RESIZE


@dataclass(frozen=True, slots=True)
class Prediction:
    """The likeliest classes of a file and their probabilities, the likeliest first."""

    file: str
    classes: tuple[str, ...]
    probabilities: tuple[float, ...]


def predict(
    model: keras.Model, files: Sequence[str], facts: Mapping[str, Any], top: int = 1
) -> list[Prediction]:
    """Return the likeliest classes of every file.

    ``facts`` are those of a run: ``resolution``, ``mean``, ``std``, ``class_names``, and whether
    its images are ``streamed``: then the short side is resized to 256/224 of the resolution
    before the centre crop, as in evaluation; else to the resolution itself.

    Raises
    ------
    ValueError
        If files cannot be read; all are named.
    """
    contents = _contents(files)
    names, side = facts["class_names"], facts["resolution"]
    top = min(top, len(names))
    found = []
    for file, content in zip(files, contents, strict=True):
        images = _pixels(content, side, facts)
        logits = keras.ops.convert_to_numpy(model(images, training=False))
        exact = np.asarray(logits, np.float64)[0]
        probabilities = np.exp(exact - exact.max())
        probabilities /= probabilities.sum()
        best = np.argsort(-probabilities, kind="stable")[:top]
        found.append(
            Prediction(
                file,
                tuple(names[i] for i in best),
                tuple(float(probabilities[i]) for i in best),
            )
        )
    return found


def _contents(files: Sequence[str]) -> list[bytes]:
    contents, faults = [], []
    for file in files:
        try:
            contents.append(places.read_bytes(file))
        except OSError as error:
            faults.append(f"{file}: {error.strerror or error}")
            continue
        fault = image_fault(contents[-1])
        if fault:
            faults.append(f"{file}: {fault}")
    if faults:
        raise ValueError(f"cannot read {len(faults)} of {len(files)} images: {'; '.join(faults)}")
    return contents


def _pixels(content: bytes, side: int, facts: Mapping[str, Any]) -> np.ndarray:
    from ..data import image_ops

    short_side = round(side * RESIZE) if facts["streamed"] else side
    image = image_ops.evaluation_image(content, side, short_side).numpy() / np.float32(255)
    mean, std = np.float32(facts["mean"]), np.float32(facts["std"])
    return ((image - mean) / std)[None]
