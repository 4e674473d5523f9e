"""Folders of images with a folder a class: which images, which labels, which split.

Either ``train/CLASS/IMAGE`` and ``val/CLASS/IMAGE`` (and perhaps ``test``), or ``CLASS/IMAGE``,
which is split here: the hash of a file's name and class decides, class by class, so that adding,
removing or moving files moves no other file to another split.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from . import places

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif")
SHARES = {"test": 0.1, "val": 0.1}  # of a class; the rest is train
PARTS = ("train", "val", "test")
NAMED = 5  # files named in a message
logger = logging.getLogger("regnet_ds")


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """The images of a split: names relative to the folder, labels (n,) and bytes (n,)."""

    names: tuple[str, ...]
    labels: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)

    def without(self, names: Iterable[str]) -> Images:
        """Return the images but those of these names."""
        gone = set(names)
        kept = [i for i, name in enumerate(self.names) if name not in gone]
        return Images(tuple(self.names[i] for i in kept), self.labels[kept], self.sizes[kept])


@dataclass(frozen=True, slots=True, eq=False)
class Folder:
    """A folder of images: class names by label, and the splits (``test`` may be missing)."""

    path: str
    class_names: tuple[str, ...]
    splits: dict[str, Images]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of names, labels and sizes, split by split."""
        digest = hashlib.sha256()
        for part, images in self.splits.items():
            rows = zip(images.names, images.labels.tolist(), images.sizes.tolist(), strict=True)
            digest.update(repr((part, list(rows))).encode())
        return digest.hexdigest()

    def empty_files(self) -> list[str]:
        """Return the names of the files without content."""
        return [
            name
            for images in self.splits.values()
            for name, size in zip(images.names, images.sizes, strict=True)
            if size == 0
        ]

    def without(self, names: Iterable[str]) -> Folder:
        """Return the folder but the files of these names."""
        gone = set(names)
        return replace(self, splits={k: v.without(gone) for k, v in self.splits.items()})


def read_folder(path: str) -> Folder:
    """Return the images of a folder, in the order of their names.

    Raises
    ------
    ValueError
        If there are fewer than two classes, a split's class is unknown to ``train``, a class has
        no training image or val is empty.
    """
    entries = [name for name, is_folder, _ in places.listing(path) if is_folder]
    if not entries:
        raise ValueError(f"{path} holds no folders: a data set has a folder a class")
    if "train" in entries:
        folder = _read_split(path, [part for part in PARTS if part in entries])
    else:
        folder = _split_by_hash(path, entries)
    _check(folder)
    return folder


def split_of(class_name: str, file_name: str) -> str:
    """Return the split of a file: test for a tenth of the files, val for another, else train."""
    digest = hashlib.blake2b(f"{class_name}/{file_name}".encode(), digest_size=8).digest()
    place = int.from_bytes(digest, "big") / 2**64
    for part, share in SHARES.items():
        if place < share:
            return part
        place -= share
    return "train"


def describe(names: Sequence[str]) -> str:
    """Return the first names of a list and how many more there are."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _read_split(path: str, parts: list[str]) -> Folder:
    if "val" not in parts:
        raise ValueError(f"{path} has a folder train but none val: add it, or give class folders")
    classes = _folders(places.join(path, "train"))
    splits: dict[str, Images] = {}
    for part in parts:
        found = _folders(places.join(path, part))
        unknown = sorted(set(found) - set(classes))
        if unknown:
            raise ValueError(f"{path}: {part} has classes that train has not: {describe(unknown)}")
        rows = [
            (f"{part}/{name}/{file}", classes.index(name), size)
            for name in found
            for file, size in _files(places.join(path, part, name))
        ]
        splits[part] = _images(rows)
    return Folder(path, tuple(classes), splits)


def _split_by_hash(path: str, classes: list[str]) -> Folder:
    rows: dict[str, list[tuple[str, int, int]]] = {part: [] for part in PARTS}
    for label, name in enumerate(classes):
        for file, size in _files(places.join(path, name)):
            rows[split_of(name, file)].append((f"{name}/{file}", label, size))
    return Folder(path, tuple(classes), {part: _images(found) for part, found in rows.items()})


def _folders(path: str) -> list[str]:
    return [name for name, is_folder, _ in places.listing(path) if is_folder]


def _files(path: str) -> list[tuple[str, int]]:
    files = [(name, size) for name, is_folder, size in places.listing(path) if not is_folder]
    images = [(name, size) for name, size in files if name.lower().endswith(IMAGE_SUFFIXES)]
    others = sorted({name for name, _ in files} - {name for name, _ in images})
    if others:
        logger.warning(
            "%s: %d files are no images by their names: %s", path, len(others), describe(others)
        )
    return images


def _images(rows: list[tuple[str, int, int]]) -> Images:
    names, labels, sizes = zip(*rows, strict=True) if rows else ((), (), ())
    return Images(tuple(names), np.array(labels, np.int64), np.array(sizes, np.int64))


def _check(folder: Folder) -> None:
    names = folder.class_names
    if len(names) < 2:
        raise ValueError(
            f"{folder.path} has one class, {describe(names)}: a data set needs at least two"
        )
    train = np.bincount(folder.splits["train"].labels, minlength=len(names))
    lacking = [name for name, count in zip(names, train, strict=True) if not count]
    if lacking:
        raise ValueError(f"{folder.path}: classes without a training image: {describe(lacking)}")
    if not len(folder.splits["val"]):
        raise ValueError(f"{folder.path}: no image falls to val; give train/ and val/ instead")
    val = np.bincount(folder.splits["val"].labels, minlength=len(names))
    lacking = [name for name, count in zip(names, val, strict=True) if not count]
    if lacking:
        logger.warning("%s: classes without a val image: %s", folder.path, describe(lacking))
