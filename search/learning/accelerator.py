"""Where training runs and how: devices, precision, compilation."""

from __future__ import annotations

from dataclasses import dataclass

from ...designspace.spec import require_choice, require_int
from .backends.seam import Place, current_backend

ACCELERATORS = ("auto", "cpu", "gpu", "tpu")
PRECISIONS = ("float32", "bfloat16")
XLA_STEPS = 5000  # from which TensorFlow compiles on a GPU; not measured on one


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


def choose_place(hardware: Hardware) -> Place:
    """Return the devices that are asked for, and keep others from using them.

    To be called before TensorFlow first computes.

    Raises
    ------
    ValueError
        If there are none of that kind, or not so many.
    """
    backend = current_backend()
    asked = hardware.accelerator
    kinds = backend.KINDS if asked == "auto" else (asked,)
    kind, found = next(
        ((kind, devices) for kind in kinds if (devices := backend.find_devices(kind))), ("", ())
    )
    if not found:
        raise ValueError(f"accelerator {asked}: there is none here (regnet-ds doctor)")
    if hardware.devices > len(found):
        raise ValueError(
            f"devices {hardware.devices}: there are {len(found)} of {kind} here (regnet-ds doctor)"
        )
    place = Place(kind, found[: hardware.devices or len(found)])
    backend.use(place)
    return place


def prepare_runtime(threads: int) -> tuple[int, str]:
    """Set the backend's threads; return those in force, and a note where they are others.

    Raises
    ------
    ValueError
        If ``threads`` is not positive, or Keras runs on another backend.
    """
    require_int("threads", threads)
    return current_backend().set_threads(threads)


def require_multiple(batch_size: int, devices: int) -> None:
    """Raise ValueError unless every device gets as many images of a batch."""
    if batch_size % devices:
        below, above = batch_size // devices * devices, -(-batch_size // devices) * devices
        nearest = f"{below} or {above}" if below else f"{above}"
        raise ValueError(
            f"batch_size {batch_size} is not a multiple of the {devices} devices: {nearest}"
        )


def xla_pays(hardware: Hardware, place: Place, steps: int) -> bool:
    """Return whether TensorFlow shall compile a training of so many steps.

    On a CPU never: RegNetX-200MF at 32 px took 39 s to compile and three times as long a step.
    """
    if hardware.xla is not None:
        return hardware.xla
    return place.kind != "cpu" and len(place) == 1 and steps >= XLA_STEPS
