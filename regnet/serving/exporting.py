"""A trained model as a file for another runtime, checked against the model before it appears.

The file is written beside its place, read back by a runtime of its format, and run on a seeded
batch; only when max|a - b| / max|b| against Keras's outputs stays within the tolerance does it
move to its place. Otherwise nothing is left on disk.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ...designspace.spec import require_choice, require_int
from . import litert_files, onnx_files, saved_models
from .fusing import fuse
from .inference import image_shape

CHECK_IMAGES = 8
OPEN_SIZE = 224  # px at which a model of open size is checked


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes
    ----------
    suffix
        Of the path; empty for a folder.
    tolerance
        Of max|a - b| / max|b|.
    write
        Takes a model, its input's shape with the batch None, and a path.
    run
        Takes a path and images, returns the outputs.
    require
        Raises ValueError where an optional package is missing.
    """

    suffix: str
    tolerance: float
    write: Callable[[keras.Model, tuple[int | None, ...], Path], None]
    run: Callable[[Path, np.ndarray], np.ndarray]
    require: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Exported:
    """What was written, and how near it is to the model.

    Attributes
    ----------
    path, format
        Where it is, and its format's name.
    bytes
        Size on disk.
    images
        How many were compared.
    error
        max|a - b| / max|b| over their outputs, b being Keras's.
    tolerance
        What the error was allowed to be.
    agreement
        Fraction of the images whose largest output is the same one.
    """

    path: Path
    format: str
    bytes: int
    images: int
    error: float
    tolerance: float
    agreement: float


def _write_keras(model: keras.Model, shape: tuple[int | None, ...], path: Path) -> None:
    model.save(path)


def _outputs(model: Any, images: np.ndarray) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(model(images, training=False)))


def _run_keras(path: Path, images: np.ndarray) -> np.ndarray:
    model: Any = keras.saving.load_model(path, compile=False)
    return _outputs(model, images)


# Weights of 8 bits are off by up to 1/254 of a filter's largest, and LiteRT rounds the maps to
# 8 bits too: up to 1.6% of the largest logit in the networks of docs/export.md, so 5% is a fault.
FORMATS = {
    "saved_model": Format("", 1e-4, saved_models.write, saved_models.run),
    "tflite": Format(".tflite", 1e-4, litert_files.write, litert_files.run),
    "tflite-int8": Format(".tflite", 0.05, litert_files.write_int8, litert_files.run),
    "onnx": Format(".onnx", 1e-4, onnx_files.write, onnx_files.run, onnx_files.require),
    "keras": Format(".keras", 1e-4, _write_keras, _run_keras),
}


def export(
    model: keras.Model,
    path: str | os.PathLike[str],
    format: str,
    *,
    fused: bool = True,
    resolution: tuple[int, int] | None = None,
    tolerance: float | None = None,
    seed: int = 0,
) -> Exported:
    """Write a model for inference elsewhere, and check it there before it appears.

    The batch is open in every format, a size that the model leaves open in every one but LiteRT's.

    Parameters
    ----------
    model
        A Functional or Sequential model from one image (h, w, c) to one vector of outputs.
    path
        A file with the format's suffix, which is replaced; for ``saved_model`` a new folder, or
        an older SavedModel, which is replaced.
    format
        ``saved_model`` (TensorFlow, with operations that every CPU has), ``tflite`` (LiteRT),
        ``tflite-int8`` (weights in 8 bits, dynamic range), ``onnx`` or ``keras``.
    fused
        Fold batch norm into the convolutions first (``fuse``).
    resolution
        Height and width, for a model that leaves them open; None leaves them open.
    tolerance
        Of max|a - b| / max|b|; None means the format's: 1e-4, and 0.05 for 8 bits.
    seed
        Decides the images of the check, which are normal with mean 0 and deviation 1.

    Raises
    ------
    ValueError
        If an argument, the model or the path does not suit the format, an optional package is
        missing, or the outputs differ by more than the tolerance.
    """
    require_choice("format", format, tuple(FORMATS))
    require_int("seed", seed, low=0)
    kind, place = FORMATS[format], Path(path)
    allowed = kind.tolerance if tolerance is None else tolerance
    if not 0 < allowed < np.inf:
        raise ValueError(f"tolerance must be positive, got {tolerance!r}")
    _require_place(place, format, kind)
    kind.require()
    shape = (None, *image_shape(model, resolution))
    images = _images(shape, seed)
    expected = _outputs(model, images)
    given = fuse(model) if fused else model
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.") as folder:
            made = Path(folder) / f"model{kind.suffix}"
            kind.write(given, shape, made)
            error, agreement = compare(kind.run(made, images), expected)
            if not error <= allowed:
                raise ValueError(
                    f"{place} was not written: outputs of {format} differ by {error:.2g} of the "
                    f"largest, more than the tolerance {allowed:g}"
                )
            size = _size(made)
            if place.is_dir():
                place.rename(Path(folder) / "before")
            made.replace(place)
    except OSError as error:
        raise ValueError(f"cannot write {place}: {error.strerror or error}") from error
    return Exported(place, format, size, len(images), error, allowed, agreement)


def compare(outputs: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """Return max|a - b| / max|b|, and the fraction of rows whose largest entry is the same one.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    outputs, expected = np.asarray(outputs, np.float64), np.asarray(expected, np.float64)
    if outputs.shape != expected.shape:
        raise ValueError(f"outputs have the shape {outputs.shape}, not {expected.shape}")
    largest = np.abs(expected).max()
    error = np.abs(outputs - expected).max() / largest if largest else np.abs(outputs).max()
    best, expected_best = (x.reshape(len(x), -1).argmax(axis=1) for x in (outputs, expected))
    return float(error), float((best == expected_best).mean())


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


def _require_place(path: Path, format: str, kind: Format) -> None:
    if kind.suffix:
        if path.suffix.lower() != kind.suffix:
            raise ValueError(f"{format} needs a file that ends in {kind.suffix}, got {path}")
        if path.is_dir():
            raise ValueError(f"{path} is a folder")
    elif path.suffix in {other.suffix for other in FORMATS.values()} - {""}:
        raise ValueError(f"saved_model needs a folder, got {path}")
    elif path.exists() and not saved_models.is_one(path) and not _is_empty_folder(path):
        raise ValueError(f"{path} exists and is not a SavedModel")


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _images(shape: tuple[int | None, ...], seed: int) -> np.ndarray:
    """Return a batch of random images of a shape, open sizes at 224 px."""
    sizes = (OPEN_SIZE if size is None else size for size in shape[1:])
    rng = np.random.default_rng(seed)
    return rng.standard_normal((CHECK_IMAGES, *sizes), dtype=np.float32)
