"""Every block and stem as a model: what it computes, saves, and how it starts and drops."""

import math

import keras
import numpy as np
import pytest
from regnet_ds.designspace import NetSpec, Stage
from regnet_ds.designspace.blocks import BLOCK_FACTS, BLOCKS
from regnet_ds.regnet import build

RESIDUAL = [block for block in BLOCKS if BLOCK_FACTS[block].shortcut != "none"]
STEMS = dict(zip(BLOCKS, ["simple", "resnet", "cifar"] * 3, strict=False))


def images(n=3, h=12, w=13):
    return np.random.default_rng(0).normal(size=(n, h, w, 3)).astype(np.float32)


def small(spec, **arguments):
    return build(spec, input_shape=(12, 13, 3), classes=4, **arguments)


def features(model, *names):
    return keras.Model(model.inputs[0], [model.get_layer(name).output for name in names])


class Plain:
    """The parts of pycls's ResBottleneckLinearBlock in Keras's own layers, weights by name."""

    def __init__(self, model):
        self.model = model

    def weighted(self, layer, x, name):
        y = layer(x)
        layer.set_weights(self.model.get_layer(name).get_weights())
        return layer(x) if layer.weights else y

    def conv_bn(self, x, width, name, kernel=1, stride=1, groups=1):
        x = keras.layers.ZeroPadding2D(kernel // 2)(x)
        conv = keras.layers.Conv2D(width, kernel, stride, groups=groups, use_bias=False)
        x = self.weighted(conv, x, f"{name}_conv")
        norm = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        return self.weighted(norm, x, f"{name}_bn")

    def block(self, x, width, inner, groups, stride, squeeze, name):
        y = keras.activations.silu(self.conv_bn(x, inner, f"{name}_a"))
        y = keras.activations.silu(self.conv_bn(y, inner, f"{name}_b", 3, stride, groups))
        gate = keras.ops.mean(y, axis=(1, 2), keepdims=True)
        gate = self.weighted(keras.layers.Conv2D(squeeze, 1), gate, f"{name}_se_squeeze")
        gate = keras.activations.silu(gate)
        gate = self.weighted(keras.layers.Conv2D(inner, 1), gate, f"{name}_se_excite")
        y = self.conv_bn(y * keras.activations.sigmoid(gate), width, f"{name}_c")
        return x + y if stride == 1 and x.shape[-1] == width else y


def test_z_equals_plain_keras_layers(randomised):
    stages = (Stage(1, 8, 1, 16, 0.25), Stage(2, 12, 2, 12, 0.25), Stage(1, 20, 1, 8, 0.25))
    spec = NetSpec(stages, "z", 0.25, stem_width=8, head_width=10, activation="silu")
    model = small(spec)
    randomised(model)
    x, plain = images(2), Plain(model)
    y = keras.activations.silu(plain.conv_bn(x, 8, "stem", 3, 2))
    y = plain.block(y, 8, 32, 2, 1, 2, "s1_b1")  # with a shortcut: width and size stay
    y = plain.block(y, 12, 48, 4, 2, 2, "s2_b1")
    y = plain.block(y, 12, 48, 4, 1, 3, "s2_b2")
    y = plain.block(y, 20, 80, 10, 1, 3, "s3_b1")
    y = keras.activations.silu(plain.conv_bn(y, 10, "head"))
    kernel, bias = model.get_layer("head_dense").get_weights()
    expected = np.mean(y, axis=(1, 2)) @ kernel + bias
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("block", "parts"),
    [
        ("r", ["a_relu", "b_relu", "c_bn"]),
        ("basic", ["a_relu", "b_bn"]),
        ("vr", ["a_bn"]),
    ],
)
def test_residual_blocks_add_the_last_norm_and_activate(block, parts, tiny):
    model = small(tiny(block))
    last = [f"s2_b2_{parts[-1]}", "s2_b1_relu", "s2_b2_relu"]
    transform, before, after = features(model, *last)(images())
    np.testing.assert_allclose(after, np.maximum(before + transform, 0), rtol=1e-5, atol=1e-6)
    inside = {layer.name for layer in model.layers if layer.name.startswith("s2_b2_")}
    convolutions = {f"s2_b2_{part[0]}_{what}" for part in parts for what in ("conv", "bn")}
    assert inside == convolutions | {f"s2_b2_{p}" for p in parts} | {"s2_b2_add", "s2_b2_relu"}


@pytest.mark.parametrize(("block", "letters"), [("v", "a"), ("vanilla", "ab")])
def test_blocks_without_a_shortcut_are_chains(block, letters, tiny):
    names = [layer.name for layer in small(tiny(block)).layers if layer.name.startswith("s2_b2")]
    assert names == [f"s2_b2_{a}_{part}" for a in letters for part in ("conv", "bn", "relu")]


def test_gelu_is_the_exact_one(tiny):
    model = small(tiny("v", activation="gelu"))
    before, after = features(model, "s1_b1_a_bn", "s1_b1_a_gelu")(images())
    erf = np.vectorize(math.erf)(np.asarray(before) / math.sqrt(2))
    np.testing.assert_allclose(after, before * (1 + erf) / 2, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_saves_and_loads(block, tmp_path, tiny, randomised):
    model = small(tiny(block, stem_type=STEMS[block], head_width=6), drop_path=0.2)
    randomised(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(images()), model(images()))
    np.testing.assert_array_equal(loaded(images(), training=True), model(images(), training=True))


@pytest.mark.parametrize("block", BLOCKS)
def test_mixed_precision_is_near_float32(block, tiny, randomised):
    spec = tiny(block, stem_type=STEMS[block])
    exact = small(spec)
    randomised(exact)
    expected = np.asarray(exact(images()))
    for dtype, tolerance in (("mixed_bfloat16", 0.05), ("mixed_float16", 0.01)):
        model = small(spec, dtype=dtype)
        model.set_weights(exact.get_weights())
        logits = np.asarray(model(images()))
        assert logits.dtype == np.float32
        assert {str(w.dtype) for w in model.weights} == {"float32"}
        assert model.get_layer("stem_conv").output.dtype == dtype.removeprefix("mixed_")
        np.testing.assert_allclose(logits, expected, atol=tolerance * np.abs(expected).max())


def test_the_global_policy_counts_and_a_step_trains(tiny):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = small(tiny("z", stem_type="resnet"), drop_path=0.5, zero_init_last_gamma=True)
    finally:
        keras.config.set_dtype_policy(before)
    assert model.get_layer("s2_b1_a_conv").compute_dtype == "bfloat16"
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss)
    kernel = model.get_layer("s2_b1_b_conv").get_weights()[0]
    assert np.isfinite(model.train_on_batch(images(), np.array([0, 1, 3])))
    assert not np.array_equal(model.get_layer("s2_b1_b_conv").get_weights()[0], kernel)


@pytest.mark.parametrize("block", RESIDUAL)
def test_zero_gammas_make_the_blocks_their_shortcuts(block, tiny):
    model = small(tiny(block), zero_init_last_gamma=True)
    ends = ("s2_b1_c_bn", "s2_b2_add") if block == "z" else ("s2_b1_relu", "s2_b2_relu")
    before, after = features(model, *ends)(images())
    np.testing.assert_array_equal(after, before)
    assert np.ptp(before) > 0
    plain = small(tiny(block))
    zeros = [
        w.path
        for w, p in zip(model.weights, plain.weights, strict=True)
        if not np.array_equal(w.numpy(), p.numpy())
    ]
    assert len(zeros) == (2 if block == "z" else 3)  # Z's second block has no shortcut
    assert all(path.endswith("bn/gamma") for path in zeros)


def test_a_dropped_transform_leaves_the_shortcut():
    spec = NetSpec((Stage(3, 8, 1, 4, 0.25),), "z", 0.25, stem_width=8, activation="silu")
    model = small(spec, drop_path=0.6)
    rates = [layer.rate for layer in model.layers if "_drop" in layer.name]
    assert rates == [pytest.approx(0.3), pytest.approx(0.6)]  # the first block's is 0
    names = ["s1_b2_add", "s1_b3_c_bn", "s1_b3_add"]
    shortcut, transform, y = (
        np.asarray(t) for t in features(model, *names)(images(40), training=True)
    )
    dropped = (y == shortcut).all(axis=(1, 2, 3))
    assert 0 < dropped.sum() < 40
    expected = shortcut[~dropped] + transform[~dropped] / 0.4
    np.testing.assert_allclose(y[~dropped], expected, rtol=1e-4, atol=1e-5)


def test_drop_path_changes_training_alone_and_not_the_mean():
    spec = NetSpec((Stage(2, 8, 1, 4, 0.25),), "z", 0.25, stem_width=8, activation="silu")
    never, sometimes = small(spec, drop_path=0.0), small(spec, drop_path=0.4)
    assert not any("_drop" in layer.name for layer in never.layers)
    np.testing.assert_array_equal(never(images()), sometimes(images()))
    # Copies of one image have the batch statistics of the image, so all draws share a transform.
    x, ends = np.repeat(images(1), 4000, axis=0), ("s1_b1_add", "s1_b2_add")
    drawn = np.asarray(features(sometimes, *ends)(x, training=True)[1])
    still = np.asarray(features(never, *ends)(x[:2], training=True)[1])[0]
    error = drawn.std(axis=0) / math.sqrt(len(x))
    assert (np.abs(drawn.mean(axis=0) - still) < 5 * error + 1e-4).all()
    assert (error > 1e-4).mean() > 0.5
