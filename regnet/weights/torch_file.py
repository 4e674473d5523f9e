"""State dicts that ``torch.save`` wrote, ``.pth``, ``.pyth`` or ``.bin``, read without PyTorch.

Since PyTorch 1.6 a file is a zip archive: ``data.pkl`` describes the objects, ``data/0``,
``data/1`` ... hold the numbers. An older file is a row of pickles with the numbers behind.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from .safetensors_file import from_bfloat16
from .torch_pickle import Refused, Storage, TensorView, Unpickler

ZIP_START = b"PK\x03\x04"
OLD_MAGIC, OLD_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
OLD_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"
# Keys of a checkpoint under which a state dict lies, the first that there is: timm's order.
NESTS = ("state_dict_ema", "model_ema", "state_dict", "model", "model_state")

Arrays = dict[str, np.ndarray]
Numbers = Callable[[Storage], np.ndarray]


def is_torch(start: bytes) -> bool:
    """Whether a file that starts with these bytes, at least 14, was written by PyTorch."""
    return start.startswith((ZIP_START, OLD_START))


def read_torch(path: Path) -> Arrays:
    """Return the tensors of a state dict, or of the one in a checkpoint, by name.

    A checkpoint with averaged weights gives those, as in timm; one of pycls the better of both,
    as in pycls. bfloat16 becomes float32. Nothing in the file is run: a name that no state dict
    needs is an error.

    Raises
    ------
    ValueError
        If the file is cut short, damaged, has no state dict, or asks for more than tensors.
    """
    with path.open("rb") as file:
        is_zip = file.read(len(ZIP_START)) == ZIP_START
    try:
        return _read_zip(path) if is_zip else _read_old(path)
    except Refused as error:
        raise ValueError(f"{path} is refused: {error}") from error
    except Exception as error:  # a damaged pickle raises whatever its bytes lead to
        detail = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path} is cut short or damaged ({detail})") from error


def _read_zip(path: Path) -> Arrays:
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        pickles = [name for name in entries if name.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise Refused("it is a zip archive, but not one of PyTorch: it has no data.pkl")
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values()):
            raise Refused("it is compressed, as PyTorch never does")
        folder = pickles[0].removesuffix("data.pkl")
        order = entries.get(f"{folder}byteorder")
        if order is not None and archive.read(order) != b"little":
            raise Refused("its numbers are big-endian")
        with archive.open(pickles[0]) as file:
            views = _state_dict(Unpickler(file).load())

        def numbers(storage: Storage) -> np.ndarray:
            return _decode(archive.read(f"{folder}data/{storage.key}"), storage)

        return _arrays(views, numbers)


def _read_old(path: Path) -> Arrays:
    with path.open("rb") as file:
        if [_load(file), _load(file)] != [OLD_MAGIC, OLD_PROTOCOL]:
            raise Refused("it is not a file of PyTorch")
        if _load(file).get("little_endian") is not True:
            raise Refused("its numbers are big-endian")
        unpickler = Unpickler(file)
        views = _state_dict(unpickler.load())
        kept: Arrays = {}
        for key in _load(file):
            storage = unpickler.storages[str(key)]
            if int.from_bytes(file.read(8), "little") != storage.elements:
                raise ValueError(f"the storage {key} has another size than its tensors say")
            kept[storage.key] = _decode(file.read(storage.elements * _size(storage)), storage)
    return _arrays(views, lambda storage: kept[storage.key])


def _load(file: IO[bytes]) -> Any:
    return Unpickler(file).load()


def _state_dict(content: Any) -> dict[str, TensorView]:
    """Return the tensors of the state dict in a file."""
    nests = NESTS
    if isinstance(content, dict) and "ema_state" in content:  # pycls
        averaged = content.get("ema_err", 100) < content.get("test_err", 100)
        nests = ("ema_state",) if averaged else ("model_state",)
    inner = next((content[nest] for nest in nests if _is_dict_in(content, nest)), content)
    if not isinstance(inner, dict):
        raise Refused(f"it holds a {type(inner).__name__}, not a state dict")
    views = {str(name): view for name, view in inner.items() if isinstance(view, TensorView)}
    if not views:
        raise Refused(f"it has no state dict, but {', '.join(map(str, list(inner)[:5]))}")
    return views


def _is_dict_in(content: Any, key: str) -> bool:
    return isinstance(content, dict) and isinstance(content.get(key), dict)


def _arrays(views: dict[str, TensorView], numbers: Numbers) -> Arrays:
    kept: Arrays = {}
    for view in views.values():
        if view.storage.key not in kept:
            kept[view.storage.key] = numbers(view.storage)
    return {name: _array(view, kept[view.storage.key]) for name, view in views.items()}


def _size(storage: Storage) -> int:
    return 2 if storage.code == "bfloat16" else np.dtype(storage.code).itemsize


def _decode(data: bytes, storage: Storage) -> np.ndarray:
    if len(data) != storage.elements * _size(storage):
        raise ValueError(f"the storage {storage.key} has {len(data)} bytes")
    if storage.code == "bfloat16":
        return from_bfloat16(np.frombuffer(data, "<u2"))
    return np.frombuffer(data, np.dtype(storage.code).newbyteorder("<"))


def _array(view: TensorView, values: np.ndarray) -> np.ndarray:
    """Return a tensor as a view of its storage; one that repeats numbers would be a trap."""
    elements = math.prod(view.size)
    steps = list(zip(view.size, view.stride, strict=True))
    last = view.offset + sum((size - 1) * step for size, step in steps)
    if min(view.offset, *view.size, *view.stride, 0) < 0 or elements > values.size:
        raise ValueError(f"a tensor of the shape {view.size} does not fit its storage")
    if not elements:
        return np.empty(view.size, values.dtype)
    if last >= values.size:
        raise ValueError(f"a tensor of the shape {view.size} ends outside its storage")
    strides = [step * values.itemsize for step in view.stride]
    start = values[view.offset :]
    return np.lib.stride_tricks.as_strided(start, view.size, strides, writeable=False)
