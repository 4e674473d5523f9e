"""Grouped convolution that is fast on the device at hand.

The kernel has the layout of Keras's ``Conv2D(groups=...)``: (kh, kw, group width, filters).
How it is applied is a matter of speed alone; results agree within float tolerance.

GPUs and TPUs have a native grouped convolution. On a CPU, Keras leaves it to XLA, which is 5 to
150 times slower than the ways below; TensorFlow has it, with its gradients, where oneDNN is on
(`grouped_gradients`). The rule, in this order:

1. a 1x1 convolution is a matrix product;
2. a map of at most 4 pixels is one matrix a group (`packing.dense_in_space`);
3. oneDNN's operation where it can be had, not in a function that XLA compiles;
4. narrow groups packed to dense convolutions (`packing.packed`).

``benchmarks/convolutions.py`` measures it on the machine at hand; docs/speed.md tells more.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import keras

from ...designspace.spec import require_choice
from .borders import convolve_natively
from .packing import PACK_CHANNELS, dense_in_space, packed

Tensor = Any
ops: Any = keras.ops  # whose stubs say None where tensors come
DENSE_PIXELS = 4  # of the largest map that is computed as one matrix a group
IMPLEMENTATIONS = ("auto", "native", "packed")
_asked: ContextVar[str] = ContextVar("implementation", default="auto")
ARITHMETIC = 2  # to be raised by whatever rounds training on a CPU otherwise; see `arithmetic`
_arithmetic: ContextVar[int] = ContextVar("arithmetic", default=ARITHMETIC)


@contextmanager
def implementation(way: str) -> Generator[None]:
    """Choose how convolutions are computed, or traced, within a ``with`` block.

    Parameters
    ----------
    way
        ``auto`` is the fast way here; ``native`` the backend's own convolution, grouped or not,
        as programs that read the graph expect it; ``packed`` dense operations alone.

    Raises
    ------
    ValueError
        If ``way`` is none of these.
    """
    require_choice("implementation", way, IMPLEMENTATIONS)
    token = _asked.set(way)
    try:
        yield
    finally:
        _asked.reset(token)


@contextmanager
def arithmetic(version: int) -> Generator[None]:
    """Compute, or trace, as an earlier version did within a ``with`` block.

    So that trainings of then can be repeated bit by bit on a CPU. 1: batch norm on maps as they
    are, dense convolutions that pad for themselves. 2: batch norm as images of a few pixels,
    padding apart.

    Raises
    ------
    ValueError
        If there was no such version.
    """
    if not 1 <= version <= ARITHMETIC:
        raise ValueError(f"arithmetic must be from 1 to {ARITHMETIC}, got {version}")
    token = _arithmetic.set(version)
    try:
        yield
    finally:
        _arithmetic.reset(token)


def arithmetic_in_use() -> int:
    """Return the version of `arithmetic`."""
    return _arithmetic.get()


def name_of_way() -> str:
    """Return what float32 convolutions are computed by, as a name for a record.

    On a CPU it ends in the version of the arithmetic, from the second on: ``onednn.2``.
    """
    way, version = _asked.get(), _arithmetic.get()
    if way == "native" or native_is_fast():
        return "native"
    one_operation = way == "auto" and grouped_gradients("float32")
    name = "onednn" if one_operation else f"packed-{PACK_CHANNELS}"
    return name if version == 1 else f"{name}.{version}"


def version_of(name: str) -> int:
    """Return the version of the arithmetic that a name of `name_of_way` stands for."""
    version = name.rpartition(".")[2]
    return int(version) if version.isdecimal() else 1


@cache
def native_is_fast() -> bool:
    """Whether the default device has fast grouped convolutions (GPU and TPU; not a CPU)."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.list_logical_devices("GPU") + tf.config.list_logical_devices("TPU"))
    if keras.backend.backend() == "jax":
        import jax  # pyright: ignore[reportMissingImports]

        return jax.default_backend() != "cpu"
    return True


@cache
def grouped_gradients(dtype: str) -> bool:
    """Whether TensorFlow computes a grouped convolution and both its gradients on this CPU.

    It does by oneDNN, which depends on the processor, the dtype and TF_ENABLE_ONEDNN_OPTS, so
    that a small one is tried; otherwise it refuses the gradients.
    """
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    def gradients() -> Any:  # without a tape, which init_scope stops
        x, kernel = tf.ones((1, 2, 2, 4), dtype), tf.ones((3, 3, 2, 4), dtype)
        common = {"out_backprop": x, "strides": [1, 1, 1, 1], "padding": "SAME"}
        return (
            tf.raw_ops.Conv2DBackpropInput(input_sizes=x.shape, filter=kernel, **common),
            tf.raw_ops.Conv2DBackpropFilter(input=x, filter_sizes=kernel.shape, **common),
        )

    with tf.init_scope(), tf.device("CPU:0"):
        try:
            gradients()
            tf.function(gradients, autograph=False)()
        except tf.errors.OpError:
            return False
    return True


def convolve(
    x: Tensor, kernel: Tensor, stride: int, groups: int, padding: str = "symmetric"
) -> Tensor:
    """Convolve (n, h, w, c), zero-padded as ``padding_before`` says; a stride rounds up."""
    way = _asked.get()
    if way == "native" or (way == "auto" and native_is_fast()):
        return convolve_natively(x, kernel, stride, padding, joined=True)
    if groups == 1:
        pointwise = kernel.shape[0] == kernel.shape[1] == 1
        return (
            _pointwise(x, kernel, stride)
            if pointwise
            else convolve_natively(x, kernel, stride, padding, joined=_arithmetic.get() == 1)
        )
    h, w = x.shape[1:3]
    if h and w and h * w <= DENSE_PIXELS:
        return dense_in_space(x, kernel, stride, groups, padding)
    if way == "auto" and is_run_as_traced() and grouped_gradients(_dtype(x)):
        return convolve_natively(x, kernel, stride, padding)
    return packed(x, kernel, stride, groups, padding)


def _dtype(x: Tensor) -> str:
    return keras.backend.standardize_dtype(x.dtype)


def is_tuned_for_cpu() -> bool:
    """Whether TensorFlow's own operations will run on a CPU, and their form is ours to choose."""
    return _asked.get() != "native" and is_run_as_traced() and not native_is_fast()


def is_run_as_traced() -> bool:
    """Whether TensorFlow's own operations will run, rather than what XLA makes of them."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    # TensorFlow has no public way to ask.
    from tensorflow.python.ops.control_flow_util import (  # pyright: ignore[reportMissingImports]
        GraphOrParentsInXlaContext,
    )

    if tf.executing_eagerly():
        return True
    return not GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def _pointwise(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """A matrix product, whose gradient is many times faster than TensorFlow's for a 1x1 kernel."""
    x = _every(x, stride)
    channels, filters = kernel.shape[2:]
    _, h, w, _ = ops.shape(x)
    matrix = ops.reshape(kernel, (channels, filters))
    return ops.reshape(ops.matmul(ops.reshape(x, (-1, channels)), matrix), (-1, h, w, filters))


def _every(x: Tensor, stride: int) -> Tensor:
    """Return every ``stride``-th pixel, rows and columns."""
    if stride == 1:
        return x
    h, w, c = x.shape[1:]
    divides = None not in (h, w) and h % stride == w % stride == 0
    if not divides or keras.backend.backend() != "tensorflow":
        return x[:, ::stride, ::stride]
    import tensorflow as tf

    # A slice without strides, whose gradient is a plain padding.
    x = tf.reshape(x, (-1, stride, w // stride, stride * c))
    x = tf.slice(x, (0, 0, 0, 0), (-1, 1, w // stride, c))
    return tf.reshape(x, (-1, h // stride, w // stride, c))
