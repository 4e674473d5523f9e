"""Budgets on complexity: closed ranges of flops, params and acts, and their grammar.

``4G`` means plus or minus a tolerance, ``LO:HI``, ``LO:`` and ``:HI`` are closed ranges.
Sizes read ``4G``, ``400M``, ``4.0GF``, ``4e9``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from .arrays import Bools, Ints

DEFAULT_TOLERANCE = 0.05
SUFFIXES = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_SIZE = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*([KMGT]?)F?\s*", re.IGNORECASE)

Range = tuple[float, float]


def parse_size(text: str) -> float:
    """Return the number that a size such as ``4G``, ``400MF`` or ``4e9`` stands for.

    Raises
    ------
    ValueError
        If it is not a size, or is not finite.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(
            f"cannot read the size {text!r}: write a number with K, M, G or T, as in 4G"
        )
    value = float(match[1]) * SUFFIXES[match[2].upper()]
    if not math.isfinite(value):
        raise ValueError(f"the size {text!r} is too large")
    return value


def parse_range(text: str, tolerance: float = DEFAULT_TOLERANCE) -> Range:
    """Return the closed range of a budget: ``4G``, ``LO:HI``, ``LO:`` or ``:HI``.

    ``tolerance`` is the fraction either side of a single size, in [0, 1).
    """
    if not 0 <= tolerance < 1:
        raise ValueError(f"tolerance must be in [0, 1), got {tolerance!r}")
    low_text, colon, high_text = text.partition(":")
    if not colon:
        size = parse_size(text)
        return size * (1 - tolerance), size * (1 + tolerance)
    if not low_text.strip() and not high_text.strip():
        raise ValueError(f"the budget {text!r} names no size: write LO:HI, LO: or :HI")
    low = parse_size(low_text) if low_text.strip() else 0.0
    high = parse_size(high_text) if high_text.strip() else math.inf
    if low > high:
        raise ValueError(f"the budget {text!r} is inverted: {low_text} is above {high_text}")
    return low, high


def format_size(value: float) -> str:
    """Return a size with three significant digits and a suffix: 3960000000 -> 3.96G."""
    if not math.isfinite(value):
        return "inf"
    for suffix, unit in reversed(SUFFIXES.items()):
        if abs(value) >= 0.9995 * unit and suffix:
            digits = f"{value / unit:#.3g}"
            return digits.rstrip(".") + suffix
    return f"{value:.0f}"


@dataclass(frozen=True, slots=True)
class Budget:
    """Closed ranges, (low, high), of each complexity; None means no limit.

    All are counted at the resolution and classes of the networks that it is held against.
    """

    flops: Range | None = None
    params: Range | None = None
    acts: Range | None = None

    def __post_init__(self) -> None:
        for name in ("flops", "params", "acts"):
            limits = getattr(self, name)
            if limits is None:
                continue
            low, high = limits
            if not (low <= high) or high < 0:
                raise ValueError(
                    f"the {name} budget must be a range from low to high, got {limits}"
                )

    def limits(self) -> dict[str, Range]:
        """Return the ranges that are set, in the order in which they are tested."""
        named = {"flops": self.flops, "params": self.params, "acts": self.acts}
        return {name: limits for name, limits in named.items() if limits is not None}

    def describe(self) -> str:
        """Return the budget in words, such as ``flops 3.80G to 4.20G``."""
        parts = [
            f"{name} {format_size(low)} to {format_size(high)}"
            for name, (low, high) in self.limits().items()
        ]
        return ", ".join(parts) or "no budget"


def within(values: Ints, limits: Range) -> Bools:
    """Return which values lie in the closed range."""
    return np.asarray((values >= limits[0]) & (values <= limits[1]))
