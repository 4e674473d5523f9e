"""The Keras layers that RegNets need and Keras lacks, or has slower or with other padding.

Convolutions and pooling pad alike on every side, as in PyTorch, and a stride rounds up; a
convolution may pad as TensorFlow does. All take channels last and every dtype policy; under a
mixed one the statistics of batch norm and its arithmetic stay in float32.
"""

from __future__ import annotations

from typing import Any

import keras

from ...designspace.spec import require_choice
from ..convolutions import grouped
from ..convolutions.normalising import normalise
from ..weights.conventions import PADDINGS

Tensor = Any
ops: Any = keras.ops  # whose stubs say None where tensors come


@keras.saving.register_keras_serializable(package="regnet_ds")
class GroupedConv2D(keras.layers.Layer):
    """A 2D convolution in groups; a stride rounds up.

    Its weights are ``kernel``, (kh, kw, group width, filters), as that of Keras's
    ``Conv2D(groups=...)``, and ``bias``, (filters,), if it has one. How the groups are computed
    depends on the device (``grouped``).

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
    padding
        ``symmetric``: half the kernel on every side, as in PyTorch. ``same``, as in TensorFlow:
        with a stride an even map is padded on the lower right alone.
    use_bias
        Add a bias, which starts at 0. RegNets have batch norm instead; fused ones have a bias.
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
        padding: str = "symmetric",
        use_bias: bool = False,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, got {kernel_size}")
        if filters % groups:
            raise ValueError(f"groups {groups} do not divide the filters {filters}")
        require_choice("padding", padding, PADDINGS)
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.groups = groups
        self.padding = padding
        self.use_bias = use_bias
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
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, inputs: Tensor) -> Tensor:
        """Return maps of shape (n, ceil(h / stride), ceil(w / stride), filters)."""
        kernel = keras.ops.convert_to_tensor(self.kernel)
        maps = grouped.convolve(inputs, kernel, self.strides, self.groups, self.padding)
        return ops.add(maps, self.bias) if self.use_bias else maps

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
            "padding": self.padding,
            "use_bias": self.use_bias,
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

    On TensorFlow with float32 weights it is one fused operation, faster and a tenth of the
    operations to trace, which computes in float32 also where maps have half the precision.
    Keras 3 itself averages the biased variance, as this does on other backends.
    """

    def call(self, inputs: Tensor, training: bool | None = None, mask: Any = None) -> Tensor:
        """Normalise maps (n, h, w, c) by the batch (training) or the moving statistics."""
        learning = bool(training) and self.trainable
        plain = mask is None and not self.synchronized and self.variable_dtype == "float32"
        if plain and len(inputs.shape) == 4 and keras.backend.backend() == "tensorflow":
            return self._fused(inputs, learning)
        return super().call(inputs, training=training, mask=mask)

    def _fused(self, inputs: Tensor, learning: bool) -> Tensor:
        # The operation itself moves the averages by exponential_avg_factor.
        y, mean, variance = normalise(
            inputs,
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


@keras.saving.register_keras_serializable(package="regnet_ds")
class SymmetricMaxPooling2D(keras.layers.MaxPooling2D):
    """Max pooling of an odd window that pads symmetrically, as in PyTorch; a stride rounds up.

    Keras's ``same`` pads an even map on the lower right alone, so its windows lie elsewhere.

    Parameters
    ----------
    pool_size, strides
        The window's side, odd, and its step, in pixels.
    """

    def __init__(self, pool_size: int = 3, strides: int = 2, **kwargs: Any) -> None:
        side = pool_size if isinstance(pool_size, int) else pool_size[0]  # a saved one is a pair
        if side % 2 == 0:
            raise ValueError(f"pool_size must be odd, got {pool_size}")
        super().__init__(pool_size, strides, **kwargs)

    def call(self, inputs: Tensor) -> Tensor:
        """Return maps of shape (n, ceil(h / stride), ceil(w / stride), c)."""
        # A mirrored border repeats what the window sees, so that it never decides the maximum.
        h, w = (side // 2 for side in self.pool_size)
        return super().call(ops.pad(inputs, [[0, 0], [h, h], [w, w], [0, 0]], mode="symmetric"))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (n, ceil(h / stride), ceil(w / stride), c)."""
        n, *sizes, channels = input_shape
        pairs = zip(sizes, self.strides, strict=True)
        return (n, *(None if size is None else -(-size // step) for size, step in pairs), channels)


@keras.saving.register_keras_serializable(package="regnet_ds")
class DropPath(keras.layers.Layer):
    """Stochastic depth ("Deep Networks with Stochastic Depth", 2016), image by image.

    In training each image's map is set to zero with probability ``rate`` and else divided by
    1 - ``rate``, which keeps its mean; otherwise nothing is done.

    Parameters
    ----------
    rate
        In [0, 1).
    seed
        Decides the draws.
    """

    def __init__(self, rate: float, *, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"rate must be in [0, 1), got {rate!r}")
        self.rate = rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """Return maps of the same shape and dtype."""
        if not training or not self.rate:
            return inputs
        shape = (ops.shape(inputs)[0], *[1] * (len(inputs.shape) - 1))
        # In float32 always: uniform numbers of bfloat16 are multiples of 1/128.
        drawn = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
        factor = ops.where(drawn < self.rate, 0.0, 1.0 / (1.0 - self.rate))
        return inputs * ops.cast(factor, inputs.dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
