"""Tensors in ``.safetensors`` files, read and written with numpy alone.

The format: eight bytes with the length of a header, the header in JSON with the type, shape and
place of every tensor, then their bytes, row by row, little-endian
(https://github.com/huggingface/safetensors).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...designspace.atomic import whole_file

LENGTH_BYTES = 8
LONGEST_HEADER = 100_000_000  # of the reference reader
DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}
CODES = {np.dtype(code): name for name, code in DTYPES.items() if name != "BF16"}


def is_safetensors(start: bytes) -> bool:
    """Whether a file that starts with these bytes, at least nine, is in this format."""
    return start[LENGTH_BYTES : LENGTH_BYTES + 1] == b"{"


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Return the tensors of a file by name; bfloat16 becomes float32.

    Raises
    ------
    ValueError
        If the file is cut short, damaged, or has a type that is not listed here.
    """
    data = path.read_bytes()
    start = LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES], "little")
    if len(data) < LENGTH_BYTES or start > min(len(data), LONGEST_HEADER):
        raise ValueError(f"{path} is cut short: its header should be {start} bytes long")
    try:
        header = json.loads(data[LENGTH_BYTES:start])
    except ValueError as error:
        raise ValueError(f"{path} is damaged: its header is not JSON ({error})") from error
    if not isinstance(header, dict):
        raise ValueError(f"{path} is damaged: its header is not a JSON object")
    header.pop("__metadata__", None)
    return {name: _tensor(data, start, name, entry, path) for name, entry in header.items()}


def _tensor(data: bytes, start: int, name: str, entry: Any, path: Path) -> np.ndarray:
    try:
        code, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        elements = math.prod(shape)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: cannot read the entry of {name}") from error
    if code not in DTYPES:
        raise ValueError(f"{path}: cannot read the type {code!r} of {name}")
    dtype = np.dtype(DTYPES[code])
    if min(begin, *shape, end - begin) < 0 or end - begin != elements * dtype.itemsize:
        raise ValueError(f"{path} is damaged: the bytes of {name} do not fit its shape {shape}")
    if start + end > len(data):
        raise ValueError(f"{path} is cut short: {name} ends at byte {start + end} of {len(data)}")
    values = np.frombuffer(data, dtype, elements, start + begin).reshape(shape)
    return from_bfloat16(values) if code == "BF16" else values


def from_bfloat16(bits: np.ndarray) -> np.ndarray:
    """Return float32 values from the 16 bits of bfloat16, which are their upper half."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def write_safetensors(
    tensors: Mapping[str, np.ndarray], path: Path, metadata: Mapping[str, str]
) -> None:
    """Write tensors to a file that appears whole or not at all.

    Raises
    ------
    ValueError
        If a tensor has a type that the format lacks, or the file cannot be written.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name, tensor in tensors.items():
        if tensor.dtype not in CODES:
            raise ValueError(f"safetensors has no type for {tensor.dtype} of {name}")
        begin, end = end, end + tensor.nbytes
        header[name] = {
            "dtype": CODES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % LENGTH_BYTES)
    with whole_file(path) as temporary, temporary.open("wb") as file:
        file.write(len(text).to_bytes(LENGTH_BYTES, "little"))
        file.write(text)
        for tensor in tensors.values():
            file.write(np.ascontiguousarray(tensor).data)
