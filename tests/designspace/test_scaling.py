"""Scaling equals the published one: all vectors of pycls, and the family of the paper."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from regnet_ds.designspace import (
    NetSpec,
    ScalingFactors,
    canonical,
    complexity,
    family_factors,
    scale,
    scaling_factors,
)
from regnet_ds.designspace.scaling import scale_group_width, scale_resolution, scale_width
from regnet_ds.designspace.widths.efficientnet import (
    EFFICIENTNET_B0,
    EfficientNet,
    efficientnet_complexity,
    scale_efficientnet,
)
from regnet_ds.designspace.widths.landmarks import RESNET_50, find_network

NAMES = {"EN-B0": "efficientnet-b0", "R-50-1x64d": "resnet-50"}


def load(golden: Path) -> list[dict[str, Any]]:
    return json.loads((golden / "scale_model.json").read_text())


def network(case: dict[str, Any]) -> NetSpec | EfficientNet:
    name = Path(case["config"]).name.partition("_dds")[0]
    return find_network(NAMES.get(name, name))[1]


def cost(net: NetSpec | EfficientNet, resolution: int) -> dict[str, int]:
    if isinstance(net, EfficientNet):
        return asdict(efficientnet_complexity(net, resolution=resolution))
    return asdict(complexity(net, resolution=resolution))


def test_vectors_of_pycls(golden: Path) -> None:
    cases = load(golden)
    assert len(cases) == 19
    for case in cases:
        net = network(case)
        factors = scaling_factors(case["scaling_type"], case["scaling_factor"])
        assert astuple(factors) == tuple(case["factors"][letter] for letter in "dwgr")
        size = scale_resolution(224, factors.resolution)
        assert (size, scale_resolution(256, factors.resolution)) == (
            case["train_res"],
            case["test_res"],
        )
        if isinstance(net, EfficientNet):
            after: NetSpec | EfficientNet = scale_efficientnet(net, factors)
            assert (after.stem_width, after.head_width) == (case["stem_w"], case["head_w"])
            assert [stage.expansion for stage in after.stages] == case["bs"]
        else:
            after = scale(net, factors)
            assert after.parameters is None
            assert [stage.group_width for stage in after.stages] == case["gs"]
            assert [1 / stage.bottleneck_ratio for stage in after.stages] == case["bs"]
        assert [stage.depth for stage in after.stages] == case["ds"]
        assert [stage.width for stage in after.stages] == case["ws"]
        assert cost(net, 224) == case["cx_before"]
        assert cost(after, size) == case["cx_after"]


def test_family_of_the_paper() -> None:
    for factor in (0.5, 2.0, 16.0):
        fast = astuple(scaling_factors("d1_w8_g8_r1", factor))
        assert astuple(family_factors(0.8, factor)) == pytest.approx(fast)
        uniform = scaling_factors("dwr", factor)
        third = family_factors(1 / 3, factor)
        assert (third.depth, third.width, third.resolution) == pytest.approx(
            (uniform.depth, uniform.width, uniform.resolution)
        )
    assert family_factors(1.0, 4.0) == ScalingFactors(1.0, 2.0, 2.0, 1.0)


@given(st.floats(0, 1), st.floats(0.01, 100))
def test_factors_multiply_to_the_flops(alpha: float, factor: float) -> None:
    f = family_factors(alpha, factor)
    assert f.depth * f.width**2 * f.resolution**2 == pytest.approx(factor)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("", (1, 1, 1, 1)),
        ("g", (1, 1, 16, 1)),
        ("d", (16, 1, 1, 1)),
        ("w", (1, 4, 1, 1)),
        ("r", (1, 1, 1, 4)),
        ("dwg", (4, 2, 2, 1)),
        ("r2_d2", (4, 1, 1, 2)),
        ("d1_w0.5_r.5", (4, 16**0.125, 1, 16**0.125)),
    ],
)
def test_every_form_of_type(kind: str, expected: tuple[float, ...]) -> None:
    assert astuple(scaling_factors(kind, 16.0)) == pytest.approx(expected)


def test_scaling_by_one_keeps_the_stages() -> None:
    for net in (canonical("RegNetX-8.0GF"), RESNET_50):
        assert scale(net, scaling_factors("d1_w8_g8_r1", 1.0)).stages == net.stages
    assert scale_efficientnet(EFFICIENTNET_B0, ScalingFactors()) == EFFICIENTNET_B0


def test_rounding_of_group_widths() -> None:
    assert [scale_group_width(g, 1.0) for g in (1, 2, 3, 4, 5, 6, 11, 12, 20)] == [
        *(1, 2, 4, 4, 4, 8, 8, 16, 16)
    ]
    assert scale_group_width(8, 0.01) == 1


@pytest.mark.parametrize(
    ("kind", "factor", "message"),
    [
        ("d1_x2", 2.0, "unknown letter 'x' in the scaling 'd1_x2'"),
        ("dq", 2.0, "a weight must be at least 0, got 'q' in the scaling 'dq'"),
        ("D1", 2.0, "unknown letter 'D'"),
        ("d1__w1", 2.0, "unknown letter ''"),
        ("d1_w", 2.0, "a weight must be at least 0, got '' in"),
        ("d-1", 2.0, "a weight must be at least 0, got '-1'"),
        ("dnan", 2.0, "a weight must be at least 0, got 'nan'"),
        ("dwr", 0.0, "the factor must be above 0 and at most 1e+06, got 0.0"),
        ("dwr", -2.0, "got -2.0"),
        ("dwr", math.nan, "got nan"),
        ("dwr", math.inf, "got inf"),
    ],
)
def test_bad_scaling_is_named(kind: str, factor: float, message: str) -> None:
    with pytest.raises(ValueError, match="got" if kind == "dwr" else "in the scaling") as error:
        scaling_factors(kind, factor)
    assert message in str(error.value)


def test_bad_alpha_and_too_many_blocks() -> None:
    with pytest.raises(ValueError, match=r"alpha must be in \[0, 1\], got 1.5"):
        family_factors(1.5, 2.0)
    with pytest.raises(ValueError, match="a stage would have 1500 blocks, at most 1024"):
        scale(canonical("RegNetX-200MF"), scaling_factors("d", 1.5e3))


@pytest.mark.parametrize("name", ["resnet50", "ResNet-50", "resnet_50"])
def test_names_of_landmarks(name: str) -> None:
    assert find_network(name) == ("resnet-50", RESNET_50)


def test_unknown_names() -> None:
    assert find_network("regnetx_002")[0] == "RegNetX-200MF"
    for given_name, nearest in (("resnet-5", "resnet-50"), ("RegNetX-4.2GF", "RegNetX-4.0GF")):
        with pytest.raises(ValueError, match=f"unknown model .*nearest: {nearest}"):
            find_network(given_name)


@pytest.mark.parametrize(("by", "scaled"), [(0.01, 8), (1.0, 24), (1.1, 24), (1.5, 32), (2.0, 48)])
def test_widths_are_multiples_of_8_from_8_on(by: float, scaled: int) -> None:
    assert scale_width(24, by) == scaled  # 36 / 8 = 4.5 rounds to even: 4
