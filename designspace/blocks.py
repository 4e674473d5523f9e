"""The blocks, stems and activations of the papers, as data.

Sources: DDS figure 4 (X), section 5 (Y) and figure 23 (R, V, VR); pycls ``models/anynet.py``
(Z is its res_bottleneck_linear_block, basic its res_basic_block, vanilla its vanilla_block: the
V of NDS, which has two 3x3 convolutions where that of DDS has one).
"""

from __future__ import annotations

from typing import NamedTuple


class Block(NamedTuple):
    """What a block consists of.

    A ``bottleneck`` is 1x1, 3x3 and 1x1 (the stage has an inner width); another block is
    ``n_convs`` 3x3 convolutions of the stage's width. The ``shortcut`` is a ``projection``
    (1x1, where the shape changes, else the identity), the ``identity`` (where the shape stays,
    else none) or ``none``. ``squeeze`` says whether there is squeeze-and-excitation: never,
    always or perhaps.
    """

    n_convs: int
    bottleneck: bool = False
    grouped: bool = False
    shortcut: str = "projection"
    final_activation: bool = True
    squeeze: str = "never"
    se_ratio: float = 0.0
    bottleneck_ratio: float = 1.0
    activation: str = "relu"


BLOCK_FACTS: dict[str, Block] = {
    "x": Block(3, bottleneck=True, grouped=True),
    "y": Block(3, bottleneck=True, grouped=True, squeeze="always", se_ratio=0.25),
    "z": Block(
        3,
        bottleneck=True,
        grouped=True,
        shortcut="identity",
        final_activation=False,
        squeeze="perhaps",
        se_ratio=0.25,
        bottleneck_ratio=0.25,
        activation="silu",
    ),
    "r": Block(3, bottleneck=True),
    "v": Block(1, shortcut="none"),
    "vr": Block(1),
    "basic": Block(2),
    "vanilla": Block(2, shortcut="none"),
}


class Stem(NamedTuple):
    """A square convolution, its stride, and whether a 3x3 max pooling of stride 2 follows."""

    kernel: int
    stride: int
    pool: bool = False

    @property
    def total_stride(self) -> int:
        """Input size over the size of the stem's output."""
        return self.stride * (2 if self.pool else 1)


STEM_FACTS: dict[str, Stem] = {
    "simple": Stem(3, 2),
    "resnet": Stem(7, 2, pool=True),
    "cifar": Stem(3, 1),
}

BLOCKS = tuple(BLOCK_FACTS)
STEM_TYPES = tuple(STEM_FACTS)
ACTIVATIONS = ("relu", "silu", "gelu")
GROUPED = tuple(name for name, block in BLOCK_FACTS.items() if block.grouped)
BOTTLENECKS = tuple(name for name, block in BLOCK_FACTS.items() if block.bottleneck)
DEFAULT_SE_RATIO = {name: block.se_ratio for name, block in BLOCK_FACTS.items()}
DEFAULT_BOTTLENECK_RATIO = {name: block.bottleneck_ratio for name, block in BLOCK_FACTS.items()}
DEFAULT_ACTIVATION = {name: block.activation for name, block in BLOCK_FACTS.items()}

# Names that pycls uses; its bottleneck block is Y where it squeezes and X where it does not.
X_OR_Y = "res_bottleneck_block"
BLOCK_ALIASES = {
    X_OR_Y: X_OR_Y,
    "res_bottleneck_linear_block": "z",
    "res_basic_block": "basic",
    "vanilla_block": "vanilla",
    "v-dds": "v",
}
STEM_ALIASES = {
    "simple_stem_in": "simple",
    "res_stem_in": "resnet",
    "res_stem_cifar": "cifar",
    "simple_stem_cifar": "cifar",
}


def block_name(text: str, se_ratio: float | None = None) -> str:
    """Return a block's name in lower case, also for a name of pycls.

    ``se_ratio`` decides between Y (above 0) and X for ``res_bottleneck_block``.
    """
    name = BLOCK_ALIASES.get(text.strip().lower(), text.strip().lower())
    return ("y" if se_ratio else "x") if name == X_OR_Y else name


def stem_name(text: str) -> str:
    """Return a stem's name in lower case, also for a name of pycls."""
    return STEM_ALIASES.get(text.strip().lower(), text.strip().lower())
