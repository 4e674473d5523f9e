"""Pretrained weights of tf_keras: their files' names and hashes, fetched by Keras."""

import re

import h5py
import keras
import numpy as np
import pytest
from regnet_ds.designspace import CANONICAL
from regnet_ds.designspace.catalogue import keras_name
from regnet_ds.regnet import RegNetX002
from regnet_ds.regnet.weights.imagenet import HASHES, fetch_imagenet
from regnet_ds.regnet.weights.weight_files import weights_of
from regnet_ds.regnet.weights.weight_layouts import LAYOUTS

TF_KERAS = next(layout for layout in LAYOUTS if layout.name == "tf_keras")


def write_tf_keras(model, path):
    """Write weights as tf_keras does: a group a layer, a data set a weight."""
    with h5py.File(path, "w") as file:
        weights = {}
        for place in weights_of(model):
            layer, variable = TF_KERAS.key(place.layer, place.name).rsplit("/", 1)
            layer = "regnetx002_" + re.sub(r"_Block", "_XBlock", layer)
            weights.setdefault(layer, []).append((f"{layer}/{variable}:0", place.variable))
        file.attrs["layer_names"] = [name.encode() for name in weights]
        for layer, variables in weights.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name, _ in variables]
            for name, variable in variables:
                group[name] = np.asarray(variable)


def test_files_are_those_of_the_24(monkeypatch, tmp_path):
    asked = []

    def get_file(name, url, **options):
        asked.append((name, url, options["file_hash"], options["hash_algorithm"]))
        return str(tmp_path / name)

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    assert list(HASHES) == [keras_name(name) for name in CANONICAL]
    for name in HASHES:
        assert fetch_imagenet(name) == tmp_path / f"{name.lower()}.h5"
        assert fetch_imagenet(name, False) == tmp_path / f"{name.lower()}_notop.h5"
    base = "https://storage.googleapis.com/tensorflow/keras-applications/regnet/"
    assert all(url == base + name for name, url, _, _ in asked)
    assert len({digest for _, _, digest, _ in asked}) == 48
    assert {algorithm for *_, algorithm in asked} == {"sha256"}
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for _, _, digest, _ in asked)


def test_what_cannot_be_fetched_is_one_error(monkeypatch):
    def get_file(*_, **__):
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    with pytest.raises(
        ValueError, match="cannot fetch the ImageNet weights of RegNetX002 from http"
    ):
        RegNetX002()
    with pytest.raises(ValueError, match=r"name must be one of RegNetX002.*got 'RegNetZ005'"):
        fetch_imagenet("RegNetZ005")


def test_imagenet_weights_are_loaded_with_and_without_top(monkeypatch, tmp_path):
    source = RegNetX002(weights=None, seed=5)
    files = []

    def get_file(name, *_, **__):
        files.append(name)
        write_tf_keras(source, tmp_path / name)
        return str(tmp_path / name)

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    x = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)
    model = RegNetX002(input_shape=(64, 64, 3), classifier_activation=None)
    for ours, theirs in zip(model.weights, source.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert model(x).shape == (1, 1000)
    maps = RegNetX002(include_top=False)
    np.testing.assert_array_equal(maps.get_weights()[-1], source.get_weights()[-3])
    assert files == ["regnetx002.h5", "regnetx002_notop.h5"]
