"""What a training runs on, as data: imports neither Keras nor its backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ...designspace.spec import require_choice, require_int

ACCELERATORS = ("auto", "cpu", "gpu", "tpu")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a training runs on; results differ by rounding alone, but for the precision.

    Attributes
    ----------
    accelerator
        ``auto`` (the first that is there of TPU, GPU, CPU), ``cpu``, ``gpu`` or ``tpu``.
    devices
        How many of them; 0 is all.
    precision
        ``float32``, or ``bfloat16`` for all but weights, batch norm, logits and loss.
    xla
        Whether TensorFlow compiles the training step; None decides from the number of steps. JAX
        always does.
    steps_per_execution
        Steps that one call of the device does.

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    accelerator: str = "auto"
    devices: int = 0
    precision: str = "float32"
    xla: bool | None = None
    steps_per_execution: int = 1

    def __post_init__(self) -> None:
        require_choice("accelerator", self.accelerator, ACCELERATORS)
        require_choice("precision", self.precision, PRECISIONS)
        require_int("devices", self.devices, low=0)
        require_int("steps_per_execution", self.steps_per_execution)

    @property
    def policy(self) -> str:
        """Keras's name of the precision."""
        return "mixed_bfloat16" if self.precision == "bfloat16" else "float32"

    def changes(self) -> dict[str, Any]:
        """Return the fields that are not at their defaults."""
        defaults = {field.name: field.default for field in fields(self)}
        return {name: value for name, value in asdict(self).items() if value != defaults[name]}


def hardware_of_trial(changes: Mapping[str, Any]) -> Hardware:
    """Return the hardware of a study's trial: one device, unless the study says otherwise."""
    return Hardware(**changes) if changes else Hardware(devices=1)


def require_multiple(batch_size: int, devices: int) -> None:
    """Raise ValueError unless every device gets as many images of a batch."""
    if batch_size % devices:
        below, above = batch_size // devices * devices, -(-batch_size // devices) * devices
        nearest = f"{below} or {above}" if below else f"{above}"
        raise ValueError(
            f"batch_size {batch_size} is not a multiple of the {devices} devices: {nearest}"
        )
