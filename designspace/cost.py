"""Exact complexity of an architecture, without building it.

Conventions (those of DDS and pycls): FLOPs are multiply-adds of one image, of convolutions
(plus bias adds) and of the fully connected layer; params are all weights but moving
statistics; acts are the elements of the outputs of all convolutions and of the fully
connected layer. A strided layer rounds up.

``complexity`` folds one network layer by layer; ``complexity_batch`` is its twin over arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arrays import Floats, Ints
from .spec import NetSpec, Stage, require_int

Resolution = int | tuple[int, int]


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


@dataclass(frozen=True, slots=True)
class _Map:
    """A feature map on its way through the network, and the cost so far."""

    h: int
    w: int
    channels: int
    cost: Complexity = Complexity()

    def add(self, cost: Complexity) -> _Map:
        return _Map(self.h, self.w, self.channels, self.cost + cost)


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
    """
    h, w = (resolution, resolution) if isinstance(resolution, int) else resolution
    for name, value in (("resolution", h), ("resolution", w)):
        require_int(name, value)
    require_int("channels", channels)
    require_int("classes", classes)
    x = _conv_bn(_Map(h, w, channels), 3, spec.stem_width, stride=2)
    for stage in spec.stages:
        for block in range(stage.depth):
            x = _block(x, stage, stage.stride if block == 0 else 1, spec.se_ratio)
    if spec.head_width:
        x = _conv_bn(x, 1, spec.head_width)
    return x.cost + Complexity(
        flops=x.channels * classes + classes, params=x.channels * classes + classes, acts=classes
    )


def _conv_bn(x: _Map, kernel: int, out: int, stride: int = 1, groups: int = 1) -> _Map:
    """A convolution without bias and its batch norm (2 parameters a channel)."""
    h, w = -(-x.h // stride), -(-x.w // stride)
    weights = kernel * kernel * x.channels * out // groups
    cost = Complexity(flops=weights * h * w, params=weights + 2 * out, acts=out * h * w)
    return _Map(h, w, out, x.cost + cost)


def _squeeze_excite(x: _Map, squeeze: int) -> Complexity:
    """Two 1x1 convolutions with bias at 1x1 resolution."""
    weights = 2 * x.channels * squeeze + squeeze + x.channels
    return Complexity(flops=weights, params=weights, acts=squeeze + x.channels)


def _block(x: _Map, stage: Stage, stride: int, se_ratio: float) -> _Map:
    """A residual bottleneck block, X or Y (DDS figure 4)."""
    y = _conv_bn(x, 1, stage.inner_width)
    y = _conv_bn(y, 3, stage.inner_width, stride, stage.groups)
    if se_ratio:
        y = y.add(_squeeze_excite(y, round(x.channels * se_ratio)))
    y = _conv_bn(y, 1, stage.width)
    if x.channels != stage.width or stride != 1:
        shortcut = _conv_bn(_Map(x.h, x.w, x.channels), 1, stage.width, stride)
        y = y.add(shortcut.cost)
    return y


def complexity_batch(
    *,
    stage_widths: Ints,
    stage_depths: Ints,
    stage_strides: Ints,
    stage_group_widths: Ints,
    stage_bottleneck_ratios: Floats,
    se_ratio: Floats,
    stem_width: Ints,
    head_width: Ints,
    resolution: Ints,
    classes: Ints,
    channels: int = 3,
) -> tuple[Ints, Ints, Ints]:
    """Return flops, params and acts of n networks, each int64 of shape (n,).

    Stage arrays have shape (n, s), with depth 0 where a network has no such stage; the others
    have shape (n,). Equal to ``complexity`` row by row, for square inputs.
    """
    h = -(-resolution // 2)
    c = stem_width
    pixels = h * h
    weights = 9 * channels * c
    flops, params, acts = weights * pixels, weights + 2 * c, c * pixels
    for s in range(stage_widths.shape[1]):
        depth, w, stride = stage_depths[:, s], stage_widths[:, s], stage_strides[:, s]
        here = depth > 0
        m = 1.0 / np.where(here, stage_bottleneck_ratios[:, s], 1.0)
        v = np.rint(w * m).astype(np.int64)
        inner = 9 * v * stage_group_widths[:, s]
        h_out = -(-h // np.maximum(stride, 1))
        before, after = h * h, h_out * h_out
        project = (c != w) | (stride != 1)
        shortcut = np.where(project, c * w, 0)
        rest = depth - 1
        se_first, se_first_acts = _squeeze_batch(c, v, se_ratio)
        se_rest, se_rest_acts = _squeeze_batch(w, v, se_ratio)
        stage_flops = (
            c * v * before + (inner + v * w + shortcut) * after + se_first
            + rest * ((w * v + inner + v * w) * after + se_rest)
        )  # fmt: skip
        stage_params = (
            c * v + inner + v * w + shortcut + 4 * v + 2 * w * (1 + project) + se_first
            + rest * (w * v + inner + v * w + 4 * v + 2 * w + se_rest)
        )  # fmt: skip
        stage_acts = (
            v * before + (v + w * (1 + project)) * after + se_first_acts
            + rest * ((2 * v + w) * after + se_rest_acts)
        )  # fmt: skip
        flops = flops + np.where(here, stage_flops, 0)
        params = params + np.where(here, stage_params, 0)
        acts = acts + np.where(here, stage_acts, 0)
        c, h = np.where(here, w, c), np.where(here, h_out, h)
    head, pixels = head_width, h * h
    flops = flops + c * head * pixels
    params = params + c * head + 2 * head
    acts = acts + head * pixels
    c = np.where(head > 0, head, c)
    dense = c * classes + classes
    return flops + dense, params + dense, acts + classes


def _squeeze_batch(c: Ints, v: Ints, se_ratio: Floats) -> tuple[Ints, Ints]:
    squeeze = np.rint(c * se_ratio).astype(np.int64)
    present = se_ratio > 0
    weights = 2 * v * squeeze + squeeze + v
    return np.where(present, weights, 0), np.where(present, squeeze + v, 0)
