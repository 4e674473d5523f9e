"""RegNets that were published beyond the 24, by their Keras names.

Sources: timm ``models/regnet.py`` (RegNetY of "Vision Models Are More Robust And Fair When
Pretrained On Uncurated Images Without Supervision", SEER, 2022; RegNetZ as in ClassyVision). The
two RegNetZ are those of "Fast and Accurate Model Scaling" in ClassyVision's reading: timm's
``regnetz_005``, which has a head convolution, and ``regnetz_040``.
"""

from __future__ import annotations

from typing import NamedTuple

from .linear import RegNetParams
from .spec import NetSpec, require_choice


class Larger(NamedTuple):
    """Parameters, block, head convolution and the resolution of the published weights."""

    parameters: RegNetParams
    block: str = "y"
    head_width: int = 0
    resolution: int = 224


LARGER: dict[str, Larger] = {
    "RegNetY640": Larger(RegNetParams(20, 352, 147.48, 2.4, 328), resolution=384),
    "RegNetY1280": Larger(RegNetParams(27, 456, 160.83, 2.52, 264), resolution=384),
    "RegNetY2560": Larger(RegNetParams(27, 640, 230.83, 2.53, 373), resolution=384),
    "RegNetZ005": Larger(RegNetParams(21, 16, 10.7, 2.51, 4, 0.25), "z", 1024),
    "RegNetZ040": Larger(RegNetParams(28, 48, 14.5, 2.226, 8, 0.25), "z", resolution=256),
}


def larger(name: str) -> NetSpec:
    """Return one of these networks.

    Raises
    ------
    ValueError
        If there is none of this name.
    """
    require_choice("name", name, tuple(LARGER))
    parameters, block, head_width, _ = LARGER[name]
    return parameters.to_spec(block=block, head_width=head_width)
