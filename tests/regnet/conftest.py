"""Tiny networks of every block, and weights as training leaves them."""

import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="session")
def tiny():
    """Two stages of a block, the second with one that changes the shape and one that does not."""
    from regnet_ds.designspace import NetSpec, Stage
    from regnet_ds.designspace.blocks import BLOCK_FACTS, DEFAULT_SE_RATIO

    def make(block, **parts):
        facts = BLOCK_FACTS[block]
        b = facts.bottleneck_ratio
        stages = (Stage(1, 8, 1, 4, b), Stage(2, 16, 3, 8, b))
        parts = {"stem_width": 8, "activation": facts.activation} | parts
        return NetSpec(stages, block, DEFAULT_SE_RATIO[block], **parts)

    return make


@pytest.fixture(scope="session")
def randomised():
    """Move all weights of a model as training does: statistics and gammas too."""
    import numpy as np

    def moved(w, rng):
        return w * rng.uniform(0.5, 1.5, w.shape) + 0.2 * (w.ndim == 1) * rng.random(w.shape)

    def randomise(model):
        rng = np.random.default_rng(7)
        for layer in model.layers:
            if "drop" not in layer.name:  # whose only weight is the state of its generator
                layer.set_weights([moved(w, rng) for w in layer.get_weights()])
        return model

    return randomise


@pytest.fixture
def trained_like(tiny, randomised):
    """A tiny network of a block, 12 x 13 px, whose statistics and gammas are as after training."""
    from regnet_ds.regnet import build

    def make(block="x", *, input_shape=(12, 13, 3), drop_path=0.0, dtype=None, **parts):
        arguments = {"input_shape": input_shape, "drop_path": drop_path, "dtype": dtype}
        return randomised(build(tiny(block, **parts), classes=4, **arguments))

    return make
