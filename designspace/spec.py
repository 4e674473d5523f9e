"""Architectures as data: the only definition of a network in this package.

A network is a stem, a body of stages and a head ("Designing Network Design Spaces", DDS,
section 3.2). A stage is a run of identical blocks; its first block carries the stride.
Widths are final here: they already agree with the group widths (DDS appendix D).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .blocks import (
    ACTIVATIONS,
    BLOCK_FACTS,
    BLOCKS,
    DEFAULT_SE_RATIO,
    STEM_FACTS,
    STEM_TYPES,
    Block,
    Stem,
)

if TYPE_CHECKING:
    from .linear import RegNetParams

DEFAULT_STEM_WIDTH = 32
DEFAULT_GROUP_WIDTH = 8
LARGEST = 2**31 - 1  # of any width, depth or resolution


def require_int(name: str, value: object, low: int = 1, high: int = LARGEST) -> None:
    """Raise ValueError unless ``value`` is an integer in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name} must be an integer, got {value!r}")
    if value < low:
        wanted = "a positive integer" if low == 1 else f"at least {low}"
        raise ValueError(f"{name} must be {wanted}, got {value}")
    if value > high:
        raise ValueError(f"{name} must be at most {high}, got {value}")


def bottleneck_multiplier(bottleneck_ratio: float) -> float:
    """Return m = 1 / b, which is an integer where b < 1 (an inverted bottleneck).

    Raises
    ------
    ValueError
        If b is not from 1 / ``LARGEST`` to ``LARGEST``, or b < 1 and 1 / b is not an integer.
    """
    b = bottleneck_ratio
    if not (math.isfinite(b) and b > 0):
        raise ValueError(f"bottleneck_ratio must be positive, got {b!r}")
    if not 1 / LARGEST <= b <= LARGEST:
        raise ValueError(f"bottleneck_ratio must be from 1/{LARGEST} to {LARGEST}, got {b!r}")
    m = 1.0 / b
    if m <= 1.0:
        return m
    if abs(m - round(m)) > 1e-6 * m:
        raise ValueError(f"bottleneck_ratio below 1 must be 1 / integer, got {b!r}")
    return float(round(m))


@dataclass(frozen=True, slots=True)
class Stage:
    """A run of ``depth`` identical blocks of ``width`` output channels.

    ``bottleneck_ratio`` is DDS's b: the inner width is width / b (b < 1 is inverted).
    ``group_width`` is the number of channels of a group in the 3x3 convolution. Neither
    applies to every block: a network puts its stages into the form that ``of_block`` returns.
    """

    depth: int
    width: int
    stride: int = 2
    group_width: int = DEFAULT_GROUP_WIDTH
    bottleneck_ratio: float = 1.0

    def __post_init__(self) -> None:
        require_int("stage depth", self.depth)
        require_int("stage width", self.width)
        require_int("stage stride", self.stride)
        require_int("group_width", self.group_width)
        inner = self.inner_width
        if inner < 1 or inner % self.group_width:
            raise ValueError(
                f"group_width {self.group_width} does not divide the inner width {inner} "
                f"of a stage of width {self.width}"
            )

    @property
    def inner_width(self) -> int:
        """Channels of the 3x3 convolution."""
        return round(self.width * bottleneck_multiplier(self.bottleneck_ratio))

    @property
    def groups(self) -> int:
        """Groups of the 3x3 convolution."""
        return self.inner_width // self.group_width

    def of_block(self, block: str) -> Stage:
        """Return the stage as a block has it.

        One without groups has one group, as wide as the 3x3 convolution; one without a
        bottleneck has the ratio 1.
        """
        facts = BLOCK_FACTS[block]
        ratio = self.bottleneck_ratio if facts.bottleneck else 1.0
        if facts.grouped or (ratio, self.groups) == (self.bottleneck_ratio, 1):
            return self
        inner = self.inner_width if facts.bottleneck else self.width
        return replace(self, group_width=inner, bottleneck_ratio=ratio)


@dataclass(frozen=True, slots=True)
class NetSpec:
    """One architecture: stem, stages and head.

    ``block`` and ``stem_type`` are described in ``blocks``. ``se_ratio`` is the
    squeeze-and-excitation width over the block's *input* width (DDS section 5 uses 1/4 for y;
    z may have any, the others none). ``head_width`` 0 means no head convolution. Stages are
    kept in the form that the block has (``Stage.of_block``). ``parameters`` holds the RegNet
    parameters that the stages came from, where they did.
    """

    stages: tuple[Stage, ...]
    block: str = "x"
    se_ratio: float = 0.0
    stem_type: str = "simple"
    stem_width: int = DEFAULT_STEM_WIDTH
    head_width: int = 0
    activation: str = "relu"
    parameters: RegNetParams | None = None

    def __post_init__(self) -> None:
        require_choice("block", self.block, BLOCKS)
        require_choice("stem_type", self.stem_type, STEM_TYPES)
        require_choice("activation", self.activation, ACTIVATIONS)
        require_int("stem_width", self.stem_width)
        require_int("head_width", self.head_width, low=0)
        if not self.stages:
            raise ValueError("a network needs at least one stage, got none")
        require_se_ratio(self.block, self.se_ratio)
        stages = tuple(stage.of_block(self.block) for stage in self.stages)
        object.__setattr__(self, "stages", stages)

    @property
    def block_facts(self) -> Block:
        """What the blocks consist of."""
        return BLOCK_FACTS[self.block]

    @property
    def stem_facts(self) -> Stem:
        """What the stem consists of."""
        return STEM_FACTS[self.stem_type]

    @property
    def depth(self) -> int:
        """Blocks in all stages together."""
        return sum(stage.depth for stage in self.stages)

    @property
    def total_stride(self) -> int:
        """Input size over the size of the last feature map."""
        return self.stem_facts.total_stride * math.prod(stage.stride for stage in self.stages)


def require_resolution(total_stride: int, *sizes: int) -> None:
    """Raise ValueError if an image is smaller than a network of this total stride needs."""
    for size in sizes:
        require_int("resolution", size)
        if size < total_stride:
            raise ValueError(
                f"resolution must be at least {total_stride} px for a network of total stride "
                f"{total_stride}, got {size}"
            )


def require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise ValueError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def require_se_ratio(block: str, se_ratio: float) -> None:
    """Raise ValueError unless the squeeze ratio is in [0, 1] and suits the block."""
    if not 0 <= se_ratio <= 1:
        raise ValueError(f"se_ratio must be in [0, 1], got {se_ratio!r}")
    squeeze = BLOCK_FACTS[block].squeeze
    if squeeze == "never" and se_ratio > 0:
        raise ValueError(
            f"block {block} has no squeeze-and-excitation: se_ratio must be 0, got {se_ratio}"
        )
    if squeeze == "always" and se_ratio == 0:
        raise ValueError(f"block {block} needs a positive se_ratio, got 0")


__all__ = [
    "ACTIVATIONS",
    "BLOCKS",
    "DEFAULT_GROUP_WIDTH",
    "DEFAULT_SE_RATIO",
    "DEFAULT_STEM_WIDTH",
    "STEM_TYPES",
    "NetSpec",
    "Stage",
    "bottleneck_multiplier",
    "require_choice",
    "require_int",
    "require_resolution",
    "require_se_ratio",
]
