"""The optimisers of the recipes, with the arithmetic of torch.optim.

Keras's own SGD decays weights decoupled from momentum, ten times less at momentum 0.9; the
papers' results come from torch.optim.SGD, which adds the decay to the gradient. On TensorFlow
each weight is updated by one fused operation, which keeps tracing short; the same formulas
stand in ``keras.ops`` for other backends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import keras
from keras import ops

from ..recipes.recipe import Recipe

Tensor = Any
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # torch.optim.AdamW's defaults


class Optimizer(Protocol):
    """Updates the weights that it was made for; ``variables`` are its state."""

    @property
    def variables(self) -> list[keras.Variable]: ...  # noqa: D102

    def apply(self, gradients: Sequence[Tensor], lr: Tensor) -> None:
        """Update every weight, given the gradients in the same order and the rate."""
        ...


def make_optimizer(recipe: Recipe, weights: Sequence[keras.Variable]) -> Optimizer:
    """Return the recipe's optimiser of these weights.

    Without ``decay_norms`` only weights of two dimensions and more decay: no bias, scale, offset.
    """
    decays = [recipe.weight_decay * (recipe.decay_norms or len(w.shape) > 1) for w in weights]
    if recipe.optimizer == "adamw":
        return AdamW(weights, weight_decay=decays)
    return SGD(weights, momentum=recipe.momentum, nesterov=recipe.nesterov, weight_decay=decays)


class SGD:
    """Stochastic gradient descent as torch.optim.SGD, decay in the gradient of every weight.

    ``g += decay w``; ``buffer = momentum buffer + g`` (from zero, so g at the first step);
    with Nesterov ``g += momentum buffer``, else ``g = buffer``; ``w -= lr g``.
    """

    def __init__(
        self,
        weights: Sequence[keras.Variable],
        *,
        momentum: float = 0.9,
        nesterov: bool = True,
        weight_decay: float | Sequence[float] = 0.0,
    ) -> None:
        self.weights = list(weights)
        self.momentum = momentum
        self.nesterov = nesterov
        self.decays = _of_each(weight_decay, self.weights)
        self.buffers = _zeros_like(self.weights)

    @property
    def variables(self) -> list[keras.Variable]:
        """The momentum buffers."""
        return self.buffers

    def apply(self, gradients: Sequence[Tensor], lr: Tensor) -> None:
        """Update every weight, given the gradients in the same order and the rate."""
        if keras.backend.backend() == "tensorflow":
            self._apply_fused(gradients, lr)
        else:
            self.apply_anywhere(gradients, lr)

    def apply_anywhere(self, gradients: Sequence[Tensor], lr: Tensor) -> None:
        """Do the same in Keras's operations alone."""
        slots = zip(self.weights, self.buffers, gradients, self.decays, strict=True)
        for weight, buffer, gradient, decay in slots:
            gradient = gradient + decay * weight
            buffer.assign(self.momentum * buffer + gradient)
            step = gradient + self.momentum * buffer if self.nesterov else buffer
            weight.assign(weight - lr * step)

    def _apply_fused(self, gradients: Sequence[Tensor], lr: Tensor) -> None:
        import tensorflow as tf

        slots = zip(self.weights, self.buffers, gradients, self.decays, strict=True)
        momentum = tf.constant(self.momentum)
        factors = {decay: tf.constant(decay) for decay in set(self.decays)}
        for weight, buffer, gradient, decay in slots:
            if decay:
                gradient = tf.raw_ops.AddV2(x=gradient, y=_scaled(weight, factors[decay]))
            tf.raw_ops.ResourceApplyMomentum(
                var=_handle(weight),
                accum=_handle(buffer),
                lr=lr,
                grad=gradient,
                momentum=momentum,
                use_nesterov=self.nesterov,
            )


class AdamW:
    """Adam with decoupled weight decay as torch.optim.AdamW.

    ``w -= lr decay w``; ``m = b1 m + (1 - b1) g``; ``v = b2 v + (1 - b2) g g``;
    ``w -= lr / (1 - b1^t) m / (sqrt(v / (1 - b2^t)) + epsilon)``, t from 1.
    """

    def __init__(
        self,
        weights: Sequence[keras.Variable],
        *,
        weight_decay: float | Sequence[float] = 0.0,
    ) -> None:
        self.weights = list(weights)
        self.decays = _of_each(weight_decay, self.weights)
        self.means = _zeros_like(self.weights)
        self.squares = _zeros_like(self.weights)
        self.powers = [keras.Variable(1.0, trainable=False, dtype="float32") for _ in range(2)]

    @property
    def variables(self) -> list[keras.Variable]:
        """Means, squares and the powers of the betas."""
        return [*self.means, *self.squares, *self.powers]

    def apply(self, gradients: Sequence[Tensor], lr: Tensor) -> None:
        """Update every weight, given the gradients in the same order and the rate."""
        if keras.backend.backend() == "tensorflow":
            self._apply_fused(gradients, lr)
        else:
            self.apply_anywhere(gradients, lr)

    def apply_anywhere(self, gradients: Sequence[Tensor], lr: Tensor) -> None:
        """Do the same in Keras's operations alone."""
        power_1, power_2 = self._next_powers()
        slots = zip(self.weights, self.means, self.squares, gradients, self.decays, strict=True)
        for weight, mean, square, gradient, decay in slots:
            mean.assign(BETA_1 * mean + (1 - BETA_1) * gradient)
            square.assign(BETA_2 * square + (1 - BETA_2) * gradient * gradient)
            root: Tensor = ops.sqrt(square / (1 - power_2))
            decayed = weight - lr * decay * weight
            weight.assign(decayed - lr / (1 - power_1) * mean / (root + EPSILON))

    def _next_powers(self) -> tuple[Tensor, Tensor]:
        """Return b1^t and b2^t of this step."""
        for power, beta in zip(self.powers, (BETA_1, BETA_2), strict=True):
            power.assign(power * beta)
        return ops.convert_to_tensor(self.powers[0]), ops.convert_to_tensor(self.powers[1])

    def _apply_fused(self, gradients: Sequence[Tensor], lr: Tensor) -> None:
        import tensorflow as tf

        slots = zip(self.weights, self.means, self.squares, gradients, self.decays, strict=True)
        power_1, power_2 = self._next_powers()
        beta_1, beta_2 = tf.constant(BETA_1), tf.constant(BETA_2)
        factors = {decay: tf.constant(decay) for decay in set(self.decays)}
        # TensorFlow adds epsilon to sqrt(v), torch to sqrt(v / (1 - b2^t)).
        epsilon = EPSILON * tf.sqrt(1.0 - power_2)
        for weight, mean, square, gradient, decay in slots:
            if decay:
                tf.raw_ops.ResourceApplyGradientDescent(
                    var=_handle(weight), alpha=lr, delta=_scaled(weight, factors[decay])
                )
            tf.raw_ops.ResourceApplyAdam(
                var=_handle(weight),
                m=_handle(mean),
                v=_handle(square),
                beta1_power=power_1,
                beta2_power=power_2,
                lr=lr,
                beta1=beta_1,
                beta2=beta_2,
                epsilon=epsilon,
                grad=gradient,
            )


def _of_each(decay: float | Sequence[float], weights: Sequence[keras.Variable]) -> list[float]:
    return [float(decay)] * len(weights) if isinstance(decay, int | float) else list(decay)


def _zeros_like(weights: Sequence[keras.Variable]) -> list[keras.Variable]:
    return [
        keras.Variable(ops.zeros(weight.shape, dtype=weight.dtype), trainable=False)
        for weight in weights
    ]


def _handle(variable: keras.Variable) -> Tensor:
    """Return the resource of a Keras variable on TensorFlow."""
    return variable.value.handle  # type: ignore[union-attr]


def _scaled(variable: keras.Variable, factor: Tensor) -> Tensor:
    import tensorflow as tf

    value = tf.raw_ops.ReadVariableOp(resource=_handle(variable), dtype=variable.dtype)
    return tf.raw_ops.Mul(x=value, y=factor)
