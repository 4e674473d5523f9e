"""The interface of keras.applications: signatures, checks, shapes, saving."""

import csv
import inspect
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from regnet_ds import regnet
from regnet_ds.designspace import CANONICAL, canonical, complexity
from regnet_ds.designspace.catalogue import keras_name
from regnet_ds.designspace.larger import LARGER
from regnet_ds.regnet import APPLICATIONS, RegNetX002, RegNetY002, RegNetZ005, accounting, build

PEER = os.environ.get("REGNET_DS_KERAS_PEER_PYTHON", sys.executable)


USER = """
import numpy as np
from {package} import RegNetY008
x = np.random.default_rng(0).uniform(0, 255, (2, 224, 224, 3)).astype(np.float32)
top = RegNetY008(weights={weights}, classifier_activation=None)
maps = RegNetY008(include_top=False, weights={weights}, input_shape=(96, 65, 3), pooling="avg")
"""
TRAIN_A_LITTLE = """
rng = np.random.default_rng(1)
for w in top.weights:
    w.assign(rng.uniform(0.5, 1.5, w.shape) if w.shape.rank == 1 else 1.5 * w)
top.save_weights("mine.h5")
maps.set_weights(top.get_weights()[:-2])
"""
SAVE = "np.savez('{file}', top=top(x), maps=maps(x[:, :96, :65]))"


def pixels(n=2, h=32, w=45, channels=3):
    return np.random.default_rng(0).uniform(0, 255, (n, h, w, channels)).astype(np.float32)


def test_all_24_and_the_larger_ones_are_there():
    assert list(APPLICATIONS) == [*map(keras_name, CANONICAL), *LARGER]
    for name, application in APPLICATIONS.items():
        assert getattr(regnet, name) is application
        assert application.__name__ == name
        assert application.__doc__.startswith(f"Return {name} as a Keras model")


def test_the_signature_is_that_of_keras():
    keras_s = inspect.signature(keras.applications.ResNet50).parameters
    for name, application in APPLICATIONS.items():
        ours = inspect.signature(application).parameters
        assert list(ours)[: len(keras_s)] == list(keras_s)
        published = name not in LARGER
        for key, theirs in keras_s.items():
            if key == "name":
                assert ours[key].default == name.lower()
            elif published or key != "weights":
                assert ours[key].default == theirs.default
            assert ours[key].kind == theirs.kind
        assert ours["weights"].default == ("imagenet" if published else None)


@pytest.mark.slow
def test_every_argument_of_tf_keras_is_one_of_ours():
    program = (
        "import inspect, json, tf_keras\n"
        "names = [n for n in dir(tf_keras.applications.regnet) if n.startswith('RegNet')]\n"
        "of = lambda f: {k: p.default for k, p in inspect.signature(f).parameters.items()}\n"
        "print(json.dumps({n: of(getattr(tf_keras.applications.regnet, n)) for n in names}))\n"
    )
    peer = subprocess.run([PEER, "-c", program], capture_output=True, text=True)
    if peer.returncode:
        pytest.skip("needs tf_keras: set REGNET_DS_KERAS_PEER_PYTHON to a Python that has it")
    signatures = json.loads(peer.stdout)
    assert set(signatures) == set(map(keras_name, CANONICAL))
    for name, theirs in signatures.items():
        ours = inspect.signature(APPLICATIONS[name]).parameters
        assert ours["name"].default == theirs.pop("model_name")
        assert {key: ours[key].default for key in theirs} == theirs


@pytest.mark.slow
@pytest.mark.smoke
def test_a_program_for_tf_keras_changes_its_import_alone(tmp_path):
    """Its weights from a file, its pixels, its arguments: the same logits and features."""
    theirs = USER.format(package="tf_keras.applications", weights=None) + TRAIN_A_LITTLE
    ours = USER.format(package="regnet_ds.regnet", weights="'mine.h5'")
    programs = [(PEER, theirs, "theirs.npz"), (sys.executable, ours, "ours.npz")]
    for python, program, file in programs:
        whole = program + SAVE.format(file=file)
        done = subprocess.run([python, "-c", whole], cwd=tmp_path, capture_output=True, text=True)
        if "No module named 'tf_keras'" in done.stderr:
            pytest.skip("needs tf_keras: set REGNET_DS_KERAS_PEER_PYTHON to a Python that has it")
        assert done.returncode == 0, done.stderr
    theirs, ours = (np.load(tmp_path / file) for *_, file in programs)
    for key in ("top", "maps"):
        scale = np.abs(theirs[key]).max()
        assert np.ptp(theirs[key]) > 0.01 * scale
        np.testing.assert_allclose(ours[key], theirs[key], atol=1e-4 * scale)


@pytest.mark.parametrize("name", ["RegNetX002", "RegNetZ005"])
def test_the_default_model_is_the_network(name):
    model = APPLICATIONS[name](weights=None)
    spec = regnet.applications.larger(name) if name in LARGER else canonical(name)
    assert model.name == name.lower()
    assert (model.input_shape, model.output_shape) == ((None, 224, 224, 3), (None, 1000))
    assert accounting.account(model) == complexity(spec)
    np.testing.assert_allclose(np.sum(model(pixels(1, 224, 224)), axis=-1), 1, rtol=1e-5)


def test_pixels_are_normalised_inside(randomised):
    """As tf_keras does it: a division by 255; with timm's convention by its means."""
    x = pixels()
    for convention in ("tf_keras", "pycls"):
        arguments = {"weights": None, "classes": 5, "convention": convention}
        arguments |= {"input_shape": (32, 45, 3), "classifier_activation": None}
        whole = randomised(RegNetX002(**arguments))
        bare = RegNetX002(include_preprocessing=False, **arguments)
        bare.set_weights(whole.get_weights())
        built = build(
            canonical("RegNetX002"), input_shape=(32, 45, 3), classes=5, convention=convention
        )
        built.set_weights(whole.get_weights())
        prepared = regnet.preprocess_input(x, convention=convention)
        expected = built(prepared)
        np.testing.assert_allclose(bare(prepared), expected, rtol=1e-5, atol=1e-5)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(whole(x), expected, atol=1e-4 * scale)


@pytest.mark.parametrize("pooling", [None, "avg", "max"])
def test_without_top(pooling, randomised):
    model = randomised(RegNetX002(include_top=False, weights=None, pooling=pooling))
    assert model.input_shape == (None, None, None, 3)
    maps = randomised(RegNetX002(include_top=False, weights=None))(pixels(2, 64, 45))
    assert maps.shape == (2, 2, 2, 368)
    expected = {None: maps, "avg": np.mean(maps, (1, 2)), "max": np.max(maps, (1, 2))}[pooling]
    np.testing.assert_allclose(model(pixels(2, 64, 45)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 5])
def test_other_channels_and_sizes_that_are_not_square(channels):
    model = RegNetX002(weights=None, input_shape=(37, 50, channels), classes=4)
    assert model(pixels(2, 37, 50, channels)).shape == (2, 4)
    with pytest.raises(ValueError, match=f"means of 3 colours, got {channels} channels: write inc"):
        RegNetX002(weights=None, input_shape=(37, 50, channels), convention="timm")
    arguments = {"input_shape": (37, 50, channels), "include_preprocessing": False}
    model = RegNetX002(weights=None, convention="timm", classes=4, **arguments)
    assert model(pixels(2, 37, 50, channels)).shape == (2, 4)


def test_an_input_tensor_of_a_larger_model():
    images = keras.Input((40, 40, 1), name="grey")
    colours = keras.layers.Concatenate()([images, images, images])
    model = RegNetX002(input_tensor=colours, weights=None, classes=3)
    assert model.input_shape == (None, 40, 40, 1)
    assert model.layers[0].name == "grey"
    twin = RegNetX002(input_shape=(40, 40, 3), weights=None, classes=3)
    x = pixels(2, 40, 40, 1)
    np.testing.assert_allclose(model(x), twin(np.repeat(x, 3, -1)), rtol=1e-5)


def test_names_and_options_reach_the_model():
    arguments = {"weights": None, "input_shape": (32, 32, 3), "classes": 3}
    assert RegNetX002(name="mine", **arguments).name == "mine"
    assert RegNetX002(model_name="old", **arguments).name == "old"
    plain = RegNetX002(seed=3, **arguments)
    model = RegNetX002(
        seed=3, drop_path=0.2, zero_init_last_gamma=True, dtype="mixed_bfloat16", **arguments
    )
    assert model.get_layer("s4_b7_drop").rate == pytest.approx(0.2)
    assert not model.get_layer("s4_b7_c_bn").gamma.numpy().any()
    assert model.get_layer("s4_b7_c_conv").compute_dtype == "bfloat16"
    assert model.get_layer("rescaling").compute_dtype == model.output.dtype == "float32"
    kernels = (m.get_layer("stem_conv").get_weights()[0] for m in (model, plain))
    np.testing.assert_array_equal(*kernels)
    with pytest.raises(TypeError, match="unexpected keyword argument 'width'"):
        RegNetX002(width=3, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"include_top": "mine"}, "include_top must be True or False, got 'mine': give a model's"),
        ({"weights": "imagnet"}, "must be None, 'imagenet' or a file that exists, got 'imagnet'"),
        ({"classes": 10}, "has 1000 classes, got 10: write include_top=False and add your own"),
        ({"classes": 0, "weights": None}, "classes must be a positive integer, got 0"),
        ({"pooling": "mean"}, "pooling must be one of avg, max, got 'mean'"),
        ({"classifier_activation": "sigmoid"}, "must be None or 'softmax', got 'sigmoid': write"),
        ({"convention": "timm"}, "pad as TensorFlow does, got convention 'timm': leave it out"),
        ({"convention": "keras"}, "convention must be one of timm, torchvision, pycls, tf_keras"),
        ({"input_shape": (64, 64, 1)}, "need 3 input channels, got 1: repeat a grey one three"),
        ({"input_shape": (31, 64, 3)}, r"at least 32 x 32 px .* got \(31, 64, 3\)"),
        ({"input_shape": (64, 64)}, r"input_shape must be \(height, width, channels\), got"),
        ({"input_shape": (3, 64, 64)}, "at least 32 x 32 px"),
        ({"input_tensor": np.zeros((1, 64, 64, 3))}, "made from keras.Input.*got ndarray"),
        ({"drop_path": 1, "weights": None}, r"drop_path must be in \[0, 1\), got 1"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        RegNetX002(**arguments)


def test_small_or_grey_input_tensors_are_refused():
    with pytest.raises(ValueError, match="at least 32 x 32 px"):
        RegNetX002(input_tensor=keras.Input((24, 64, 3)), weights=None)
    with pytest.raises(ValueError, match="need 3 input channels, got 1"):
        RegNetX002(input_tensor=keras.Input((64, 64, 1)))


def test_networks_without_published_keras_weights_say_so():
    with pytest.raises(ValueError, match="no ImageNet weights of RegNetZ005 for Keras: write wei"):
        RegNetZ005(weights="imagenet")


def test_weights_from_a_file_and_config_round_trip(tmp_path, randomised):
    arguments = {"input_shape": (32, 45, 3), "classes": 5}
    model = randomised(RegNetX002(weights=None, **arguments))
    path = tmp_path / "mine.weights.h5"
    model.save_weights(path)
    expected = model(pixels())
    np.testing.assert_array_equal(RegNetX002(weights=path, **arguments)(pixels()), expected)
    again = keras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again(pixels()), expected)
    assert again.get_config() == model.get_config()


def test_weights_of_timm_fit_with_its_convention(tmp_path, randomised):
    arguments = {"input_shape": (32, 45, 3), "classes": 5, "convention": "timm"}
    model = randomised(RegNetX002(weights=None, **arguments))
    path = tmp_path / "regnetx_002.safetensors"
    regnet.save_timm(model, path)
    again = RegNetX002(weights=path, **arguments)
    np.testing.assert_array_equal(again(pixels()), model(pixels()))
    maps = RegNetX002(include_top=False, weights=str(path), convention="timm")(pixels())
    expected = regnet.stage_features(model, [4])(pixels())
    np.testing.assert_allclose(maps, expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="build it with convention='timm'"):
        RegNetX002(weights=path, input_shape=(32, 45, 3), classes=5)
    with pytest.raises(ValueError, match="has 5 classes, the model 4: build it with classes=5"):
        RegNetX002(weights=path, **{**arguments, "classes": 4})


@pytest.mark.slow
@pytest.mark.smoke
def test_saved_models_load_in_a_fresh_process(tmp_path, randomised):
    model = randomised(RegNetX002(weights=None, input_shape=(32, 45, 3), classes=5))
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "expected.npy", model(pixels()))
    program = (
        "import keras, numpy as np, regnet_ds.regnet\n"
        "x = np.random.default_rng(0).uniform(0, 255, (2, 32, 45, 3)).astype(np.float32)\n"
        "model = keras.models.load_model('model.keras')\n"
        "np.testing.assert_allclose(model(x), np.load('expected.npy'), rtol=1e-6)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_channels_first_gives_the_same_maps(randomised):
    arguments = {"include_top": False, "weights": None}
    last = randomised(RegNetY002(**arguments))
    keras.config.set_image_data_format("channels_first")
    try:
        first, timm = RegNetY002(**arguments), RegNetY002(convention="timm", **arguments)
        assert RegNetX002(weights=None).input_shape == (None, 3, 224, 224)
    finally:
        keras.config.set_image_data_format("channels_last")
    first.set_weights(last.get_weights())
    assert first.output_shape == timm.output_shape == (None, 368, None, None)
    y = np.asarray(first(pixels().transpose(0, 3, 1, 2)))
    np.testing.assert_array_equal(y.transpose(0, 2, 3, 1), last(pixels()))
    timm.set_weights(last.get_weights())
    assert np.isfinite(timm(pixels().transpose(0, 3, 1, 2))).all()


@pytest.mark.slow
def test_trainable_parameters_are_the_published_ones(golden):
    lines = (golden / "canonical.csv").read_text().splitlines()
    counts = {row["name"]: int(row["params"]) for row in csv.DictReader(lines)}
    for name in CANONICAL:
        if counts[name] < 60e6:
            model = APPLICATIONS[keras_name(name)](weights=None, input_shape=(32, 32, 3))
            assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == counts[name]
            del model
