"""Weights of other libraries for our models, and back.

Files are recognised by what is in them: HDF5 of tf_keras, ``.safetensors``, and what
``torch.save`` wrote, with the names of timm, torchvision or pycls. No other library is needed to
read them, and nothing in a file is run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from ...designspace.spec import require_choice
from .conventions import COLOURS, CONVENTIONS, Convention
from .keras2_file import is_hdf5, read_keras2
from .safetensors_file import is_safetensors, read_safetensors, write_safetensors
from .torch_file import is_torch, read_torch
from .weight_layouts import LAYOUTS, TIMM, Layout, recognise

START_BYTES = 16
FIRST = "stem_conv"
UNUSED = (".num_batches_tracked", "n_averaged")
PARALLEL = "module."  # what PyTorch's data parallelism puts before every name


class Place(NamedTuple):
    """A weight of a model: its layer, its name in it and the variable."""

    layer: str
    name: str
    variable: keras.Variable


def load_weights(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    head: bool = True,
    colours: str = "rgb",
) -> str:
    """Give a model the weights in a file; return whose format it is.

    Everything is compared before the first weight is set. A model without the fully connected
    layer leaves that of the file out.

    Parameters
    ----------
    model
        Of ``build`` or the applications, whose layers have their names.
    path
        ``.h5`` of tf_keras, or a state dict of timm, torchvision or pycls in ``.safetensors``,
        ``.pth`` or ``.pyth``.
    head
        False leaves the model's fully connected layer as it is, whatever its classes.
    colours
        Order of the channels of the images that the model will get, ``rgb`` or ``bgr``. The first
        convolution is turned round where the file's library has the other: pycls has ``bgr``.

    Returns
    -------
    str
        ``tf_keras``, ``timm``, ``torchvision`` or ``pycls``.

    Raises
    ------
    ValueError
        If the file cannot be read, is of no known library, has the weights of another network
        (the first mismatch is named), or of one that pads otherwise than the model.
    """
    require_choice("colours", colours, COLOURS)
    layout, arrays = read_weights(Path(path))
    convention = CONVENTIONS[layout.name]
    _require_padding(model, convention, Path(path))
    places = [place for place in weights_of(model) if head or place.layer != "head_dense"]
    wanted: dict[str, Place] = {}
    for place in places:
        key = layout.key(place.layer, place.name)
        if key is None:
            raise ValueError(f"{layout.name} has no {place.layer}: its weights do not fit")
        wanted[key] = place
    _require_fit(layout, arrays, wanted, Path(path))
    for key, place in wanted.items():
        array = layout.to_ours(arrays[key])
        if place.layer == FIRST and convention.colours != colours:
            array = array[:, :, ::-1]
        place.variable.assign(array.astype(place.variable.dtype))
    return layout.name


def read_weights(path: Path) -> tuple[Layout, Mapping[str, np.ndarray]]:
    """Return the layout of a file and its tensors by their names there.

    Raises
    ------
    ValueError
        If it cannot be read or is of no known library.
    """
    arrays = {name.removeprefix(PARALLEL): array for name, array in _read(path).items()}
    layout = recognise(arrays)
    if layout is None:
        known = ", ".join(known.name for known in LAYOUTS)
        shown = ", ".join(list(arrays)[:3])
        raise ValueError(f"{path} has no RegNet of {known}: its weights are {shown} ...")
    return layout, arrays


def _read(path: Path) -> Mapping[str, np.ndarray]:
    try:
        with path.open("rb") as file:
            start = file.read(START_BYTES)
        if is_hdf5(start):
            arrays = read_keras2(path)
            if arrays is None:
                raise ValueError(f"{path} was written by Keras 3: use model.load_weights")
            return arrays
        if is_torch(start):
            return read_torch(path)
        if is_safetensors(start):
            return read_safetensors(path)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}") from error
    raise ValueError(f"{path} is neither HDF5 nor safetensors nor a file of torch.save")


def weights_of(model: keras.Model) -> Iterator[Place]:
    """Yield the weights of a model, layer by layer; states of random numbers are none."""
    for layer in model.layers:
        for variable in layer.variables:
            if "seed" not in variable.name:
                yield Place(layer.name, variable.name, variable)


def _require_padding(model: keras.Model, convention: Convention, path: Path) -> None:
    padding = padding_of(model)
    if padding is not None and padding != convention.padding:
        raise ValueError(
            f"{path} has weights of {convention.name}, whose padding is {convention.padding}, the "
            f"model's {padding}: build it with convention={convention.name!r}"
        )


def padding_of(model: keras.Model) -> str | None:
    """Return how the strided convolutions pad, ``symmetric`` or ``same``; None without any."""
    for layer in model.layers:
        kernel, stride = (np.max(getattr(layer, name, 1)) for name in ("kernel_size", "strides"))
        if kernel > 1 and stride > 1 and layer.weights:
            return "same" if getattr(layer, "padding", "") == "same" else "symmetric"
    return None


def _require_fit(
    layout: Layout, arrays: Mapping[str, np.ndarray], wanted: Mapping[str, Place], path: Path
) -> None:
    """Raise ValueError that names the first weight, in the model's order, that does not fit."""
    for key, place in wanted.items():
        ours = tuple(place.variable.shape)
        if key not in arrays:
            raise ValueError(
                f"{path} ({layout.name}) has the weights of another network: it lacks {key}, "
                f"of the shape {ours} in the model ({place.layer})"
            )
        theirs = layout.to_ours(arrays[key]).shape
        if theirs == ours:
            continue
        if place.layer == "head_dense":
            raise ValueError(
                f"{path} ({layout.name}) has {theirs[-1]} classes, the model {ours[-1]}: build "
                f"it with classes={theirs[-1]}, or load with head=False to keep its own"
            )
        raise ValueError(
            f"{path} ({layout.name}) has the weights of another network: {key} has the shape "
            f"{theirs}, the model's {place.layer} {ours} (axes in Keras's order)"
        )
    for key in arrays:
        if key not in wanted and not layout.is_head(key) and not key.endswith(UNUSED):
            raise ValueError(
                f"{path} ({layout.name}) has the weights of another network: the model has "
                f"nothing for {key}"
            )


def save_timm(model: keras.Model, path: str | os.PathLike[str]) -> None:
    """Write the weights of a model as timm names them, to a ``.safetensors`` file.

    ``timm.create_model("regnetx_002", checkpoint_path=path)`` reads it. The images' colours stay
    in the order that the model takes.

    Raises
    ------
    ValueError
        If timm has no such network, the model pads as TensorFlow does, which timm's do not, or
        the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".safetensors":
        raise ValueError(f"expected a .safetensors file, got {path}")
    if padding_of(model) == "same":
        raise ValueError(
            f"the model {model.name!r} pads as tf_keras does, timm's network does not: with the "
            "same weights it would compute other logits"
        )
    places = list(weights_of(model))
    if not any(place.layer.endswith("_c_conv") for place in places):
        raise ValueError(f"timm has no network of these blocks (model {model.name!r})")
    tensors: dict[str, np.ndarray] = {}
    for place in places:
        if place.layer == FIRST and place.variable.shape[:2] != (3, 3):
            raise ValueError(f"timm has no such stem (model {model.name!r})")
        key = TIMM.key(place.layer, place.name)
        if key is None:
            raise ValueError(f"timm has no {place.layer}")
        array = np.asarray(keras.ops.convert_to_numpy(place.variable), np.float32)
        tensors[key] = np.ascontiguousarray(TIMM.to_theirs(array))
        if place.name == "moving_variance":
            tensors[key.replace("running_var", "num_batches_tracked")] = np.array(0, np.int64)
    write_safetensors(tensors, path, {"format": "pt"})
