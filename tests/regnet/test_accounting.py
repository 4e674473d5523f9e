import csv
from pathlib import Path

import keras
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from regnet_ds.designspace import Complexity, NetSpec, Stage, canonical, complexity
from regnet_ds.designspace.blocks import ACTIVATIONS, BLOCK_FACTS, BLOCKS, STEM_TYPES
from regnet_ds.regnet import accounting, build

GOLDEN = Path(__file__).parents[1] / "golden" / "canonical.csv"
FAST = {"RegNetX-200MF", "RegNetY-400MF", "RegNetX-8.0GF", "RegNetY-8.0GF"}

with GOLDEN.open(newline="") as file:
    ROWS = list(csv.DictReader(file))

RESNET_STAGES = zip((3, 4, 6, 3), (256, 512, 1024, 2048), (1, 2, 2, 2), strict=True)
RESNET_50 = NetSpec(
    tuple(Stage(d, w, stride, w // 4, 4) for d, w, stride in RESNET_STAGES),
    "r",
    stem_type="resnet",
    stem_width=64,
)


def published(row: dict[str, str]):
    marks = () if row["name"] in FAST else pytest.mark.slow
    cost = Complexity(int(row["flops"]), int(row["params"]), int(row["acts"]))
    return pytest.param(row["name"], cost, id=row["name"], marks=marks)


@pytest.mark.parametrize(("name", "cost"), [published(row) for row in ROWS])
def test_the_24_count_as_published(name, cost):
    spec = canonical(name)
    assert accounting.account(build(spec)) == cost == complexity(spec)


RATIOS = {"never": [0.0], "always": [0.01, 0.25, 1.0], "perhaps": [0.0, 0.01, 0.25]}


@st.composite
def stages(draw):
    groups, group_width = draw(st.integers(1, 5)), draw(st.sampled_from([4, 8, 12]))
    b = draw(st.sampled_from([0.25, 0.5, 1.0, 2.0, 4.0]))
    depth, stride = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    return Stage(depth, int(groups * group_width * b), stride, group_width, b)


@st.composite
def small_nets(draw, block):
    """Draw a network; a squeeze ratio of 0.01 rounds to no squeeze in narrow stages."""
    return NetSpec(
        tuple(draw(st.lists(stages(), min_size=1, max_size=6))),
        block,
        draw(st.sampled_from(RATIOS[BLOCK_FACTS[block].squeeze])),
        stem_type=draw(st.sampled_from(STEM_TYPES)),
        stem_width=draw(st.integers(1, 20)),
        head_width=draw(st.sampled_from([0, 24])),
        activation=draw(st.sampled_from(ACTIVATIONS)),
    )


def assert_counts_as_computed(spec, height, width, channels=3, classes=5):
    model = build(spec, input_shape=(height, width, channels), classes=classes)
    expected = complexity(spec, resolution=(height, width), channels=channels, classes=classes)
    assert accounting.account(model) == expected


@pytest.mark.parametrize("block", BLOCKS)
@settings(max_examples=3, deadline=None)
@given(st.data())
def test_random_nets_count_as_computed(block, data):
    spec = data.draw(small_nets(block))
    height, width = (spec.total_stride + data.draw(st.integers(0, 40)) for _ in range(2))
    assert_counts_as_computed(
        spec, height, width, data.draw(st.integers(1, 4)), data.draw(st.integers(1, 9))
    )


@pytest.mark.parametrize("stem_type", STEM_TYPES)
@pytest.mark.parametrize("size", [(32, 33), (34, 35)])
def test_every_stem_counts_as_computed(stem_type, size):
    spec = NetSpec((Stage(1, 8), Stage(1, 8, stride=3)), stem_type=stem_type, stem_width=6)
    assert_counts_as_computed(spec, *size)


def test_rows_add_up_and_ignore_trainable():
    model = build(canonical("RegNetY-200MF"), input_shape=(32, 32, 3), classes=10)
    rows = accounting.by_layer(model)
    model.trainable = False
    cost = accounting.account(model)
    assert cost == complexity(canonical("RegNetY-200MF"), resolution=32, classes=10)
    assert sum(row.flops for row in rows) == cost.flops
    by_name = {row.layer: (row.flops, row.params, row.acts) for row in rows}
    assert by_name["stem_conv"] == (27 * 32 * 256, 27 * 32, 32 * 256)
    assert by_name["stem_bn"] == (0, 64, 0)
    assert by_name["s1_b1_se_squeeze"] == (25 * 8, 25 * 8, 8)


def test_one_row_a_type():
    model = build(canonical("RegNetX-200MF"))
    rows = accounting.by_type(accounting.by_layer(model))
    assert [row.type for row in rows] == ["GroupedConv2D", "BatchNorm", "PointwiseConv2D", "Dense"]
    assert accounting.total(rows) == complexity(canonical("RegNetX-200MF"))
    assert sum(row.bias_adds for row in rows) == 1000


def products(model):
    rows = accounting.by_layer(model)
    return sum(row.flops - row.bias_adds for row in rows)


def test_products_of_known_networks_are_those_of_fvcore():
    """fvcore 0.1.5's convolution and linear operators of torchvision's and timm's networks."""
    assert products(keras.applications.MobileNetV2(weights=None)) == 300_774_272
    assert products(build(RESNET_50)) == 4_089_184_256


@pytest.mark.slow
@pytest.mark.smoke
def test_products_of_efficientnet_are_those_of_fvcore():
    model = keras.applications.EfficientNetB0(weights=None)
    assert products(model) == 385_814_752
    assert accounting.account(model).params == 5_288_548  # of torchvision's
