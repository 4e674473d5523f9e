"""``regnet-ds bench``: how long inference or training of one model takes on this device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..designspace.tables.columns import Columns
from . import models, shared

if TYPE_CHECKING:
    from ..regnet.benchmarking import Timing

SHOW = ("model", "mode", "batch", "calls", "ms", "ms 95%", "images/s", "images/s 95%", "first s")


def bench(
    model: models.What,
    batch: Annotated[str, typer.Option("--batch", help="Batch sizes, comma-separated.")] = "1,32",
    train: Annotated[
        bool, typer.Option("--train", help="Training steps (SGD); else inference.")
    ] = False,
    resolution: models.Size = None,
    classes: shared.Classes = 1000,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="TensorFlow's; else its own choice.")
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", help="For the timed calls of each batch size.")
    ] = 5.0,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Time one model on this device: milliseconds a batch and images a second.

    The median of the calls and its 95% interval (of order statistics). The first call, which
    traces, and one more are left out.

    Example: regnet-ds bench RegNetX-200MF --batch 1,32

    Example: regnet-ds bench model.keras --train --batch 32 --threads 1 --format csv
    """
    import math

    from ..designspace.tables.columns import require_suffix

    if out is not None:
        require_suffix(out)
    if not 0 < seconds < math.inf:
        raise ValueError(f"--seconds must be positive, got {seconds:g}")
    batches = _read_batches(batch)
    size = models.read_size(resolution)
    name, network = models.make_model(model, size, classes, threads)
    facts = {
        "model": name,
        "mode": "train" if train else "inference",
        "resolution": _resolution(network, size),
        "device": device_name(),
        "threads": models.threads_in_use(),
    }
    rows = [_row(facts, _time(network, n, train, seconds, size)) for n in batches]
    columns = {key: [row[key] for row in rows] for key in rows[0]}
    if out is not None or format is not shared.Format.TABLE:
        shared.emit(columns, format, out)
        return
    print(f"{facts['device']}, threads {facts['threads']}, {facts['resolution']} px\n")
    shared.print_table(_readable(columns))


def _read_batches(text: str) -> list[int]:
    try:
        batches = [int(part) for part in text.split(",")]
    except ValueError:
        batches = []
    if not batches or min(batches) < 1:
        raise ValueError(f"cannot read the batch sizes {text!r}: write 1,32")
    return batches


def _time(
    network: Any, batch: int, train: bool, seconds: float, size: tuple[int, int] | None
) -> Timing:
    from ..regnet.benchmarking import time_model

    shared.note(f"batch {batch} ...")
    return time_model(network, batch, train=train, seconds=seconds, resolution=size)


def _row(facts: dict[str, Any], timing: Timing) -> dict[str, Any]:
    """Return a record; what has no interval is empty."""
    low, high = timing.interval or (None, None)
    return {
        **facts,
        "batch": timing.batch,
        "calls": len(timing.seconds),
        "ms": timing.median * 1e3,
        "ms_low": None if low is None else low * 1e3,
        "ms_high": None if high is None else high * 1e3,
        "images_per_second": timing.batch / timing.median,
        "images_per_second_low": None if high is None else timing.batch / high,
        "images_per_second_high": None if low is None else timing.batch / low,
        "first_seconds": timing.first_seconds,
    }


def _readable(columns: Columns) -> Columns:
    """Put intervals into one cell, and leave out what the line above the table says."""

    def figures(key: str) -> list[str]:
        return [f"{value:.4g}" for value in columns[key]]

    def intervals(key: str) -> list[str]:
        pairs = zip(columns[f"{key}_low"], columns[f"{key}_high"], strict=True)
        return ["-" if low is None else f"{low:.4g} to {high:.4g}" for low, high in pairs]

    plain = {key: columns[key] for key in ("model", "mode", "batch", "calls")}
    rate = "images_per_second"
    cells = (figures("ms"), intervals("ms"), figures(rate), intervals(rate))
    return {**plain, **dict(zip(SHOW[4:], (*cells, figures("first_seconds")), strict=True))}


def _resolution(network: Any, size: tuple[int, int] | None) -> str:
    """Return the input's height and width as they are, ``224`` or ``320x256``."""
    import keras

    from ..regnet.networks.input_shapes import model_inputs

    shape = keras.tree.flatten(model_inputs(network, resolution=size))[0].shape[1:]
    if len(shape) != 3:
        return "x".join(map(str, shape))
    height, width = shape[1:] if shape[0] in (1, 3) and shape[2] not in (1, 3) else shape[:2]
    return str(height) if height == width else f"{height}x{width}"


def device_name() -> str:
    """Return the name of the first GPU or TPU, or else of the CPU."""
    import tensorflow as tf

    from ..search.learning.processor import machine

    for device in tf.config.list_physical_devices():
        if device.device_type in ("GPU", "TPU"):
            details = tf.config.experimental.get_device_details(device)
            return str(details.get("device_name", device.name))
    return machine()


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(bench)
