"""A network as the list of its layers: the one walk that all costs are counted from.

A layer is a convolution with its batch norm and activation, a max pooling, a
squeeze-and-excitation, an addition, the mean over the map or the fully connected layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from .spec import NetSpec, Stage, require_int

Resolution = int | tuple[int, int]
SqueezeWidth = Callable[[float], int]


@dataclass(frozen=True, slots=True)
class Complexity:
    """Multiply-adds, parameters and activations of one image through one network."""

    flops: int = 0
    params: int = 0
    acts: int = 0

    def __add__(self, other: Complexity) -> Complexity:
        return Complexity(
            self.flops + other.flops, self.params + other.params, self.acts + other.acts
        )


FREE = Complexity()


class Shape(NamedTuple):
    """Height, width and channels of a feature map."""

    height: int
    width: int
    channels: int

    @property
    def elements(self) -> int:
        """Numbers in the map."""
        return self.height * self.width * self.channels


class Conv(NamedTuple):
    """A convolution without bias, with batch norm and perhaps an activation."""

    width: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    activation: str = ""


class Layer(NamedTuple):
    """One layer of a network.

    Attributes
    ----------
    name
        Part and place: ``stem.conv``, ``s1.b2.a`` (stage 1, block 2, first convolution),
        ``s1.b2.shortcut``, ``head.fc``.
    kind
        ``image`` (the input), ``conv``, ``pool``, ``se``, ``add``, ``mean`` or ``fc``.
    sources
        Names of the layers whose outputs it reads.
    input, output
        Shapes, of one image.
    cost
        What it adds to the complexity, batch norm included.
    kernel, stride, groups
        Of a convolution or pooling, else 1.
    squeeze
        Channels between the two convolutions of a squeeze-and-excitation, else 0.
    activation
        What follows, or the activation within a squeeze-and-excitation; empty for none.
    """

    name: str
    kind: str
    sources: tuple[str, ...]
    input: Shape
    output: Shape
    cost: Complexity = FREE
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    squeeze: int = 0
    activation: str = ""

    @property
    def part(self) -> str:
        """``image``, ``stem``, ``s1``, ``s2`` ... or ``head``."""
        return self.name.partition(".")[0]


def height_and_width(resolution: Resolution) -> tuple[int, int]:
    """Return height and width of a resolution, which is one number for a square.

    Raises
    ------
    ValueError
        If one is not a positive integer.
    """
    h, w = resolution if isinstance(resolution, tuple) else (resolution, resolution)
    require_int("resolution", h)
    require_int("resolution", w)
    return h, w


def read_resolution(text: str) -> Resolution:
    """Return a resolution from ``224`` or, height first, ``320x256``.

    Raises
    ------
    ValueError
        If it is neither, or a size is not positive.
    """
    try:
        sizes = [int(part) for part in text.lower().split("x")]
    except ValueError:
        sizes = []
    if len(sizes) not in (1, 2):
        raise ValueError(f"cannot read the resolution {text!r}: write 224 or 320x256")
    resolution = sizes[0] if len(sizes) == 1 else (sizes[0], sizes[1])
    height_and_width(resolution)
    return resolution


def walk(
    spec: NetSpec,
    *,
    resolution: Resolution = 224,
    channels: int = 3,
    classes: int = 1000,
    squeeze_width: SqueezeWidth = round,
) -> Iterator[Layer]:
    """Yield the layers of a network in the order in which they run, the input first.

    A block's transform runs before its shortcut.

    Parameters
    ----------
    spec
        The architecture.
    resolution
        Input height and width in pixels, or one number for both.
    channels, classes
        Input channels and classes of the fully connected layer, both at least 1.
    squeeze_width
        Makes a number of channels of block input width times ``se_ratio``; libraries differ
        (``regnet.weights.conventions``).

    Raises
    ------
    ValueError
        If a size is not a positive integer.
    """
    h, w = height_and_width(resolution)
    require_int("channels", channels)
    require_int("classes", classes)
    size = Shape(h, w, channels)
    x = Layer("image", "image", (), size, size)
    yield x
    for layer in _stem(x, spec):
        yield (x := layer)
    for s, stage in enumerate(spec.stages, start=1):
        for b in range(1, stage.depth + 1):
            stride = stage.stride if b == 1 else 1
            for layer in _block(x, stage, spec, stride, f"s{s}.b{b}", squeeze_width):
                yield (x := layer)
    yield from _head(x, spec, classes)


def convolve(x: Layer, conv: Conv, name: str) -> Layer:
    """A strided layer rounds up; batch norm has 2 parameters a channel."""
    width, kernel, stride, groups, activation = conv
    h, w, channels = x.output
    h, w = -(-h // stride), -(-w // stride)
    weights = kernel * kernel * channels * width // groups
    cost = Complexity(weights * h * w, weights + 2 * width, width * h * w)
    out, sources = Shape(h, w, width), (x.name,)
    return Layer(name, "conv", sources, x.output, out, cost, kernel, stride, groups, 0, activation)


def _stem(x: Layer, spec: NetSpec) -> Iterator[Layer]:
    kernel, stride, pool = spec.stem_facts
    x = convolve(x, Conv(spec.stem_width, kernel, stride, 1, spec.activation), "stem.conv")
    yield x
    if pool:
        h, w, channels = x.output
        out = Shape(-(-h // 2), -(-w // 2), channels)
        cost = Complexity(acts=out.elements)
        yield Layer("stem.pool", "pool", (x.name,), x.output, out, cost, kernel=3, stride=2)


def _block(
    x: Layer, stage: Stage, spec: NetSpec, stride: int, name: str, squeeze_width: SqueezeWidth
) -> Iterator[Layer]:
    """The transform, then the shortcut, if any, and their sum (DDS figures 4 and 23)."""
    facts = spec.block_facts
    y = x
    for letter, conv in _convolutions(stage, spec, stride):
        y = convolve(y, conv, f"{name}.{letter}")
        yield y
        squeeze = squeeze_width(x.output.channels * spec.se_ratio) if letter == "b" else 0
        if squeeze:  # none where it rounds to nothing, as in pycls
            y = squeeze_excite(y, squeeze, spec.activation, f"{name}.se")
            yield y
    same = x.output == y.output and stride == 1
    if facts.shortcut == "none" or (facts.shortcut == "identity" and not same):
        return
    if not same:
        x = convolve(x, Conv(stage.width, 1, stride), f"{name}.shortcut")
        yield x
    activation = spec.activation if facts.final_activation else ""
    sources = (y.name, x.name)
    yield Layer(f"{name}.add", "add", sources, y.output, y.output, activation=activation)


def _convolutions(stage: Stage, spec: NetSpec, stride: int) -> list[tuple[str, Conv]]:
    """The convolutions of a block's transform, by letter."""
    facts, activation = spec.block_facts, spec.activation
    if facts.bottleneck:
        inner = stage.inner_width
        return [
            ("a", Conv(inner, 1, 1, 1, activation)),
            ("b", Conv(inner, 3, stride, stage.groups, activation)),
            ("c", Conv(stage.width)),
        ]
    last = activation if facts.shortcut == "none" else ""  # else it follows the addition
    if facts.n_convs == 1:
        return [("a", Conv(stage.width, 3, stride, 1, last))]
    return [
        ("a", Conv(stage.width, 3, stride, 1, activation)),
        ("b", Conv(stage.width, 3, 1, 1, last)),
    ]


def squeeze_excite(x: Layer, squeeze: int, activation: str, name: str) -> Layer:
    """Two 1x1 convolutions with bias at 1x1 resolution, whose output scales x."""
    channels = x.output.channels
    weights = 2 * channels * squeeze + squeeze + channels
    cost = Complexity(weights, weights, squeeze + channels)
    sizes = (x.output, x.output)
    return Layer(name, "se", (x.name,), *sizes, cost, squeeze=squeeze, activation=activation)


def _head(x: Layer, spec: NetSpec, classes: int) -> Iterator[Layer]:
    if spec.head_width:
        x = convolve(x, Conv(spec.head_width, activation=spec.activation), "head.conv")
        yield x
    mean = Layer("head.mean", "mean", (x.name,), x.output, Shape(1, 1, x.output.channels))
    yield mean
    weights = mean.output.channels * classes + classes
    cost = Complexity(weights, weights, classes)
    yield Layer("head.fc", "fc", (mean.name,), mean.output, Shape(1, 1, classes), cost)
