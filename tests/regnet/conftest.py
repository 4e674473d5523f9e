import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture
def trained_like():
    """A tiny network of a block, 12 x 13 px, whose statistics and gammas are as after training."""
    import numpy as np
    from regnet_ds.designspace import NetSpec, Stage
    from regnet_ds.designspace.blocks import BLOCK_FACTS, DEFAULT_SE_RATIO
    from regnet_ds.regnet import build

    def make(block="x", *, input_shape=(12, 13, 3), drop_path=0.0, dtype=None, **parts):
        b = BLOCK_FACTS[block].bottleneck_ratio
        stages = (Stage(1, 8, 1, 4, b), Stage(2, 16, 3, 8, b))
        parts = {"stem_width": 8, "activation": BLOCK_FACTS[block].activation} | parts
        spec = NetSpec(stages, block, DEFAULT_SE_RATIO[block], **parts)
        arguments = {"input_shape": input_shape, "drop_path": drop_path, "dtype": dtype}
        model = build(spec, classes=4, **arguments)
        rng = np.random.default_rng(7)
        for layer in model.layers:
            if "drop" not in layer.name:  # whose only weight is the state of its generator
                layer.set_weights([_moved(w, rng) for w in layer.get_weights()])
        return model

    def _moved(w, rng):
        return w * rng.uniform(0.5, 1.5, w.shape) + 0.2 * (w.ndim == 1) * rng.random(w.shape)

    return make
