"""Images of a training split as evaluation and training see them, for people to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..recipes.recipe import Recipe
from . import augment
from .datasets import Dataset, floats
from .sources.streams import StreamedDataset

Pixels = NDArray[np.floating[Any]]  # float32 in [0, 1]
_VIEWS = 3  # what the generator is for, part of its seed


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """Images, a row each, (rows, columns, h, w, 3) in [0, 1].

    The first column is evaluation's view, the last one mixup with the row below (where the
    recipe mixes), the others are augmented. ``labels`` (rows,) and ``share`` of the mixup.
    """

    images: Pixels
    labels: NDArray[np.int64]
    share: float | None


def make_views(
    data: Dataset | StreamedDataset, recipe: Recipe, n: int, views: int, seed: int = 0
) -> Views:
    """Return ``views`` augmentations of n images under a recipe that the data set allows.

    Raises
    ------
    ValueError
        If the split has fewer images.
    """
    if n > len(data.train):
        raise ValueError(f"{data.name} has {len(data.train)} training images, got {n} to show")
    rng = np.random.default_rng((_VIEWS, seed))
    if isinstance(data, Dataset):
        rows = np.sort(rng.permutation(len(data.train))[:n])
        plain, labels = floats(data.train.images[rows]), data.train.labels[rows]
        columns = [plain] + [augment.augment(plain, recipe, rng) for _ in range(views)]
    else:
        columns, labels = _streamed(data, recipe, n, views, rng)
    share = None
    if recipe.mixup_alpha > 0:
        share = float(rng.beta(recipe.mixup_alpha, recipe.mixup_alpha))
        columns.append(share * columns[0] + (1 - share) * np.roll(columns[0], -1, axis=0))
    return Views(np.clip(np.stack(columns, axis=1), 0, 1), labels, share)


def _streamed(
    data: StreamedDataset, recipe: Recipe, n: int, views: int, rng: np.random.Generator
) -> tuple[list[Pixels], NDArray[np.int64]]:
    from . import image_ops

    records = data.train.read((int(rng.integers(2**31)),)).take(n)
    contents, labels = zip(*records.as_numpy_iterator(), strict=True)

    def view(content: bytes) -> Pixels:
        if recipe.area_factor < 1:
            size = (int(side) for side in image_ops.image_shape(content))
            boxes = augment.draw_boxes(1, *size, area_factor=recipe.area_factor, rng=rng)
            parts = (boxes.top, boxes.left, boxes.height, boxes.width)
            box = np.stack(parts, axis=1)[0].astype(np.int32)
            image = image_ops.training_image(content, box, False, data.resolution)
        else:
            image = image_ops.evaluation_image(content, data.resolution, data.short_side)
        return image.numpy() / np.float32(255)

    columns = [
        np.stack(
            [
                image_ops.evaluation_image(content, data.resolution, data.short_side).numpy() / 255
                for content in contents
            ]
        )
    ]
    uncropped = Recipe.from_dict({**recipe.to_dict(), "area_factor": 1.0})
    for _ in range(views):
        cropped = np.stack([view(content) for content in contents])
        columns.append(augment.augment(cropped, uncropped, rng))  # flip and jitter
    return columns, np.array(labels, np.int64)
