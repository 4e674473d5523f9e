"""Where training runs, and what it sets in TensorFlow for that: threads and graph options.

The CPU for now; GPUs and TPUs belong here.
"""

from __future__ import annotations

import keras

from .fingerprint import GRAPH_OPTIMIZER


def require_tensorflow() -> None:
    """Raise ValueError unless Keras runs on TensorFlow."""
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise ValueError(
            f"training needs Keras on TensorFlow, got {backend!r}: set KERAS_BACKEND=tensorflow"
        )


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
