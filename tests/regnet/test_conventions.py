"""What libraries do differently: padding, squeeze widths; and channels first or last."""

import json
import os
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from regnet_ds.designspace import CANONICAL, NetSpec, Stage, canonical, complexity
from regnet_ds.designspace.layers import walk
from regnet_ds.regnet import CONVENTIONS, Convention, GroupedConv2D, accounting, build
from regnet_ds.regnet.convolutions import grouped
from regnet_ds.regnet.networks.layers import SymmetricMaxPooling2D
from regnet_ds.regnet.weights.conventions import convention_named

PEER = os.environ.get("REGNET_DS_KERAS_PEER_PYTHON", sys.executable)
BUILDER = Path(__file__).parents[1] / "designspace" / "build_with_peers.py"
TINY = NetSpec(
    (Stage(1, 10, group_width=2), Stage(2, 14, group_width=2), Stage(1, 18, group_width=2)),
    block="y",
    se_ratio=0.25,
    stem_width=7,
)


def images(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(("strides", "kernel_size"), [(1, 3), (2, 3), (2, 7), (3, 3), (3, 5)])
@pytest.mark.parametrize(
    ("h", "w", "group_width", "groups"),
    [(9, 8, 8, 7), (6, 7, 40, 2), (8, 5, 3, 1), (2, 2, 8, 3), (1, 4, 4, 2), (1, 1, 4, 2)],
)
def test_same_padding_equals_keras(h, w, group_width, groups, strides, kernel_size):
    channels = group_width * groups
    x = tf.constant(images(2, h, w, channels))
    ours = GroupedConv2D(channels, kernel_size, strides=strides, groups=groups, padding="same")
    theirs = keras.layers.Conv2D(
        channels, kernel_size, strides, "same", groups=groups, use_bias=False
    )
    expected = theirs(x)
    ours.build(x.shape)
    theirs.set_weights([np.random.default_rng(1).normal(size=theirs.kernel.shape)])
    ours.set_weights(theirs.get_weights())
    expected = theirs(x)
    assert ours.compute_output_shape(x.shape) == expected.shape
    np.testing.assert_allclose(ours(x), expected, rtol=1e-4, atol=1e-4)
    with grouped.implementation("native"):
        np.testing.assert_allclose(ours(x), expected, rtol=1e-4, atol=1e-4)


def test_padding_is_saved_and_checked():
    layer = GroupedConv2D(8, strides=2, padding="same", name="conv")
    assert GroupedConv2D.from_config(layer.get_config()).padding == "same"
    with pytest.raises(ValueError, match="padding must be one of symmetric, same, got 'valid'"):
        GroupedConv2D(8, padding="valid")


def built_in_twin(model):
    """The same network in TensorFlow's padding out of Keras's own layers."""

    def plain(layer):
        if not isinstance(layer, GroupedConv2D):
            return layer.__class__.from_config(layer.get_config())
        return keras.layers.Conv2D(
            layer.filters,
            layer.kernel_size,
            layer.strides,
            "same",
            groups=layer.groups,
            use_bias=False,
            name=layer.name,
        )

    twin = keras.models.clone_model(model, clone_function=plain)
    twin.set_weights(model.get_weights())
    return twin


@pytest.mark.parametrize("stem", ["simple", "resnet"])
def test_a_network_in_the_convention_of_tf_keras(stem, tmp_path, randomised):
    spec = NetSpec(TINY.stages[:2], "y", 0.25, stem_type=stem, stem_width=7)
    model = randomised(build(spec, input_shape=(24, 17, 3), classes=5, convention="tf_keras"))
    assert not any(isinstance(layer, SymmetricMaxPooling2D) for layer in model.layers)
    x = images(2, 24, 17, 3)
    np.testing.assert_allclose(model(x), built_in_twin(model)(x), rtol=1e-4, atol=1e-4)
    symmetric = build(spec, input_shape=(24, 17, 3), classes=5)
    shapes = [w.shape for w in model.weights if "se_" not in w.path]
    assert shapes == [w.shape for w in symmetric.weights if "se_" not in w.path]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(x), model(x))


def test_conventions_pad_even_maps_differently_and_odd_ones_alike(randomised):
    spec = NetSpec((Stage(1, 8),), stem_width=8)
    ours, theirs = (
        randomised(build(spec, input_shape=(None, None, 3), classes=5, convention=name))
        for name in ("timm", "tf_keras")
    )
    odd, even = images(2, 9, 13, 3), images(2, 8, 12, 3)
    np.testing.assert_allclose(ours(odd), theirs(odd), rtol=1e-5, atol=1e-5)
    assert not np.allclose(ours(even), theirs(even), atol=1e-3)


def squeezes(convention):
    model = build(TINY, input_shape=(32, 32, 3), classes=5, convention=convention)
    return [layer.filters for layer in model.layers if layer.name.endswith("se_squeeze")]


def test_squeeze_widths_round_as_each_library_does():
    # Block inputs of 7, 10, 14, 14 channels: quarters are 1.75, 2.5, 3.5, 3.5.
    assert squeezes("timm") == squeezes("pycls") == squeezes("torchvision") == [2, 2, 4, 4]
    assert squeezes("tf_keras") == [1, 2, 3, 3]
    assert squeezes(Convention("mine", squeeze="floor")) == [1, 2, 3, 3]


def params(spec, convention):
    layers = walk(spec, squeeze_width=CONVENTIONS[convention].squeeze_width)
    return sum(layer.cost.params for layer in layers)


def test_params_of_the_built_model_are_those_of_the_walk():
    for name in CONVENTIONS:
        model = build(TINY, input_shape=(32, 32, 3), convention=name)
        assert accounting.account(model).params == params(TINY, name)
    assert params(TINY, "timm") == complexity(TINY).params != params(TINY, "tf_keras")


@pytest.mark.slow
@pytest.mark.smoke
def test_params_are_those_of_tf_keras_where_its_squeeze_widths_differ():
    nets = [([1, 2, 1, 1], [10, 14, 22, 30], 2), ([1, 1, 1, 1], [12, 18, 54, 66], 6)]
    keys = ("depths", "widths", "group_width")
    fixed = {"block_type": "Y", "default_size": 224}
    requests = [["keras", dict(zip(keys, net, strict=True)) | fixed] for net in nets]
    peer = subprocess.run(
        [PEER, str(BUILDER)], input=json.dumps(requests), capture_output=True, text=True
    )
    assert peer.returncode == 0, peer.stderr
    counts = json.loads(peer.stdout)
    if None in counts:
        pytest.skip("needs tf_keras: set REGNET_DS_KERAS_PEER_PYTHON to a Python that has it")
    specs = []
    for depths, widths, g in nets:
        pairs = zip(depths, widths, strict=True)
        specs.append(NetSpec(tuple(Stage(d, w, group_width=g) for d, w in pairs), "y", 0.25))
    assert [params(spec, "tf_keras") for spec in specs] == counts
    assert params(specs[0], "timm") != counts[0]


def test_the_24_have_the_same_params_in_every_convention():
    for name in CANONICAL:
        spec = canonical(name)
        assert {params(spec, key) for key in CONVENTIONS} == {complexity(spec).params}


def test_conventions_are_checked():
    assert convention_named("pycls").colours == "bgr"
    with pytest.raises(ValueError, match=r"convention must be one of timm, .* got 'keras'"):
        build(TINY, convention="keras")
    for field, value in (("padding", "valid"), ("squeeze", "ceil"), ("colours", "rbg")):
        with pytest.raises(ValueError, match=f"{field} must be one of .* got '{value}'"):
            Convention("mine", **{field: value})
    with pytest.raises(ValueError, match="std positive"):
        Convention("mine", std=(1.0, 0.0, 1.0))
    with pytest.raises(FrozenInstanceError):
        CONVENTIONS["timm"].padding = "same"


@pytest.mark.parametrize("stem", ["simple", "resnet", "cifar"])
@pytest.mark.parametrize("convention", ["timm", "tf_keras"])
def test_channels_first_is_the_same_network_transposed(stem, convention, tmp_path, randomised):
    spec = NetSpec(TINY.stages, "y", 0.25, stem_type=stem, stem_width=8, head_width=12)
    arguments = {"classes": 4, "convention": convention, "zero_init_last_gamma": True}
    last = build(spec, input_shape=(37, 32, 5), data_format="channels_last", **arguments)
    first = build(spec, input_shape=(5, 37, 32), data_format="channels_first", **arguments)
    assert [w.path for w in first.weights] == [w.path for w in last.weights]
    randomised(last)
    first.set_weights(last.get_weights())
    x = images(2, 37, 32, 5)
    np.testing.assert_array_equal(first(x.transpose(0, 3, 1, 2)), last(x))
    assert accounting.account(first) == accounting.account(last)
    first.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.input_shape == (None, 5, 37, 32)
    np.testing.assert_array_equal(loaded(x.transpose(0, 3, 1, 2)), last(x))


def test_the_global_data_format_is_the_default():
    assert build(TINY).input_shape == (None, 224, 224, 3)
    keras.config.set_image_data_format("channels_first")
    try:
        model = build(TINY, classes=4)
        small = build(TINY, input_shape=(3, None, 32), classes=4)
        with pytest.raises(ValueError, match=r"\(channels, height, width\) must be at least 16"):
            build(TINY, input_shape=(32, 3, 32))
        last = build(TINY, input_shape=(32, 32, 3), classes=4, data_format="channels_last")
    finally:
        keras.config.set_image_data_format("channels_last")
    assert model.input_shape == (None, 3, 224, 224)
    x = images(2, 32, 32, 3)
    np.testing.assert_array_equal(small(x.transpose(0, 3, 1, 2)), last(x))
    with pytest.raises(ValueError, match="data_format must be one of channels_last, channels_fi"):
        build(TINY, data_format="NCHW")


def test_channels_first_trains():
    model = build(TINY, input_shape=(3, 16, 16), classes=4, data_format="channels_first")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss)
    before = model.get_layer("s2_b1_b_conv").get_weights()[0]
    assert np.isfinite(model.train_on_batch(images(3, 3, 16, 16), np.array([0, 1, 3])))
    assert not np.array_equal(model.get_layer("s2_b1_b_conv").get_weights()[0], before)
