"""The published design spaces, and the way from one to the next.

``anynetx-a`` to ``anynetx-e`` are DDS section 3.2, built by its own steps; ``regnetx-dds`` is
section 3.3, ``regnetx-narrow`` section 4; ``regnetx`` has the ranges, quanta and laws of pycls's
sampler, ``regnety`` and ``regnetz`` the same with their blocks.
"""

from __future__ import annotations

from pathlib import Path

from .constraints import bounds, fixed, limited, nondecreasing, shared
from .laws import Fixed, LogUniform, PowerOfTwo, PowerOfTwoOrLogUniform, Uniform
from .spaces import DesignSpace, Parameter

_A = DesignSpace(
    name="anynetx-a",
    family="anynet",
    parameters=(
        Parameter("depth", (LogUniform(1, 16, 1),), per_stage=True),
        Parameter("width", (LogUniform(8, 1024, 8),), per_stage=True),
        Parameter("bottleneck_ratio", (PowerOfTwo(1, 4),), per_stage=True),
        Parameter("group_width", (PowerOfTwo(1, 32),), per_stage=True),
    ),
    source="DDS section 3.2",
)
_B = (_A & shared("bottleneck_ratio")).named("anynetx-b")
_C = (_B & shared("group_width")).named("anynetx-c")
_D = (_C & nondecreasing("width")).named("anynetx-d")
_E = (_D & nondecreasing("depth")).named("anynetx-e")

_REGNETX = DesignSpace(
    name="regnetx",
    family="regnet",
    parameters=(
        Parameter("depth", (Uniform(12, 28, 1),)),
        Parameter("w0", (LogUniform(8, 256, 8),)),
        Parameter("wa", (LogUniform(8.0, 256.0, 0.1),)),
        Parameter("wm", (LogUniform(2.0, 3.0, 0.001),)),
        Parameter("group_width", (PowerOfTwoOrLogUniform(8, 128, 8),)),
        Parameter("bottleneck_ratio", (Fixed(1.0),)),
    ),
    source="pycls sweep/config.py and sweep/samplers.py, defaults",
)
_DDS = DesignSpace(
    name="regnetx-dds",
    family="regnet",
    parameters=(
        Parameter("depth", (Uniform(1, 63, 1),)),
        Parameter("w0", (LogUniform(8, 248, 8),)),
        Parameter("wa", (LogUniform(8.0, 255.9, 0.1),)),
        Parameter("wm", (LogUniform(1.5, 3.0, 0.001),)),
        Parameter("group_width", (PowerOfTwo(1, 32),)),
        Parameter("bottleneck_ratio", (PowerOfTwo(1, 4),)),
    ),
    source="DDS section 3.3; the laws are those of pycls's sampler",
)
_NARROW = _DDS & fixed("bottleneck_ratio", 1) & limited("depth", high=40) & limited("wm", low=2.0)

SPACES: dict[str, DesignSpace] = {
    space.name: space
    for space in (
        _REGNETX,
        _REGNETX.with_block("y").named("regnety", "DDS section 5; ranges of regnetx"),
        (_REGNETX.with_block("z") & fixed("bottleneck_ratio", 0.25)).named(
            "regnetz", "the block of FMS in pycls; ranges of regnetx"
        ),
        _DDS,
        (_NARROW & bounds()).named("regnetx-narrow", "DDS section 4"),
        _A,
        _B,
        _C,
        _D,
        _E,
    )
}


def find_space(name: str) -> DesignSpace:
    """Return a published space by name, or that of a file by its path (.yaml or .yml).

    Raises
    ------
    ValueError
        If there is none; the message names the nearest. If the file is no design space; the
        message lists every fault (``space_files``).
    """
    if name.strip().lower().endswith((".yaml", ".yml")):
        from .space_files.reader import read_space

        return read_space(Path(name))
    space = SPACES.get(name.strip().lower())
    if space is None:
        import difflib

        nearest = difflib.get_close_matches(name.lower(), SPACES, n=1, cutoff=0.0)[0]
        raise ValueError(
            f"unknown space {name!r} (nearest: {nearest}; all: {', '.join(SPACES)}, "
            "or a .yaml file)"
        )
    return space
