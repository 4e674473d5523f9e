"""Grouped 3x3 convolution that is fast on the device at hand.

The kernel has the layout of Keras's ``Conv2D(groups=...)``: (kh, kw, group width, filters).
How it is applied is a matter of speed alone; results agree within float tolerance.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import keras
import numpy as np
from keras import ops

Tensor = Any
PACK_CHANNELS = 32


def groups_per_pack(groups: int, group_width: int) -> int:
    """Return how many neighbouring groups share one block-diagonal dense convolution on a CPU."""
    return max(1, min(groups, PACK_CHANNELS // group_width))


@cache
def native_is_fast() -> bool:
    """Whether the default device has fast grouped convolutions (GPU and TPU; not a CPU)."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.list_logical_devices("GPU") + tf.config.list_logical_devices("TPU"))
    if keras.backend.backend() == "jax":
        import jax

        return jax.default_backend() != "cpu"
    return True


def convolve(x: Tensor, kernel: Tensor, stride: int, groups: int) -> Tensor:
    """Convolve (n, h, w, c) with symmetric zero padding of half the kernel; a stride rounds up."""
    if groups == 1:
        return _convolve(x, kernel, stride)
    if native_is_fast():
        return _native(x, kernel, stride)
    return _packed(x, kernel, stride, groups)


def _convolve(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """Dense convolution; TensorFlow's SAME pads evenly only without a stride."""
    if stride == 1:
        return ops.conv(x, kernel, padding="same", data_format="channels_last")
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        p, q = kernel.shape[0] // 2, kernel.shape[1] // 2
        padding = [[0, 0], [p, p], [q, q], [0, 0]]
        return tf.nn.conv2d(x, kernel, stride, padding)
    return _native(x, kernel, stride)


def _native(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    if stride == 1:
        return ops.conv(x, kernel, padding="same", data_format="channels_last")
    p, q = kernel.shape[0] // 2, kernel.shape[1] // 2
    x = ops.pad(x, [[0, 0], [p, p], [q, q], [0, 0]])
    return ops.conv(x, kernel, stride, padding="valid", data_format="channels_last")


def _packed(x: Tensor, kernel: Tensor, stride: int, groups: int) -> Tensor:
    """One dense convolution a pack of groups, with zeros between the groups of a pack."""
    width_in, filters = kernel.shape[2], kernel.shape[3]
    width_out = filters // groups
    pack = groups_per_pack(groups, width_in)
    if pack > 1:
        kernel = ops.tile(kernel, (1, 1, pack, 1)) * ops.convert_to_tensor(
            block_diagonal(width_in, width_out, groups, pack), dtype=kernel.dtype
        )
    cuts = range(pack, groups, pack)
    if not cuts:
        return _convolve(x, kernel, stride)
    maps = ops.split(x, [cut * width_in for cut in cuts], axis=-1)
    kernels = ops.split(kernel, [cut * width_out for cut in cuts], axis=-1)
    kernels[-1] = kernels[-1][:, :, : maps[-1].shape[-1]]
    pairs = zip(maps, kernels, strict=True)
    return ops.concatenate([_convolve(m, k, stride) for m, k in pairs], axis=-1)


@cache
def block_diagonal(width_in: int, width_out: int, groups: int, pack: int) -> np.ndarray:
    """Return the mask, (pack x width_in, groups x width_out), of each filter's own group.

    Row i holds input channel i of a pack, column f the filter f of the layer.
    """
    group_of_row = np.arange(pack * width_in) // width_in
    group_of_filter = np.arange(groups * width_out) // width_out
    return (group_of_row[:, None] == group_of_filter[None, :] % pack).astype(np.float32)
