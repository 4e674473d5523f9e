import json

import keras
import numpy as np
import pytest
from regnet_ds.regnet import CONVENTIONS, Convention, decode_predictions, preprocess_input

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def pixels(dtype=np.float32):
    return np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3)).astype(dtype)


def test_nothing_is_done_without_a_convention():
    x = pixels()
    assert preprocess_input(x) is x
    with pytest.raises(ValueError, match="data_format must be one of"):
        preprocess_input(x, "NCHW")


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_conventions_normalise(dtype):
    x = pixels(dtype)
    before = x.copy()
    normal = (x / 255 - MEAN) / STD
    expected = dict.fromkeys(CONVENTIONS, normal)
    expected["tf_keras"] = x / 255
    for name, wanted in expected.items():
        y = preprocess_input(x, convention=name)
        assert y.dtype == np.float32
        np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(x, before)
        tensor = preprocess_input(keras.ops.convert_to_tensor(x), convention=name)
        np.testing.assert_allclose(tensor, y, rtol=1e-4, atol=1e-5)
        one = preprocess_input(x[0].transpose(2, 0, 1), "channels_first", convention=name)
        np.testing.assert_allclose(one.transpose(1, 2, 0), y[0], rtol=1e-5, atol=1e-6)


def test_images_without_three_colours_are_refused():
    mine = Convention("mine", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    np.testing.assert_allclose(
        preprocess_input(pixels(), convention=mine), pixels() / 127.5 - 1, atol=1e-6
    )
    with pytest.raises(ValueError, match=r"3 colours, channels_last, 3D or 4D, got \(2, 5, 4, 1\)"):
        preprocess_input(pixels()[..., :1], convention="timm")
    with pytest.raises(ValueError, match="3 colours, channels_first"):
        preprocess_input(pixels(), "channels_first", convention="timm")


def test_predictions_get_names_from_the_file_that_keras_downloads(tmp_path, monkeypatch):
    names = {str(i): [f"n{i:08d}", f"thing_{i}"] for i in range(1000)}
    (tmp_path / "index.json").write_text(json.dumps(names))
    asked = []

    def get_file(name, url, **_):
        asked.append((name, url))
        return str(tmp_path / "index.json")

    module = __import__("keras.src.applications.imagenet_utils", fromlist=["CLASS_INDEX"])
    monkeypatch.setattr(module, "CLASS_INDEX", None)
    monkeypatch.setattr(module.file_utils, "get_file", get_file)
    scores = np.random.default_rng(0).random((2, 1000)).astype(np.float32)
    for given in (scores, keras.ops.convert_to_tensor(scores)):
        decoded = decode_predictions(given, top=3)
        for row, found in zip(scores, decoded, strict=True):
            best = np.argsort(-row)[:3]
            assert found == [(f"n{i:08d}", f"thing_{i}", row[i]) for i in best]
    assert [name for name, _ in asked] == ["imagenet_class_index.json"]
    assert len(decode_predictions(scores)[0]) == 5


@pytest.mark.parametrize("shape", [(1000,), (2, 10), (2, 7, 7, 1000)])
def test_predictions_of_other_classes_are_refused(shape):
    with pytest.raises(ValueError, match=r"must be \(n, 1000\), .*predict with include_top=True"):
        decode_predictions(np.zeros(shape, np.float32))
