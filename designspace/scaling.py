"""Scaling a network to another complexity ("Fast and Accurate Model Scaling", FMS, 2021).

A type of scaling says how a factor s in FLOPs is shared between depth d, width w, group width g
and resolution r, so that ``d w^2 r^2 = s``. The fast compound scaling of FMS is
``d1_w8_g8_r1``. Rounding is that of pycls ``models/scaler.py``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from .compat import as_block_has, make_compatible
from .linear import MAX_DEPTH, WIDTH_STEP
from .spec import NetSpec, Stage

LETTERS = "dwgr"
FAST = "d1_w8_g8_r1"
RESOLUTION_STEP = 4
LARGEST_FACTOR = 1e6


@dataclass(frozen=True, slots=True)
class ScalingFactors:
    """What depth, width, group width and resolution are multiplied by, each above 0."""

    depth: float = 1.0
    width: float = 1.0
    group_width: float = 1.0
    resolution: float = 1.0


def scaling_factors(kind: str, factor: float) -> ScalingFactors:
    """Return the factors of a type of scaling, such as ``d1_w8_g8_r1`` (pycls ``scaler.py``).

    Parameters
    ----------
    kind
        Weights of the letters d, w, g and r, as ``d1_w2_g2``; or letters alone, as ``dwr``, which
        weigh 1 each; or nothing, which changes nothing. The others weigh 0.
    factor
        The factor s in FLOPs, above 0. With the weights a, b, c, e and S = a + b + e (c / 2 where
        that is 0): depth s^(a/S), width s^(b/2S), group width s^(c/2S), resolution s^(e/2S).

    Raises
    ------
    ValueError
        If a letter is none of d, w, g and r, a weight is negative or not a number, or the factor
        is not above 0.
    """
    require_factor(factor)
    weights = _weights(kind)
    whole = weights["d"] + weights["w"] + weights["r"] or weights["g"] / 2 or 1.0
    return ScalingFactors(
        depth=factor ** (weights["d"] / whole),
        width=factor ** (weights["w"] / whole / 2),
        group_width=factor ** (weights["g"] / whole / 2),
        resolution=factor ** (weights["r"] / whole / 2),
    )


def family_factors(alpha: float, factor: float) -> ScalingFactors:
    """Return the factors of the family of FMS: e_w = alpha, e_d = e_r = (1 - alpha) / 2.

    Depth s^(e_d), width and group width s^(e_w / 2), resolution s^(e_r / 2). alpha = 0.8 is the
    fast compound scaling, 1/3 the uniform one, 1 scales the width alone.

    Raises
    ------
    ValueError
        If alpha is not in [0, 1], or the factor is not above 0.
    """
    require_factor(factor)
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be in [0, 1], got {alpha!r}")
    rest = (1 - alpha) / 2
    width = factor ** (alpha / 2)
    return ScalingFactors(factor**rest, width, width, factor ** (rest / 2))


def scale(spec: NetSpec, factors: ScalingFactors) -> NetSpec:
    """Return a network with scaled stages; stem and head stay, as in pycls.

    A RegNet becomes an AnyNet first, from its adjusted widths and groups. Depths are rounded,
    widths rounded to 8, group widths as ``scale_group_width``, and both made compatible again.

    Raises
    ------
    ValueError
        If a stage would have more than 1024 blocks, or a width beyond 2^31 - 1.
    """
    stages = tuple(_scaled(stage, spec.block, factors) for stage in spec.stages)
    return replace(spec, stages=stages, parameters=None)


def scale_depth(depth: int, by: float) -> int:
    """Return the scaled blocks of a stage, 1 to 1024.

    Raises
    ------
    ValueError
        If there would be more.
    """
    scaled = max(1, round(depth * by))
    if scaled > MAX_DEPTH:
        raise ValueError(f"a stage would have {scaled} blocks, at most {MAX_DEPTH} are possible")
    return scaled


def scale_width(width: int, by: float) -> int:
    """Return the scaled width, a positive multiple of 8."""
    return max(1, round(width * by / WIDTH_STEP)) * WIDTH_STEP


def scale_group_width(group_width: int, by: float) -> int:
    """Return the scaled group width: 1, 2, 4 or a multiple of 8."""
    scaled = max(1, round(group_width * by))
    if scaled <= 2:
        return scaled
    return 4 if scaled <= 5 else round(scaled / WIDTH_STEP) * WIDTH_STEP


def scale_resolution(resolution: int, by: float) -> int:
    """Return the scaled input size in pixels, a multiple of 4."""
    return round(resolution * by / RESOLUTION_STEP) * RESOLUTION_STEP


def require_factor(factor: float) -> None:
    """Raise ValueError unless a factor in FLOPs is above 0 and at most a million."""
    if not 0 < factor <= LARGEST_FACTOR:  # NaN too
        raise ValueError(
            f"the factor must be above 0 and at most {LARGEST_FACTOR:g}, got {factor!r}"
        )


def _scaled(stage: Stage, block: str, factors: ScalingFactors) -> Stage:
    group = scale_group_width(stage.group_width, factors.group_width)
    group, ratio = as_block_has(block, group, stage.bottleneck_ratio)
    width, group = make_compatible(scale_width(stage.width, factors.width), group, ratio)
    return Stage(scale_depth(stage.depth, factors.depth), width, stage.stride, group, ratio)


def _weights(kind: str) -> dict[str, float]:
    if all(letter in LETTERS for letter in kind):
        return {letter: float(letter in kind) for letter in LETTERS}
    weights = dict.fromkeys(LETTERS, 0.0)
    for part in kind.split("_"):
        letter, number = part[:1], part[1:]
        if letter not in LETTERS or not letter:
            raise ValueError(
                f"unknown letter {letter!r} in the scaling {kind!r}: expected d, w, g or r "
                f"(depth, width, group width, resolution), as in {FAST}"
            )
        weights[letter] = _weight(number, kind)
    return weights


def _weight(text: str, kind: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not (math.isfinite(weight) and weight >= 0):
        raise ValueError(f"a weight must be at least 0, got {text!r} in the scaling {kind!r}")
    return weight
