"""Batch norm in the shape that is fast on a CPU gives the results of the plain operation."""

import numpy as np
import pytest
import tensorflow as tf
from regnet_ds.regnet import BatchNorm
from regnet_ds.regnet.convolutions import grouped
from regnet_ds.regnet.convolutions.grouped import implementation, native_is_fast
from regnet_ds.regnet.convolutions.normalising import normalise, pixels_at_once

EPSILON = 1e-5
SHAPES = [(3, 8, 8, 24), (2, 7, 9, 8), (5, 1, 1, 48), (2, 13, 13, 5), (4, 12, 10, 16)]


def arguments(shape, mean=0.5, deviation=1.0):
    """Return maps, gamma, beta and the gradient of what is made of them."""
    rng = np.random.default_rng(shape[1] * shape[-1])
    channels = shape[-1:]
    made = [
        rng.normal(mean, deviation, shape),
        rng.uniform(0.5, 1.5, channels),
        rng.normal(size=channels),
        rng.normal(size=shape),
    ]
    return [tf.constant(array, tf.float32) for array in made]


def value_and_gradients(x, gamma, beta, upstream):
    with tf.GradientTape() as tape:
        tape.watch((x, gamma, beta))
        y, mean, variance = normalise(
            x, scale=gamma, offset=beta, mean=[], variance=[], epsilon=EPSILON
        )
    return [y, mean, variance, *tape.gradient(y, (x, gamma, beta), output_gradients=upstream)]


def exact(x, gamma, beta, upstream):
    """The same in float64 (Ioffe and Szegedy, 2015, section 3)."""
    x, gamma, beta, upstream = (np.asarray(v, np.float64) for v in (x, gamma, beta, upstream))
    axes, n = (0, 1, 2), x[..., 0].size
    inverse = 1 / np.sqrt(x.var(axes) + EPSILON)
    normal = (x - x.mean(axes)) * inverse
    d_gamma, d_beta = (upstream * normal).sum(axes), upstream.sum(axes)
    d_x = gamma * inverse * (upstream - d_beta / n - normal * d_gamma / n)
    y = normal * gamma + beta
    return [y, x.mean(axes), x.var(axes) * n / (n - 1), d_x, d_gamma, d_beta]


def error(found, expected):
    """Return the largest max|a - b| / max|b|."""
    pairs = [(np.asarray(a), np.asarray(b)) for a, b in zip(found, expected, strict=True)]
    return max(np.abs(a - b).max() / np.abs(b).max() for a, b in pairs)


@pytest.mark.parametrize("shape", SHAPES)
def test_values_moments_and_gradients_are_exact(shape):
    given = arguments(shape)
    traced = tf.function(value_and_gradients, autograph=False)
    with implementation("native"):
        plain = value_and_gradients(*given)
    for found in (value_and_gradients(*given), traced(*given), plain):
        assert error(found, exact(*given)) < 1e-5
        assert found[0].shape == shape


@pytest.mark.parametrize(("mean", "deviation"), [(100.0, 1.0), (0.1, 1e-3), (-1000.0, 30.0)])
def test_a_large_mean_costs_no_more_digits_than_in_the_plain_operation(mean, deviation):
    given = arguments((16, 28, 28, 24), mean, deviation)
    expected = exact(*given)
    with implementation("native"):
        plain = error(value_and_gradients(*given), expected)
    assert error(value_and_gradients(*given), expected) < 2 * plain + 1e-6


def test_maps_of_unknown_size_and_batch():
    x, gamma, beta, upstream = arguments((3, 6, 7, 8))
    for size in ((None, None, None, 8), (None, 6, 7, 8)):
        traced = tf.function(
            lambda x: value_and_gradients(x, gamma, beta, upstream),
            input_signature=[tf.TensorSpec(size)],
        )
        assert error(traced(x), exact(x, gamma, beta, upstream)) < 1e-5


def test_moving_statistics_and_a_model_that_infers():
    rng = np.random.default_rng(5)
    x = tf.constant(rng.normal(size=(4, 6, 6, 24)) + 2, tf.float32)
    plain, ours = BatchNorm(momentum=0.8), BatchNorm(momentum=0.8)
    with implementation("native"):
        plain(x, training=True)
        expected = plain(x)
    ours(x, training=True)
    for a, b in zip(ours.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    assert error([ours(x)], [expected]) < 1e-6


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(dtype):
    x, *given = arguments((2, 8, 8, 24))
    half = tf.cast(x, dtype)
    y, *moments = value_and_gradients(half, *given[:2], tf.cast(given[2], dtype))[:3]
    expected = exact(tf.cast(half, tf.float32), *given)
    assert y.dtype == dtype
    assert error([tf.cast(y, tf.float32)], expected[:1]) < 0.01
    assert error(moments, expected[1:3]) < 1e-5


def reshapes(**options):
    given = arguments((2, 8, 8, 24))
    traced = tf.function(lambda: value_and_gradients(*given)[0], autograph=False, **options)
    graph = traced.get_concrete_function().graph
    types = [operation.type for operation in graph.get_operations()]
    assert types.count("FusedBatchNormV3") == 1
    return types.count("Reshape")


@pytest.mark.skipif(native_is_fast(), reason="GPUs have the plain operation")
def test_xla_inference_and_programs_that_read_the_graph_have_the_plain_operation():
    assert reshapes() > 0
    assert reshapes(jit_compile=True) == 0
    with implementation("native"):
        assert reshapes() == 0
    norm = BatchNorm()
    norm.build((None, 8, 8, 24))
    inference = tf.function(lambda: norm(tf.ones((2, 8, 8, 24))), autograph=False)
    graph = inference.get_concrete_function().graph
    assert "Reshape" not in [operation.type for operation in graph.get_operations()]


def test_pixels_at_once_divide_the_map():
    sizes = [(112, 112), (14, 14), (7, 7), (5, 7), (13, 13), (1, 1), (2, 3), (None, 8), (8, None)]
    assert [pixels_at_once(*size) for size in sizes] == [8, 7, 7, 7, 1, 1, 6, 1, 1]


def test_earlier_arithmetic_can_be_asked_for(monkeypatch):
    """Version 1 is the operation on maps as they are; it is named in records."""
    shapes = []
    fused = tf.raw_ops.FusedBatchNormV3
    monkeypatch.setattr(
        tf.raw_ops,
        "FusedBatchNormV3",
        lambda x, **more: (shapes.append(tuple(x.shape)), fused(x=x, **more))[1],
    )
    x = tf.random.stateless_normal((4, 6, 6, 16), (0, 1))
    given = {"scale": tf.ones(16), "offset": tf.zeros(16), "mean": [], "variance": []}
    now = normalise(x, **given, is_training=True)
    name = grouped.name_of_way()
    with grouped.arithmetic(1):
        then = normalise(x, **given, is_training=True)
        old = grouped.name_of_way()
    assert shapes[1] == (4, 6, 6, 16)
    assert np.allclose(now.y, then.y, atol=1e-5)
    assert grouped.version_of(old) == 1
    if name != "native":
        assert shapes[0] != shapes[1]
        assert (name, grouped.version_of(name)) == (f"{old}.2", 2)
    with pytest.raises(ValueError, match="arithmetic must be from 1 to 2, got 3"):
        grouped.arithmetic(3).__enter__()
