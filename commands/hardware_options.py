"""Options of studies on accelerators: devices of a trial, and where preempted ones are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import shared

if TYPE_CHECKING:
    from ..search.queue.ray_cluster import RayCluster

WORKERS = 2  # processes that train, unless said otherwise
Workers = Annotated[
    int | None,
    typer.Option(help="Processes that train; decides nothing else. 2, on a TPU 1."),
]
Accelerator = Annotated[
    str | None,
    typer.Option(help="auto, cpu, gpu or tpu: a trial on all its devices; else on one device."),
]
Devices = Annotated[
    int | None, typer.Option(min=0, help="Of a trial, whose batch is split over them; 0 is all.")
]
Precision = Annotated[str, typer.Option(help="float32 or bfloat16.")]
StepsPerExecution = Annotated[int, typer.Option(min=1, help="Steps of one call of the device.")]
Checkpoints = Annotated[
    str | None,
    typer.Option(help="Folder or gs://... of running trials; beside the storage if left out."),
]
CheckpointSeconds = Annotated[
    float | None,
    typer.Option(min=0, callback=shared.finite, help="Between the checkpoints of a trial; 300."),
]


def read_hardware(
    accelerator: str | None, devices: int | None, precision: str, steps_per_execution: int
) -> dict[str, Any]:
    """Return what the trials of a study run on: nothing where all is as usual."""
    from ..search.learning.fingerprint import backend
    from ..search.learning.hardware import Hardware

    if accelerator is devices is None and precision == "float32" and steps_per_execution == 1:
        return {}
    few = 1 if accelerator is None else 0
    found = Hardware(
        accelerator or "auto",
        few if devices is None else devices,
        precision,
        steps_per_execution=steps_per_execution,
    )
    if found.accelerator == "tpu" and backend() != "jax":
        raise ValueError("accelerator tpu needs Keras on JAX: set KERAS_BACKEND=jax (docs/tpu.md)")
    return {"devices": found.devices, **found.changes()}


def read_workers(
    workers: int | None, storage: str, hardware: dict[str, Any], cluster: RayCluster | None
) -> int:
    """Return how many processes train.

    Raises
    ------
    ValueError
        If the storage does not take so many, or they would share a TPU.
    """
    from ..search.queue.executors import check_workers

    alone = hardware.get("accelerator") == "tpu" and cluster is None
    number = workers if workers is not None else 1 if alone else WORKERS
    check_workers(storage, number)
    if alone and number > 1:
        raise ValueError(
            f"a TPU serves one process, got --workers {number}: a trial uses all its cores; for a "
            "trial a chip use --executor ray --resources TPU=1"
        )
    return number
