"""Where training runs, and what it sets in TensorFlow for that: threads and graph options.

One CPU or one GPU, on TensorFlow.
"""

from __future__ import annotations

import keras

from ..populations.fingerprint import GRAPH_OPTIMIZER

ACCELERATORS = ("auto", "cpu", "gpu", "tpu")


def require_tensorflow() -> None:
    """Raise ValueError unless Keras runs on TensorFlow."""
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise ValueError(
            f"training needs Keras on TensorFlow, got {backend!r}: set KERAS_BACKEND=tensorflow"
        )


def choose_device(name: str) -> str:
    """Make TensorFlow compute on ``cpu``, ``gpu`` or (``auto``) a GPU where there is one.

    Returns what was chosen. To be called before TensorFlow first computes.

    Raises
    ------
    ValueError
        If the device is missing, or a TPU is asked for.
    """
    import tensorflow as tf

    if name not in ACCELERATORS:
        raise ValueError(f"accelerator must be one of {', '.join(ACCELERATORS)}, got {name!r}")
    if name == "tpu":
        raise ValueError(
            "accelerator tpu needs Keras on JAX (KERAS_BACKEND=jax), on which this version does "
            "not train: choose cpu, gpu or auto"
        )
    gpus = tf.config.list_physical_devices("GPU")
    if name == "gpu" and not gpus:
        raise ValueError("accelerator gpu: TensorFlow sees no GPU here (regnet-ds doctor)")
    if name == "cpu" and gpus:
        tf.config.set_visible_devices([], "GPU")
    return "gpu" if gpus and name != "cpu" else "cpu"


def prepare_runtime(threads: int) -> tuple[int, str]:
    """Set TensorFlow's threads; return those in force, and a note where they are others.

    Threads can be set only before TensorFlow first computes. Grappler's passes are switched off:
    they cost more than they save on networks of this kind (a step is as fast without them).

    Raises
    ------
    ValueError
        If ``threads`` is not positive.
    """
    import tensorflow as tf

    if threads < 1:
        raise ValueError(f"threads must be a positive integer, got {threads!r}")
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": not GRAPH_OPTIMIZER})
    threading = tf.config.threading
    try:
        threading.set_intra_op_parallelism_threads(threads)
        threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:  # TensorFlow has already started its threads
        pass
    actual = threading.get_intra_op_parallelism_threads()
    if actual == threads:
        return actual, ""
    return actual, f"TensorFlow had already started with {actual or 'its default of'} threads"
