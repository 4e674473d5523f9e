import logging
import os
import subprocess
import sys
from dataclasses import fields, replace

import keras
import numpy as np
import pytest
from regnet_ds.designspace import RegNetParams
from regnet_ds.regnet import build
from regnet_ds.search.data.batches import TrainingBatches
from regnet_ds.search.data.datasets import load_dataset
from regnet_ds.search.learning import training
from regnet_ds.search.learning.accelerator import prepare_runtime
from regnet_ds.search.learning.backends.on_tensorflow import Steps
from regnet_ds.search.learning.backends.seam import Layout, Place, current_backend
from regnet_ds.search.learning.backends.tensorflow_layers import (
    BatchMoments,
    FixedScales,
    apply_layer,
)
from regnet_ds.search.learning.evaluation import Tally, chance_error, evaluate
from regnet_ds.search.learning.forward import Forward
from regnet_ds.search.learning.precise_bn import (
    Moments,
    assign_moments,
    average_moments,
    channels,
    scales_and_offsets,
)
from regnet_ds.search.learning.training import train
from regnet_ds.search.recipes.recipe import Recipe

TINY = RegNetParams(depth=3, w0=8, wa=8.0, wm=2.0, group_width=8)
SMALL = RegNetParams(depth=12, w0=8, wa=8.0, wm=2.2, group_width=8)
PLAIN = Recipe(epochs=2, batch_size=64, lr=0.02, area_factor=1.0, flip=False, pca_std=0.0)
PROGRAM = """
import hashlib
from regnet_ds.designspace import RegNetParams
from regnet_ds.search import Recipe, load_dataset, train
spec = RegNetParams(depth=3, w0=8, wa=8.0, wm=2.0, group_width=8).to_spec()
recipe = Recipe(epochs=2, batch_size=64, lr=0.02, area_factor=0.6, flip=False, pca_std=0.0)
for seed in (0, 1):
    result = train(spec, recipe, load_dataset("digits"), seed=seed)
    weights = b"".join(w.tobytes() for w in result.model.get_weights())
    print(result.errors, hashlib.sha256(weights).hexdigest())
"""


def make_steps(model, recipe, shape):
    return Steps(model, recipe, Layout(shape, shape, 10), Place("cpu", ("CPU:0",)))


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


@pytest.fixture(scope="module")
def result(digits):
    """Return a short training, and the errors that it reported on its way."""
    seen = []
    done = train(TINY.to_spec(), PLAIN, digits, on_epoch=lambda *call: seen.append(call))
    return done, seen


@pytest.fixture(params=["x", "y"])
def model(request):
    """Return a network whose batch norms are no identities."""
    spec = TINY.to_spec(block=request.param)
    model = build(spec, input_shape=(32, 32, 3), classes=10, seed=1)
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return model


@pytest.fixture
def images():
    return np.random.default_rng(1).normal(size=(16, 32, 32, 3)).astype(np.float32)


def test_a_result_says_what_happened(result, digits):
    done, seen = result
    assert done.status == "complete" and done.reason == ""
    assert done.steps == 2 * (1077 // 64)
    assert seen == list(enumerate(done.errors, start=1)) and len(seen) == 2
    assert done.error == done.errors[-1]
    assert done.errors[done.best_epoch - 1] == min(done.errors)
    assert done.test_error is None
    parts = done.timing
    assert 0 < parts.build + parts.trace + parts.steps + parts.evaluation <= done.seconds
    assert done.images_per_second == pytest.approx(done.steps * 64 / parts.steps)
    assert "model" not in repr(done)
    assert next(f for f in fields(done) if f.name == "model").compare is False


def test_the_model_of_a_result_has_its_error(result, digits):
    """The precise statistics are in the model, and the fast functions compute what it does."""
    done, _ = result
    assert evaluate(done.model, digits, split="val") == pytest.approx(done.error, abs=0.3)
    assert 0 <= evaluate(done.model, digits) < 100


def test_training_learns(result):
    assert result[0].error < 75


def test_forward_in_training_equals_the_model(model, images):
    forward = Forward(model, apply_layer)
    normalise = BatchMoments()
    logits = forward(images, normalise)
    assert np.allclose(logits, model(images, training=True), atol=1e-4)
    assert len(normalise.moments) == len(forward.norms) == len(channels(forward.norms))


def test_forward_in_inference_equals_the_model(model, images):
    forward = Forward(model, apply_layer)
    moments = Moments(
        np.concatenate([layer.moving_mean.numpy() for layer in forward.norms]),
        np.concatenate([layer.moving_variance.numpy() for layer in forward.norms]),
    )
    scales, offsets = scales_and_offsets(forward.norms, moments)
    fixed = FixedScales(channels(forward.norms), scales, offsets)
    assert np.allclose(forward(images, fixed), model(images, training=False), atol=1e-4)


def test_precise_statistics_are_means_over_batches(model, images):
    """The first batch norm's moments, computed by hand from the convolution before it."""
    steps = make_steps(model, PLAIN, (8, 32, 32, 3))
    moments = average_moments(steps.moments, [images[:8], images[8:]])
    maps = [model.get_layer("stem_conv")(part).numpy() for part in (images[:8], images[8:])]
    n = channels(steps.norms)[0]
    mean = np.mean([part.mean((0, 1, 2)) for part in maps], axis=0)
    variance = np.mean([part.var((0, 1, 2), ddof=1) for part in maps], axis=0)
    assert np.allclose(moments.means[:n], mean, atol=1e-5)
    assert np.allclose(moments.variances[:n], variance, rtol=1e-4)
    assign_moments(steps.norms, moments)
    assert np.allclose(model.get_layer("stem_bn").moving_mean, mean, atol=1e-5)
    last = steps.norms[-1]
    assert np.allclose(last.moving_variance, moments.variances[-last.gamma.shape[0] :])
    with pytest.raises(ValueError, match="at least one batch, got none"):
        average_moments(steps.moments, [])


def test_a_step_is_the_gradient_of_the_smoothed_loss(digits):
    """One plain SGD step equals Keras's own loss, gradient and update."""
    import tensorflow as tf

    recipe = replace(PLAIN, momentum=0.0, nesterov=False, weight_decay=0.0, label_smoothing=0.1)
    batches = TrainingBatches(digits, recipe, 0)
    images, target = next(batches.epoch(0))
    ours = build(TINY.to_spec(), input_shape=(32, 32, 3), classes=10, seed=2)
    theirs = build(TINY.to_spec(), input_shape=(32, 32, 3), classes=10, seed=2)
    labels = digits.train.labels[batches.order(0)[:64]]
    with tf.GradientTape() as tape:
        smoothed = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
        loss = smoothed(keras.utils.to_categorical(labels, 10), theirs(images, training=True))
    gradients = tape.gradient(loss, [w.value for w in theirs.trainable_variables])
    keras.optimizers.SGD(0.5).apply(gradients, theirs.trainable_variables)
    steps = make_steps(ours, recipe, images.shape)
    assert float(steps.train(images, target, np.float32(0.5))) == pytest.approx(float(loss), 1e-5)
    for a, b in zip(ours.trainable_variables, theirs.trainable_variables, strict=True):
        assert np.allclose(a.numpy(), b.numpy(), atol=2e-4), a.path


@pytest.mark.slow
@pytest.mark.smoke
def test_the_seed_decides_everything():
    """In fresh processes the same seed gives the same weights bit for bit, another seed others."""
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    program = [sys.executable, "-c", PROGRAM]
    outputs = [
        subprocess.run(program, capture_output=True, text=True, check=True, env=env).stdout
        for _ in range(2)
    ]
    assert outputs[0] == outputs[1]
    first, second = outputs[0].splitlines()
    assert first.split()[-1] != second.split()[-1]


def test_a_loss_that_explodes_is_diverged(digits):
    done = train(TINY.to_spec(), replace(PLAIN, lr=1000.0, weight_decay=1.0), digits)
    assert done.status == "diverged"
    assert done.error == chance_error(10) == 90.0
    assert done.reason.startswith(("loss nan at step", "loss inf at step", "validation logits"))
    assert "lr 1000" in done.reason
    assert len(done.errors) < 2


def test_on_epoch_may_stop_a_training(digits):
    class Stop(Exception):
        pass

    def stop(epoch, error):
        raise Stop(epoch)

    with pytest.raises(Stop, match="1"):
        train(TINY.to_spec(), PLAIN, digits, on_epoch=stop)


def test_a_recipe_that_asks_for_too_much_is_narrowed_with_one_warning(digits, caplog, monkeypatch):
    training._warn_once.cache_clear()
    with caplog.at_level(logging.WARNING, logger="regnet_ds"):
        for _ in range(2):
            assert not training._narrowed(Recipe(), digits).flip
    assert [record.message for record in caplog.records] == [
        "digits allows less augmentation than the recipe: "
        "flip True -> False, area_factor 0.08 -> 0.6, pca_std 0.1 -> 0.0"
    ]


def test_bad_input_is_refused(digits, monkeypatch):
    with pytest.raises(ValueError, match="batch_size 4096 is larger than the 1077"):
        train(TINY.to_spec(), replace(PLAIN, batch_size=4096), digits)
    deep = RegNetParams(depth=16, w0=8, wa=40.0, wm=1.5, group_width=8).to_spec()
    with pytest.raises(ValueError, match="must be at least"):
        train(deep, PLAIN, digits)
    with pytest.raises(ValueError, match="threads must be a positive integer, got 0"):
        prepare_runtime(0)
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(ValueError, match="KERAS_BACKEND=tensorflow or KERAS_BACKEND=jax"):
        current_backend()


def test_threads_that_come_too_late_are_noted():
    keras.ops.ones(1)  # TensorFlow has started
    actual, note = prepare_runtime(7)
    assert actual != 7 and "already started" in note


def test_errors_count_wrong_labels_and_ignore_padding():
    logits = np.array([[2.0, 1], [0, 1], [5, 0], [9, 9]])
    counted = Tally(2)
    counted.add(logits, np.array([0, 0, 0]))
    assert counted.error == pytest.approx(100 / 3)
    counted.add(np.array([[np.nan, 1.0]]), np.array([0]))
    assert np.isnan(counted.error)


@pytest.mark.slow
@pytest.mark.smoke
def test_a_small_network_learns_the_digits(digits):
    recipe = replace(PLAIN, epochs=8, batch_size=32, area_factor=0.8)
    done = train(SMALL.to_spec(), recipe, digits)
    assert done.error < 10
    assert evaluate(done.model, digits) < 12
