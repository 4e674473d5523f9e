import keras
import numpy as np
import pytest
from regnet_ds.designspace import NetSpec, Stage, canonical
from regnet_ds.regnet import GroupedConv2D, build

TINY = NetSpec((Stage(1, 16, group_width=8), Stage(2, 32, group_width=8)), stem_width=8)
TINY_Y = NetSpec(TINY.stages, block="y", se_ratio=0.25, stem_width=8)


def images(n=3, size=16, seed=0):
    return np.random.default_rng(seed).normal(size=(n, size, size, 3)).astype(np.float32)


def built_in_twin(model):
    """The same network with every layer of ours replaced by Keras's own."""

    def plain(layer):
        if not isinstance(layer, GroupedConv2D):
            return layer.__class__.from_config(layer.get_config())
        conv = keras.layers.Conv2D(
            layer.filters,
            layer.kernel_size,
            strides=layer.strides,
            groups=layer.groups,
            use_bias=False,
        )
        return keras.Sequential([keras.layers.ZeroPadding2D(1), conv], name=layer.name)

    twin = keras.models.clone_model(model, clone_function=plain)
    twin.set_weights(model.get_weights())
    return twin


@pytest.mark.parametrize("spec", [TINY, TINY_Y], ids=["x", "y"])
def test_logits_equal_those_of_built_in_layers(spec, randomised):
    model = build(spec, input_shape=(19, 16, 3), classes=5)
    randomised(model)
    x = np.random.default_rng(0).normal(size=(3, 19, 16, 3)).astype(np.float32)
    np.testing.assert_allclose(model(x), built_in_twin(model)(x), rtol=1e-4, atol=1e-4)


def test_a_block_by_hand(randomised):
    """One X block on one pixel, whose 3x3 convolution sees the centre tap alone."""
    spec = NetSpec((Stage(1, 4, stride=1, group_width=2),), stem_width=4)
    model = build(spec, input_shape=(2, 2, 3), classes=2)
    randomised(model)
    x = images(1, 2)
    weights = {layer.name: layer.get_weights() for layer in model.layers}

    def norm(y, name):
        gamma, beta, mean, variance = weights[name]
        return gamma * (y - mean) / np.sqrt(variance + 1e-5) + beta

    def relu(y):
        return np.maximum(y, 0)

    padded = np.pad(x[0], ((1, 0), (1, 0), (0, 0)))
    y = relu(norm(np.einsum("hwi,hwio->o", padded, weights["stem_conv"][0]), "stem_bn"))
    z = relu(norm(y @ weights["s1_b1_a_conv"][0][0, 0], "s1_b1_a_bn"))
    centre = weights["s1_b1_b_conv"][0][1, 1]
    z = np.concatenate([z[:2] @ centre[:, :2], z[2:] @ centre[:, 2:]])
    z = relu(norm(z, "s1_b1_b_bn"))
    y = relu(y + norm(z @ weights["s1_b1_c_conv"][0][0, 0], "s1_b1_c_bn"))
    kernel, bias = weights["head_dense"]
    np.testing.assert_allclose(model(x)[0], y @ kernel + bias, rtol=1e-4, atol=1e-5)


def test_layers_have_stable_names():
    names = [layer.name for layer in build(TINY_Y, input_shape=(16, 16, 3)).layers]
    for name in ("stem_conv", "s1_b1_shortcut_bn", "s2_b2_b_conv", "s2_b1_se_scale", "head_dense"):
        assert name in names


def test_the_seed_alone_decides_the_weights():
    first = build(TINY_Y, input_shape=(16, 16, 3), classes=4, seed=1).get_weights()
    keras.utils.set_random_seed(5)
    again = build(TINY_Y, input_shape=(16, 16, 3), classes=4, seed=1).get_weights()
    other = build(TINY_Y, input_shape=(16, 16, 3), classes=4, seed=2).get_weights()
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.ndim == 1 or not np.array_equal(a, c)


def test_weights_start_as_in_pycls():
    model = build(canonical("RegNetX-400MF"), input_shape=(32, 32, 3), classes=100)
    kernel = model.get_layer("s4_b2_b_conv").get_weights()[0]
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * 392)), rel=0.02)
    kernel, bias = model.get_layer("head_dense").get_weights()
    assert kernel.std() == pytest.approx(0.01, rel=0.02)
    assert not bias.any()
    first, second = (model.get_layer(f"s4_b{b}_a_conv").get_weights()[0] for b in (2, 3))
    assert not np.array_equal(first, second)


def test_save_and_load(tmp_path, randomised):
    model = build(TINY_Y, input_shape=(16, 16, 3), classes=4, name="mine")
    randomised(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.name == "mine"
    np.testing.assert_array_equal(loaded(images()), model(images()))


def test_any_size_and_shape():
    model = build(TINY, input_shape=(None, None, 1), classes=4)
    assert model.output_shape == (None, 4)
    for h, w in ((8, 8), (9, 21)):
        assert model(np.zeros((2, h, w, 1), np.float32)).shape == (2, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (31, 32, 3)}, r"at least 32 x 32 px .* got \(31, 32, 3\)"),
        ({"input_shape": (32, 32)}, r"\(height, width, channels\), got \(32, 32\)"),
        ({"input_shape": 224}, r"\(height, width, channels\), got 224"),
        ({"input_shape": (32, 32, None)}, "channels of input_shape must be an integer, got None"),
        ({"input_shape": (32.0, 32, 3)}, r"must be an integer, got 32\.0"),
        ({"classes": 0}, "classes must be a positive integer, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"drop_path": 1.0}, r"drop_path must be in \[0, 1\), got 1\.0"),
        ({"drop_path": -0.1}, r"drop_path must be in \[0, 1\), got -0\.1"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        build(canonical("RegNetX-200MF"), **arguments)


def test_batch_norm_and_stages_are_as_published():
    """Momentum 0.1 of PyTorch is 0.9 here; from two to six stages."""
    for n in range(2, 7):
        stages = tuple(Stage(1, 8 * (i + 1), 1 + i % 2, group_width=8) for i in range(n))
        spec = NetSpec(stages, stem_width=8, head_width=16)
        model = build(spec, input_shape=(32, 32, 3), classes=4)
        norms = [layer for layer in model.layers if layer.name.endswith("_bn")]
        assert len({layer.name[:2] for layer in norms}) == n + 2  # stem, stages, head
        assert {(layer.momentum, layer.epsilon) for layer in norms} == {(0.9, 1e-5)}
