"""Data sets of TensorFlow Datasets, an extra: ``tfds:NAME``, read in their encoded form."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from .streams import RESOLUTION, SHUFFLE_BUFFER, Records, StreamedDataset, Tensors

VAL_PERCENT = 10  # of train, where a set has no validation split


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A split of a prepared TFDS builder; ``split`` is in TFDS's own notation."""

    builder: Any
    split: str

    def __len__(self) -> int:
        return int(self.builder.info.splits[self.split].num_examples)

    def read(self, seed: tuple[int, ...] | None = None, skip: int = 0) -> Tensors:
        """Return (encoded image, label); a seed decides the order of files and records."""
        tfds = import_module("tensorflow_datasets")
        number = None if seed is None else int(np.random.default_rng(seed).integers(2**31))
        records = self.builder.as_dataset(
            split=self.split,
            shuffle_files=seed is not None,
            decoders={"image": tfds.decode.SkipDecoding()},
            read_config=tfds.ReadConfig(
                shuffle_seed=number,
                skip_prefetch=True,
                enable_ordering_guard=False,  # which refuses to shuffle a set written in order
            ),
        )
        if seed is not None:
            size = min(SHUFFLE_BUFFER, len(self))
            records = records.shuffle(size, number, reshuffle_each_iteration=False)
        records = records.skip(skip) if skip else records
        return records.map(lambda record: (record["image"], record["label"]))


def tfds_dataset(name: str, tfds_name: str, resolution: int | None) -> StreamedDataset:
    """Return a set of TFDS with ``image`` and ``label``, which TFDS downloads at its first use.

    Raises
    ------
    ValueError
        If TFDS is not installed, does not know the set or cannot prepare it, or the set has
        other features.
    """
    try:
        tfds = import_module("tensorflow_datasets")
    except ImportError:
        raise ValueError(
            f"{name} needs tensorflow-datasets, which is not installed: "
            "pip install 'regnet-ds[tfds]'"
        ) from None
    try:
        builder = tfds.builder(tfds_name)
        builder.download_and_prepare()
    except Exception as error:  # of every kind: unknown, no network, no space
        raise ValueError(f"TFDS cannot prepare {tfds_name}: {str(error).splitlines()[0]}") from None
    return prepared_dataset(name, builder, resolution)


def prepared_dataset(name: str, builder: Any, resolution: int | None) -> StreamedDataset:
    """Return the data set of a builder whose files are there."""
    features = builder.info.features
    if not {"image", "label"} <= set(features):
        raise ValueError(f"{name} needs the features image and label, got {', '.join(features)}")
    there = builder.info.splits
    held = "validation" in there
    cut = 100 - VAL_PERCENT
    splits: dict[str, Records] = {
        "train": Prepared(builder, "train" if held else f"train[:{cut}%]"),
        "val": Prepared(builder, "validation" if held else f"train[{cut}%:]"),
    }
    if "test" in there:
        splits["test"] = Prepared(builder, "test")
    content = repr((builder.info.full_name, sorted((k, v.num_examples) for k, v in there.items())))
    return StreamedDataset(
        name=name,
        splits=splits,
        classes=features["label"].num_classes,
        class_names=tuple(features["label"].names),
        fingerprint=hashlib.sha256(content.encode()).hexdigest(),
        resolution=resolution or RESOLUTION,
    )
