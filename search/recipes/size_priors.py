"""Where to look for hyperparameters, by the size of the network.

The post's learning points as ranges: little regularisation for small networks, which react to
small changes, so their ranges are narrow; mixup widens with size while weight decay stays or
falls; the crop reaches smaller areas in larger networks.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from .recipe import require_optimizer

if TYPE_CHECKING:
    from ..data.datasets import Augmentations

Prior = tuple[float, float, Literal["log", "linear"]]
SMALLEST, LARGEST = 200e6, 32e9  # multiply-adds of the published networks
LR_RANGES = {"sgd": (0.02, 0.4, 128), "adamw": (0.0005, 0.016, 1024)}  # low, high, at this batch


def priors(
    flops: float,
    *,
    optimizer: str = "sgd",
    batch_size: int = 128,
    allowed: Augmentations | None = None,
) -> dict[str, Prior]:
    """Return the range of each hyperparameter to tune: field -> (low, high, scale).

    Parameters
    ----------
    flops
        Multiply-adds of the network, as it is trained; sizes outside 200 MF to 32 GF count as
        the nearest of the two.
    optimizer
        ``sgd`` or ``adamw``; decides the range of the rate.
    batch_size
        Images a step; the rate's range is proportional to it.
    allowed
        The data set's limits; the crop's range is cut to them.

    Raises
    ------
    ValueError
        If flops is not positive or the optimiser unknown.
    """
    if not flops > 0:
        raise ValueError(f"flops must be positive, got {flops!r}")
    require_optimizer(optimizer)
    size = _relative_size(flops)
    low, high, at_batch = LR_RANGES[optimizer]
    scale = batch_size / at_batch
    return {
        "lr": (low * scale, high * scale, "log"),
        "weight_decay": (1e-5, _geometric(2e-4, 5e-5, size), "log"),
        "mixup_alpha": (0.0, _between(0.2, 0.5, size), "linear"),
        "area_factor": _area(_between(0.16, 0.08, size), _between(0.35, 0.25, size), allowed),
        "label_smoothing": (0.0, _between(0.05, 0.15, size), "linear"),
    }


def _relative_size(flops: float) -> float:
    """Return 0 for the smallest networks, 1 for the largest, linear in log flops."""
    position = math.log(flops / SMALLEST) / math.log(LARGEST / SMALLEST)
    return min(1.0, max(0.0, position))


def _between(small: float, large: float, size: float) -> float:
    return small + (large - small) * size


def _geometric(small: float, large: float, size: float) -> float:
    return small * (large / small) ** size


def _area(low: float, high: float, allowed: Augmentations | None) -> Prior:
    smallest = allowed.min_area_factor if allowed is not None else 0.0
    if smallest >= high:
        return (smallest, 1.0, "linear")
    return (max(low, smallest), high, "linear")
