"""A network whose equal blocks are traced once does what it does layer by layer."""

import numpy as np
import pytest
import tensorflow as tf
from regnet_ds.designspace import RegNetParams
from regnet_ds.regnet import build
from regnet_ds.search.learning.backends.shared_blocks import BlockwiseForward
from regnet_ds.search.learning.backends.tensorflow_layers import (
    BatchMoments,
    FixedScales,
    apply_layer,
)
from regnet_ds.search.learning.fine_tuning import freeze
from regnet_ds.search.learning.forward import Forward, calls_of, norms_of
from regnet_ds.search.learning.precise_bn import channels

PARAMS = RegNetParams(depth=5, w0=8, wa=3.0, wm=2.0, group_width=4)
SIZE = (4, 32, 32, 3)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def make(block, until=None):
    model = build(PARAMS.to_spec(block=block), input_shape=SIZE[1:], classes=5, seed=3)
    freeze(model, until)
    return model


def learn(model, forward, images):
    """Return the loss, its gradients and all moments, traced."""
    weights = [weight.value for weight in model.trainable_variables]

    @tf.function(autograph=False)
    def step(images):
        normalise = BatchMoments()
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            loss = tf.reduce_sum(tf.square(forward(images, normalise)))
        means, variances = zip(*normalise.moments, strict=True)
        return [loss, *tape.gradient(loss, weights), tf.concat(means, 0), tf.concat(variances, 0)]

    return [value.numpy() for value in step(tf.constant(images))]


@pytest.mark.parametrize(("block", "until"), [("x", "s2"), ("y", None)])
def test_loss_gradients_and_moments_are_those_of_the_layers(block, until, rng):
    images = rng.normal(size=SIZE).astype(np.float32)
    model = make(block, until)
    whole = learn(model, Forward(model, apply_layer), images)
    shared = BlockwiseForward(model)
    for ours, theirs in zip(learn(model, shared, images), whole, strict=True):
        assert np.allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    blocks = [piece for piece in shared._pieces if piece.kind is not None]
    assert len(blocks) == 5 > len(shared._functions) == len({piece.kind for piece in blocks})


def test_training_and_statistics_share_blocks_and_evaluation_has_its_own(rng):
    images = rng.normal(size=SIZE).astype(np.float32)
    model = make("x")
    forward = BlockwiseForward(model)
    learn(model, forward, images)
    learnt = dict(forward._functions)
    tf.function(lambda x: forward(x, BatchMoments()))(images)
    assert forward._functions == learnt
    sizes = channels(norms_of(calls_of(model)))
    scales, offsets = (rng.normal(size=sum(sizes)).astype(np.float32) for _ in range(2))

    def fixed(forward):
        return tf.function(lambda x: forward(x, FixedScales(sizes, scales, offsets)))(images)

    assert np.allclose(fixed(forward), fixed(Forward(model, apply_layer)), rtol=1e-5)
    assert len(forward._functions) == 2 * len(learnt)


def test_layers_of_no_known_kind_are_called_as_they_are(rng):
    """Under mixed precision and with stochastic depth no block is shared."""
    spec = PARAMS.to_spec()
    for options in ({"dtype": "mixed_bfloat16"}, {"drop_path": 0.2}):
        model = build(spec, input_shape=SIZE[1:], classes=5, **options)
        forward = BlockwiseForward(model)
        kinds = [piece.kind is not None for piece in forward._pieces]
        assert sum(kinds) == (1 if "drop_path" in options else 0)  # the first block drops nothing
        images = tf.constant(rng.normal(size=SIZE), tf.float32)
        assert forward(images, BatchMoments()).shape == (SIZE[0], 5)
