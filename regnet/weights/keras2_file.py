"""The ``.h5`` files of weights that TensorFlow 2's Keras (tf_keras) writes.

A group a layer, named as the layer, in which each weight is a data set. RegNets name their
layers ``regnetx002_Stage_0_XBlock_0_conv_1x1_1``; the name of the model and the letter of the
block are left out here, so that a model of any name is recognised.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

HDF5_START = b"\x89HDF\r\n\x1a\n"
NAMES = (
    (re.compile(r".*?(Stage_\d+_)[XY](Block_\d+_.+)"), r"\1\2"),
    (re.compile(r".*?(stem_conv|stem_bn|head_dense)"), r"\1"),
)


def is_hdf5(start: bytes) -> bool:
    """Whether a file that starts with these bytes, at least eight, is HDF5."""
    return start.startswith(HDF5_START)


def read_keras2(path: Path) -> dict[str, np.ndarray] | None:
    """Return the weights of a file by name, or None if it is one of Keras 3.

    ``Stage_0_Block_0_conv_1x1_1/kernel``, ``stem_bn/gamma``, ``head_dense/bias``; layers that
    are not a RegNet's keep their names. A whole model's file will do too.

    Raises
    ------
    ValueError
        If the file is cut short or damaged, or has no weights.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            whole: Any = file.get("model_weights", file)
            if "layer_names" not in whole.attrs and "layer_names0" not in whole.attrs:
                if "layers" in file or "vars" in file:
                    return None
                raise ValueError(f"{path} has no layers: it was not written by Keras")
            return _weights(whole)
    except (OSError, KeyError, RuntimeError) as error:
        raise ValueError(f"{path} is cut short or damaged ({error})") from error


def _weights(group: Any) -> dict[str, np.ndarray]:
    found = {}
    for layer in _texts(group, "layer_names"):
        for name in _texts(group[layer], "weight_names"):
            variable = name.rpartition("/")[2].removesuffix(":0")
            found[f"{_short(layer)}/{variable}"] = np.asarray(group[layer][name])
    return found


def _texts(group: Any, key: str) -> list[str]:
    """Return a list of an attribute, which is cut into numbered ones where it is long."""
    keys = [key] if key in group.attrs else [k for k in group.attrs if _is_part(k, key)]
    keys.sort(key=lambda k: int(k.removeprefix(key) or 0))
    texts = [text for k in keys for text in group.attrs[k]]
    return [text.decode() if isinstance(text, bytes) else str(text) for text in texts]


def _is_part(name: str, key: str) -> bool:
    return name.startswith(key) and name.removeprefix(key).isdigit()


def _short(layer: str) -> str:
    for pattern, form in NAMES:
        match = pattern.fullmatch(layer)
        if match:
            return match.expand(form)
    return layer
