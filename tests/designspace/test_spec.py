from __future__ import annotations

import pytest
from regnet_ds.designspace import NetSpec, RegNetParams, Stage
from regnet_ds.designspace.blocks import BLOCKS, block_name, stem_name
from regnet_ds.designspace.spec import require_resolution

STAGES = (Stage(1, 32, 1), Stage(2, 64, 2, 16, 2.0))


@pytest.mark.parametrize(("stem", "stride"), [("simple", 4), ("resnet", 8), ("cifar", 2)])
def test_total_stride_follows_the_stem(stem: str, stride: int) -> None:
    spec = NetSpec(STAGES, stem_type=stem)
    assert spec.total_stride == stride
    require_resolution(spec.total_stride, stride, stride + 1)
    with pytest.raises(ValueError, match=f"at least {stride} px .* got {stride - 1}"):
        require_resolution(spec.total_stride, stride, stride - 1)


@pytest.mark.parametrize("block", BLOCKS)
def test_stages_take_the_form_of_the_block(block: str) -> None:
    spec = NetSpec(STAGES, block, 0.25 if block == "y" else 0.0)
    second = {
        "r": Stage(2, 64, 2, 32, 2.0),
        **dict.fromkeys(("v", "vr", "basic", "vanilla"), Stage(2, 64, 2, 64, 1.0)),
    }.get(block, STAGES[1])
    assert spec.stages[1] == second
    assert NetSpec(spec.stages, block, spec.se_ratio) == spec


def test_widths_without_groups_are_kept_as_they_are() -> None:
    params = RegNetParams(5, 24, 20.0, 2.0, 16, 4.0)
    assert [s.width for s in params.to_spec(block="basic").stages] == [24, 48, 96]
    assert [s.width for s in params.to_spec(block="r").stages] == [24, 48, 96]
    assert [s.groups for s in params.to_spec(block="r").stages] == [1, 1, 1]
    assert [s.width for s in params.to_spec(block="x").stages] != [24, 48, 96]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"block": "w"}, "block must be one of x, y, .*, got 'w'"),
        ({"stem_type": "deep"}, "stem_type must be one of simple, resnet, cifar, got 'deep'"),
        ({"activation": "tanh"}, "activation must be one of relu, silu, gelu, got 'tanh'"),
        ({"se_ratio": 0.25}, "block x has no squeeze-and-excitation: .* got 0.25"),
        ({"block": "vr", "se_ratio": 0.5}, "block vr has no squeeze-and-excitation: .* got 0.5"),
        ({"block": "y"}, "block y needs a positive se_ratio, got 0"),
        ({"block": "z", "se_ratio": 1.5}, "se_ratio must be in .*, got 1.5"),
        ({"block": "z", "se_ratio": float("nan")}, "se_ratio must be in .*, got nan"),
    ],
)
def test_bad_parts_are_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NetSpec(STAGES, **change)  # pyright: ignore[reportArgumentType]


def test_names_of_pycls() -> None:
    assert [block_name(" X "), block_name("V-DDS"), block_name("vanilla_block")] == list(
        ("x", "v", "vanilla")
    )
    assert block_name("res_bottleneck_block", 0.25) == "y"
    assert block_name("res_bottleneck_block") == block_name("res_bottleneck_block", 0) == "x"
    assert block_name("res_bottleneck_linear_block") == "z"
    assert stem_name("res_stem_cifar") == stem_name("simple_stem_cifar") == "cifar"
    assert [stem_name("res_stem_in"), stem_name("Simple")] == ["resnet", "simple"]
