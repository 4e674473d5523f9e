"""Design spaces as data: the law of each parameter and the rule on stages.

``regnetx`` has the ranges, quanta and laws of pycls's sampler; ``regnetx-dds`` those of DDS
section 3.3; ``regnety`` is ``regnetx`` with squeeze-and-excitation (DDS section 5).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from .laws import Fixed, Law, LogUniform, PowerOfTwo, PowerOfTwoOrLogUniform, Uniform


@dataclass(frozen=True)
class DesignSpace:
    """A population of RegNets: one law a parameter, one block, one number of stages.

    Every network has exactly ``stages`` stages, and no level of the quantisation is skipped.
    """

    name: str
    block: str
    depth: Law
    w0: Law
    wa: Law
    wm: Law
    group_width: Law
    bottleneck_ratio: Law
    stages: int = 4
    source: str = ""

    @cached_property
    def laws(self) -> dict[str, Law]:
        """The law of each parameter, in the order in which they take their uniforms."""
        return {
            "depth": self.depth,
            "w0": self.w0,
            "wa": self.wa,
            "wm": self.wm,
            "group_width": self.group_width,
            "bottleneck_ratio": self.bottleneck_ratio,
        }


_REGNETX = DesignSpace(
    name="regnetx",
    block="x",
    depth=Uniform(12, 28, 1),
    w0=LogUniform(8, 256, 8),
    wa=LogUniform(8.0, 256.0, 0.1),
    wm=LogUniform(2.0, 3.0, 0.001),
    group_width=PowerOfTwoOrLogUniform(8, 128, 8),
    bottleneck_ratio=Fixed(1.0),
    source="pycls sweep/config.py and sweep/samplers.py, defaults",
)

_REGNETX_DDS = DesignSpace(
    name="regnetx-dds",
    block="x",
    depth=Uniform(1, 63, 1),
    w0=LogUniform(8, 248, 8),
    wa=LogUniform(8.0, 255.9, 0.1),
    wm=LogUniform(1.5, 3.0, 0.001),
    group_width=PowerOfTwo(1, 32),
    bottleneck_ratio=PowerOfTwo(1, 4),
    source="DDS section 3.3; the laws are those of pycls's sampler",
)

SPACES: dict[str, DesignSpace] = {
    space.name: space
    for space in (
        _REGNETX,
        replace(_REGNETX, name="regnety", block="y", source="DDS section 5"),
        _REGNETX_DDS,
    )
}


def find_space(name: str) -> DesignSpace:
    """Return a space by name.

    Raises
    ------
    ValueError
        If there is none; the message names the nearest.
    """
    space = SPACES.get(name.strip().lower())
    if space is None:
        import difflib

        nearest = difflib.get_close_matches(name.lower(), SPACES, n=1, cutoff=0.0)[0]
        raise ValueError(f"unknown space {name!r} (nearest: {nearest}; all: {', '.join(SPACES)})")
    return space
