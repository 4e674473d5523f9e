"""The 24 canonical RegNets (DDS section 5, figures 15 and 16), parameters only.

Everything else about them is computed. Published accuracies are in ``data/published.csv``:
errors of pycls's model zoo, accuracies of the Keras training ("Training RegNets for
tf.keras.applications").
"""

from __future__ import annotations

import re
from functools import cache

from .blocks import DEFAULT_SE_RATIO
from .foreign.rules import torchvision_stages
from .linear import RegNetParams
from .spec import NetSpec, Stage

# depth, w0, wa, wm, group width; the letter after RegNet is the block
CANONICAL: dict[str, RegNetParams] = {
    "RegNetX-200MF": RegNetParams(13, 24, 36.44, 2.49, 8),
    "RegNetX-400MF": RegNetParams(22, 24, 24.48, 2.54, 16),
    "RegNetX-600MF": RegNetParams(16, 48, 36.97, 2.24, 24),
    "RegNetX-800MF": RegNetParams(16, 56, 35.73, 2.28, 16),
    "RegNetX-1.6GF": RegNetParams(18, 80, 34.01, 2.25, 24),
    "RegNetX-3.2GF": RegNetParams(25, 88, 26.31, 2.25, 48),
    "RegNetX-4.0GF": RegNetParams(23, 96, 38.65, 2.43, 40),
    "RegNetX-6.4GF": RegNetParams(17, 184, 60.83, 2.07, 56),
    "RegNetX-8.0GF": RegNetParams(23, 80, 49.56, 2.88, 120),
    "RegNetX-12GF": RegNetParams(19, 168, 73.36, 2.37, 112),
    "RegNetX-16GF": RegNetParams(22, 216, 55.59, 2.1, 128),
    "RegNetX-32GF": RegNetParams(23, 320, 69.86, 2.0, 168),
    "RegNetY-200MF": RegNetParams(13, 24, 36.44, 2.49, 8),
    "RegNetY-400MF": RegNetParams(16, 48, 27.89, 2.09, 8),
    "RegNetY-600MF": RegNetParams(15, 48, 32.54, 2.32, 16),
    "RegNetY-800MF": RegNetParams(14, 56, 38.84, 2.4, 16),
    "RegNetY-1.6GF": RegNetParams(27, 48, 20.71, 2.65, 24),
    "RegNetY-3.2GF": RegNetParams(21, 80, 42.63, 2.66, 24),
    "RegNetY-4.0GF": RegNetParams(22, 96, 31.41, 2.24, 64),
    "RegNetY-6.4GF": RegNetParams(25, 112, 33.22, 2.27, 72),
    "RegNetY-8.0GF": RegNetParams(17, 192, 76.82, 2.19, 56),
    "RegNetY-12GF": RegNetParams(19, 168, 73.36, 2.37, 112),
    "RegNetY-16GF": RegNetParams(18, 200, 106.23, 2.48, 112),
    "RegNetY-32GF": RegNetParams(20, 232, 115.89, 2.53, 232),
}

# torchvision rounds these three to other widths: its names are not aliases of ours.
TORCHVISION_OTHER_NETWORKS = {
    "regnet_x_400mf": "RegNetX-400MF",
    "regnet_y_800mf": "RegNetY-800MF",
    "regnet_y_8gf": "RegNetY-8.0GF",
}
TIMM_NAMES_OF_THE_OTHERS = {
    "regnetx_004_tv": "regnet_x_400mf",
    "regnety_008_tv": "regnet_y_800mf",
    "regnety_080_tv": "regnet_y_8gf",
}


def keras_name(name: str) -> str:
    """Return the Keras name of a canonical one: RegNetX-4.0GF -> RegNetX040."""
    block, size, unit = _split(name)
    hundreds = round(size * 10) if unit == "GF" else round(size / 100)
    return f"RegNet{block}{hundreds:03d}"


def timm_name(name: str) -> str:
    """Return the timm name of a canonical one: RegNetX-4.0GF -> regnetx_040."""
    keras = keras_name(name)
    return f"{keras[:-3].lower()}_{keras[-3:]}"


def _split(name: str) -> tuple[str, float, str]:
    match = re.fullmatch(r"RegNet([XY])-([\d.]+)(MF|GF)", name)
    if match is None:
        raise ValueError(f"not a canonical name: {name!r}")
    return match[1], float(match[2]), match[3]


@cache
def _aliases() -> dict[str, str]:
    aliases = {name.lower(): name for name in CANONICAL}
    for name in CANONICAL:
        aliases[keras_name(name).lower()] = name
        aliases[timm_name(name)] = name
        aliases[name.lower().replace(".0gf", "gf")] = name
    return aliases


def canonical_name(name: str) -> str:
    """Return the canonical name for any accepted spelling (ours, Keras's or timm's).

    Raises
    ------
    ValueError
        If there is no such model; the message names the nearest one.
    """
    key = name.strip().lower()
    aliases = _aliases()
    if key in aliases:
        return aliases[key]
    other = torchvision_name(name)
    if other is not None:
        ours = TORCHVISION_OTHER_NETWORKS[other]
        raise ValueError(
            f"{name!r} is torchvision's network, whose widths differ from those of {ours} and "
            f"which has no published figures here; for the paper's write {ours}"
        )
    import difflib

    nearest = difflib.get_close_matches(key, aliases, n=1, cutoff=0.0)
    raise ValueError(f"unknown model {name!r} (nearest: {aliases[nearest[0]]})")


def canonical(name: str) -> NetSpec:
    """Return a canonical network by any of its names, or one of torchvision's own three.

    Raises
    ------
    ValueError
        If there is no such model; the message names the nearest one.
    """
    other = torchvision_name(name)
    name = canonical_name(name) if other is None else TORCHVISION_OTHER_NETWORKS[other]
    block, params = _split(name)[0].lower(), CANONICAL[name]
    if other is None:
        return params.to_spec(block=block)
    stages = (Stage(depth, width, 2, g) for depth, width, g in torchvision_stages(params))
    return NetSpec(tuple(stages), block, DEFAULT_SE_RATIO[block])


def torchvision_name(name: str) -> str | None:
    """Return the name of one of torchvision's own three networks, which timm has too, or None."""
    key = name.strip().lower()
    key = TIMM_NAMES_OF_THE_OTHERS.get(key, key)
    return key if key in TORCHVISION_OTHER_NETWORKS else None


@cache
def published() -> dict[str, dict[str, str]]:
    """Return the published figures of each canonical network, as text, by canonical name."""
    import csv
    from importlib import resources

    text = (
        resources.files("regnet_ds.designspace").joinpath("data/published.csv").read_text("utf-8")
    )
    return {row["name"]: row for row in csv.DictReader(text.splitlines())}
