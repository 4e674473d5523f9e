"""Batch norm by TensorFlow's fused operation, in the shape that is fast on a CPU.

oneDNN's forward kernel takes an image after another and in it 16 channels (8 without AVX-512)
after another, which it writes past the cache. Where these are not all channels, it writes each
line of the cache in parts, at a tenth of the speed. As images of a few pixels the same map is
read and written line by line: 5 to 15 times as fast, sums and results as before but for rounding.

``benchmarks/batch_norm.py`` measures it; docs/speed.md tells more.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .grouped import arithmetic_in_use, is_tuned_for_cpu

Tensor = Any
MOST_PIXELS = 8  # of an image that is written before the cache's buffers run out


class Normalised(NamedTuple):
    """A normalised map, and what batch norm remembers: the batch's mean and unbiased variance."""

    y: Tensor
    mean: Tensor
    variance: Tensor


def normalise(x: Tensor, **arguments: Any) -> Normalised:
    """Apply ``tf.raw_ops.FusedBatchNormV3`` to maps (n, h, w, c), with its other arguments.

    With ``is_training=False`` it is the plain operation, rounded as in other programs of
    TensorFlow: fast inference folds batch norm into the convolutions.
    """
    import tensorflow as tf

    trains = arguments.get("is_training", True)
    if not trains or arithmetic_in_use() == 1 or not is_tuned_for_cpu():
        return Normalised(*tf.raw_ops.FusedBatchNormV3(x=x, **arguments)[:3])
    _, h, w, c = x.shape
    images = tf.reshape(x, (-1, pixels_at_once(h, w), 1, c))
    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(x=images, **arguments)
    shape = tf.shape(x) if None in (h, w) else (-1, h, w, c)
    return Normalised(tf.reshape(y, shape), mean, variance)


def pixels_at_once(h: int | None, w: int | None) -> int:
    """Return the pixels of an image into many of which a map divides, whatever the batch."""
    if h is None or w is None:
        return 1
    return max(n for n in range(1, MOST_PIXELS + 1) if h * w % n == 0)
