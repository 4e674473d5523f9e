"""Begin with a model that has learnt: which of its layers go on learning."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras

from ...designspace import NetSpec
from ...regnet import build, load_weights
from ...regnet.weights.weight_files import read_weights


@dataclass(frozen=True, slots=True)
class Start:
    """A model of `regnet.build`, and the stage until which it is frozen (None: nothing is).

    ``freeze_until`` names the first part that learns: ``s2``, ``s3`` ... or ``head``.
    """

    model: keras.Model
    freeze_until: str | None = None


def parts(model: keras.Model) -> list[str]:
    """Return the parts of a model in order: ``stem``, ``s1`` ..., ``head``."""
    names = [match.group() for layer in model.layers if (match := _part(layer.name))]
    return list(dict.fromkeys(names))


def _part(name: str) -> re.Match[str] | None:
    return re.match(r"stem|s\d+|head", name)


def freeze(model: keras.Model, until: str | None) -> None:
    """Make the layers before a part untrainable; their batch norms keep their statistics.

    Raises
    ------
    ValueError
        If the model has no such part; the nearest is named.
    """
    if until is None:
        return
    found = parts(model)
    if until not in found:
        nearest = difflib.get_close_matches(until, found, n=1, cutoff=0.0) or [""]
        raise ValueError(f"freeze until one of {', '.join(found)}, got {until!r} ({nearest[0]}?)")
    frozen = set(found[: found.index(until)])
    for layer in model.layers:
        match = _part(layer.name)
        layer.trainable = match is None or match.group() not in frozen


def model_with_weights(
    spec: NetSpec,
    path: Path,
    size: tuple[int, int],
    *,
    classes: int,
    seed: int = 0,
    dtype: str | None = None,
) -> keras.Model:
    """Return a network with the weights in a file, and a new fully connected layer.

    ``path`` is a ``.keras`` file of the same network, or what `regnet.load_weights` reads; the
    network pads as the file's library does.

    Raises
    ------
    ValueError
        If the file cannot be read or is of another network.
    """
    make = partial(
        build,
        spec,
        input_shape=(*size, 3),
        classes=classes,
        seed=seed,
        dtype=dtype,
        data_format="channels_last",
    )
    if path.suffix.lower() == ".keras":
        model = make()
        _copy_saved(model, path)
        return model
    layout, _ = read_weights(path)
    model = make(convention=layout.name)
    load_weights(model, path, head=False)
    return model


def _copy_saved(model: keras.Model, path: Path) -> None:
    """Give a model the weights of a saved one, layer by layer, but for the last one's."""
    try:
        saved: Any = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever a wrong file raises
        raise ValueError(f"cannot load {path}: {str(error).splitlines()[0]}") from None
    there, here = _layers_with_weights(saved), _layers_with_weights(model)
    for name in there:
        if name not in here:
            raise ValueError(f"{path} is of another network: {name} has no place")
    for layer in here.values():
        source = there.get(layer.name)
        shapes = [tuple(w.shape) for w in source.weights] if source is not None else []
        if source is None or shapes != [tuple(w.shape) for w in layer.weights]:
            raise ValueError(f"{path} is of another network: {layer.name} does not fit")
        layer.set_weights(source.get_weights())


def _layers_with_weights(model: Any) -> dict[str, Any]:
    """Return the layers that are copied by their names: those with weights but the last."""
    layers = [layer for layer in model.layers if layer.weights]
    return {layer.name: layer for layer in layers if not layer.name.startswith("head_dense")}
