import keras
import numpy as np
import pytest
from regnet_ds.designspace import NetSpec, Stage, canonical
from regnet_ds.designspace.blocks import BLOCK_FACTS, BLOCKS, DEFAULT_SE_RATIO
from regnet_ds.regnet import RegNetX002, build, stage_features, to_plain


@pytest.mark.parametrize("block", BLOCKS)
def test_maps_are_the_ends_of_the_stages(block):
    facts = BLOCK_FACTS[block]
    b = facts.bottleneck_ratio
    stages = (Stage(2, 8, 1, 4, b), Stage(12, 16, 3, 8, b), Stage(1, 24, 2, 8, b))
    spec = NetSpec(stages, block, DEFAULT_SE_RATIO[block], stem_width=8, head_width=10)
    model = build(spec, input_shape=(25, 36, 3), classes=4)
    x = np.random.default_rng(0).normal(size=(2, 25, 36, 3)).astype(np.float32)
    maps = stage_features(model)(x)
    assert [tuple(y.shape) for y in maps] == [
        (2, 13, 18, 8),
        (2, 13, 18, 8),
        (2, 5, 6, 16),
        (2, 3, 3, 24),
    ]
    # What follows a stage makes the rest of the network of its map.
    rest = keras.Model(
        model.get_layer("s3_b1_a_conv").input if block != "z" else stage_input(model, "s3_b1"),
        model.output,
    )
    np.testing.assert_allclose(rest(maps[2]), model(x), rtol=1e-5, atol=1e-6)


def stage_input(model, block):
    return model.get_layer(f"{block}_a_conv").input


def test_chosen_stages_of_applications_and_plain_copies():
    x = np.random.default_rng(0).uniform(0, 255, (1, 64, 96, 3)).astype(np.float32)
    model = RegNetX002(include_top=False, weights=None)
    maps = stage_features(model, [4, 2])(x)
    assert [y.shape for y in maps] == [(1, 2, 3, 368), (1, 8, 12, 56)]
    np.testing.assert_allclose(maps[0], model(x), rtol=1e-6)
    for ours, theirs in zip(maps, stage_features(to_plain(model), [4, 2])(x), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(ours).max())


def test_channels_first_stays_so():
    spec = canonical("RegNetX-200MF")
    first = build(spec, input_shape=(3, 64, 96), data_format="channels_first")
    last = build(spec, input_shape=(64, 96, 3))
    x = np.random.default_rng(0).normal(size=(1, 64, 96, 3)).astype(np.float32)
    pairs = zip(
        stage_features(first)(x.transpose(0, 3, 1, 2)), stage_features(last)(x), strict=True
    )
    for a, b in pairs:
        np.testing.assert_array_equal(np.transpose(a, (0, 2, 3, 1)), b)


def test_stages_that_are_not_there_are_refused():
    model = build(canonical("RegNetX-200MF"), input_shape=(32, 32, 3))
    for stages in ([5], [-1], []):
        with pytest.raises(ValueError, match=r"has stages 0 \(the stem\) to 4, got \["):
            stage_features(model, stages)
    x = keras.Input((3,))
    with pytest.raises(ValueError, match="has no stages of a RegNet"):
        stage_features(keras.Model(x, keras.layers.Dense(2)(x)))
