"""Build an architecture as a functional Keras model, layer by layer of its walk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from ..designspace import NetSpec
from ..designspace.layers import walk
from ..designspace.spec import require_int
from .parts import DropRates, Initialisers, Settings, apply

InputShape = tuple[int | None, int | None, int]


def build(
    spec: NetSpec,
    *,
    input_shape: InputShape = (224, 224, 3),
    classes: int = 1000,
    name: str | None = None,
    seed: int = 0,
    zero_init_last_gamma: bool = False,
    drop_path: float = 0.0,
    dtype: str | keras.DTypePolicy | None = None,
) -> keras.Model:
    """Return the network as a ``keras.Model`` from images (n, h, w, c) to logits (n, classes).

    Layers are named ``stem_conv``, ``s1_b1_a_conv``, ``s1_b1_a_bn``, ``s1_b1_a_relu`` ...
    ``head_dense``: stage 1, block 1, first convolution.

    Parameters
    ----------
    spec
        The architecture.
    input_shape
        Height, width and channels; height and width may be None (any size).
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

    Raises
    ------
    ValueError
        If the input is smaller than the network's total stride or an argument is out of range.
    """
    _check_input_shape(input_shape, spec.total_stride)
    require_int("classes", classes)
    require_int("seed", seed, low=0)
    if not 0 <= drop_path < 1:
        raise ValueError(f"drop_path must be in [0, 1), got {drop_path!r}")
    # At any resolution: which layers there are does not depend on it.
    image, *layers = walk(spec, resolution=1, channels=input_shape[-1], classes=classes)
    last = frozenset(layer.sources[0] for layer in layers if layer.kind == "add")
    settings = Settings(
        Initialisers(seed),
        _policy(dtype),
        DropRates.linear(layers, drop_path, seed),
        last if zero_init_last_gamma else frozenset(),
    )
    outputs: dict[str, Any] = {image.name: keras.Input(input_shape, name="images")}
    for layer in layers:
        sources = [outputs[source] for source in layer.sources]
        outputs[layer.name] = apply(layer, sources, settings)
    logits = outputs[layers[-1].name]
    return keras.Model(outputs[image.name], logits, name=name or f"regnet{spec.block}")


def _policy(dtype: str | keras.DTypePolicy | None) -> keras.DTypePolicy:
    if dtype is None:
        return keras.config.dtype_policy()
    return keras.DTypePolicy(dtype) if isinstance(dtype, str) else dtype


def _check_input_shape(input_shape: InputShape, smallest: int) -> None:
    if not isinstance(input_shape, Sequence) or len(input_shape) != 3:
        raise ValueError(f"input_shape must be (height, width, channels), got {input_shape!r}")
    *sizes, channels = input_shape
    require_int("channels of input_shape", channels)
    for size in sizes:
        if size is None:
            continue
        require_int("height and width of input_shape", size)
        if size < smallest:
            raise ValueError(
                f"input_shape must be at least {smallest} x {smallest} px for this network, "
                f"whose total stride is {smallest}, got {input_shape!r}"
            )
