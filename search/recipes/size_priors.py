"""Where to look for hyperparameters, by the size of the network.

The post's learning points as ranges: little regularisation for small networks, which react to
small changes, so their ranges are narrow; mixup widens with size while weight decay stays or
falls; the crop reaches smaller areas in larger networks. The settings that the post published lie
within them (tested).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .recipe import OPTIMIZERS, require_optimizer

if TYPE_CHECKING:
    from ..data.datasets import Augmentations
    from .search_space import Prior

SMALLEST, LARGEST = 200e6, 32e9  # multiply-adds of the published networks
LR_RANGES = {"sgd": (0.02, 0.4, 128), "adamw": (0.0005, 0.016, 1024)}  # low, high, at this batch
WINDOWS = (0.02, 0.1)  # of all steps, over which the weights are averaged
SHORTEST_WINDOW = 5  # steps


def priors(
    flops: float,
    *,
    optimizer: str | None = "sgd",
    batch_size: int = 128,
    steps: int = 0,
    allowed: Augmentations | None = None,
) -> dict[str, Prior]:
    """Return the range or the choices of each hyperparameter to tune (`search_space`).

    Parameters
    ----------
    flops
        Multiply-adds of the network, as it is trained; sizes outside 200 MF to 32 GF count as
        the nearest of the two.
    optimizer
        ``sgd`` or ``adamw``; decides the range of the rate. None: it is tuned too, and each has
        a rate of its own (``lr.sgd``, ``lr.adamw``).
    batch_size
        Images a step; the rate's range is proportional to it.
    steps
        Of a whole training; decides the moving averages of the weights, which are tuned if it
        is given.
    allowed
        The data set's limits; the crop's range is cut to them.

    Raises
    ------
    ValueError
        If flops is not positive or the optimiser unknown.
    """
    if not flops > 0:
        raise ValueError(f"flops must be positive, got {flops!r}")
    size = _relative_size(flops)
    return {
        **_rates(optimizer, batch_size),
        "weight_decay": (1e-5, _geometric(2e-4, 5e-5, size), "log"),
        "mixup_alpha": (0.0, _between(0.2, 0.5, size), "linear"),
        "area_factor": _area(_smallest_area(size), _between(0.35, 0.25, size), allowed),
        "label_smoothing": (0.0, _between(0.05, 0.15, size), "linear"),
        **({"ema_decay": _decays(steps)} if steps else {}),
    }


def _rates(optimizer: str | None, batch_size: int) -> dict[str, Prior]:
    """Return the priors of the rate, and of the optimiser where it is tuned."""
    if optimizer is not None:
        require_optimizer(optimizer)
        return {"lr": _rate(optimizer, batch_size)}
    rates = {f"lr.{name}": _rate(name, batch_size) for name in OPTIMIZERS}
    return {"optimizer": OPTIMIZERS, **rates}


def _rate(optimizer: str, batch_size: int) -> Prior:
    low, high, at_batch = LR_RANGES[optimizer]
    return (low * batch_size / at_batch, high * batch_size / at_batch, "log")


def _decays(steps: int) -> Prior:
    """Return decays of moving averages over shares of a training, and 0 for none."""
    windows = [max(SHORTEST_WINDOW, share * steps) for share in WINDOWS]
    return tuple(dict.fromkeys((0.0, *(round(1 - 1 / window, 6) for window in windows))))


def _relative_size(flops: float) -> float:
    """Return 0 for the smallest networks, 1 for the largest, linear in log flops."""
    position = math.log(flops / SMALLEST) / math.log(LARGEST / SMALLEST)
    return min(1.0, max(0.0, position))


def _smallest_area(size: float) -> float:
    """Return where the range of the crop begins: the post's 0.16 at 200 MF, 0.08 from 400 MF on."""
    return _between(0.16, 0.08, min(1.0, 7.5 * size))


def _between(small: float, large: float, size: float) -> float:
    return _rounded(small + (large - small) * size)


def _geometric(small: float, large: float, size: float) -> float:
    return _rounded(small * (large / small) ** size)


def _rounded(value: float) -> float:
    """Return three digits, which is more than a prior knows."""
    return float(f"{value:.3g}")


def _area(low: float, high: float, allowed: Augmentations | None) -> Prior:
    smallest = allowed.min_area_factor if allowed is not None else 0.0
    if smallest >= high:
        return (smallest, 1.0, "linear")
    return (max(low, smallest), high, "linear")
