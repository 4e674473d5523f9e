"""Copies out of Keras's own layers: the same outputs, and files that plain Keras loads."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from regnet_ds.designspace.blocks import BLOCKS
from regnet_ds.regnet import RegNetY002, build, to_plain

STEMS = dict(zip(BLOCKS, ["simple", "resnet", "cifar"] * 3, strict=False))
PROGRAM = """
import sys
sys.modules["regnet_ds"] = None  # importing it fails
import keras, numpy as np
for name in sys.argv[1:]:
    model = keras.models.load_model(f"{name}.keras")
    x, expected = np.load(f"{name}_x.npy"), np.load(f"{name}.npy")
    y = np.asarray(model(x))
    assert np.abs(y - expected).max() <= 1e-5 * np.abs(expected).max(), name
    modules = {type(layer).__module__.split(".")[0] for layer in model._flatten_layers()}
    assert modules == {"keras"}, modules
model.compile("sgd", "mse")
model.train_on_batch(x, expected)
"""


def images():
    return np.random.default_rng(0).normal(size=(3, 12, 13, 3)).astype(np.float32)


def ours(layers):
    return [layer.name for layer in layers if type(layer).__module__.startswith("regnet_ds")]


@pytest.mark.parametrize("convention", ["timm", "tf_keras"])
@pytest.mark.parametrize("block", BLOCKS)
def test_outputs_are_the_same(block, convention, tiny, randomised):
    """Every block and stem; silu lets maps be negative, where a border of zeros would win."""
    spec = tiny(block, stem_type=STEMS[block], head_width=6, activation="silu")
    arguments = {"input_shape": (12, 13, 3), "classes": 4, "drop_path": 0.2}
    model = randomised(build(spec, convention=convention, **arguments))
    plain = to_plain(model)
    assert not ours(plain.layers)
    assert plain.name == model.name
    assert [w.path for w in plain.weights if "seed" not in w.path] == [
        w.path for w in model.weights if "seed" not in w.path
    ]
    expected = np.asarray(model(images()))
    np.testing.assert_allclose(plain(images()), expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.smoke
def test_plain_keras_loads_and_trains_them(tmp_path, tiny, randomised):
    first = {"data_format": "channels_first", "input_shape": (3, 12, 13)}
    cases = {
        "resnet": (tiny("y", stem_type="resnet", activation="gelu"), {}),
        "first": (tiny("basic"), first),
        "z": (tiny("z", head_width=6), {"drop_path": 0.3}),
    }
    for name, (spec, arguments) in cases.items():
        model = randomised(build(spec, **{"input_shape": (12, 13, 3), "classes": 4} | arguments))
        x = images().transpose(0, 3, 1, 2) if name == "first" else images()
        np.save(tmp_path / f"{name}_x.npy", x)
        np.save(tmp_path / f"{name}.npy", model(x))
        to_plain(model).save(tmp_path / f"{name}.keras")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *cases], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_applications_too(randomised):
    x = np.random.default_rng(0).uniform(0, 255, (2, 40, 33, 3)).astype(np.float32)
    for convention in ("tf_keras", "timm"):
        model = RegNetY002(include_top=False, weights=None, convention=convention)
        plain, expected = to_plain(randomised(model)), np.asarray(model(x))
        np.testing.assert_allclose(plain(x), expected, atol=1e-5 * np.abs(expected).max())


def test_models_inside_models_and_sequential_ones(tiny, randomised):
    inner = randomised(build(tiny("y"), input_shape=(12, 13, 3), classes=4))
    images_in = keras.Input((12, 13, 3))
    outer = keras.Model(images_in, keras.layers.Dense(2)(inner(keras.ops.abs(images_in))))
    row = keras.Sequential([keras.Input((12, 13, 3)), inner, keras.layers.Dense(2)])
    for model in (outer, row):
        plain = to_plain(model)
        assert not ours(plain.layers[-2].layers)
        expected = np.asarray(model(images()))
        np.testing.assert_allclose(plain(images()), expected, atol=1e-5 * np.abs(expected).max())


def test_the_policy_and_frozen_layers_stay(tiny):
    model = build(tiny("x"), input_shape=(12, 13, 3), classes=4, dtype="mixed_bfloat16")
    model.get_layer("s1_b1_b_conv").trainable = False
    model.get_layer("s1_b1_b_bn").trainable = False
    plain = to_plain(model)
    assert plain.get_layer("s2_b1_b_conv").compute_dtype == "bfloat16"
    assert not plain.get_layer("s1_b1_b_conv").trainable
    assert len(plain.trainable_weights) == len(model.trainable_weights)


def test_whole_images_are_dropped(tiny):
    model = build(tiny("x"), input_shape=(12, 13, 3), classes=4, drop_path=0.6)
    drop = to_plain(model).get_layer("s2_b2_drop")
    assert isinstance(drop, keras.layers.Dropout)
    y = np.asarray(drop(np.ones((200, 4, 5, 3), np.float32), training=True))
    assert set(np.round(y[:, 0, 0, 0], 4)) == {0.0, 2.5}
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1, :1, :1], y.shape))


class Subclassed(keras.Model):
    def call(self, x):
        return x


@keras.saving.register_keras_serializable(package="regnet_ds_test")
class Other(keras.layers.Layer):
    def call(self, x):
        return x


Other.__module__ = "regnet_ds.elsewhere"


def test_what_has_no_twin_is_refused():
    with pytest.raises(ValueError, match="no graph of layers: it is subclassed"):
        to_plain(Subclassed())
    x = keras.Input((3,))
    with pytest.raises(ValueError, match=r"Keras has no layer for odd \(Other\)"):
        to_plain(keras.Model(x, Other(name="odd")(x)))
