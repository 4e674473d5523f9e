"""Build an architecture as a functional Keras model, layer by layer of its walk."""

from __future__ import annotations

from typing import Any

import keras

from ...designspace import NetSpec
from ...designspace.spec import require_int
from ..weights.conventions import Convention
from .network import Options, apply_network, image_format, require_size, to_channels_last

InputShape = tuple[int | None, int | None, int | None]


def build(
    spec: NetSpec,
    *,
    input_shape: InputShape | None = None,
    classes: int = 1000,
    name: str | None = None,
    seed: int = 0,
    zero_init_last_gamma: bool = False,
    drop_path: float = 0.0,
    dtype: str | keras.DTypePolicy | None = None,
    convention: str | Convention = "timm",
    data_format: str | None = None,
) -> keras.Model:
    """Return the network as a ``keras.Model`` from images (n, h, w, c) to logits (n, classes).

    Layers are named ``stem_conv``, ``s1_b1_a_conv``, ``s1_b1_a_bn``, ``s1_b1_a_relu`` ...
    ``head_dense``: stage 1, block 1, first convolution.

    Parameters
    ----------
    spec
        The architecture.
    input_shape
        Height, width and channels, or channels first where ``data_format`` says so; height and
        width may be None (any size). None means 224 x 224 with 3 channels.
    classes
        Number of logits.
    name
        Name of the model; None means ``regnet`` and the block's name.
    seed
        Decides the initial weights, whatever was built before, and what ``drop_path`` drops.
    zero_init_last_gamma
        Start the last batch norm before each addition at 0, so that a block starts as its
        shortcut ("Accurate, Large Minibatch SGD", 2017, section 5.1). A block without a shortcut
        starts at 1 (pycls has 0 in Z's too, which makes the logits of a new network constant).
    drop_path
        Chance in [0, 1) that training skips the last block's transform, image by image; it rises
        linearly from 0 at the first block ("Deep Networks with Stochastic Depth", 2016).
    dtype
        Policy, such as ``mixed_bfloat16``, under which weights, batch norm and logits are
        float32; None means Keras's global policy.
    convention
        Whose padding and squeeze widths: ``timm`` (as in the papers), ``torchvision``, ``pycls``,
        ``tf_keras`` or one of your own (``conventions``).
    data_format
        ``channels_last`` or ``channels_first``; None means ``keras.config.image_data_format()``.
        Channels first, the model transposes its input once and has the same layers and weights
        otherwise: its convolutions always run with channels last, as a CPU needs.

    Raises
    ------
    ValueError
        If the input is smaller than the network's total stride or an argument is out of range.
    """
    data_format = image_format(data_format)
    if input_shape is None:
        input_shape = (224, 224, 3) if data_format == "channels_last" else (3, 224, 224)
    require_size(input_shape, spec.total_stride, data_format)
    require_int("classes", classes)
    options = Options(
        seed=seed,
        zero_init_last_gamma=zero_init_last_gamma,
        drop_path=drop_path,
        dtype=dtype,
        convention=convention,
    )
    images: Any = keras.Input(input_shape, name="images")
    x = to_channels_last(images, data_format, options.policy)
    logits = apply_network(spec, x, options, classes=classes)
    return keras.Model(images, logits, name=name or f"regnet{spec.block}")
