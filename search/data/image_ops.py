"""Decode, crop and resize encoded images in TensorFlow's graph: pure functions, static shapes.

What is random is an argument. Images are float32 in [0, 255]; resizing is bilinear with pixel
centres at half integers and no antialiasing, as in pycls and the post.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from .augment import ASPECT_HIGH, ASPECT_LOW, EIGENVALUES, EIGENVECTORS

Tensor = Any
JPEG = b"\xff\xd8\xff"


def draw_boxes(draws: Tensor, heights: Tensor, widths: Tensor, area_factor: float) -> Tensor:
    """Return inception crops (n, 4), int32, of images of these sizes: top, left, height, width.

    ``draws``, float64 (5, n, tries), decide: area, aspect, swap, top, left, uniform in [0, 1). The
    rule is that of `augment.draw_boxes`: the first of ten tries that fits, else the largest
    square in the centre.
    """
    rows, columns = tf.cast(heights, tf.float64), tf.cast(widths, tf.float64)
    area = (area_factor + (1 - area_factor) * draws[0]) * rows[:, None] * columns[:, None]
    aspect = ASPECT_LOW + (ASPECT_HIGH - ASPECT_LOW) * draws[1]
    w, h = tf.round(tf.sqrt(area * aspect)), tf.round(tf.sqrt(area / aspect))
    swap = draws[2] < 0.5
    w, h = tf.where(swap, h, w), tf.where(swap, w, h)
    fits = (w <= columns[:, None]) & (h <= rows[:, None]) & (w > 0) & (h > 0)
    tries = tf.stack([h, w, draws[3], draws[4]], axis=-1)
    first = tf.argmax(tf.cast(fits, tf.int32), axis=1)
    h, w, y, x = tf.unstack(tf.gather(tries, first, axis=1, batch_dims=1), axis=1)
    found = tf.stack([tf.floor(y * (rows - h + 1)), tf.floor(x * (columns - w + 1)), h, w], 1)
    side = tf.minimum(rows, columns)
    centre = tf.stack([(rows - side) // 2, (columns - side) // 2, side, side], 1)
    return tf.cast(tf.where(tf.reduce_any(fits, 1)[:, None], found, centre), tf.int32)


def image_shape(content: Tensor) -> tuple[Tensor, Tensor]:
    """Return height and width of an encoded image, a JPEG's without decoding it."""
    shape = tf.cond(
        is_jpeg(content),
        lambda: tf.image.extract_jpeg_shape(content)[:2],
        lambda: tf.shape(_decode(content))[:2],
    )
    return shape[0], shape[1]


def is_jpeg(content: Tensor) -> Tensor:
    """Whether an encoded image is a JPEG, by its first bytes."""
    return tf.equal(tf.strings.substr(content, 0, len(JPEG)), JPEG)


def decode_box(content: Tensor, box: Tensor) -> Tensor:
    """Return the box of an encoded image, uint8 (h, w, 3); a JPEG is decoded there alone."""

    def from_jpeg() -> Tensor:
        # The accurate transform gives PIL's and torchvision's pixels.
        return tf.image.decode_and_crop_jpeg(
            content, box, channels=3, dct_method="INTEGER_ACCURATE"
        )

    def from_other() -> Tensor:
        image = _decode(content)
        return image[box[0] : box[0] + box[2], box[1] : box[1] + box[3]]

    return tf.cond(is_jpeg(content), from_jpeg, from_other)


def _decode(content: Tensor) -> Tensor:
    image = tf.io.decode_image(content, channels=3, expand_animations=False)
    return tf.ensure_shape(image, (None, None, 3))


def resized(image: Tensor, side: int) -> Tensor:
    """Return an image as a square, float32 (side, side, 3) in [0, 255]."""
    image = tf.raw_ops.ResizeBilinear(
        images=image[None], size=[side, side], half_pixel_centers=True, align_corners=False
    )
    return tf.ensure_shape(image[0], (side, side, 3))


def flipped(image: Tensor, chosen: Tensor) -> Tensor:
    """Return the image (h, w, 3), mirrored left to right where ``chosen`` is true."""
    axes = tf.range(1, 1 + tf.cast(chosen, tf.int32))  # none, or that of the columns
    return tf.raw_ops.ReverseV2(tensor=image, axis=axes)


def training_image(content: Tensor, box: Tensor, mirror: Tensor, side: int) -> Tensor:
    """Return the box of an encoded image, float32 (side, side, 3) in [0, 255].

    Mirrored before it is resized, which is the same and moves fewer bytes.
    """
    return resized(flipped(decode_box(content, box), mirror), side)


def evaluation_image(content: Tensor, side: int, short_side: int) -> Tensor:
    """Return the centre crop of the image with its short side resized, float32 (side, side, 3).

    The long side is rounded down and what is cut off below and on the right up, as in pycls. A
    JPEG is decoded around the crop alone; the pixels are those of resizing the whole.
    """
    height, width = image_shape(content)
    size = tf.stack([height, width])
    short = tf.minimum(height, width)
    small = short_side * size // short
    scale = tf.cast(small, tf.float64) / tf.cast(size, tf.float64)
    first = (small - side + 1) // 2
    start = tf.cast(tf.floor(tf.cast(first, tf.float64) / scale), tf.int32) - 1
    end = tf.cast(tf.math.ceil(tf.cast(first + side, tf.float64) / scale), tf.int32) + 1
    start, end = tf.maximum(start, 0), tf.minimum(end, size)
    image = decode_box(content, tf.concat([start, end - start], 0))
    shift = tf.cast(start, tf.float64) * scale - tf.cast(first, tf.float64)
    cut = tf.raw_ops.ScaleAndTranslate(
        images=image[None],
        size=[side, side],
        scale=tf.cast(scale, tf.float32),
        translation=tf.cast(shift, tf.float32),
        kernel_type="triangle",
        antialias=False,
    )
    return tf.ensure_shape(cut[0], (side, side, 3))


def colours(alphas: Tensor) -> Tensor:
    """Return the PCA jitter's colour of each image, (n, 3) in fractions of 1.

    ``alphas`` (n, 3) are the strengths of ImageNet's principal components.
    """
    basis = tf.constant(EIGENVALUES[:, None] * EIGENVECTORS.T, tf.float32)
    return tf.matmul(alphas, basis)


def normalised(
    image: Tensor,
    jitter: Tensor,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
) -> Tensor:
    """Return (image / 255 + jitter - mean) / std of one image (h, w, 3); ``jitter`` is (3,).

    A line of pixels at a time, and one image, which stays in the cache: channel by channel over a
    batch takes ten times as long.
    """
    height, width, channels = image.shape
    scale = np.tile(1 / (255 * np.array(std, np.float32)), width)
    offset = (jitter - tf.constant(mean, tf.float32)) / tf.constant(std, tf.float32)
    lines = tf.reshape(image, (height, width * channels))
    return tf.reshape(lines * scale + tf.tile(offset, [width]), (height, width, channels))


def targets(labels: Tensor, classes: int, smoothing: float) -> Tensor:
    """Return target probabilities (n, classes): 1 - s + s / classes and s / classes."""
    return tf.one_hot(labels, classes) * (1 - smoothing) + smoothing / classes


def mixup(images: Tensor, target: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Mix a batch with its reverse: ``share`` of each, (1,) or (n,), and 1 - share of the other."""
    wide, high = tf.reshape(share, (-1, 1, 1, 1)), tf.reshape(share, (-1, 1))
    return (
        wide * images + (1 - wide) * tf.reverse(images, [0]),
        high * target + (1 - high) * tf.reverse(target, [0]),
    )
