"""Claim: batch norm as we shape it is never slower on a CPU than TensorFlow's plain operation.

Forward and all gradients of batch norm by the batch's moments and ReLU, float32, channels last,
on maps of RegNetX-200MF at batch 32, each form in turn: the plain fused operation; ours, the same
one on images of a few pixels; mean and variance by reductions; the fused operation compiled by
XLA. Prints how far the results are from those of the plain one without the ReLU, relative to the
largest. ONEDNN_MAX_CPU_ISA=AVX2 shows a processor without AVX-512.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import statistics
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from regnet_ds.regnet.convolutions.normalising import normalise

EPSILON = 1e-5
SIDES_AND_CHANNELS = [(112, 32), (112, 24), (56, 24), (28, 56), (14, 152), (7, 368)]
SHAPES = [(32, side, side, channels) for side, channels in SIDES_AND_CHANNELS]
Norm = Callable[[Any, Any, Any], Any]


def plain(x: Any, gamma: Any, beta: Any) -> Any:
    """One operation on the map as it is."""
    none = tf.constant([], tf.float32)
    return tf.raw_ops.FusedBatchNormV3(
        x=x, scale=gamma, offset=beta, mean=none, variance=none, epsilon=EPSILON
    )[0]


def reductions(x: Any, gamma: Any, beta: Any) -> Any:
    """What Keras does where it does not fuse."""
    mean, variance = tf.nn.moments(x, [0, 1, 2])
    scale = gamma * tf.math.rsqrt(variance + EPSILON)
    return x * scale + (beta - mean * scale)


def ours(x: Any, gamma: Any, beta: Any) -> Any:
    """The same operation on images of a few pixels."""
    return normalise(x, scale=gamma, offset=beta, mean=[], variance=[], epsilon=EPSILON).y


def step(
    norm: Norm, shape: tuple[int, ...], xla: bool = False, activation: Any = tf.nn.relu
) -> Callable[[], list[Any]]:
    """Return the traced value and gradients of batch norm and an activation."""
    tf.random.set_seed(1)
    x = tf.random.normal(shape) + 0.5
    gamma, beta = tf.random.uniform(shape[-1:], 0.5, 1.5), tf.random.normal(shape[-1:])
    upstream = tf.random.normal(shape)

    @tf.function(autograph=False, jit_compile=xla)
    def both(x: Any, gamma: Any, beta: Any, upstream: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            tape.watch((x, gamma, beta))
            y = activation(norm(x, gamma, beta))
        return [y, *tape.gradient(y, (x, gamma, beta), output_gradients=upstream)]

    return lambda: both(x, gamma, beta, upstream)


def deviation(ours: list[Any], theirs: list[Any]) -> float:
    """Return the largest max|a - b| / max|b| of value and gradients."""
    pairs = zip(ours, theirs, strict=True)
    return max(float(tf.reduce_max(abs(a - b)) / tf.reduce_max(abs(b))) for a, b in pairs)


def main() -> None:
    """Print a row a map."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    print("| n, h, w, c | form | ms | time / the plain one's | deviation |\n|---|---|---|---|---|")
    for shape in SHAPES:
        norms = {"plain": plain, "ours": ours, "reductions": reductions}
        forms = {name: step(norm, shape) for name, norm in norms.items()}
        forms["plain, XLA"] = step(plain, shape, xla=True)
        # ReLU's gradient jumps at 0, so that results are compared without it.
        results = {n: step(norm, shape, activation=tf.identity)() for n, norm in norms.items()}
        results["plain, XLA"] = step(plain, shape, xla=True, activation=tf.identity)()
        for form in forms.values():
            form()
        times: dict[str, list[float]] = {name: [] for name in forms}
        for _ in range(args.rounds):
            for name, form in forms.items():
                start = time.perf_counter()
                form()
                times[name].append((time.perf_counter() - start) * 1e3)
        for name, taken in times.items():
            ratios = [a / b for a, b in zip(taken, times["plain"], strict=True)]
            print(
                f"| {', '.join(map(str, shape))} | {name} | {statistics.median(taken):.2f} | "
                f"{statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}] | "
                f"{deviation(results[name], results['plain']):.1e} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
