"""Write a folder of images as TFRecords: sharded, in parallel, resumable, whole shards only.

Which image lies in which shard is decided by the folder alone: images of a split are ordered by
the hash of their name, which mixes the classes, and cut into shards. A shard takes its name when
it is complete, so what an interrupted run left is continued. JPEGs in RGB or grey keep their
bytes; everything else becomes a JPEG of quality 95.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from . import places
from .folders import Folder, describe
from .tfrecords import INDEX, SCHEMA

QUALITY = 95
JPEG = b"\xff\xd8\xff"
Progress = Callable[[int, int], None]
logger = logging.getLogger("regnet_ds")


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard to be written: its name, and (name, label) of its images."""

    name: str
    images: tuple[tuple[str, int], ...]


def plan_shards(folder: Folder, images_per_shard: int) -> dict[str, list[Shard]]:
    """Return the shards of every split, which the folder's names alone decide."""
    plan: dict[str, list[Shard]] = {}
    for part, images in folder.splits.items():
        pairs = sorted(zip(images.names, images.labels.tolist(), strict=True), key=_mixed)
        n = max(1, round(len(pairs) / images_per_shard)) if pairs else 0
        cuts = [len(pairs) * i // n for i in range(n + 1)] if n else []
        plan[part] = [
            Shard(f"{part}_{i:04d}_of_{n:04d}.tfrecord", tuple(pairs[cuts[i] : cuts[i + 1]]))
            for i in range(n)
        ]
    return plan


def _mixed(pair: tuple[str, int]) -> bytes:
    return hashlib.blake2b(pair[0].encode(), digest_size=16).digest()


def write_shards(
    folder: Folder,
    out: str,
    *,
    images_per_shard: int = 1024,
    workers: int = 4,
    on_progress: Progress | None = None,
) -> int:
    """Write the shards that ``out`` lacks and its index; return how many were written.

    ``on_progress`` is called with the shards that are done and those that there will be.

    Raises
    ------
    ValueError
        If ``out`` holds TFRecords of something else, an image cannot be decoded (all such images
        are named) or a file cannot be written.
    """
    plan = plan_shards(folder, images_per_shard)
    index = _index(folder, plan)
    _open_index(out, index)
    shards = [shard for part in plan.values() for shard in part]
    waiting = [shard for shard in shards if not places.exists(places.join(out, shard.name))]
    damaged: list[str] = []
    with ThreadPoolExecutor(workers) as pool:
        done = len(shards) - len(waiting)
        try:
            for faults in pool.map(lambda shard: _write_shard(folder, out, shard), waiting):
                damaged += faults
                done += not faults
                if on_progress is not None:
                    on_progress(done, len(shards))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if damaged:
        raise ValueError(
            f"{len(damaged)} images of {folder.path} cannot be read: {describe(sorted(damaged))}; "
            "mend or remove them, or leave them out with --skip-damaged"
        )
    places.write_bytes(places.join(out, INDEX), _json({**index, "complete": True}))
    return len(waiting)


def _index(folder: Folder, plan: dict[str, list[Shard]]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "complete": False,
        "classes": list(folder.class_names),
        "splits": {p: [(s.name, len(s.images)) for s in shards] for p, shards in plan.items()},
        "source": folder.fingerprint,
    }


def _json(index: dict[str, Any]) -> bytes:
    return (json.dumps(index, indent=1) + "\n").encode()


def _open_index(out: str, index: dict[str, Any]) -> None:
    """Leave an index in ``out`` that says what is being written, or find the same one there."""
    path = places.join(out, INDEX)
    if places.exists(path):
        there = json.loads(places.read_bytes(path))
        wanted = json.loads(_json(index))
        if {**there, "complete": False} != wanted:
            raise ValueError(f"{out} holds TFRecords of other images: choose another folder")
        return
    if places.exists(out) and any(".tfrecord" in name for name, _, _ in places.listing(out)):
        raise ValueError(f"{out} holds TFRecords without an {INDEX}: choose another folder")
    if places.is_remote(out):
        tf.io.gfile.makedirs(out)
    places.write_bytes(path, _json(index))


def _write_shard(folder: Folder, out: str, shard: Shard) -> list[str]:
    """Write a shard, or return the names of its images that cannot be read and write nothing."""
    records: list[bytes] = []
    damaged: list[str] = []
    for name, label in shard.images:
        try:
            content, height, width = encoded(places.read_bytes(places.join(folder.path, name)))
        except (OSError, tf.errors.OpError):
            damaged.append(name)
            continue
        records.append(record(content, height, width, name, label, folder.class_names[label]))
    if damaged:
        return damaged
    with places.written_whole(places.join(out, shard.name)) as temporary:
        with tf.io.TFRecordWriter(temporary) as writer:
            for one in records:
                writer.write(one)
    return []


def encoded(content: bytes) -> tuple[bytes, int, int]:
    """Return an image as a JPEG that decodes, with its height and width.

    Raises
    ------
    tf.errors.InvalidArgumentError
        If it does not decode.
    """
    image = tf.io.decode_image(content, channels=3, expand_animations=False)
    height, width, _ = image.shape
    if not content.startswith(JPEG) or _is_cmyk(content):
        content = tf.io.encode_jpeg(image, quality=QUALITY).numpy()
    return content, int(height), int(width)


def _is_cmyk(content: bytes) -> bool:
    return int(tf.image.extract_jpeg_shape(content)[2]) == 4


def record(image: bytes, height: int, width: int, filename: str, label: int, synset: str) -> bytes:
    """Return a serialised record of the post's layout."""

    def text(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    def number(value: int) -> tf.train.Feature:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    feature = {
        "image": text(image),
        "height": number(height),
        "width": number(width),
        "filename": text(filename.encode()),
        "label": number(label),
        "synset": text(synset.encode()),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString(
        deterministic=True
    )
