"""The pickles in PyTorch's files, read without PyTorch and without running what they name.

A pickle may name any function to be called while it is read. This reader knows a handful of
names, all harmless, has its own functions for them, and refuses a file with any other. Nothing
that a pickle reaches can be changed by it.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import IO, Any, NamedTuple, NoReturn

import numpy as np

STORAGES = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


class Refused(pickle.UnpicklingError):
    """The pickle asks for what no state dict needs."""


class StorageType(NamedTuple):
    """The type of the numbers in a storage: a numpy code, or ``bfloat16``."""

    code: str


class Storage(NamedTuple):
    """A row of numbers that is kept outside the pickle, under a key."""

    code: str
    key: str
    elements: int


class TensorView(NamedTuple):
    """A tensor as a view of a storage: its first element, its sizes and its steps."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class Unpickler(pickle.Unpickler):
    """An unpickler whose every global is one of ours; ``storages`` are those that it met."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.storages: dict[str, Storage] = {}

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """Return what stands for a name.

        Raises
        ------
        Refused
            If it is not one of those known here.
        """
        name = f"{module_name}.{global_name}"
        if module_name == "torch" and global_name in STORAGES:
            return StorageType(STORAGES[global_name])
        if name not in KNOWN:
            raise Refused(f"it asks for {name}, which no state dict needs")
        return KNOWN[name]

    def persistent_load(self, pid: Any, /) -> Storage:
        """Return the storage that a persistent id means."""
        kind, storage, key, _location, elements, *view = pid
        if kind != "storage" or not isinstance(storage, StorageType) or any(view):
            raise Refused(f"it has a storage of an unknown kind, {kind!r}")
        made = Storage(storage.code, str(key), int(elements))
        self.storages[made.key] = made
        return made


class _Fixed(type):
    """The type of classes that a pickle cannot change."""

    def __setattr__(cls, name: str, value: object) -> NoReturn:
        raise Refused(f"it sets {name} of a class")


class _Function(NamedTuple):
    """A function that a pickle cannot change."""

    function: Callable[..., Any]

    def __call__(self, *arguments: object) -> Any:
        return self.function(*arguments)


class _Mapping(dict, metaclass=_Fixed):
    """What PyTorch keeps in an OrderedDict, less the attributes that it adds."""

    def __setstate__(self, state: object) -> None:
        """Forget the attributes."""


class _Forgotten(metaclass=_Fixed):
    """An object of which nothing is kept, such as the options of a training."""

    def __setstate__(self, state: object) -> None:
        """Forget the attributes."""


class _NumpyType(metaclass=_Fixed):
    """The type of a numpy number, by its code such as ``f8``."""

    def __init__(self, code: str, *_: object) -> None:
        if not (isinstance(code, str) and code[:1] in "fiub" and code[1:].isdigit()):
            raise Refused(f"it has a numpy number of the type {code!r}")
        self.code = code

    def __setstate__(self, state: object) -> None:
        """Forget the byte order; big-endian files are refused elsewhere."""


def _tensor(
    storage: Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> TensorView:
    if not isinstance(storage, Storage) or len(size) != len(stride):
        raise pickle.UnpicklingError("a tensor is damaged")
    return TensorView(storage, int(offset), tuple(map(int, size)), tuple(map(int, stride)))


def _parameter(tensor: TensorView, *_: object) -> TensorView:
    return tensor


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Return bytes that an old protocol keeps as text."""
    if encoding != "latin1":
        raise Refused(f"it has bytes in the encoding {encoding!r}")
    return text.encode("latin1")


def _number(dtype: _NumpyType, data: bytes = b"") -> Any:
    return np.frombuffer(data, np.dtype(dtype.code), 1)[0].item()


KNOWN: dict[str, Any] = {
    "collections.OrderedDict": _Mapping,
    "torch._utils._rebuild_tensor": _Function(_tensor),
    "torch._utils._rebuild_tensor_v2": _Function(_tensor),
    "torch._utils._rebuild_parameter": _Function(_parameter),
    "torch.Size": tuple,
    # of training checkpoints, beside the weights: numbers, and options that are not kept
    "argparse.Namespace": _Forgotten,
    "_codecs.encode": _Function(_encode),
    "numpy.dtype": _NumpyType,
    "numpy.core.multiarray.scalar": _Function(_number),
    "numpy._core.multiarray.scalar": _Function(_number),
}
