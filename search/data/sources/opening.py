"""What a data set's name stands for. Every source is opened here, behind one function."""

from __future__ import annotations

import difflib
import logging
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from ..datasets import Dataset
from . import places
from .arrays import KERAS_SETS, at_resolution, read_keras, read_npz
from .embedded import digits, mnist5k
from .folders import Folder, describe, read_folder
from .tfrecords import find_shards, read_shards

if TYPE_CHECKING:
    from .streams import StreamedDataset

EMBEDDED = {"digits": digits, "mnist5k": mnist5k}
NAMES = (*EMBEDDED, *KERAS_SETS)
TFDS = "tfds:"
OPTIONS = ("classes",)
logger = logging.getLogger("regnet_ds")


def open_source(
    name: str, *, resolution: int | None = None, skip_damaged: bool = False, mirror: int = 0
) -> Dataset | StreamedDataset:
    """Return the data set of a name; see `datasets.load_dataset`."""
    if resolution is not None and resolution < 1:
        raise ValueError(f"resolution must be a positive integer, got {resolution}")
    if name in EMBEDDED:
        return at_resolution(EMBEDDED[name](), resolution)
    if name in KERAS_SETS:
        return at_resolution(read_keras(name), resolution)
    if name.startswith(TFDS):
        from .tfds import tfds_dataset

        return tfds_dataset(name, name.removeprefix(TFDS), resolution)
    paths, classes = split_name(name)
    path = paths[mirror % len(paths)]
    if path.endswith(".npz") and places.exists(path):
        return at_resolution(read_npz(path, classes), resolution)
    return _open_folder(name, path, classes, resolution, skip_damaged)


def split_name(name: str) -> tuple[list[str], int | None]:
    """Return the mirrors of a name and its option ``classes``.

    Raises
    ------
    ValueError
        If an option is unknown or a mirror is empty.
    """
    places_, _, query = name.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown or (query and not options):
        raise ValueError(f"unknown option {(unknown or [query])[0]!r} in {name}: use classes=1000")
    number = options.get("classes")
    if number is not None and not (number.isdecimal() and int(number) >= 2):
        raise ValueError(f"classes must be a whole number of at least 2, got {number!r}")
    mirrors = [place.strip() for place in places_.split(",")]
    if not all(mirrors):
        raise ValueError(f"an empty name in {name!r}: write one folder, or several with commas")
    return mirrors, None if number is None else int(number)


def _open_folder(
    name: str, path: str, classes: int | None, resolution: int | None, skip_damaged: bool
) -> StreamedDataset:
    from .streams import folder_dataset, shards_dataset

    if not places.exists(path):
        nearest = difflib.get_close_matches(path, NAMES, n=1, cutoff=0.0)[0]
        raise ValueError(
            f"unknown data set {path!r}: neither a file or folder nor a name (nearest: {nearest})"
        )
    if find_shards(path):
        if skip_damaged:
            raise ValueError(
                f"damaged TFRecords cannot be skipped, as {path} would be another data set: "
                "regnet-ds data check names them, write them anew"
            )
        return shards_dataset(name, read_shards(path, classes), resolution)
    return folder_dataset(name, open_folder(path, skip_damaged=skip_damaged), resolution)


def open_folder(path: str, *, skip_damaged: bool = False) -> Folder:
    """Return a folder of images without empty or, on request, without any damaged file.

    Raises
    ------
    ValueError
        If there are empty files and they are not to be skipped.
    """
    folder = read_folder(path)
    if skip_damaged:
        from .checking import check_folder

        _, faults = check_folder(folder)
        damaged = [fault.where for fault in faults]
        if damaged:
            logger.warning(
                "%s: %d damaged images left out: %s", path, len(damaged), describe(damaged)
            )
        return folder.without(damaged)
    empty = folder.empty_files()
    if empty:
        raise ValueError(
            f"{len(empty)} images of {path} are empty: {describe(empty)}; "
            "remove them, or leave them out with --skip-damaged"
        )
    return folder
