"""Models in ``.keras`` files: read without running code that they carry."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

PARTS = ("config.json", "metadata.json")


def require_archive(path: Path) -> None:
    """Raise ValueError, without loading Keras, unless there is a ``.keras`` file."""
    if path.suffix.lower() != ".keras":
        raise ValueError(f"expected a .keras file, got {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            missing = [part for part in PARTS if part not in archive.namelist()]
            damaged = archive.testzip()
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}") from error
    except Exception as error:  # a damaged archive raises whatever its bytes lead to
        raise ValueError(f"{path} is not a .keras file: {error}") from error
    if missing:
        raise ValueError(f"{path} is not a .keras file: it has no {missing[0]}")
    if damaged:
        raise ValueError(f"{path} is damaged: {damaged} does not match its checksum")


def load_saved(path: Path) -> Any:
    """Return the ``keras.Model`` in a ``.keras`` file, without its optimizer.

    Keras's safe mode stays on: Lambda layers, which are code, are refused.

    Raises
    ------
    ValueError
        If Keras cannot load it.
    """
    import keras

    from .. import regnet  # noqa: F401  registers our layers

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever a wrong configuration or wrong weights raise
        raise ValueError(f"cannot load {path}: {_reason(error)}") from error
    if not isinstance(model, keras.Model):
        raise ValueError(f"{path} holds a {type(model).__name__}, not a model")
    return model


def _reason(error: Exception) -> str:
    """Return the heart of Keras's message, which may hold a whole configuration."""
    text = " ".join(str(error).split())
    if "Lambda" in text and "safe_mode" in text:
        return "it has a Lambda layer, whose code would be run (Keras's safe mode refuses)"
    unknown = re.search(r"Could not locate class '([^']*)'", text)
    if unknown:
        return f"its {unknown[1]} is a class of neither Keras nor regnet_ds"
    return f"{type(error).__name__}: {text[:200]}"
