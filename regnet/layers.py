"""The layers of RegNets, and the stem, blocks and head made of them (DDS figure 4).

A 3x3 convolution pads one zero on every side, as in PyTorch. Weights start as in pycls:
convolutions normal with variance 2 / (k k filters), the fully connected layer normal with
standard deviation 0.01, batch norm at 1 and 0.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from ..designspace import NetSpec, Stage
from . import grouped

Tensor = Any
BN_MOMENTUM = 0.9
BN_EPSILON = 1e-5
CLASSIFIER_STD = 0.01


@keras.saving.register_keras_serializable(package="regnet_ds")
class GroupedConv2D(keras.layers.Layer):
    """A 2D convolution in groups, without bias, padded symmetrically; a stride rounds up.

    Its only weight is ``kernel``, (kh, kw, group width, filters), as that of Keras's
    ``Conv2D(groups=...)``. How the groups are computed depends on the device (``grouped``).

    Parameters
    ----------
    filters
        Output channels, a multiple of ``groups``.
    kernel_size
        An odd number of pixels.
    strides
        Step in pixels, the same in height and width.
    groups
        Groups, a divisor of the input channels.
    kernel_initializer
        As in Keras.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        *,
        strides: int = 1,
        groups: int = 1,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, got {kernel_size}")
        if filters % groups:
            raise ValueError(f"groups {groups} do not divide the filters {filters}")
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.groups = groups
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the kernel for maps of shape (n, h, w, c)."""
        channels = input_shape[-1]
        if channels is None or channels % self.groups:
            raise ValueError(f"groups {self.groups} do not divide the input channels {channels}")
        self.input_spec = keras.layers.InputSpec(ndim=4, axes={-1: channels})
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.kernel_size, self.kernel_size, channels // self.groups, self.filters),
            initializer=self.kernel_initializer,
        )

    def call(self, inputs: Tensor) -> Tensor:
        """Return maps of shape (n, ceil(h / stride), ceil(w / stride), filters)."""
        kernel = keras.ops.convert_to_tensor(self.kernel)
        return grouped.convolve(inputs, kernel, self.strides, self.groups)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (n, ceil(h / stride), ceil(w / stride), filters)."""
        n, h, w, _ = input_shape
        rounded = (None if size is None else -(-size // self.strides) for size in (h, w))
        return (n, *rounded, self.filters)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "groups": self.groups,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


@keras.saving.register_keras_serializable(package="regnet_ds")
class PointwiseConv2D(keras.layers.Conv2D):
    """Keras's 1x1 convolution, computed on a CPU as a matrix product (``grouped``)."""

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        """Return maps of shape (n, ceil(h / stride), ceil(w / stride), filters)."""
        stride = self.strides[0]
        return grouped.convolve(inputs, keras.ops.convert_to_tensor(kernel), stride, self.groups)


@keras.saving.register_keras_serializable(package="regnet_ds")
class BatchNorm(keras.layers.BatchNormalization):
    """Batch norm whose moving variance is unbiased, as in PyTorch and TensorFlow 2's Keras.

    On TensorFlow in float32 it is one fused operation, faster and a tenth of the operations to
    trace. Keras 3 itself averages the biased variance, as this does on other backends.
    """

    def call(self, inputs: Tensor, training: bool | None = None, mask: Any = None) -> Tensor:
        """Normalise maps (n, h, w, c) by the batch (training) or the moving statistics."""
        learning = bool(training) and self.trainable
        plain = mask is None and not self.synchronized and self.compute_dtype == "float32"
        if plain and len(inputs.shape) == 4 and keras.backend.backend() == "tensorflow":
            return self._fused(inputs, learning)
        return super().call(inputs, training=training, mask=mask)

    def _fused(self, inputs: Tensor, learning: bool) -> Tensor:
        import tensorflow as tf

        # The operation itself moves the averages by exponential_avg_factor.
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma,
            offset=self.beta,
            mean=self.moving_mean,
            variance=self.moving_variance,
            epsilon=self.epsilon,
            exponential_avg_factor=1.0 - self.momentum,
            is_training=learning,
        )
        if learning:
            for average, moved in ((self.moving_mean, mean), (self.moving_variance, variance)):
                average.assign(moved)  # pyright: ignore[reportOptionalMemberAccess]
        return y


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


def conv_bn(
    x: Tensor,
    filters: int,
    kernel_size: int,
    *,
    init: Initialisers,
    name: str,
    strides: int = 1,
    groups: int = 1,
) -> Tensor:
    """Apply a convolution without bias and its batch norm, ``name``_conv and ``name``_bn."""
    kernel = init.conv(kernel_size, filters)
    if kernel_size == 1:
        conv: keras.layers.Layer = PointwiseConv2D(
            filters,
            1,
            strides=strides,
            use_bias=False,
            data_format="channels_last",
            kernel_initializer=kernel,
            name=f"{name}_conv",
        )
    else:
        conv = GroupedConv2D(
            filters,
            kernel_size,
            strides=strides,
            groups=groups,
            kernel_initializer=kernel,
            name=f"{name}_conv",
        )
    norm = BatchNorm(momentum=BN_MOMENTUM, epsilon=BN_EPSILON, name=f"{name}_bn")
    return norm(conv(x))


def squeeze_excite(x: Tensor, squeeze: int, *, init: Initialisers, name: str) -> Tensor:
    """Scale the channels of x by a gate of their means (DDS section 5)."""
    channels = x.shape[-1]
    y = keras.layers.GlobalAveragePooling2D(
        data_format="channels_last", keepdims=True, name=f"{name}_pool"
    )(x)
    for layer, filters, activation in (
        ("squeeze", squeeze, "relu"),
        ("excite", channels, "sigmoid"),
    ):
        y = PointwiseConv2D(
            filters,
            1,
            activation=activation,
            data_format="channels_last",
            kernel_initializer=init.conv(1, filters),
            name=f"{name}_{layer}",
        )(y)
    return keras.layers.Multiply(name=f"{name}_scale")([x, y])


def stem(x: Tensor, spec: NetSpec, *, init: Initialisers) -> Tensor:
    """Apply the simple stem: one strided 3x3 convolution."""
    x = conv_bn(x, spec.stem_width, 3, strides=2, init=init, name="stem")
    return relu(x, "stem_relu")


def block(
    x: Tensor, stage: Stage, *, stride: int, se_ratio: float, init: Initialisers, name: str
) -> Tensor:
    """Apply a residual bottleneck block, X (se_ratio 0) or Y."""
    channels = x.shape[-1]
    inner = stage.inner_width
    y = relu(conv_bn(x, inner, 1, init=init, name=f"{name}_a"), f"{name}_a_relu")
    y = conv_bn(y, inner, 3, strides=stride, groups=stage.groups, init=init, name=f"{name}_b")
    y = relu(y, f"{name}_b_relu")
    squeeze = round(channels * se_ratio)
    if squeeze:  # none where it rounds to nothing, as in pycls
        y = squeeze_excite(y, squeeze, init=init, name=f"{name}_se")
    y = conv_bn(y, stage.width, 1, init=init, name=f"{name}_c")
    if channels != stage.width or stride != 1:
        x = conv_bn(x, stage.width, 1, strides=stride, init=init, name=f"{name}_shortcut")
    return relu(keras.layers.Add(name=f"{name}_add")([x, y]), f"{name}_relu")


def head(x: Tensor, spec: NetSpec, classes: int, *, init: Initialisers) -> Tensor:
    """Return logits: an optional 1x1 convolution, the mean over the map, a dense layer."""
    if spec.head_width:
        x = relu(conv_bn(x, spec.head_width, 1, init=init, name="head"), "head_relu")
    x = keras.layers.GlobalAveragePooling2D(data_format="channels_last", name="head_pool")(x)
    return keras.layers.Dense(classes, kernel_initializer=init.dense(), name="head_dense")(x)


def relu(x: Tensor, name: str) -> Tensor:
    """Apply the rectifier."""
    return keras.layers.ReLU(name=name)(x)
