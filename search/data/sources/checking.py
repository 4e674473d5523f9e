"""Read everything of a data set once and name what is damaged.

Images are decoded, records' checksums, keys, sizes and labels compared. A fault in one record
hides no other; only a shard whose headers are damaged ends there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from . import places
from .folders import Folder
from .tfrecords import FOOTER, HEADER, KEYS, Shards, offsets

THREADS = 4
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one image: its file or ``SHARD#RECORD``, and its name where known."""

    where: str
    what: str
    filename: str = ""

    def __str__(self) -> str:
        named = f" ({self.filename})" if self.filename else ""
        return f"{self.where}{named}: {self.what}"


def check_folder(folder: Folder, on_progress: Progress | None = None) -> tuple[int, list[Fault]]:
    """Return how many images were read and the faults, in the order of the names."""
    names = [name for images in folder.splits.values() for name in images.names]
    return _each(names, lambda name: (1, _file_faults(folder.path, name)), on_progress)


def check_shards(shards: Shards, on_progress: Progress | None = None) -> tuple[int, list[Fault]]:
    """Return how many records were read and the faults, shard by shard."""
    listed = [(name, count) for part in shards.splits.values() for name, count in part]
    classes = len(shards.class_names)
    return _each(
        listed, lambda item: _shard_faults(shards.path, item[0], item[1], classes), on_progress
    )


def _each(
    items: list[Any],
    check: Callable[[Any], tuple[int, list[Fault]]],
    on_progress: Progress | None,
) -> tuple[int, list[Fault]]:
    read, faults = 0, []
    with ThreadPoolExecutor(THREADS) as pool:
        for done, (count, found) in enumerate(pool.map(check, items), start=1):
            read += count
            faults += found
            if on_progress is not None:
                on_progress(done, len(items))
    return read, faults


def _file_faults(folder: str, name: str) -> list[Fault]:
    try:
        content = places.read_bytes(places.join(folder, name))
    except OSError as error:
        return [Fault(name, f"cannot be read: {error.strerror or error}")]
    fault = image_fault(content)
    return [Fault(name, fault)] if fault else []


def image_fault(content: bytes) -> str:
    """Return what is wrong with an encoded image, or an empty text."""
    if not content:
        return "empty"
    try:
        tf.io.decode_image(content, channels=3, expand_animations=False)
    except tf.errors.OpError:
        return "not an image that can be decoded, or cut short"
    return ""


def _shard_faults(folder: str, name: str, count: int, classes: int) -> tuple[int, list[Fault]]:
    faults: list[Fault] = []
    number = 0
    path = places.join(folder, name)
    sound = _is_sound(path)
    try:
        for number, (raw, data) in enumerate(_raw_records(path), start=1):
            if not sound and not _is_intact(raw):
                faults.append(Fault(f"{name}#{number - 1}", "checksum wrong"))
                continue
            fault, filename = _record_fault(data, classes)
            if fault:
                faults.append(Fault(f"{name}#{number - 1}", fault, filename))
    except ValueError as error:  # of a header: what follows cannot be found
        return number, [*faults, Fault(name, f"{error}; nothing after it can be read")]
    if number != count:
        faults.append(Fault(name, f"holds {number} records, the index says {count}"))
    return number, faults


def _raw_records(path: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield each record as it lies in the file and its data alone."""
    with places.open_bytes(path) as file:
        for place, length in offsets(path):
            file.seek(place - HEADER)
            raw = file.read(HEADER + length + FOOTER)
            yield raw, raw[HEADER:-FOOTER]


def _record_fault(data: bytes, classes: int) -> tuple[str, str]:
    try:
        feature = tf.train.Example.FromString(data).features.feature
    except Exception:  # protobuf's own classes differ by version
        return "not a tf.train.Example", ""
    missing = [key for key in KEYS if key not in feature]
    if missing:
        return f"lacks {', '.join(missing)}", ""
    filename = b"".join(feature["filename"].bytes_list.value).decode(errors="replace")
    label = (*feature["label"].int64_list.value, -1)[0]
    if not 0 <= label < classes:
        return f"label {label} is not in 0 to {classes - 1}", filename
    content = b"".join(feature["image"].bytes_list.value)
    return image_fault(content) or _size_fault(content, feature), filename


def _size_fault(content: bytes, feature: Any) -> str:
    shape = tf.image.extract_jpeg_shape(content).numpy()[:2].tolist()
    said = [(*feature[key].int64_list.value, 0)[0] for key in ("height", "width")]
    return "" if shape == said else f"is {shape[0]} x {shape[1]}, the record says {said}"


def _is_sound(path: str) -> bool:
    """Whether TensorFlow reads a shard to its end: all checksums are right."""
    try:
        for _ in tf.data.TFRecordDataset(path).batch(256):
            pass
    except tf.errors.DataLossError:
        return False
    return True


def _is_intact(raw: bytes) -> bool:
    """Whether TensorFlow reads this one record. Slow: for shards that are not sound."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.tfrecord"
        path.write_bytes(raw)
        try:
            return len(list(tf.data.TFRecordDataset(str(path)))) == 1
        except tf.errors.DataLossError:
            return False
