"""Build an architecture as a functional Keras model."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from ..designspace import NetSpec
from ..designspace.spec import require_int
from . import layers

InputShape = tuple[int | None, int | None, int]


def build(
    spec: NetSpec,
    *,
    input_shape: InputShape = (224, 224, 3),
    classes: int = 1000,
    name: str | None = None,
    seed: int = 0,
) -> keras.Model:
    """Return the network as a ``keras.Model`` from images (n, h, w, c) to logits (n, classes).

    Layers are named ``stem_conv``, ``s1_b1_a_conv``, ``s1_b1_a_bn`` ... ``head_dense``: stage 1,
    block 1, first convolution (a 1x1, b 3x3, c 1x1).

    Parameters
    ----------
    spec
        The architecture.
    input_shape
        Height, width and channels; height and width may be None (any size).
    classes
        Number of logits.
    name
        Name of the model; None means ``regnet`` and the block's letter.
    seed
        Decides the initial weights, whatever was built before.

    Raises
    ------
    ValueError
        If the input is smaller than the network's total stride, an argument is out of range, or
        the network has a block, stem or activation that cannot be built.
    """
    _check_parts(spec)
    _check_input_shape(input_shape, spec.total_stride)
    require_int("classes", classes)
    require_int("seed", seed, low=0)
    init = layers.Initialisers(seed)
    images = keras.Input(input_shape, name="images")
    x = layers.stem(images, spec, init=init)
    for s, stage in enumerate(spec.stages, start=1):
        for b in range(1, stage.depth + 1):
            x = layers.block(
                x,
                stage,
                stride=stage.stride if b == 1 else 1,
                se_ratio=spec.se_ratio,
                init=init,
                name=f"s{s}_b{b}",
            )
    logits = layers.head(x, spec, classes, init=init)
    return keras.Model(images, logits, name=name or f"regnet{spec.block}")


def _check_parts(spec: NetSpec) -> None:
    """Refuse what the layers here do not make; its cost can be counted all the same."""
    for name, value, known in (
        ("block", spec.block, ("x", "y")),
        ("stem_type", spec.stem_type, ("simple",)),
        ("activation", spec.activation, ("relu",)),
    ):
        if value not in known:
            raise ValueError(
                f"a model can be built with {name} {' or '.join(known)}, got {value!r}"
            )


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
