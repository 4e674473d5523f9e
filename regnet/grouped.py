"""Grouped 3x3 convolution that is fast on the device at hand.

The kernel has the layout of Keras's ``Conv2D(groups=...)``: (kh, kw, group width, filters).
How it is applied is a matter of speed alone; results agree within float tolerance.

GPUs and TPUs have a native grouped convolution. On a CPU, TensorFlow and JAX leave it to XLA,
which is 5 to 150 times slower than the ways below. Milliseconds of one 3x3 convolution, forward
and backward, on one thread of a 2-core AVX2 machine that others were using (least of 0.5 s; on
the two smallest maps the median):

========================  ======  ====  ====  ====  ====  ====  ======
batch, map, channels, g   native  g     2 g   3 g   4 g   8 g   pixels
========================  ======  ====  ====  ====  ====  ====  ======
64, 8x8, 56, 8               576   7.9   6.8   8.0   8.9
64, 4x4, 152, 8              981   6.8   7.9   8.0  10.6  15.9
32, 28x28, 152, 8          22141   370   368   360   305   420
32, 14x14, 368, 8          18738   168   143   171   176   269
64, 4x4, 160, 16             411   5.2   6.5         9.4
64, 4x4, 240, 24             489   8.5  11.5
64, 4x4, 240, 40             521  10.3  23.9
64, 4x4, 240, 120            140  26.5  52.5
64, 2x2, 368, 8                    5.3   6.3   5.9   5.4   8.1     1.6
64, 2x2, 528, 24                  10.1   8.5                       2.9
64, 1x1, 368, 8                    2.9   2.3   3.7   2.8   4.6     0.6
64, 1x1, 896, 64                   8.3                             1.9
64, 1x1, 1920, 120                  55                             7.1
========================  ======  ====  ====  ====  ====  ====  ======

Packs up to 24 channels cost as little as any and trace a third of the convolutions that g = 8
would have alone; from g = 16 on a group stands alone.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import keras
import numpy as np

Tensor = Any
ops: Any = keras.ops  # whose stubs say None where tensors come
PACK_CHANNELS = 24  # of a block-diagonal convolution
DENSE_PIXELS = 4  # of the largest map that is computed as one matrix a group


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
        import jax  # pyright: ignore[reportMissingImports]

        return jax.default_backend() != "cpu"
    return True


def convolve(
    x: Tensor, kernel: Tensor, stride: int, groups: int, padding: str = "symmetric"
) -> Tensor:
    """Convolve (n, h, w, c), zero-padded as ``padding_before`` says; a stride rounds up."""
    if native_is_fast():
        return _native(x, kernel, stride, padding)
    if groups == 1:
        pointwise = kernel.shape[0] == kernel.shape[1] == 1
        if pointwise:
            return _pointwise(x, kernel, stride)
        return _convolve(x, kernel, stride, padding)
    h, w = x.shape[1:3]
    if h and w and h * w <= DENSE_PIXELS:
        return _dense_in_space(x, kernel, stride, groups, padding)
    return _packed(x, kernel, stride, groups, padding)


def padding_before(size: int, kernel_size: int, stride: int, padding: str) -> int:
    """Return the zeros before the first pixel of a row or column.

    ``symmetric``, as in PyTorch, is half the kernel on either side; ``same``, as in TensorFlow,
    is as few as cover the map, the odd one behind. They differ only where a stride divides.
    """
    if padding == "symmetric":
        return kernel_size // 2
    return max((-(-size // stride) - 1) * stride + kernel_size - size, 0) // 2


def _convolve(x: Tensor, kernel: Tensor, stride: int, padding: str = "symmetric") -> Tensor:
    """Dense convolution; TensorFlow's SAME pads evenly only without a stride."""
    if stride == 1 or padding == "same":
        return ops.conv(x, kernel, stride, padding="same", data_format="channels_last")
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        p, q = kernel.shape[0] // 2, kernel.shape[1] // 2
        borders: Any = [[0, 0], [p, p], [q, q], [0, 0]]
        return tf.nn.conv2d(x, kernel, stride, borders)
    return _native(x, kernel, stride, padding)


def _native(x: Tensor, kernel: Tensor, stride: int, padding: str = "symmetric") -> Tensor:
    if stride == 1 or padding == "same":
        return ops.conv(x, kernel, stride, padding="same", data_format="channels_last")
    p, q = kernel.shape[0] // 2, kernel.shape[1] // 2
    x = ops.pad(x, [[0, 0], [p, p], [q, q], [0, 0]])
    return ops.conv(x, kernel, stride, padding="valid", data_format="channels_last")


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


def _packed(
    x: Tensor, kernel: Tensor, stride: int, groups: int, padding: str = "symmetric"
) -> Tensor:
    """One dense convolution a pack of groups, with zeros between the groups of a pack."""
    width_in, filters = kernel.shape[2], kernel.shape[3]
    width_out = filters // groups
    pack = groups_per_pack(groups, width_in)
    if pack > 1:
        kernel = ops.tile(kernel, (1, 1, pack, 1)) * ops.convert_to_tensor(
            block_diagonal(width_in, width_out, groups, pack), dtype=kernel.dtype
        )
    packs = [min(pack, groups - first) for first in range(0, groups, pack)]
    if len(packs) == 1:
        return _convolve(x, kernel, stride, padding)
    maps = _split(x, [n * width_in for n in packs])
    kernels = _split(kernel, [n * width_out for n in packs])
    kernels[-1] = kernels[-1][:, :, : maps[-1].shape[-1]]
    pairs = zip(maps, kernels, strict=True)
    return ops.concatenate([_convolve(m, k, stride, padding) for m, k in pairs], axis=-1)


def _split(x: Tensor, sizes: list[int]) -> list[Tensor]:
    """Cut the channels into runs of these sizes; Keras makes an operation of every cut."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.split(x, sizes, axis=-1)
    cuts = np.cumsum(sizes[:-1]).tolist()
    return list(ops.split(x, cuts, axis=-1))


def _dense_in_space(
    x: Tensor, kernel: Tensor, stride: int, groups: int, padding: str = "symmetric"
) -> Tensor:
    """One matrix a group from all pixels of a map to all others, in one batched product."""
    h, w = x.shape[1:3]
    taps = taps_between(h, w, kernel.shape[:2], stride, padding)
    n_in, n_out, n_taps = taps.shape
    width_in, width_out = kernel.shape[2], kernel.shape[3] // groups
    taps = ops.convert_to_tensor(taps.reshape(n_in * n_out, n_taps), dtype=kernel.dtype)
    matrices = ops.matmul(taps, ops.reshape(kernel, (n_taps, -1)))
    matrices = ops.reshape(matrices, (n_in, n_out, width_in, groups, width_out))
    matrices = ops.transpose(matrices, (3, 0, 2, 1, 4))
    matrices = ops.reshape(matrices, (groups, n_in * width_in, n_out * width_out))
    x = ops.transpose(ops.reshape(x, (-1, n_in, groups, width_in)), (2, 0, 1, 3))
    y = ops.matmul(ops.reshape(x, (groups, -1, n_in * width_in)), matrices)
    y = ops.transpose(ops.reshape(y, (groups, -1, n_out, width_out)), (1, 2, 0, 3))
    return ops.reshape(y, (-1, -(-h // stride), -(-w // stride), groups * width_out))


@cache
def taps_between(
    h: int, w: int, kernel_size: tuple[int, int], stride: int, padding: str = "symmetric"
) -> np.ndarray:
    """Return which kernel tap joins two pixels, 0 or 1 of shape (input, output, tap)."""
    rows, columns = (
        np.arange(size)[:, None, None]
        == np.arange(0, size, stride)[:, None]
        + np.arange(k)
        - padding_before(size, k, stride, padding)
        for size, k in zip((h, w), kernel_size, strict=True)
    )
    taps = np.einsum("iot,jpu->ijoptu", rows, columns)
    n_out = rows.shape[1] * columns.shape[1]
    return taps.reshape(h * w, n_out, -1).astype(np.float32)


@cache
def block_diagonal(width_in: int, width_out: int, groups: int, pack: int) -> np.ndarray:
    """Return the mask, (pack x width_in, groups x width_out), of each filter's own group.

    Row i holds input channel i of a pack, column f the filter f of the layer.
    """
    group_of_row = np.arange(pack * width_in) // width_in
    group_of_filter = np.arange(groups * width_out) // width_out
    return (group_of_row[:, None] == group_of_filter[None, :] % pack).astype(np.float32)
