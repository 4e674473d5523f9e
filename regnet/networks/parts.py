"""The layers of ``designspace.layers.walk`` as Keras layers: one function a kind.

Weights start as in pycls: convolutions normal with variance 2 / (k k filters), the fully
connected layer normal with standard deviation 0.01, batch norm at 1 and 0.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from ...designspace.layers import Layer
from .layers import BatchNorm, DropPath, GroupedConv2D, PointwiseConv2D, SymmetricMaxPooling2D

Tensor = Any
BN_MOMENTUM = 0.9
BN_EPSILON = 1e-5
CLASSIFIER_STD = 0.01


class Initialisers:
    """The initial weights of one network, layer by layer, decided by the seed alone."""

    def __init__(self, seed: int) -> None:
        self._seeds = _layer_seeds(seed)

    def conv(self, kernel_size: int, filters: int) -> Any:
        """Return the initialiser of a convolution (pycls ``init_weights``)."""
        std = math.sqrt(2.0 / (kernel_size * kernel_size * filters))
        return keras.initializers.RandomNormal(stddev=std, seed=next(self._seeds))

    def dense(self) -> Any:
        """Return the initialiser of the fully connected layer."""
        return keras.initializers.RandomNormal(stddev=CLASSIFIER_STD, seed=next(self._seeds))


def _layer_seeds(seed: int) -> Iterator[int]:
    for layer in itertools.count():
        yield int(np.random.SeedSequence((seed, layer)).generate_state(1)[0] >> 1)


@dataclass(frozen=True)
class DropRates:
    """Chance and seed of dropping the transform of each block, by the sum that ends it.

    Block i of n, counted from 0, has the chance rate * i / (n - 1). The seeds are apart from
    those of the weights, which are the same with and without stochastic depth.
    """

    rates: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0

    @classmethod
    def linear(cls, layers: Iterable[Layer], rate: float, seed: int) -> DropRates:
        """Return the rates of a network; blocks without a sum count, but drop nothing."""
        bodies = (layer for layer in layers if layer.part not in ("image", "stem", "head"))
        blocks = dict.fromkeys(layer.name.rpartition(".")[0] for layer in bodies)
        rates = np.linspace(0.0, rate, len(blocks)).tolist()
        return cls({f"{block}.add": r for block, r in zip(blocks, rates, strict=True)}, seed)

    def seed_of(self, name: str) -> int:
        """Return the seed of a block's draws."""
        place = list(self.rates).index(name)
        sequence = np.random.SeedSequence(self.seed, spawn_key=(place,))
        return int(sequence.generate_state(1)[0] >> 1)


@dataclass(frozen=True)
class Settings:
    """What the layers of a network have in common; ``zero_gammas`` are names of convolutions."""

    init: Initialisers
    policy: Any  # keras.DTypePolicy
    drop: DropRates
    zero_gammas: frozenset[str] = frozenset()
    padding: str = "symmetric"
    classifier_activation: Any = None


def apply(layer: Layer, inputs: list[Tensor], settings: Settings) -> Tensor:
    """Apply the Keras layers that a layer of the walk stands for to the outputs of its sources."""
    return _KINDS[layer.kind](layer, inputs, settings)


def _conv(layer: Layer, inputs: list[Tensor], settings: Settings) -> Tensor:
    """``s1.b1.a`` becomes s1_b1_a_conv, s1_b1_a_bn and s1_b1_a_relu, ``stem.conv`` stem_conv."""
    name = _keras_name(layer, "conv")
    filters = layer.output.channels
    common: dict[str, Any] = {
        "strides": layer.stride,
        "groups": layer.groups,
        "kernel_initializer": settings.init.conv(layer.kernel, filters),
        "dtype": settings.policy,
        "name": f"{name}_conv",
    }
    if layer.kernel == 1:
        conv: Any = PointwiseConv2D(
            filters, 1, use_bias=False, data_format="channels_last", **common
        )
    else:
        conv = GroupedConv2D(filters, layer.kernel, padding=settings.padding, **common)
    norm = BatchNorm(
        momentum=BN_MOMENTUM,
        epsilon=BN_EPSILON,
        gamma_initializer="zeros" if layer.name in settings.zero_gammas else "ones",
        dtype=settings.policy,
        name=f"{name}_bn",
    )
    return _activate(norm(conv(inputs[0])), layer, name, settings)


def _pool(layer: Layer, inputs: list[Tensor], settings: Settings) -> Tensor:
    common: dict[str, Any] = {
        "data_format": "channels_last",
        "dtype": settings.policy,
        "name": _keras_name(layer),
    }
    if settings.padding == "same":
        pool: Any = keras.layers.MaxPooling2D(layer.kernel, layer.stride, padding="same", **common)
    else:
        pool = SymmetricMaxPooling2D(layer.kernel, layer.stride, **common)
    return pool(inputs[0])


def _squeeze_excite(layer: Layer, inputs: list[Tensor], settings: Settings) -> Tensor:
    """Scale the channels of a map by a gate of their means (DDS section 5)."""
    (x,), name, dtype = inputs, _keras_name(layer), settings.policy
    y = keras.layers.GlobalAveragePooling2D(
        data_format="channels_last", keepdims=True, dtype=dtype, name=f"{name}_pool"
    )(x)
    for part, filters, activation in (
        ("squeeze", layer.squeeze, layer.activation),
        ("excite", layer.output.channels, "sigmoid"),
    ):
        y = PointwiseConv2D(
            filters,
            1,
            activation=activation,
            data_format="channels_last",
            kernel_initializer=settings.init.conv(1, filters),
            dtype=dtype,
            name=f"{name}_{part}",
        )(y)
    return keras.layers.Multiply(dtype=dtype, name=f"{name}_scale")([x, y])


def _add(layer: Layer, inputs: list[Tensor], settings: Settings) -> Tensor:
    """``s1.b1.add`` becomes s1_b1_drop, if there is a chance of it, s1_b1_add and s1_b1_relu."""
    (transform, shortcut), name = inputs, _keras_name(layer, "add")
    rate, dtype = settings.drop.rates[layer.name], settings.policy
    if rate:
        seed = settings.drop.seed_of(layer.name)
        transform = DropPath(rate, seed=seed, dtype=dtype, name=f"{name}_drop")(transform)
    x = keras.layers.Add(dtype=dtype, name=f"{name}_add")([shortcut, transform])
    return _activate(x, layer, name, settings)


def _mean(layer: Layer, inputs: list[Tensor], settings: Settings) -> Tensor:
    """The mean over the map, as precise as the weights."""
    return keras.layers.GlobalAveragePooling2D(
        data_format="channels_last",
        dtype=settings.policy.variable_dtype,
        name="head_pool",
    )(inputs[0])


def _dense(layer: Layer, inputs: list[Tensor], settings: Settings) -> Tensor:
    """The fully connected layer; logits, or what follows them, are as precise as the weights."""
    return keras.layers.Dense(
        layer.output.channels,
        activation=settings.classifier_activation,
        kernel_initializer=settings.init.dense(),
        dtype=settings.policy.variable_dtype,
        name="head_dense",
    )(inputs[0])


_KINDS: dict[str, Callable[[Layer, list[Tensor], Settings], Tensor]] = {
    "conv": _conv,
    "pool": _pool,
    "se": _squeeze_excite,
    "add": _add,
    "mean": _mean,
    "fc": _dense,
}


def _activate(x: Tensor, layer: Layer, name: str, settings: Settings) -> Tensor:
    """Apply the activation that follows, if any; Keras's gelu is the exact one."""
    if not layer.activation:
        return x
    name = f"{name}_{layer.activation}"
    if layer.activation == "relu":
        return keras.layers.ReLU(dtype=settings.policy, name=name)(x)
    return keras.layers.Activation(layer.activation, dtype=settings.policy, name=name)(x)


def _keras_name(layer: Layer, ending: str = "") -> str:
    """``s1.b1.add`` is s1_b1_add, without its ending s1_b1."""
    return layer.name.removesuffix(f".{ending}").replace(".", "_")
