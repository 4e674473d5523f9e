"""Where training runs and how: devices, precision, compilation."""

from __future__ import annotations

from ...designspace.spec import require_int
from .backends.seam import Place, current_backend
from .hardware import ACCELERATORS, PRECISIONS, Hardware, require_multiple

XLA_STEPS = 5000  # from which TensorFlow compiles on a GPU; not measured on one


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


def xla_pays(hardware: Hardware, place: Place, steps: int) -> bool:
    """Return whether TensorFlow shall compile a training of so many steps.

    On a CPU never: RegNetX-200MF at 32 px took 39 s to compile and three times as long a step.
    """
    if hardware.xla is not None:
        return hardware.xla
    return place.kind != "cpu" and len(place) == 1 and steps >= XLA_STEPS


__all__ = [
    "ACCELERATORS",
    "PRECISIONS",
    "Hardware",
    "choose_place",
    "prepare_runtime",
    "require_multiple",
    "xla_pays",
]
