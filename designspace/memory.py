"""Activation memory of one image: the peak of inference, and what training keeps.

Only feature maps count: weights, gradients, optimiser state, the statistics of batch norm and
the workspace of a convolution do not. Both are counted from the layers of ``layers.walk``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .layers import Layer, Resolution, walk
from .spec import NetSpec

BYTES = {"float32": 4, "bfloat16": 2}
IN_PLACE = ("add", "se")  # both write into their first source, which nothing else reads later


@dataclass(frozen=True, slots=True)
class Memory:
    """Elements of feature maps, for one image.

    Attributes
    ----------
    inference
        The largest number alive at once, 1 or more.
    inference_layer
        The layer (``layers.Layer.name``) at which it is reached first.
    training
        The number that the backward pass needs, all alive at once when it starts.
    """

    inference: int
    inference_layer: str
    training: int

    def in_bytes(self, dtype: str = "float32") -> tuple[int, int]:
        """Return the bytes of ``inference`` and ``training`` in float32 or bfloat16.

        Raises
        ------
        ValueError
            If the type is another.
        """
        if dtype not in BYTES:
            raise ValueError(f"dtype must be one of {', '.join(BYTES)}, got {dtype!r}")
        return self.inference * BYTES[dtype], self.training * BYTES[dtype]


def activation_memory(
    spec: NetSpec, *, resolution: Resolution = 224, channels: int = 3, classes: int = 1000
) -> Memory:
    """Return the activation memory of one image, in elements.

    **Inference**: layers run in the order of the walk (a block's transform, then its shortcut).
    A map is alive from the layer that writes it to the last one that reads it, the block's
    input through the whole block; the image is alive until the stem has read it. A
    convolution, a pooling, the mean and the fully connected layer write a new map; batch norm
    and activations work in place, the addition writes into the transform's output, and
    squeeze-and-excitation scales its input in place, beside its vectors.

    **Training** keeps, each map once:

    - the input of every convolution and of the fully connected layer;
    - the input of every batch norm, that is the output of its convolution;
    - of an activation its output where it is relu or sigmoid (the derivative follows from it),
      its input where it is silu or gelu;
    - of max pooling its input and output;
    - of squeeze-and-excitation the map that it scales, the mean, the squeezed vector and the
      gate;
    - the logits, for the loss.

    An addition and the mean over the map keep nothing.

    Parameters
    ----------
    spec
        The architecture.
    resolution, channels, classes
        As in ``cost.complexity``.

    Raises
    ------
    ValueError
        If a size is not a positive integer.
    """
    layers = list(walk(spec, resolution=resolution, channels=channels, classes=classes))
    inference, where = _inference(layers)
    return Memory(inference, where, _training(layers))


def _inference(layers: list[Layer]) -> tuple[int, str]:
    """Return the largest number of elements alive at once, and at which layer."""
    last = {source: i for i, layer in enumerate(layers) for source in layer.sources}
    alive: dict[str, int] = {}
    peak, where = 0, ""
    for i, layer in enumerate(layers):
        if layer.kind in IN_PLACE:
            alive[layer.name] = alive.pop(layer.sources[0])
        else:
            alive[layer.name] = layer.output.elements
        used = sum(alive.values()) + _vectors(layer)
        if used > peak:
            peak, where = used, layer.name
        for source in layer.sources:
            if last[source] == i:
                alive.pop(source, None)
    return peak, where


def _vectors(layer: Layer) -> int:
    """Mean and squeezed vector, or squeezed vector and gate, alive at once in an "se" layer."""
    return layer.squeeze + layer.output.channels if layer.kind == "se" else 0


def _training(layers: list[Layer]) -> int:
    """Return the elements of all maps that the backward pass reads."""
    kept: dict[tuple[str, str], int] = {}
    for layer in layers:
        kept.update(_kept(layer))
    return sum(kept.values())


def _kept(layer: Layer) -> Iterable[tuple[tuple[str, str], int]]:
    """Yield the maps that a layer keeps, by layer and by their place in it, and their sizes.

    The places are ``norm`` (input of batch norm), ``activation`` (its input) and ``output``.
    """
    size, source = layer.output.elements, layer.sources[0] if layer.sources else ""
    if layer.kind in ("conv", "pool", "fc", "se"):
        yield (source, "output"), layer.input.elements
    if layer.kind in ("pool", "fc"):
        yield (layer.name, "output"), size
    if layer.kind == "conv":
        yield (layer.name, "norm"), size
    if layer.kind == "se":
        yield (layer.name, "mean"), layer.output.channels
        yield (layer.name, "gate"), layer.output.channels
        yield (layer.name, "squeezed"), layer.squeeze
        if layer.activation != "relu":
            yield (layer.name, "activation"), layer.squeeze
    elif layer.activation:
        place = "output" if layer.activation == "relu" else "activation"
        yield (layer.name, place), size
