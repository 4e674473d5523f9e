"""Networks of other papers that ours are measured against, by name.

ResNet-50 (He et al. 2016, table 1): b = 4, a 7x7 stem with max pooling. It is written, as in
pycls, as block x with one group as wide as the 3x3 convolution, so that scaling rounds that group
as pycls does; block r would keep one group. EfficientNet-B0 is in ``efficientnet``.
"""

from __future__ import annotations

import difflib

from ..catalogue import canonical, canonical_name
from ..spec import NetSpec, Stage
from .efficientnet import EFFICIENTNET_B0, EfficientNet

RESNET_50 = NetSpec(
    stages=(
        Stage(3, 256, 1, 64, 4.0),
        Stage(4, 512, 2, 128, 4.0),
        Stage(6, 1024, 2, 256, 4.0),
        Stage(3, 2048, 2, 512, 4.0),
    ),
    stem_type="resnet",
    stem_width=64,
)
LANDMARKS: dict[str, NetSpec | EfficientNet] = {
    "resnet-50": RESNET_50,
    "efficientnet-b0": EFFICIENTNET_B0,
}


def find_network(name: str) -> tuple[str, NetSpec | EfficientNet]:
    """Return the name and the network: a canonical one by any of its names, or a landmark.

    Raises
    ------
    ValueError
        If there is none; the message names the nearest.
    """
    key = name.strip().lower()
    plain = {landmark.replace("-", ""): landmark for landmark in LANDMARKS}
    found = plain.get(key.replace("-", "").replace("_", ""))
    if found is not None:
        return found, LANDMARKS[found]
    near = difflib.get_close_matches(key, LANDMARKS, n=1, cutoff=0.7)
    if near:
        raise ValueError(f"unknown model {name!r} (nearest: {near[0]})")
    known = canonical_name(name)
    return known, canonical(known)


def block_widths_of(net: NetSpec | EfficientNet) -> tuple[int, ...]:
    """Return the width of every block, in order."""
    return tuple(stage.width for stage in net.stages for _ in range(stage.depth))
