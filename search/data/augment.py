"""Augmentation of batches: inception crop, flip, PCA jitter, mixup, smoothed targets.

Pure functions on numpy arrays: whoever calls passes the generator that decides. Images are
float32 (n, h, w, 3) in [0, 1] and keep their shape. Constants are those of pycls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..recipes.recipe import Recipe

Floats = NDArray[np.floating[Any]]  # float32 in fact
Labels = NDArray[np.int64]

ASPECT_LOW, ASPECT_HIGH = 3 / 4, 4 / 3
CROP_TRIES = 10
EIGENVALUES = np.array([0.2175, 0.0188, 0.0045])
EIGENVECTORS = np.array(  # rows: red, green, blue
    [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.814], [-0.5836, -0.6948, 0.4203]]
)


@dataclass(frozen=True, slots=True)
class Boxes:
    """Crops in pixels, one an image, each of shape (n,)."""

    top: NDArray[np.int64]
    left: NDArray[np.int64]
    height: NDArray[np.int64]
    width: NDArray[np.int64]


def augment(images: Floats, recipe: Recipe, rng: np.random.Generator) -> Floats:
    """Return the images cropped, flipped and jittered as the recipe says."""
    n, height, width, _ = images.shape
    if recipe.area_factor < 1:
        boxes = draw_boxes(n, height, width, area_factor=recipe.area_factor, rng=rng)
        images = crop(images, boxes)
    if recipe.flip:
        images = flip(images, rng.random(n) < 0.5)
    if recipe.pca_std > 0:
        images = pca_jitter(images, rng.normal(0.0, recipe.pca_std, (n, 3)))
    return images


def draw_boxes(
    n: int, height: int, width: int, *, area_factor: float, rng: np.random.Generator
) -> Boxes:
    """Draw inception crops: an area and an aspect ratio, uniform, at a uniform place.

    The area is area_factor to 1 of the image, the aspect 3/4 to 4/3, width and height are
    swapped half of the time. The first of ten tries that fits is taken; where none does, the
    largest square in the centre (pycls ``random_sized_crop``).
    """
    draws = rng.random((5, n, CROP_TRIES))
    area = (area_factor + (1 - area_factor) * draws[0]) * height * width
    aspect = ASPECT_LOW + (ASPECT_HIGH - ASPECT_LOW) * draws[1]
    w, h = np.rint(np.sqrt(area * aspect)), np.rint(np.sqrt(area / aspect))
    swap = draws[2] < 0.5
    w, h = np.where(swap, h, w), np.where(swap, w, h)
    fits = (w <= width) & (h <= height) & (w > 0) & (h > 0)
    pick = np.arange(n), fits.argmax(axis=1)  # the first that fits
    found = fits.any(axis=1)
    side = min(height, width)
    h = np.where(found, h[pick], side).astype(np.int64)
    w = np.where(found, w[pick], side).astype(np.int64)
    top = np.where(found, np.floor(draws[3][pick] * (height - h + 1)), (height - side) // 2)
    left = np.where(found, np.floor(draws[4][pick] * (width - w + 1)), (width - side) // 2)
    return Boxes(top.astype(np.int64), left.astype(np.int64), h, w)


def crop(images: Floats, boxes: Boxes) -> Floats:
    """Cut the boxes out and resize them bilinearly to the size of the images.

    Pixel centres are at half integers and edges of the box continue, as where a box is cut out
    first and resized then.
    """
    _, height, width, _ = images.shape
    rows = _resampling(boxes.top, boxes.height, height)
    columns = _resampling(boxes.left, boxes.width, width)
    planes = images.transpose(0, 3, 1, 2)
    return (rows[:, None] @ planes @ columns[:, None].swapaxes(2, 3)).transpose(0, 2, 3, 1)


def _resampling(start: NDArray[np.int64], length: NDArray[np.int64], size: int) -> Floats:
    """Return weights (n, size, size): target pixel i of image k from the source's pixels."""
    centre = (np.arange(size) + 0.5) * length[:, None] / size - 0.5
    position = start[:, None] + np.clip(centre, 0, length[:, None] - 1)
    distance = np.abs(position[:, :, None].astype(np.float32) - np.arange(size, dtype=np.float32))
    return np.maximum(np.float32(0), np.float32(1) - distance)


def flip(images: Floats, chosen: NDArray[np.bool_]) -> Floats:
    """Mirror the chosen images left to right; ``chosen`` has shape (n,)."""
    return np.where(chosen[:, None, None, None], images[:, :, ::-1], images)


def pca_jitter(images: Floats, alphas: NDArray[np.float64]) -> Floats:
    """Add to each image one colour along ImageNet's principal components.

    ``alphas``, (n, 3), are the strengths of the three components, normal with the recipe's
    standard deviation.
    """
    colour = (alphas * EIGENVALUES) @ EIGENVECTORS.T
    return images + colour[:, None, None, :].astype(np.float32)


def targets(labels: Labels, classes: int, smoothing: float = 0.0) -> Floats:
    """Return target probabilities, (n, classes): 1 - s + s / classes and s / classes."""
    one_hot = np.eye(classes, dtype=np.float32)[labels]
    return one_hot * np.float32(1 - smoothing) + np.float32(smoothing / classes)


def mixup(
    images: Floats, target: Floats, share: float | NDArray[np.float64]
) -> tuple[Floats, Floats]:
    """Mix a batch with its reverse: ``share`` of each image, 1 - share of its partner.

    One share a batch, drawn from Beta(alpha, alpha), as in the post, or one an image, (n,);
    batches are shuffled, so the reverse is a random partner.
    """
    a, b = np.float32(share), np.float32(1 - share)
    wide = (*np.shape(share), 1, 1, 1) if np.ndim(share) else ()
    high = wide[:2]
    return (
        a.reshape(wide) * images + b.reshape(wide) * images[::-1],
        a.reshape(high) * target + b.reshape(high) * target[::-1],
    )
