"""What libraries do differently with the same RegNet, and weights therefore depend on.

Sources: pycls ``models/blocks.py``, ``models/anynet.py`` and ``datasets/imagenet.py``, timm
``models/regnet.py``, torchvision ``models/regnet.py``, tf_keras ``applications/regnet.py``.
Epsilon (1e-5), momentum of batch norm (0.9 in Keras's terms), biases and activations agree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...designspace.spec import require_choice

PADDINGS = ("symmetric", "same")
SQUEEZES = ("round", "floor")
COLOURS = ("rgb", "bgr")
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Convention:
    """How a library computes a RegNet and prepares its images.

    Attributes
    ----------
    name
        The library.
    padding
        Of convolutions and max pooling: ``symmetric`` (PyTorch) or ``same`` (TensorFlow: where a
        stride divides an even map, zeros come after it alone).
    squeeze
        How block input width times ``se_ratio`` becomes a number of channels: ``round`` (ties to
        even) or ``floor``. They agree on widths that are multiples of 8 and the ratio 1/4.
    colours
        Order of the channels that the library's weights expect, ``rgb`` or ``bgr``. Models take
        red first in every convention: ``load_weights`` turns the first convolution round.
    mean, std
        Of red, green and blue in [0, 1]: a network gets (pixel / 255 - mean) / std.

    Raises
    ------
    ValueError
        If a word is not one of these, or not three means and positive deviations are given.
    """

    name: str
    padding: str = "symmetric"
    squeeze: str = "round"
    colours: str = "rgb"
    mean: tuple[float, float, float] = _IMAGENET_MEAN
    std: tuple[float, float, float] = _IMAGENET_STD

    def __post_init__(self) -> None:
        require_choice("padding", self.padding, PADDINGS)
        require_choice("squeeze", self.squeeze, SQUEEZES)
        require_choice("colours", self.colours, COLOURS)
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError(
                f"mean and std must be of three colours, std positive, got {self.mean}, {self.std}"
            )

    def squeeze_width(self, exact: float) -> int:
        """Return the channels that a squeeze-and-excitation squeezes to, from width x ratio."""
        return math.floor(exact) if self.squeeze == "floor" else round(exact)


CONVENTIONS = {
    convention.name: convention
    for convention in (
        Convention("timm"),
        Convention("torchvision"),
        Convention("pycls", colours="bgr"),
        Convention(
            "tf_keras",
            padding="same",
            squeeze="floor",
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
        ),
    )
}


def convention_named(convention: str | Convention) -> Convention:
    """Return a convention, which may be given by its library's name.

    Raises
    ------
    ValueError
        If there is none of this name.
    """
    if isinstance(convention, Convention):
        return convention
    require_choice("convention", convention, tuple(CONVENTIONS))
    return CONVENTIONS[convention]
