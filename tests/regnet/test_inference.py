"""Inference with constant weights: the model's outputs, grouped convolutions in one operation."""

import keras
import numpy as np
import pytest
from regnet_ds.regnet import compile_inference
from regnet_ds.regnet.serving.exporting import compare


def images(n=3, shape=(12, 13, 3)):
    return np.random.default_rng(0).normal(size=(n, *shape)).astype(np.float32)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("block", ["y", "z"])
def test_the_models_outputs_with_the_weights_of_then(block, fused, trained_like):
    model = trained_like(block, stem_type="resnet")
    run, expected = compile_inference(model, fused=fused), np.asarray(model(images()))
    for layer in model.layers:
        layer.set_weights([w * 0 for w in layer.get_weights()])
    assert compare(np.asarray(run(images())), expected)[0] < 1e-4
    assert compare(np.asarray(run(images()[:1])), expected[:1])[0] < 1e-4


def test_a_fixed_batch_and_an_open_size(trained_like):
    model = trained_like(input_shape=(None, None, 3))
    x = images(2, (32, 48, 3))
    for run in (
        compile_inference(model),
        compile_inference(model, 2, resolution=(32, 48)),
    ):
        assert compare(np.asarray(run(x)), np.asarray(model(x)))[0] < 1e-4


def test_what_does_not_suit_is_refused(trained_like):
    with pytest.raises(ValueError, match="batch must be a positive integer, got 0"):
        compile_inference(trained_like(), 0)
    with pytest.raises(ValueError, match=r"input is \(12, 13, 3\), got the size \(24, 24\)"):
        compile_inference(trained_like(), 1, resolution=(24, 24))
    x = keras.Input((4,))
    with pytest.raises(ValueError, match=r"from one image \(h, w, c\) to one output"):
        compile_inference(keras.Model(x, keras.layers.Dense(2)(x)))
