import keras
import numpy as np
import pytest
import tensorflow as tf
from regnet_ds.regnet import BatchNorm, GroupedConv2D, accounting
from regnet_ds.regnet.networks.layers import DropPath, SymmetricMaxPooling2D


def built_in(filters, groups, strides, kernel_size=3):
    """The same convolution out of Keras's own layers."""
    conv = keras.layers.Conv2D(
        filters, kernel_size, strides=strides, groups=groups, use_bias=False, name="conv"
    )
    return keras.Sequential([keras.layers.ZeroPadding2D(kernel_size // 2), conv])


def value_and_gradients(layer, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
        loss = tf.reduce_mean(tf.sin(y) * tf.cos(3.0 * y))
    return [y, *tape.gradient(loss, [x, layer.trainable_weights[0].value])]


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize(
    ("h", "w", "group_width", "groups"),
    [
        (9, 8, 8, 7),  # packs, the last one smaller
        (8, 8, 1, 5),
        (5, 6, 40, 2),  # a group alone
        (6, 6, 12, 1),
        (2, 2, 8, 3),  # dense in space
        (1, 1, 12, 2),
        (1, 3, 4, 2),
    ],
)
def test_grouped_convolution_equals_keras(h, w, group_width, groups, strides):
    rng = np.random.default_rng(0)
    channels = group_width * groups
    x = tf.constant(rng.normal(size=(3, h, w, channels)), tf.float32)
    ours = GroupedConv2D(2 * channels, strides=strides, groups=groups)
    theirs = built_in(2 * channels, groups, strides)
    assert ours(x).shape == theirs(x).shape == ours.compute_output_shape(x.shape)
    assert ours.kernel.shape == theirs.get_layer("conv").kernel.shape
    theirs.set_weights(ours.get_weights())
    for a, b in zip(value_and_gradients(ours, x), value_and_gradients(theirs, x), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5 * float(tf.reduce_max(abs(b))))


def test_a_bias_is_added_counted_and_serialised():
    x = np.random.default_rng(8).normal(size=(2, 6, 6, 8)).astype(np.float32)
    plain, biased = GroupedConv2D(4, groups=2), GroupedConv2D(4, groups=2, use_bias=True)
    y = plain(x)
    biased.build(x.shape)
    biased.set_weights([*plain.get_weights(), np.array([1, 2, 3, 4], np.float32)])
    np.testing.assert_allclose(biased(x), y + np.array([1, 2, 3, 4]), rtol=1e-6, atol=1e-6)
    assert [len(layer.weights) for layer in (plain, biased)] == [1, 2]
    assert GroupedConv2D.from_config(biased.get_config()).use_bias
    assert not GroupedConv2D(4).use_bias
    (row,) = accounting.by_layer(keras.Sequential([keras.Input((6, 6, 8)), biased]))
    assert (row.bias_adds, row.params) == (4 * 36, 9 * 4 * 4 + 4)


def test_symmetric_padding_and_the_sizes_of_same():
    image = np.zeros((1, 8, 8, 1), np.float32)
    image[0, 0, 0, 0] = 1
    layer = GroupedConv2D(1, strides=2, kernel_initializer="ones")
    y = keras.ops.convert_to_numpy(layer(image))
    same = keras.layers.Conv2D(1, 3, strides=2, padding="same", use_bias=False)
    assert y.shape == tuple(same(image).shape) == (1, 4, 4, 1)
    # The zero row comes before the image, so its first pixel is in the window's centre.
    layer.kernel.assign(np.arange(9, dtype=np.float32).reshape(3, 3, 1, 1))
    assert float(layer(image)[0, 0, 0, 0]) == 4


def test_groups_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="groups 3 do not divide the filters 8"):
        GroupedConv2D(8, groups=3)
    with pytest.raises(ValueError, match="groups 4 do not divide the input channels 6"):
        GroupedConv2D(8, groups=4)(np.zeros((1, 4, 4, 6), np.float32))
    with pytest.raises(ValueError, match="kernel_size must be odd, got 2"):
        GroupedConv2D(8, 2)


def test_batch_norm_equals_keras_but_for_the_unbiased_variance():
    rng = np.random.default_rng(2)
    x = tf.constant(3 * rng.normal(size=(4, 3, 3, 5)) + 1, tf.float32)
    ours = BatchNorm(momentum=0.8, epsilon=1e-5)
    theirs = keras.layers.BatchNormalization(momentum=0.8, epsilon=1e-5)
    for _ in range(2):
        np.testing.assert_allclose(ours(x, training=True), theirs(x, training=True), atol=1e-5)
    np.testing.assert_allclose(ours.moving_mean, theirs.moving_mean, rtol=1e-4)
    biased = (theirs.moving_variance.numpy() - 0.64) * 36 / 35 + 0.64
    np.testing.assert_allclose(ours.moving_variance, biased, rtol=1e-4)
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-5)


def test_a_frozen_batch_norm_keeps_its_statistics():
    x = np.random.default_rng(3).normal(size=(4, 3, 3, 5)).astype(np.float32)
    norm = BatchNorm()
    norm.trainable = False
    before = norm(x, training=False)
    np.testing.assert_array_equal(norm(x, training=True), before)
    np.testing.assert_array_equal(norm.moving_mean, np.zeros(5))


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_batch_norm_keeps_its_statistics_in_float32(dtype):
    """A mean of 1000 and a deviation of 1 are lost in sums of half the precision."""
    rng = np.random.default_rng(4)
    x = tf.constant(rng.integers(-1, 2, size=(8, 9, 9, 3)) + 1000, tf.float16)
    x = tf.cast(x, dtype.removeprefix("mixed_"))
    ours, exact = BatchNorm(momentum=0.0, dtype=dtype), BatchNorm(momentum=0.0)
    y, expected = ours(x, training=True), exact(tf.cast(x, tf.float32), training=True)
    assert y.dtype == x.dtype
    np.testing.assert_allclose(tf.cast(y, tf.float32), expected, atol=0.02)
    for a, b in zip(ours.get_weights(), exact.get_weights(), strict=True):
        assert a.dtype == np.float32
        np.testing.assert_allclose(a, b, rtol=1e-5)


@pytest.mark.parametrize(("h", "w"), [(8, 6), (7, 9), (1, 2)])
def test_max_pooling_pads_symmetrically_and_never_wins(h, w):
    x = np.random.default_rng(5).normal(size=(2, h, w, 3)).astype(np.float32) - 9
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    layer = SymmetricMaxPooling2D(3, 2)
    np.testing.assert_array_equal(layer(x), windows[:, ::2, ::2].max((-2, -1)))
    assert layer.compute_output_shape(x.shape) == tuple(layer(x).shape)


def test_drop_path_drops_whole_images_and_keeps_the_mean():
    x = tf.constant(np.random.default_rng(6).uniform(1, 2, size=(4000, 2, 2, 3)), tf.float32)
    layer = DropPath(0.3, seed=1)
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_array_equal(layer(x, training=False), x)
    factors = (layer(x, training=True) / x).numpy().reshape(4000, -1)
    np.testing.assert_allclose(factors, np.tile(factors[:, :1], 12), rtol=1e-6)
    kept = factors[:, 0] > 0
    np.testing.assert_allclose(factors[kept, 0], 1 / 0.7, rtol=1e-6)
    assert abs(kept.mean() - 0.7) < 4 * np.sqrt(0.21 / 4000)
    again = DropPath(0.3, seed=1)(x, training=True) / x
    np.testing.assert_array_equal(again.numpy().reshape(4000, -1), factors)
    other = DropPath(0.3, seed=2)(x, training=True).numpy()[:, 0, 0, 0] > 0
    assert not np.array_equal(other, kept)
    np.testing.assert_array_equal(DropPath(0.0)(x, training=True), x)


def test_drop_path_draws_as_finely_in_half_precision():
    """A chance of 1/1000 is below the step of uniform numbers of bfloat16."""
    x = tf.ones((50000, 1, 1, 1), tf.bfloat16)
    dropped = DropPath(0.001, seed=0, dtype="mixed_bfloat16")(x, training=True) == 0
    assert 20 < int(tf.reduce_sum(tf.cast(dropped, tf.int32))) < 90


def test_layers_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="pool_size must be odd, got 2"):
        SymmetricMaxPooling2D(2, 2)
    with pytest.raises(ValueError, match=r"rate must be in \[0, 1\), got 1\.0"):
        DropPath(1.0)
