"""A network applied to images: the walk of its layers as Keras tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from ...designspace import NetSpec
from ...designspace.layers import walk
from ...designspace.spec import require_choice, require_int
from ..weights.conventions import Convention, convention_named
from .parts import DropRates, Initialisers, Settings, apply

Tensor = Any
TO_LAST, TO_FIRST = (2, 3, 1), (3, 1, 2)
CHANNELS_LAST, CHANNELS_FIRST = "channels_last", "channels_first"  # layers, named by their output


@dataclass(frozen=True, kw_only=True)
class Options:
    """How the layers of a network start, train and compute: see ``build``.

    Raises
    ------
    ValueError
        If one is out of range.
    """

    seed: int = 0
    zero_init_last_gamma: bool = False
    drop_path: float = 0.0
    dtype: str | keras.DTypePolicy | None = None
    convention: str | Convention = "timm"

    def __post_init__(self) -> None:
        require_int("seed", self.seed, low=0)
        if not 0 <= self.drop_path < 1:
            raise ValueError(f"drop_path must be in [0, 1), got {self.drop_path!r}")
        convention_named(self.convention)

    @property
    def policy(self) -> keras.DTypePolicy:
        """The dtype policy, which is Keras's global one unless another was given."""
        if self.dtype is None:
            return keras.config.dtype_policy()
        return keras.DTypePolicy(self.dtype) if isinstance(self.dtype, str) else self.dtype


def apply_network(
    spec: NetSpec,
    images: Tensor,
    options: Options,
    *,
    classes: int | None,
    classifier_activation: Any = None,
) -> Tensor:
    """Return what a network makes of images (n, h, w, c).

    That is (n, classes), or the last map where ``classes`` is None.
    """
    convention = convention_named(options.convention)
    # At any resolution: which layers there are does not depend on it.
    image, *layers = walk(
        spec,
        resolution=1,
        channels=images.shape[-1],
        classes=classes or 1,
        squeeze_width=convention.squeeze_width,
    )
    if classes is None:
        layers = [layer for layer in layers if layer.kind not in ("mean", "fc")]
    last = frozenset(layer.sources[0] for layer in layers if layer.kind == "add")
    settings = Settings(
        Initialisers(options.seed),
        options.policy,
        DropRates.linear(layers, options.drop_path, options.seed),
        last if options.zero_init_last_gamma else frozenset(),
        convention.padding,
        classifier_activation,
    )
    outputs: dict[str, Any] = {image.name: images}
    for layer in layers:
        sources = [outputs[source] for source in layer.sources]
        outputs[layer.name] = apply(layer, sources, settings)
    return outputs[layers[-1].name]


def image_format(data_format: str | None) -> str:
    """Return ``channels_last`` or ``channels_first``; None means Keras's global one.

    Raises
    ------
    ValueError
        If it is another word.
    """
    data_format = data_format or keras.config.image_data_format()
    require_choice("data_format", data_format, (CHANNELS_LAST, CHANNELS_FIRST))
    return data_format


def to_channels_last(images: Tensor, data_format: str, policy: keras.DTypePolicy) -> Tensor:
    """Return (n, h, w, c), in which all layers compute; a CPU has no other convolution."""
    if data_format == CHANNELS_LAST:
        return images
    return keras.layers.Permute(TO_LAST, dtype=policy, name=CHANNELS_LAST)(images)


def require_size(shape: tuple[int | None, ...], smallest: int, data_format: str) -> None:
    """Raise ValueError unless (h, w, c), or (c, h, w), is that of images a network can take."""
    first = data_format == CHANNELS_FIRST
    order = "(channels, height, width)" if first else "(height, width, channels)"
    if not isinstance(shape, list | tuple) or len(shape) != 3:
        raise ValueError(f"input_shape must be {order}, got {shape!r}")
    channels: Any = shape[0 if first else -1]
    require_int("channels of input_shape", channels)
    for size in shape[1:] if first else shape[:-1]:
        if size is None:
            continue
        require_int("height and width of input_shape", size)
        if size < smallest:
            raise ValueError(
                f"input_shape {order} must be at least {smallest} x {smallest} px for this "
                f"network, whose total stride is {smallest}, got {shape!r}"
            )
