"""EfficientNet-B0 as data, and its complexity: a landmark to scale and to fit.

Stages of mobile inverted bottlenecks: a 1x1 expansion (where it expands), a depthwise
convolution, squeeze-and-excitation and a linear 1x1 projection, all with swish. Counted as pycls
``models/effnet.py`` counts, in the conventions of ``cost``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

from ..compat import make_compatible
from ..layers import (
    Complexity,
    Conv,
    Layer,
    Shape,
    convolve,
    squeeze_excite,
)
from ..scaling import ScalingFactors, scale_depth, scale_width
from ..spec import require_int

STEM_STRIDE = 2
ACTIVATION = "silu"


@dataclass(frozen=True, slots=True)
class MobileStage:
    """A run of ``depth`` blocks of ``width`` output channels; the first carries the stride.

    ``expansion`` is the depthwise convolution's width over the block's input width, ``kernel``
    its size.
    """

    depth: int
    width: int
    expansion: int
    stride: int
    kernel: int


@dataclass(frozen=True, slots=True)
class EfficientNet:
    """Stem, stages and head; ``se_ratio`` is the squeeze width over the block's input width."""

    stages: tuple[MobileStage, ...]
    stem_width: int
    head_width: int
    se_ratio: float = 0.25

    @property
    def total_stride(self) -> int:
        """Input size over the size of the last feature map."""
        return STEM_STRIDE * prod(stage.stride for stage in self.stages)


# Stages of Tan and Le, "EfficientNet" (2019), table 1.
EFFICIENTNET_B0 = EfficientNet(
    stages=(
        MobileStage(1, 16, 1, 1, 3),
        MobileStage(2, 24, 6, 2, 3),
        MobileStage(2, 40, 6, 2, 5),
        MobileStage(3, 80, 6, 2, 3),
        MobileStage(3, 112, 6, 1, 5),
        MobileStage(4, 192, 6, 2, 5),
        MobileStage(1, 320, 6, 1, 3),
    ),
    stem_width=32,
    head_width=1280,
)


def scale_efficientnet(net: EfficientNet, factors: ScalingFactors) -> EfficientNet:
    """Return a scaled EfficientNet (pycls ``models/scaler.py``): stem and head are scaled too.

    Raises
    ------
    ValueError
        If a stage would have more than 1024 blocks.
    """
    stages = tuple(
        replace(
            stage,
            depth=scale_depth(stage.depth, factors.depth),
            width=_scaled_width(stage, factors.width),
        )
        for stage in net.stages
    )
    return replace(
        net,
        stages=stages,
        stem_width=scale_width(net.stem_width, factors.width),
        head_width=scale_width(net.head_width, factors.width),
    )


def _scaled_width(stage: MobileStage, by: float) -> int:
    width, _ = make_compatible(scale_width(stage.width, by), 1, 1 / stage.expansion)
    return width


def efficientnet_complexity(
    net: EfficientNet, *, resolution: int = 224, classes: int = 1000
) -> Complexity:
    """Return the exact complexity of an EfficientNet, in the conventions of ``cost``.

    Raises
    ------
    ValueError
        If resolution or classes is not a positive integer.
    """
    require_int("resolution", resolution)
    require_int("classes", classes)
    total = Complexity()
    for layer in _walk(net, resolution):
        total += layer.cost
    weights = net.head_width * classes + classes
    return total + Complexity(weights, weights, classes)


def _walk(net: EfficientNet, resolution: int) -> Iterator[Layer]:
    """Yield the layers up to the mean over the map."""
    size = Shape(resolution, resolution, 3)
    x = Layer("image", "image", (), size, size)
    x = convolve(x, Conv(net.stem_width, 3, STEM_STRIDE, 1, ACTIVATION), "stem.conv")
    yield x
    for s, stage in enumerate(net.stages, start=1):
        for b in range(1, stage.depth + 1):
            for layer in _block(x, stage, net.se_ratio, f"s{s}.b{b}"):
                yield (x := layer)
    yield convolve(x, Conv(net.head_width, activation=ACTIVATION), "head.conv")


def _block(x: Layer, stage: MobileStage, se_ratio: float, name: str) -> Iterator[Layer]:
    inner = x.output.channels * stage.expansion
    squeeze = int(x.output.channels * se_ratio)
    if stage.expansion != 1:
        x = convolve(x, Conv(inner, activation=ACTIVATION), f"{name}.a")
        yield x
    stride = stage.stride if name.endswith(".b1") else 1
    x = convolve(x, Conv(inner, stage.kernel, stride, inner, ACTIVATION), f"{name}.b")
    yield x
    x = squeeze_excite(x, squeeze, ACTIVATION, f"{name}.se")
    yield x
    yield convolve(x, Conv(stage.width), f"{name}.c")
