"""Grouped convolutions out of dense operations, for where there are no grouped ones.

``packed`` joins narrow groups to block-diagonal dense convolutions; ``dense_in_space`` takes a
small map as one matrix a group. Channels come last.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import keras
import numpy as np

from .borders import convolve_natively, padding_before

Tensor = Any
ops: Any = keras.ops  # whose stubs say None where tensors come
PACK_CHANNELS = 24  # of a block-diagonal convolution


def groups_per_pack(groups: int, group_width: int) -> int:
    """Return how many neighbouring groups share one block-diagonal dense convolution."""
    return max(1, min(groups, PACK_CHANNELS // group_width))


def packed(
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
        return convolve_natively(x, kernel, stride, padding)
    maps = _split(x, [n * width_in for n in packs])
    kernels = _split(kernel, [n * width_out for n in packs])
    kernels[-1] = kernels[-1][:, :, : maps[-1].shape[-1]]
    pairs = zip(maps, kernels, strict=True)
    return ops.concatenate([convolve_natively(m, k, stride, padding) for m, k in pairs], axis=-1)


def _split(x: Tensor, sizes: list[int]) -> list[Tensor]:
    """Cut the channels into runs of these sizes; Keras makes an operation of every cut."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.split(x, sizes, axis=-1)
    cuts = np.cumsum(sizes[:-1]).tolist()
    return list(ops.split(x, cuts, axis=-1))


def dense_in_space(
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
