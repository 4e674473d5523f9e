from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from regnet_ds.designspace import Complexity, NetSpec, Stage, canonical, complexity
from regnet_ds.designspace.breakdown import costs_record, layer_columns, part_columns
from regnet_ds.designspace.cost import stage_complexity
from regnet_ds.designspace.layers import Shape, read_resolution, walk

SPECS = st.from_type(NetSpec)

Y = NetSpec((Stage(2, 16, 2, 8),), "y", 0.25, stem_type="resnet", stem_width=8, head_width=20)


def test_names_kinds_and_sizes() -> None:
    layers = list(walk(Y, resolution=(32, 17), channels=1, classes=5))
    assert [f"{layer.name} {layer.kind}" for layer in layers] == [
        "image image",
        "stem.conv conv",
        "stem.pool pool",
        *("s1.b1.a conv", "s1.b1.b conv", "s1.b1.se se", "s1.b1.c conv"),
        *("s1.b1.shortcut conv", "s1.b1.add add"),
        *("s1.b2.a conv", "s1.b2.b conv", "s1.b2.se se", "s1.b2.c conv", "s1.b2.add add"),
        *("head.conv conv", "head.mean mean", "head.fc fc"),
    ]
    by_name = {layer.name: layer for layer in layers}
    assert by_name["stem.conv"].input == Shape(32, 17, 1)
    assert by_name["stem.conv"].cost == Complexity(49 * 8 * 16 * 9, 49 * 8 + 16, 8 * 16 * 9)
    assert by_name["stem.pool"].output == Shape(8, 5, 8)
    assert by_name["stem.pool"].cost == Complexity(acts=8 * 5 * 8)
    assert by_name["s1.b1.se"].squeeze == 2
    assert by_name["s1.b2.se"].cost == Complexity(148, 148, 20)
    shortcut = by_name["s1.b1.shortcut"]
    assert shortcut.sources == ("stem.pool",)
    assert (shortcut.input, shortcut.output, shortcut.stride) == ((8, 5, 8), (4, 3, 16), 2)
    assert by_name["s1.b2.add"].sources == ("s1.b2.c", "s1.b1.add")
    assert by_name["head.fc"].cost == Complexity(105, 105, 5)


def test_shortcuts_and_activations_by_block() -> None:
    def adds(block: str, width: int) -> list[tuple[str, str]]:
        spec = NetSpec((Stage(1, width, 1),), block, 0.25 if block == "y" else 0, stem_width=8)
        return [(x.name[6:], x.activation) for x in walk(spec) if x.name.startswith("s1.b1.")]

    same = {block: adds(block, 8) for block in ("x", "z", "v", "vr", "basic", "vanilla")}
    assert same["x"] == [("a", "relu"), ("b", "relu"), ("c", ""), ("add", "relu")]
    assert same["z"] == [("a", "relu"), ("b", "relu"), ("c", ""), ("add", "")]
    assert same["v"] == [("a", "relu")]
    assert same["vr"] == [("a", ""), ("add", "relu")]
    assert same["basic"] == [("a", "relu"), ("b", ""), ("add", "relu")]
    assert same["vanilla"] == [("a", "relu"), ("b", "relu")]
    assert [name for name, _ in adds("z", 16)] == ["a", "b", "c"]
    assert [name for name, _ in adds("vr", 16)] == ["a", "shortcut", "add"]


@given(SPECS, st.integers(1, 100), st.integers(1, 100), st.integers(1, 4), st.integers(1, 9))
def test_layers_and_parts_add_up(spec: NetSpec, h: int, w: int, channels: int, k: int) -> None:
    units = {"resolution": (h, w), "channels": channels, "classes": k}
    total = complexity(spec, **units)
    parts = stage_complexity(spec, **units)
    assert list(parts) == ["stem", *(f"s{i + 1}" for i in range(len(spec.stages))), "head"]
    assert sum(parts.values(), Complexity()) == total
    rows, by_part = layer_columns(spec, **units), part_columns(spec, **units)
    for name in ("flops", "params", "acts"):
        assert sum(rows[name]) == sum(by_part[name]) == getattr(total, name)
        assert by_part[name] == [getattr(cost, name) for cost in parts.values()]
    if spec.stem_type == "cifar" and all(stage.stride == 1 for stage in spec.stages):
        assert by_part["out_height"][-2] == h
        assert by_part["out_width"][-2] == w


def test_columns_of_a_record() -> None:
    record = costs_record(canonical("RegNetX-200MF"))
    assert len(record["stage_flops"]) == 4
    whole = complexity(canonical("RegNetX-200MF"))
    stem, head = 27 * 32 * 112 * 112, 369 * 1000
    assert sum(record["stage_flops"]) == whole.flops - stem - head
    assert record["training_bytes_float32"] == 4 * record["training_memory"]
    assert record["inference_bytes_bfloat16"] == 2 * record["inference_memory"]


def test_parts_without_stages_leave_their_cells_empty() -> None:
    table = part_columns(Y, resolution=32)
    assert table["part"] == ["stem", "s1", "head"]
    assert table["groups"] == [None, 2, None]
    assert table["stride"] == [4, 2, None]
    assert table["out_channels"] == [8, 16, 1000]


@pytest.mark.parametrize(
    ("text", "expected"), [("224", 224), ("320x256", (320, 256)), (" 32 X 64", (32, 64))]
)
def test_resolutions_are_read(text: str, expected: object) -> None:
    assert read_resolution(text) == expected


@pytest.mark.parametrize("text", ["", "x", "224x", "1x2x3", "22.5", "a"])
def test_bad_resolutions_are_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=f"cannot read the resolution '{text}'"):
        read_resolution(text)


@pytest.mark.parametrize("text", ["0", "32x0", "-1", "32x-4"])
def test_resolutions_are_positive(text: str) -> None:
    with pytest.raises(ValueError, match="resolution must be a positive integer"):
        read_resolution(text)
