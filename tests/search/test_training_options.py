"""What a recipe may ask of training beyond the papers: averages, clipping, patience, freezing."""

import logging
import math
import weakref
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from regnet_ds.designspace import RegNetParams
from regnet_ds.regnet import build
from regnet_ds.search.data.batches import training_batches
from regnet_ds.search.data.datasets import load_dataset
from regnet_ds.search.learning import memory
from regnet_ds.search.learning.averages import MovingAverages
from regnet_ds.search.learning.backends.on_tensorflow import Steps
from regnet_ds.search.learning.backends.seam import Layout, Place
from regnet_ds.search.learning.checkpoints import Keep
from regnet_ds.search.learning.evaluation import Tally, evaluate, tally
from regnet_ds.search.learning.fine_tuning import Start, freeze, model_with_weights, parts
from regnet_ds.search.learning.loop import Loop
from regnet_ds.search.learning.memory import OutOfMemory, halved
from regnet_ds.search.learning.optimizer import make_optimizer
from regnet_ds.search.learning.training import train
from regnet_ds.search.recipes.recipe import Recipe

PARAMS = RegNetParams(depth=3, w0=8, wa=8.0, wm=2.0, group_width=8)
SPEC = PARAMS.to_spec()
PLAIN = Recipe(epochs=2, batch_size=128, lr=0.02, area_factor=1.0, flip=False, pca_std=0.0)


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


def make_steps(recipe, model=None):
    model = model or build(SPEC, input_shape=(32, 32, 3), classes=10, data_format="channels_last")
    shape = (recipe.batch_size, 32, 32, 3)
    return model, Steps(model, recipe, Layout(shape, shape, 10), Place("cpu", ("CPU:0",)))


def test_rates_by_step_pass_through_those_by_epoch():
    by_epoch = Recipe(epochs=10, warmup_epochs=2)
    by_step = replace(by_epoch, stepped_by="step")
    for epoch in range(10):
        assert by_step.learning_rate(epoch) == by_epoch.learning_rate(epoch)
        assert by_epoch.learning_rate(epoch, 0.5) == by_epoch.learning_rate(epoch)
    assert by_step.learning_rate(1, 0.5) == pytest.approx(
        0.05 * 0.5 * (1 + math.cos(math.pi * 0.15)) * (0.1 * 0.25 + 0.75)
    )


def test_the_linear_rule_scales_the_rate():
    assert Recipe(lr=0.1, lr_batch=128, batch_size=1024).peak_lr == pytest.approx(0.8)
    assert Recipe(lr=0.1, batch_size=1024).learning_rate(0) == 0.1
    assert "lr_batch" not in Recipe().to_dict()
    assert Recipe.from_dict({"lr_batch": 64}).to_dict()["lr_batch"] == 64


def test_averages_follow_their_formula():
    weight = keras.Variable(np.zeros(2, np.float32))
    averages = MovingAverages([weight], 0.5)
    want = np.zeros(2)
    for t, value in enumerate((1.0, 4.0, -2.0, 7.0), start=1):
        weight.assign(np.full(2, value, np.float32))
        averages.update()
        decay = min(0.5, (1 + t) / (10 + t))
        want = decay * want + (1 - decay) * value
    with averages.in_place():
        assert weight.numpy() == pytest.approx(want, rel=1e-6)
    assert weight.numpy() == pytest.approx([7.0, 7.0])
    with pytest.raises(KeyError), averages.in_place(keep=True):
        raise KeyError
    assert weight.numpy() == pytest.approx([7.0, 7.0])
    with averages.in_place(keep=True):
        pass
    assert weight.numpy() == pytest.approx(want, rel=1e-6)


def test_a_network_is_evaluated_with_its_averages(digits):
    plain = train(SPEC, PLAIN, digits)
    averaged = train(SPEC, replace(PLAIN, ema_decay=0.9), digits)
    pairs = zip(plain.model.trainable_variables, averaged.model.trainable_variables, strict=True)
    assert all(not np.array_equal(a.numpy(), b.numpy()) for a, b in pairs)
    assert evaluate(averaged.model, digits, split="val") == pytest.approx(averaged.error, abs=0.3)


def test_gradients_are_clipped_together(digits):
    """One plain step moves the weights by lr times the clipped norm, as far as it is larger."""
    recipe = replace(PLAIN, momentum=0.0, nesterov=False, weight_decay=0.0, clip_norm=0.01)
    model, steps = make_steps(recipe)
    before = [w.numpy().copy() for w in model.trainable_variables]
    steps.train(*next(training_batches(digits, recipe, 0).epoch(0)), np.float32(1.0))
    moved = [w.numpy() - b for w, b in zip(model.trainable_variables, before, strict=True)]
    assert math.sqrt(sum(float((m**2).sum()) for m in moved)) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_norms_and_biases_may_be_spared_the_decay(optimizer):
    recipe = Recipe(
        optimizer=optimizer, weight_decay=0.1, decay_norms=False, momentum=0.0, nesterov=False
    )
    weights = [keras.Variable(np.ones(shape, np.float32)) for shape in ((3, 4), (4,))]
    zeros = [tf.zeros(w.shape) for w in weights]
    make_optimizer(recipe, weights).apply(zeros, tf.constant(0.5))
    assert weights[0].numpy() == pytest.approx(np.full((3, 4), 0.95))
    assert weights[1].numpy() == pytest.approx(np.ones(4))


def test_patience_ends_a_training_with_precise_statistics(digits):
    """A rate of almost nothing: no epoch is better than the first."""
    recipe = replace(PLAIN, epochs=30, lr=1e-12, weight_decay=0.0, patience=2)
    done = train(SPEC, recipe, digits)
    assert len(done.errors) - done.best_epoch == 2 and len(done.errors) < 30
    assert evaluate(done.model, digits, split="val") == pytest.approx(done.error, abs=0.3)


def test_patience_keeps_the_best_epochs_weights(digits, monkeypatch, tmp_path):
    """Scripted errors: the second of four epochs is the best, and a resumed run finds it again."""
    scripted, seen = [50.0, 40.0, 60.0, 60.0, 41.0, 41.0], []

    def evaluate_by_script(self, epoch, *, last):
        seen.append([array.copy() for array in self.functions.state()])
        return scripted[len(seen) - 1]

    monkeypatch.setattr(Loop, "_evaluate", evaluate_by_script)
    recipe = replace(PLAIN, epochs=9, patience=2)
    keep = Keep(str(tmp_path / "c.npz"))
    done = train(SPEC, recipe, digits, keep=keep)
    assert done.errors == (50, 40, 60, 60) and (done.best_epoch, done.error) == (2, 41)
    again = train(SPEC, recipe, digits, keep=keep)
    assert (again.errors, again.error, again.steps) == (done.errors, 41, done.steps)
    for result in (done, again):
        for ours, best in zip(result.model.get_weights(), seen[1], strict=False):
            assert np.array_equal(ours, best)
    assert any(not np.array_equal(a, b) for a, b in zip(seen[1], seen[3], strict=True))


def test_frozen_parts_stay_and_the_rest_learns(digits):
    model = build(SPEC, input_shape=(32, 32, 3), classes=10, data_format="channels_last")
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    before = {w.path: w.numpy().copy() for w in model.weights}
    assert parts(model)[0] == "stem" and parts(model)[-1] == "head"
    done = train(SPEC, PLAIN, digits, start=Start(model, "s2"))
    assert done.model is model and done.status == "complete"
    for weight in model.weights:
        frozen = weight.path.startswith(("stem", "s1_"))
        assert np.array_equal(weight.numpy(), before[weight.path]) == frozen, weight.path
    assert evaluate(model, digits, split="val") == pytest.approx(done.error, abs=0.3)
    with pytest.raises(ValueError, match=r"freeze until one of stem, s1, .*head, got 's9'"):
        freeze(model, "s9")


def test_weights_of_a_saved_model_get_a_new_head(tmp_path):
    saved = build(SPEC, input_shape=(32, 32, 3), classes=7, seed=3, data_format="channels_last")
    saved.save(tmp_path / "m.keras")
    model = model_with_weights(SPEC, tmp_path / "m.keras", (32, 32), classes=10)
    fresh = build(SPEC, input_shape=(32, 32, 3), classes=10, data_format="channels_last")
    assert model.output_shape == (None, 10)
    for ours, theirs, new in zip(model.layers, saved.layers, fresh.layers, strict=True):
        source = new if ours.name == "head_dense" else theirs
        for a, b in zip(ours.get_weights(), source.get_weights(), strict=True):
            assert np.array_equal(a, b)
    other = RegNetParams(depth=3, w0=16, wa=8.0, wm=2.0, group_width=8).to_spec()
    with pytest.raises(
        ValueError, match=r"is of another network: s\d_b\d_\w+ (has no place|does not fit)"
    ):
        model_with_weights(other, tmp_path / "m.keras", (32, 32), classes=10)
    (tmp_path / "n.keras").write_text("nothing")
    with pytest.raises(ValueError, match=r"cannot load .*n.keras"):
        model_with_weights(SPEC, tmp_path / "n.keras", (32, 32), classes=10)


def test_out_of_memory_has_a_name_and_a_smaller_recipe(digits, monkeypatch):
    def exhausted(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")

    monkeypatch.setattr(Steps, "train", exhausted)
    with pytest.raises(OutOfMemory, match="out of memory with batches of 128 images") as caught:
        train(SPEC, PLAIN, digits)
    smaller = caught.value.smaller
    assert (smaller.batch_size, smaller.lr) == (64, 0.01)
    assert halved(replace(PLAIN, lr_batch=128)).lr == 0.02
    assert halved(replace(PLAIN, batch_size=1)) is None
    with pytest.raises(ZeroDivisionError), memory.memory_is_named(PLAIN):
        _ = 1 / 0


def test_the_tally_is_a_confusion_matrix(digits):
    counted = Tally(3)
    logits = np.array([[2.0, 1, 0], [0, 1, 0], [5, 0, 0], [9, 9, 9]])
    counted.add(logits, np.array([0, 2, 0]))
    assert counted.confusion.tolist() == [[2, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert counted.error == pytest.approx(100 / 3)
    assert counted.class_errors[[0, 2]].tolist() == [0, 100] and np.isnan(counted.class_errors[1])
    counted.add(np.full((1, 3), np.nan), np.array([0]))
    assert np.isnan(counted.error)
    model = build(SPEC, input_shape=(32, 32, 3), classes=10, data_format="channels_last")
    assert tally(model, digits, split="val").confusion.sum() == 360


def test_streamed_data_train_as_arrays_do(write_folder, tmp_path, caplog):
    """Two kinds of photographs are told apart after a few epochs of a folder."""
    data = load_dataset(str(write_folder(tmp_path, 60, size=(120, 160))), resolution=32)
    recipe = Recipe(epochs=6, batch_size=16, lr=0.05, area_factor=0.5)
    with caplog.at_level(logging.WARNING, logger="regnet_ds"):
        done = train(SPEC, recipe, data)
    assert done.status == "complete" and done.steps == 6 * (len(data.train) // 16)
    assert done.error < 35
    assert evaluate(done.model, data, split="val") == pytest.approx(done.error, abs=10)


def test_earlier_networks_are_forgotten():
    """What the backend keeps of a traced network goes with it; weights of a seed stay the same."""
    first = build(SPEC, input_shape=(32, 32, 3), classes=10, seed=3)
    weights = first.get_weights()
    traced = tf.function(first)
    traced(np.zeros((1, 32, 32, 3), np.float32))
    gone = weakref.ref(first)
    del first, traced
    memory.forget_networks()
    assert gone() is None
    again = build(SPEC, input_shape=(32, 32, 3), classes=10, seed=3).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(weights, again, strict=True))
