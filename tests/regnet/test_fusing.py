"""Batch norm folded into convolutions: the same logits, fewer layers, no training."""

import keras
import numpy as np
import pytest
from regnet_ds.designspace.blocks import BLOCKS
from regnet_ds.regnet import build, canonical, fuse

STEMS = dict(zip(BLOCKS, ["simple", "resnet", "cifar"] * 3, strict=False))


def images(n=3, shape=(12, 13, 3)):
    return np.random.default_rng(0).normal(size=(n, *shape)).astype(np.float32)


def assert_near(a, b, tolerance=1e-4):
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape and np.ptp(b) > 0
    assert np.abs(a - b).max() <= tolerance * np.abs(b).max()


@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_and_stem_keeps_its_logits(block, trained_like, tmp_path):
    model = trained_like(block, stem_type=STEMS[block], head_width=6, drop_path=0.2)
    before = [w.copy() for w in model.get_weights()]
    fused = fuse(model)
    assert_near(fused(images()), model(images()))
    kinds = {layer.name: type(layer) for layer in fused.layers}
    assert not any(issubclass(kind, keras.layers.BatchNormalization) for kind in kinds.values())
    assert not any(name.endswith(("_bn", "_drop")) for name in kinds)
    assert kinds == {x.name: type(x) for x in model.layers if x.name in kinds}
    assert fused.get_layer("stem_conv").use_bias
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    fused.save(tmp_path / "fused.keras")
    loaded = keras.saving.load_model(tmp_path / "fused.keras")
    np.testing.assert_array_equal(loaded(images()), fused(images()))


def test_a_fused_model_refuses_to_train(trained_like, tmp_path):
    fuse(trained_like()).save(tmp_path / "fused.keras")
    fused = keras.saving.load_model(tmp_path / "fused.keras")
    assert fused.trainable_weights == []
    with pytest.raises(ValueError, match="the fused model regnetx is for inference alone"):
        fused(images(), training=True)
    fused.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(ValueError, match="for inference alone: train the model that it was made"):
        fused.fit(images(), np.zeros(3), verbose=0)
    assert fused.predict(images(), verbose=0).shape == (3, 4)


def test_half_precision_keeps_its_policy(trained_like):
    model = trained_like("y", dtype="mixed_bfloat16")
    fused = fuse(model)
    assert fused.get_layer("s1_b1_a_conv").compute_dtype == "bfloat16"
    assert_near(fused(images()), model(images()), 0.05)


def test_models_inside_models_and_plain_layers():
    layers = keras.layers
    inner = keras.Sequential(
        [
            keras.Input((12, 13, 3)),
            layers.Conv2D(6, 3, strides=2),
            layers.BatchNormalization(scale=False),
            layers.ReLU(),
            layers.Conv2D(4, 1, use_bias=False),
            layers.BatchNormalization(center=False),
        ],
        name="inner",
    )
    x = keras.Input((12, 13, 3))
    model = keras.Model(x, layers.Dense(3)(layers.Flatten()(layers.Dropout(0.5)(inner(x)))))
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in model.get_weights()])
    fused = fuse(model)
    assert_near(fused(images()), model(images()))
    kinds = [type(layer).__name__ for layer in fused.get_layer("inner").layers]
    assert kinds == ["InputLayer", "Conv2D", "ReLU", "Conv2D"]


def test_what_cannot_be_folded_stays():
    layers = keras.layers
    x = keras.Input((12, 13, 3))
    shared = layers.Conv2D(3, 3, padding="same")
    first, second = shared(x), shared(layers.ReLU()(x))
    twice = layers.Conv2D(3, 1)(first)
    active = layers.Conv2D(3, 1, activation="relu")(second)
    of_shared = layers.BatchNormalization(name="of_shared")(first)
    of_read_twice = layers.BatchNormalization(name="of_read_twice")(twice)
    of_active = layers.BatchNormalization(name="of_active")(active)
    of_rows = layers.BatchNormalization(axis=1, name="of_rows")(layers.Conv2D(3, 1)(x))
    of_batch = layers.BatchNormalization(name="of_batch")(layers.Conv2D(3, 1)(x), training=True)
    y = layers.Add()([of_shared, of_read_twice, of_active, of_rows, of_batch, twice])
    model = keras.Model(x, y)
    rng = np.random.default_rng(2)
    model.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in model.get_weights()])
    fused = fuse(model)
    kept = {x.name for x in fused.layers if isinstance(x, layers.BatchNormalization)}
    assert kept == {"of_shared", "of_read_twice", "of_active", "of_rows", "of_batch"}
    assert_near(fused(images()), model(images()))


def test_a_model_without_a_graph_is_refused():
    class ByHand(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="only a Functional or a built Sequential model"):
        fuse(ByHand(name="hand"))
    with pytest.raises(ValueError, match="only a Functional or a built Sequential model"):
        fuse(keras.Sequential([keras.layers.ReLU()]))


@pytest.mark.slow
@pytest.mark.smoke
@pytest.mark.parametrize("name", ["RegNetX-200MF", "RegNetY-400MF"])
def test_published_networks_keep_their_logits(name):
    model = build(canonical(name), input_shape=(97, 64, 3))
    rng = np.random.default_rng(3)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    assert_near(fuse(model)(images(2, (97, 64, 3))), model(images(2, (97, 64, 3))))
