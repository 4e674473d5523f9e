"""What trained weights depend on beside their seed: versions, machine, threads, convolutions."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from .processor import kernels, machine

# TensorFlow's Grappler costs more than it saves on networks of this kind (`accelerator`).
GRAPH_OPTIMIZER = False
PACKAGES = ("tensorflow", "keras", "numpy", "jax")


def environment(threads: int = 1) -> dict[str, Any]:
    """Return what must be equal for trained weights to be bit-identical.

    Imports neither Keras nor its backend; ``convolution`` is "unknown" until they are loaded.
    """
    return {
        **_versions(),
        "backend": backend(),
        "machine": machine(),
        "kernels": kernels(),
        "threads": threads,
        "graph_optimizer": "on" if GRAPH_OPTIMIZER else "off",
        "convolution": _convolution(),
    }


def digest(value: Mapping[str, Any]) -> str:
    """Return 12 hexadecimal digits that stand for a mapping of plain values."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def backend() -> str:
    """Return the Keras backend that this process has or would get."""
    if "keras" in sys.modules:
        return sys.modules["keras"].config.backend()
    named = os.environ.get("KERAS_BACKEND")
    if named:
        return named
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    try:
        return str(json.loads((home / "keras.json").read_text()).get("backend", "tensorflow"))
    except (OSError, ValueError):
        return "tensorflow"


@cache
def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _convolution() -> str:
    """Return how the loaded models apply grouped convolutions."""
    grouped = sys.modules.get("regnet_ds.regnet.convolutions.grouped")
    if grouped is None:
        return "unknown"
    return grouped.name_of_way()
