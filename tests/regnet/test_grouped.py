"""Every way of computing a convolution gives the same values and gradients."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from regnet_ds.regnet import GroupedConv2D, build, canonical
from regnet_ds.regnet.convolutions import grouped
from regnet_ds.regnet.convolutions.packing import dense_in_space, packed

SHAPES = [  # height, width, group width, groups
    (9, 8, 8, 7),
    (8, 8, 1, 5),
    (7, 7, 24, 3),
    (5, 6, 40, 2),
    (6, 9, 12, 1),
    (2, 2, 8, 3),
    (1, 3, 4, 2),
]


def arrays(h, w, group_width, groups, kernel_size=3):
    rng = np.random.default_rng(h * w + groups)
    channels = group_width * groups
    x = tf.constant(rng.normal(size=(3, h, w, channels)), tf.float32)
    kernel = rng.normal(size=(kernel_size, kernel_size, group_width, 2 * channels))
    return x, tf.constant(kernel, tf.float32)


def value_and_gradients(function, x, kernel):
    with tf.GradientTape() as tape:
        tape.watch((x, kernel))
        y = function(x, kernel)
        loss = tf.reduce_mean(tf.sin(y) * tf.cos(3.0 * y))
    return [y, *tape.gradient(loss, (x, kernel))]


def by_keras(x, kernel, stride, padding):
    """The convolution that Keras has XLA compute."""
    if padding == "symmetric":
        x, padding = keras.layers.ZeroPadding2D(kernel.shape[0] // 2)(x), "valid"
    return keras.ops.conv(x, kernel, stride, padding=padding, data_format="channels_last")


@pytest.mark.parametrize("padding", ["symmetric", "same"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_way_agrees(shape, stride, padding):
    x, kernel = arrays(*shape)
    groups = shape[-1]

    def convolve(x, kernel):
        return grouped.convolve(x, kernel, stride, groups, padding)

    expected = value_and_gradients(lambda x, k: by_keras(x, k, stride, padding), x, kernel)
    ways = {
        "auto": value_and_gradients(convolve, x, kernel),
        "traced": tf.function(value_and_gradients, autograph=False)(convolve, x, kernel),
    }
    for way in ("native", "packed"):
        if way == "native" and groups > 1 and not grouped.grouped_gradients("float32"):
            continue
        with grouped.implementation(way):
            ways[way] = value_and_gradients(convolve, x, kernel)
    for function in (packed, dense_in_space):
        ways[function.__name__] = value_and_gradients(
            lambda x, k, f=function: f(x, k, stride, groups, padding), x, kernel
        )
    for way, values in ways.items():
        for a, b in zip(values, expected, strict=True):
            atol = 5e-5 * float(tf.reduce_max(abs(b)))
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=atol, err_msg=way)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel_size", [1, 5, 7])
def test_other_kernels_and_sizes_pad_as_asked(kernel_size, stride):
    for size in (7, 8, 12):
        x, kernel = arrays(size, size + 1, 4, 3, kernel_size)
        y = grouped.convolve(x, kernel, stride, 3)
        np.testing.assert_allclose(y, by_keras(x, kernel, stride, "symmetric"), atol=1e-3)


def test_maps_of_unknown_size():
    x, kernel = arrays(8, 9, 8, 3)
    for stride in (1, 2):
        function = tf.function(
            lambda x, s=stride: grouped.convolve(x, kernel, s, 3),
            input_signature=[tf.TensorSpec((None, None, None, 24))],
        )
        np.testing.assert_allclose(function(x), by_keras(x, kernel, stride, "symmetric"), atol=1e-3)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_has_gradients_too(dtype):
    x, kernel = arrays(6, 6, 8, 3)
    half = [tf.cast(v, dtype) for v in (x, kernel)]
    for stride in (1, 2):

        def convolve(x, kernel, stride=stride):
            return grouped.convolve(x, kernel, stride, 3)

        expected = value_and_gradients(convolve, *(tf.cast(v, tf.float32) for v in half))
        y, *gradients = value_and_gradients(convolve, *half)
        assert {v.dtype for v in (y, *gradients)} == {tf.as_dtype(dtype)}
        scale = float(tf.reduce_max(abs(expected[0])))
        np.testing.assert_allclose(tf.cast(y, tf.float32), expected[0], atol=0.02 * scale)
        assert all(np.isfinite(tf.cast(g, tf.float32)).all() for g in gradients)


def operations(function):
    return [op.type for op in function.get_concrete_function().graph.get_operations()]


def test_the_way_can_be_chosen():
    x, kernel = arrays(8, 8, 8, 7)

    def traced(**options):
        return operations(tf.function(lambda: grouped.convolve(x, kernel, 1, 7), **options))

    with grouped.implementation("native"):
        assert traced().count("Conv2D") == 1
        assert grouped.name_of_way() == "native"
    with grouped.implementation("packed"):
        assert traced().count("Conv2D") == 3
        assert grouped.name_of_way() == "packed-24.2"
    assert traced().count("Conv2D") == (1 if grouped.grouped_gradients("float32") else 3)
    assert traced(jit_compile=True).count("Conv2D") == 3
    with pytest.raises(ValueError, match="one of auto, native, packed, got 'fast'"):
        with grouped.implementation("fast"):
            pass


def test_xla_compiles_and_agrees():
    x, kernel = arrays(4, 5, 8, 4)
    compiled = tf.function(value_and_gradients, jit_compile=True, autograph=False)

    def convolve(x, kernel):
        return grouped.convolve(x, kernel, 2, 4)

    for a, b in zip(
        compiled(convolve, x, kernel), value_and_gradients(convolve, x, kernel), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_the_way_is_not_part_of_a_saved_layer():
    layer = GroupedConv2D(8, groups=2)
    config = layer.get_config()
    with grouped.implementation("packed"):
        assert GroupedConv2D.from_config(config).get_config() == config
    model = build(canonical("RegNetX-200MF"), input_shape=(32, 32, 3), classes=3)
    shapes = [w.shape for w in model.weights]
    with grouped.implementation("native"):
        again = build(canonical("RegNetX-200MF"), input_shape=(32, 32, 3), classes=3)
    assert [w.shape for w in again.weights] == shapes


WITHOUT_ONEDNN = """
import numpy as np, tensorflow as tf
from regnet_ds.regnet import GroupedConv2D
from regnet_ds.regnet.convolutions import grouped
assert not grouped.grouped_gradients("float32")
assert grouped.name_of_way() == "packed-24.2"
layer, x = GroupedConv2D(24, groups=3), tf.ones((1, 4, 4, 24))
with tf.GradientTape() as tape:
    y = tf.reduce_sum(layer(x))
assert np.isfinite(tape.gradient(y, layer.trainable_weights)[0]).all()
"""


@pytest.mark.slow
@pytest.mark.smoke
def test_a_processor_without_onednn_packs():
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0", "KERAS_BACKEND": "tensorflow"}
    subprocess.run([sys.executable, "-c", WITHOUT_ONEDNN], check=True, env=environment)
