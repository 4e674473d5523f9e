"""Exact complexity of an architecture, without building it.

Conventions (those of DDS and pycls): FLOPs are multiply-adds of one image, of convolutions
(plus bias adds) and of the fully connected layer; params are all weights but moving
statistics; acts are the elements of the outputs of all convolutions, of max pooling and of the
fully connected layer. A strided layer rounds up.

``complexity`` adds up the layers of one network; ``complexity_batch`` is its twin over arrays.
"""

from __future__ import annotations

from .cost_batch import METRICS, complexity_batch
from .layers import Complexity, Resolution, walk
from .spec import NetSpec


def complexity(
    spec: NetSpec, *, resolution: Resolution = 224, channels: int = 3, classes: int = 1000
) -> Complexity:
    """Return the exact complexity of a network.

    Parameters
    ----------
    spec
        The architecture.
    resolution
        Input height and width in pixels, or one number for both.
    channels, classes
        Input channels and classes of the fully connected layer, both at least 1.

    Raises
    ------
    ValueError
        If a size is not a positive integer.
    """
    flops = params = acts = 0
    for layer in walk(spec, resolution=resolution, channels=channels, classes=classes):
        cost = layer.cost
        flops += cost.flops
        params += cost.params
        acts += cost.acts
    return Complexity(flops, params, acts)


def stage_complexity(
    spec: NetSpec, *, resolution: Resolution = 224, channels: int = 3, classes: int = 1000
) -> dict[str, Complexity]:
    """Return the complexity of each part: ``stem``, ``s1``, ``s2`` ... and ``head``.

    Their sum is ``complexity``, whose parameters these are.
    """
    parts: dict[str, Complexity] = {}
    for layer in walk(spec, resolution=resolution, channels=channels, classes=classes):
        if layer.kind != "image":
            parts[layer.part] = parts.get(layer.part, Complexity()) + layer.cost
    return parts


__all__ = [
    "METRICS",
    "Complexity",
    "Resolution",
    "complexity",
    "complexity_batch",
    "stage_complexity",
]
