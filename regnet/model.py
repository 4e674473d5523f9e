"""Build an architecture as a functional Keras model, layer by layer of its walk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from ..designspace import NetSpec
from ..designspace.layers import walk
from ..designspace.spec import require_choice, require_int
from .conventions import Convention, convention_named
from .parts import DropRates, Initialisers, Settings, apply

InputShape = tuple[int | None, int | None, int | None]
DATA_FORMATS = ("channels_last", "channels_first")


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
    convention = convention_named(convention)
    data_format = data_format or keras.config.image_data_format()
    require_choice("data_format", data_format, DATA_FORMATS)
    first = data_format == "channels_first"
    if input_shape is None:
        input_shape = (3, 224, 224) if first else (224, 224, 3)
    channels = _check_input_shape(input_shape, spec.total_stride, first)
    require_int("classes", classes)
    require_int("seed", seed, low=0)
    if not 0 <= drop_path < 1:
        raise ValueError(f"drop_path must be in [0, 1), got {drop_path!r}")
    # At any resolution: which layers there are does not depend on it.
    image, *layers = walk(
        spec,
        resolution=1,
        channels=channels,
        classes=classes,
        squeeze_width=convention.squeeze_width,
    )
    last = frozenset(layer.sources[0] for layer in layers if layer.kind == "add")
    settings = Settings(
        Initialisers(seed),
        _policy(dtype),
        DropRates.linear(layers, drop_path, seed),
        last if zero_init_last_gamma else frozenset(),
        convention.padding,
    )
    images: Any = keras.Input(input_shape, name="images")
    x = images
    if first:
        x = keras.layers.Permute((2, 3, 1), dtype=settings.policy, name="channels_last")(x)
    outputs: dict[str, Any] = {image.name: x}
    for layer in layers:
        sources = [outputs[source] for source in layer.sources]
        outputs[layer.name] = apply(layer, sources, settings)
    logits = outputs[layers[-1].name]
    return keras.Model(images, logits, name=name or f"regnet{spec.block}")


def _policy(dtype: str | keras.DTypePolicy | None) -> keras.DTypePolicy:
    if dtype is None:
        return keras.config.dtype_policy()
    return keras.DTypePolicy(dtype) if isinstance(dtype, str) else dtype


def _check_input_shape(shape: InputShape, smallest: int, channels_first: bool) -> int:
    """Return the channels."""
    order = "(channels, height, width)" if channels_first else "(height, width, channels)"
    if not isinstance(shape, Sequence) or len(shape) != 3:
        raise ValueError(f"input_shape must be {order}, got {shape!r}")
    channels: Any = shape[0 if channels_first else -1]
    require_int("channels of input_shape", channels)
    for size in shape[1:] if channels_first else shape[:-1]:
        if size is None:
            continue
        require_int("height and width of input_shape", size)
        if size < smallest:
            raise ValueError(
                f"input_shape {order} must be at least {smallest} x {smallest} px for this "
                f"network, whose total stride is {smallest}, got {shape!r}"
            )
    return channels
