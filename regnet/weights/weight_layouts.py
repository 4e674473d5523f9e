"""How other libraries name the weights of a RegNet: one table a library.

Our layers are called ``stem_conv``, ``s1_b2_a_bn`` (stage 1, block 2, batch norm after the first
convolution), ``head_dense``. A table maps what follows the block, and the rest, to the
library's name. Sources: timm 1.0 and torchvision 0.29 ``models/regnet.py``, pycls
``models/anynet.py``, tf_keras 2.21 ``applications/regnet.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

BLOCK = re.compile(r"s(\d+)_b(\d+)_(.+)")
TORCH_VARIABLES = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "bias": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


@dataclass(frozen=True)
class Layout:
    """The names and the order of axes of one library.

    Attributes
    ----------
    name
        ``timm``, ``torchvision``, ``pycls`` or ``tf_keras``: a convention (``conventions``).
    mark
        A pattern that some name in every file of the library has, and in no other's.
    block
        What comes before a name within a block, of ``{stage}`` and ``{block}`` from 1, or of
        ``{stage0}`` and ``{block0}`` from 0.
    inner, outer
        Layers within blocks, and outside of them: our name -> theirs.
    torch
        Whether axes and variables are PyTorch's: (out, in, h, w), ``running_mean``.
    """

    name: str
    mark: str
    block: str
    inner: Mapping[str, str]
    outer: Mapping[str, str]
    torch: bool = True

    def key(self, layer: str, variable: str) -> str | None:
        """Return the library's name of a variable such as ``kernel``, or None if it has none."""
        match = BLOCK.fullmatch(layer)
        if match is None:
            theirs, prefix = self.outer.get(layer), ""
        else:
            stage, block, theirs = int(match[1]), int(match[2]), self.inner.get(match[3])
            prefix = self.block.format(stage=stage, block=block, stage0=stage - 1, block0=block - 1)
        if theirs is None:
            return None
        if not self.torch:
            return f"{prefix}{theirs}/{variable}"
        return f"{prefix}{theirs}.{TORCH_VARIABLES[variable]}"

    def is_head(self, key: str) -> bool:
        """Whether a name of the library is a weight of the fully connected layer."""
        return re.split(r"[./](?=\w+$)", key)[0] == self.outer["head_dense"]

    def to_ours(self, array: np.ndarray) -> np.ndarray:
        """Return a weight with our order of axes: (h, w, in, out) or (in, out)."""
        if not self.torch or array.ndim not in (2, 4):
            return array
        return array.T if array.ndim == 2 else array.transpose(2, 3, 1, 0)

    def to_theirs(self, array: np.ndarray) -> np.ndarray:
        """Return a weight of ours with the library's order of axes."""
        if not self.torch or array.ndim not in (2, 4):
            return array
        return array.T if array.ndim == 2 else array.transpose(3, 2, 0, 1)


def _convolutions(convs: Mapping[str, str], conv: str, norm: str) -> dict[str, str]:
    """Return the names of convolutions and their batch norms, by the letters of ours."""
    parts = (("conv", conv), ("bn", norm))
    return {f"{ours}_{part}": f"{name}{end}" for ours, name in convs.items() for part, end in parts}


TIMM = Layout(
    name="timm",
    mark=r"s\d+\.b\d+\.conv1\.conv\.weight",
    block="s{stage}.b{block}.",
    inner={
        **_convolutions(
            {"a": "conv1", "b": "conv2", "c": "conv3", "shortcut": "downsample"}, ".conv", ".bn"
        ),
        "se_squeeze": "se.fc1",
        "se_excite": "se.fc2",
    },
    outer={
        **_convolutions({"stem": "stem", "head": "final_conv"}, ".conv", ".bn"),
        "head_dense": "head.fc",
    },
)
TORCHVISION = Layout(
    name="torchvision",
    mark=r"trunk_output\.block1\.block1-0\.f\.a\.0\.weight",
    block="trunk_output.block{stage}.block{stage}-{block0}.",
    inner={
        **_convolutions({"a": "f.a", "b": "f.b", "c": "f.c", "shortcut": "proj"}, ".0", ".1"),
        "se_squeeze": "f.se.fc1",
        "se_excite": "f.se.fc2",
    },
    outer={**_convolutions({"stem": "stem"}, ".0", ".1"), "head_dense": "fc"},
)
PYCLS = Layout(
    name="pycls",
    mark=r"s\d+\.b\d+\.f\.a\.weight",
    block="s{stage}.b{block}.",
    inner={
        **_convolutions({"a": "f.a", "b": "f.b", "c": "f.c"}, "", "_bn"),
        "shortcut_conv": "proj",
        "shortcut_bn": "bn",
        "se_squeeze": "f.se.f_ex.0",
        "se_excite": "f.se.f_ex.2",
    },
    outer={
        **_convolutions({"stem": "stem", "head": "head"}, ".conv", ".bn"),
        "head_dense": "head.fc",
    },
)
TF_KERAS = Layout(
    name="tf_keras",
    mark=r"Stage_\d+_Block_\d+_conv_3x3/kernel",
    block="Stage_{stage0}_Block_{block0}_",
    inner={
        **_convolutions({"a": "conv_1x1_1", "b": "conv_3x3", "c": "conv_1x1_2"}, "", "_bn"),
        "shortcut_conv": "skip_1x1",
        "shortcut_bn": "skip_bn",
        "se_squeeze": "squeeze_and_excite_squeeze",
        "se_excite": "squeeze_and_excite_excite",
    },
    outer={**_convolutions({"stem": "stem"}, "_conv", "_bn"), "head_dense": "head_dense"},
    torch=False,
)
LAYOUTS = (TIMM, TORCHVISION, PYCLS, TF_KERAS)


def recognise(keys: Iterable[str]) -> Layout | None:
    """Return the layout of a file from the names in it, or None."""
    names = list(keys)
    for layout in LAYOUTS:
        mark = re.compile(layout.mark)
        if any(mark.fullmatch(name) for name in names):
            return layout
    return None
