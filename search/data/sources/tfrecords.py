"""TFRecords in the ImageNet layout of the post: the record, shards, their index.

A record has ``image`` (an encoded JPEG), ``height``, ``width``, ``filename``, ``label`` and
``synset``. Shards are called ``train_0000_of_0008.tfrecord``; anything that begins with a split's
name and holds ``.tfrecord`` is read, in the folder itself or in folders ``train``, ``val``.
``index.json``, which `shards` writes, saves counting.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from . import places

INDEX = "index.json"
SCHEMA = 1
KEYS = ("image", "height", "width", "filename", "label", "synset")
SPLIT_NAMES = {"train": "train", "val": "val", "validation": "val", "test": "test"}
HEADER, FOOTER = 12, 4  # length and its checksum; the data's checksum
READERS = 16


@dataclass(frozen=True, slots=True)
class Shards:
    """The shards of a data set: by split, (name relative to the folder, records)."""

    path: str
    class_names: tuple[str, ...]
    splits: dict[str, tuple[tuple[str, int], ...]]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the shards' names and counts and the classes."""
        return hashlib.sha256(
            repr((self.class_names, sorted(self.splits.items()))).encode()
        ).hexdigest()


def find_shards(path: str) -> dict[str, list[str]]:
    """Return the shards' names by split; empty where there are none."""
    found: dict[str, list[str]] = {}
    for name, is_folder, _ in places.listing(path):
        if is_folder and name in SPLIT_NAMES:
            inside = [f"{name}/{file}" for file, _, _ in places.listing(places.join(path, name))]
            shards = [file for file in inside if ".tfrecord" in file]
            found.setdefault(SPLIT_NAMES[name], []).extend(shards)
        elif not is_folder and ".tfrecord" in name:
            part = next((SPLIT_NAMES[p] for p in SPLIT_NAMES if name.startswith(p)), None)
            if part is not None:
                found.setdefault(part, []).append(name)
    return {part: sorted(names) for part, names in found.items() if names}


def read_shards(path: str, classes: int | None = None) -> Shards:
    """Return the shards of a folder, counted by its index or by their headers.

    Raises
    ------
    ValueError
        If there are no shards for train or val, a shard is damaged or missing, or the number of
        classes is neither in the index nor given.
    """
    index = _read_index(path)
    if index is not None:
        names = tuple(index["classes"])
        splits = {k: tuple((n, int(c)) for n, c in v) for k, v in index["splits"].items()}
        _require_complete(path, splits)
    else:
        if classes is None:
            raise ValueError(f"{path} has no {INDEX}: say how many classes, as {path}?classes=1000")
        names = tuple(map(str, range(classes)))
        splits = {part: _counted(path, files) for part, files in find_shards(path).items()}
    for part in ("train", "val"):
        if not sum(count for _, count in splits.get(part, ())):
            raise ValueError(f"{path} has no TFRecords of {part} images, called {part}*.tfrecord")
    return Shards(path, names, splits)


def _read_index(path: str) -> dict[str, Any] | None:
    file = places.join(path, INDEX)
    if not places.exists(file):
        return None
    try:
        index = json.loads(places.read_bytes(file))
        if index["schema"] > SCHEMA:
            raise ValueError(f"{file} is of a newer version: update regnet-ds")
        return index if index["complete"] else _unfinished(path)
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{file} is damaged: {error!r}") from None


def _unfinished(path: str) -> None:
    raise ValueError(f"{path} is unfinished: run the same regnet-ds data tfrecords again")


def _require_complete(path: str, splits: dict[str, tuple[tuple[str, int], ...]]) -> None:
    there = {name for names in find_shards(path).values() for name in names}
    missing = [name for shards in splits.values() for name, _ in shards if name not in there]
    if missing:
        raise ValueError(f"{path} lacks shards that its {INDEX} names: {', '.join(missing[:5])}")


def _counted(path: str, names: list[str]) -> tuple[tuple[str, int], ...]:
    with ThreadPoolExecutor(READERS) as pool:
        files = [places.join(path, name) for name in names]
        counts = list(pool.map(lambda file: sum(1 for _ in offsets(file)), files))
    return tuple(zip(names, counts, strict=True))


def offsets(path: str) -> Iterator[tuple[int, int]]:
    """Yield the place and the length of each record's data in a shard, reading headers alone.

    Raises
    ------
    ValueError
        If the file ends inside a record or a header fails its checksum.
    """
    size, place = places.size(path), 0
    with places.open_bytes(path) as file:
        while place < size:
            file.seek(place)
            header = file.read(HEADER)
            length = _length(header)
            if length is None:
                raise ValueError(f"{path} is damaged at byte {place:,}: a record's header is wrong")
            if place + HEADER + length + FOOTER > size:
                raise ValueError(f"{path} is cut short: the record at byte {place:,} is incomplete")
            yield place + HEADER, length
            place += HEADER + length + FOOTER


def _length(header: bytes) -> int | None:
    """Return the length in a record's header; None where its checksum disagrees."""
    if len(header) < HEADER:
        return None
    length, checksum = struct.unpack("<QI", header)
    return length if masked_crc(header[:8]) == checksum else None


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


def masked_crc(content: bytes) -> int:
    """Return TFRecord's masked CRC-32C of a few bytes; data are checked by TensorFlow."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
