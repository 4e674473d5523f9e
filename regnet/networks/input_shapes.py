"""Placeholders for a model's inputs: the shapes that it fixes, the rest as asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

InputShape = Sequence[int] | Sequence[Sequence[int]]


def model_inputs(
    model: keras.Model,
    input_shape: InputShape | None = None,
    *,
    resolution: tuple[int, int] | None = None,
) -> Any:
    """Return a ``keras.KerasTensor`` of known shape for each input, in the model's structure.

    The batch is 1 unless the model fixes another. A subclassed model that was never built needs
    ``input_shape``; one that was has the shape of that.

    Parameters
    ----------
    model
        Of any kind.
    input_shape
        Without the batch; one shape, or a list of one for each input, in their order in
        ``model.inputs``.
    resolution
        Height and width for the open sizes of image inputs, where there is no ``input_shape``.

    Raises
    ------
    ValueError
        If a size stays unknown, or contradicts one that the model fixes.
    """
    structure, fixed = _structure(model)
    given = None if input_shape is None else _shapes(input_shape)
    if structure is None:
        if given is None:
            raise ValueError(
                f"the model {model.name!r} has no input shape of its own: give input_shape"
            )
        tensors = [keras.KerasTensor((1, *shape)) for shape in given]
        return tensors[0] if len(tensors) == 1 else tensors
    leaves = keras.tree.flatten(structure)
    if given is not None and len(given) != len(leaves):
        raise ValueError(f"the model has {len(leaves)} inputs, got {len(given)} shapes")
    if resolution is not None and given is None and all(len(leaf.shape) != 4 for leaf in leaves):
        raise ValueError(f"the model {model.name!r} takes no images: give input_shape")
    filled = []
    for i, leaf in enumerate(leaves):
        shape = given[i] if given else _at_resolution(leaf.shape[1:], resolution)
        if fixed:
            _require_fit(leaf.shape[1:], shape)
        if None in shape:
            raise ValueError(
                f"the model's input has the unknown size {shape}: give input_shape, or on the "
                "command line --resolution"
            )
        filled.append(keras.KerasTensor((leaf.shape[0] or 1, *shape), leaf.dtype, name=leaf.name))
    return keras.tree.pack_sequence_as(structure, filled)


def _structure(model: Any) -> tuple[Any, bool]:
    """Return the inputs that the model declares, which bind, or was built with, which do not."""
    if getattr(model, "inputs", None):
        inner = getattr(model, "_functional", model)  # of a Sequential
        return inner._inputs_struct, True
    config = model.get_build_config() or {}
    shape = config.get("input_shape")
    shapes = [shape] if shape is not None else list((config.get("shapes_dict") or {}).values())
    if not shapes or not all(isinstance(s, tuple | list) for s in shapes):
        return None, False
    if len(shapes) != 1:
        raise ValueError(f"the model {model.name!r} has {len(shapes)} arguments, not one")
    return _placeholders(shapes[0]), False


def _placeholders(shape: Any) -> Any:
    if isinstance(shape, dict):
        return {name: _placeholders(inner) for name, inner in shape.items()}
    if all(size is None or isinstance(size, int) for size in shape):
        return keras.KerasTensor((None, *shape[1:]))
    return [_placeholders(inner) for inner in shape]


def _shapes(given: Any) -> list[tuple[int, ...]]:
    """Return a list of shapes from one shape or several."""
    many = list(given) if given and not isinstance(given[0], int) else [given]
    for shape in many:
        if not shape or any(not isinstance(size, int) or size < 1 for size in shape):
            raise ValueError(f"input_shape must be of positive integers, got {given!r}")
    return [tuple(shape) for shape in many]


def _at_resolution(shape: Any, resolution: tuple[int, int] | None) -> tuple[Any, ...]:
    """Put height and width into the shape of an image, channels first or last."""
    shape = tuple(shape)
    if resolution is None or len(shape) != 3 or shape[1:] == resolution:
        return shape
    channels_first = shape[0] is not None and None in shape[1:]
    return (shape[0], *resolution) if channels_first else (*resolution, shape[2])


def _require_fit(own: Any, shape: tuple[Any, ...]) -> None:
    pairs = zip(own, shape, strict=False)
    if len(own) != len(shape) or any(fixed not in (None, size) for fixed, size in pairs):
        raise ValueError(f"the model's input has the shape {tuple(own)}, got {shape}")
