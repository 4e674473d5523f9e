"""Bilinear resizing of arrays, with pixel centres at half integers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def bilinear_matrix(source: int, target: int) -> NDArray[np.float64]:
    """Return the weights, (target, source), that resize a line of pixels bilinearly.

    Pixel centres are at half integers: target i lies at (i + 0.5) source / target - 0.5 of the
    source, and beyond the outermost centres the edge pixel continues.
    """
    position = (np.arange(target) + 0.5) * source / target - 0.5
    position = np.clip(position, 0, source - 1)
    return np.maximum(0.0, 1.0 - np.abs(position[:, None] - np.arange(source)))


def resize(images: NDArray[np.floating[Any]], side: int) -> NDArray[np.floating[Any]]:
    """Return images (n, h, w, c), float32, as squares of this side."""
    _, height, width, _ = images.shape
    rows = bilinear_matrix(height, side).astype(np.float32)
    columns = bilinear_matrix(width, side).astype(np.float32)
    planes = images.transpose(0, 3, 1, 2)
    return np.ascontiguousarray((rows @ planes @ columns.T).transpose(0, 2, 3, 1))
