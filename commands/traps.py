"""What goes wrong silently on a machine: settings and packages that `doctor` warns of.

Most are of TPUs, where Keras 3 runs on JAX alone: TensorFlow's own builds end at 2.20 and
``TPUStrategy`` fails with Keras 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

BACKENDS = ("tensorflow", "jax")
LAST_TENSORFLOW_TPU = "2.20"


@dataclass(frozen=True, slots=True)
class Machine:
    """What the traps are judged by.

    Attributes
    ----------
    environment
        The variables of the process.
    versions
        Of the packages that are installed, by their names at the package index.
    backend
        Keras's, as it is set.
    image_data_format
        Of Keras's settings, such as ``channels_last``.
    floatx
        Of Keras's settings, such as ``float32``.
    """

    environment: Mapping[str, str]
    versions: Mapping[str, str]
    backend: str = "tensorflow"
    image_data_format: str = "channels_last"
    floatx: str = "float32"


def _no_backend(m: Machine) -> str:
    if m.backend in BACKENDS:
        return ""
    return f"this package trains on tensorflow or jax, not on {m.backend}: set KERAS_BACKEND"


def _legacy_keras(m: Machine) -> str:
    value = m.environment.get("TF_USE_LEGACY_KERAS", "")
    if value.lower() not in ("1", "true"):
        return ""
    return "tf.keras is tf_keras then, whose models are not Keras 3 models: unset it"


def _tensorflow_takes_the_tpu(m: Machine) -> str:
    if "libtpu" not in m.versions or "tensorflow" not in m.versions or m.backend != "jax":
        return ""
    return "importing it may take the TPU before JAX does: replace it by tensorflow-cpu"


def _tpu_on_tensorflow(m: Machine) -> str:
    if "tensorflow-tpu" in m.versions:
        return (
            f"its builds end at {LAST_TENSORFLOW_TPU} and TPUStrategy fails with Keras 3: use "
            "KERAS_BACKEND=jax and jax[tpu]"
        )
    if "libtpu" in m.versions and m.backend == "tensorflow":
        return "the TPU is out of reach of Keras on tensorflow: set KERAS_BACKEND=jax"
    return ""


def _one_process_a_chip(m: Machine) -> str:
    if "libtpu" not in m.versions or m.backend != "jax" or "TPU_VISIBLE_CHIPS" in m.environment:
        return ""
    return (
        "a TPU chip serves one process: for several workers on a host set TPU_VISIBLE_CHIPS and "
        "the chips' bounds for each (Ray does); a v5litepod-8 is one host, a v6e-8 two of four"
    )


def _compiles_anew(m: Machine) -> str:
    cached = {"JAX_COMPILATION_CACHE_DIR"} & m.environment.keys()
    if m.backend != "jax" or cached:
        return ""
    return (
        "every architecture compiles afresh, in every process: set it to a folder that stays, "
        "and keep batch and resolution fixed"
    )


def _deterministic(m: Machine) -> str:
    if m.environment.get("TF_DETERMINISTIC_OPS", "").lower() not in ("1", "true"):
        return ""
    return "turns TensorFlow's compilation off; grouped convolutions still run, slowly"


def _forced_devices(m: Machine) -> str:
    flags = m.environment.get("XLA_FLAGS", "")
    if "xla_force_host_platform_device_count" not in flags or m.backend != "jax":
        return ""
    return "the CPU plays several devices: every global batch must be a multiple of their number"


def _channels(m: Machine) -> str:
    if m.image_data_format == "channels_last":
        return ""
    return "a CPU has no convolutions for it: set image_data_format in keras.json to channels_last"


def _half(m: Machine) -> str:
    if m.floatx == "float32":
        return ""
    return (
        "batch norm, softmax and the loss would lose digits: leave floatx at float32 and train "
        "with --precision bfloat16"
    )


TRAPS: Mapping[str, Callable[[Machine], str]] = {
    "KERAS_BACKEND": _no_backend,
    "TF_USE_LEGACY_KERAS": _legacy_keras,
    "tensorflow beside a TPU": _tensorflow_takes_the_tpu,
    "TPU on tensorflow": _tpu_on_tensorflow,
    "TPU_VISIBLE_CHIPS": _one_process_a_chip,
    "JAX_COMPILATION_CACHE_DIR": _compiles_anew,
    "TF_DETERMINISTIC_OPS": _deterministic,
    "XLA_FLAGS": _forced_devices,
    "image_data_format": _channels,
    "floatx": _half,
}


def find_traps(machine: Machine) -> dict[str, str]:
    """Return what is wrong on a machine and what to do, by the name of the trap."""
    found = {name: trap(machine) for name, trap in TRAPS.items()}
    return {name: text for name, text in found.items() if text}
