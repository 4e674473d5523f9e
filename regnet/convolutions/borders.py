"""Where a convolution pads, and the convolution that the backend has, padded so."""

from __future__ import annotations

from typing import Any

import keras

Tensor = Any
ops: Any = keras.ops  # whose stubs say None where tensors come


def padding_before(size: int, kernel_size: int, stride: int, padding: str) -> int:
    """Return the zeros before the first pixel of a row or column.

    ``symmetric``, as in PyTorch, is half the kernel on either side; ``same``, as in TensorFlow,
    is as few as cover the map, the odd one behind. They differ only where a stride divides.
    """
    if padding == "symmetric":
        return kernel_size // 2
    return max(_missing(size, kernel_size, stride), 0) // 2


def is_same(x: Tensor, kernel: Tensor, stride: int, padding: str) -> bool:
    """Whether the borders of maps (n, h, w, c) are those that ``same`` means."""
    if stride == 1 or padding == "same":
        return True
    pairs = list(zip(x.shape[1:3], kernel.shape[:2], strict=True))
    return all(size and _missing(size, k, stride) == k // 2 * 2 for size, k in pairs)


def convolve_natively(
    x: Tensor, kernel: Tensor, stride: int, padding: str, *, joined: bool = False
) -> Tensor:
    """Convolve (n, h, w, c) by one operation of the backend, perhaps after one that pads.

    There are as many groups as the kernel's third dimension divides the channels. ``joined``
    leaves padding to the convolution where TensorFlow can: one operation for programs that read
    the graph, but half as fast in training, because oneDNN has no such gradient.
    """
    mode: Any = "SAME"
    if not is_same(x, kernel, stride, padding):
        pairs = list(zip(x.shape[1:3], kernel.shape[:2], strict=True))
        if joined and keras.backend.backend() == "tensorflow" and x.shape[-1] == kernel.shape[2]:
            mode = [[0, 0], *([k // 2, k // 2] for _, k in pairs), [0, 0]]
        else:  # which is the only way of a grouped convolution that has gradients on a CPU
            mode = "VALID"
            borders = [_symmetric_borders(size, k, stride) for size, k in pairs]
            x = ops.pad(x, [[0, 0], *borders, [0, 0]])
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.nn.conv2d(x, kernel, stride, mode)
    return ops.conv(x, kernel, stride, padding=mode.lower(), data_format="channels_last")


def _missing(size: int, kernel_size: int, stride: int) -> int:
    """Return the pixels that the windows need beyond the map's own."""
    return (-(-size // stride) - 1) * stride + kernel_size - size


def _symmetric_borders(size: int | None, kernel_size: int, stride: int) -> list[int]:
    """Return zeros before and behind, without those behind that no window reaches."""
    half = kernel_size // 2
    if size is None:
        return [half, half]
    return [half, max(_missing(size, kernel_size, stride) - half, 0)]
