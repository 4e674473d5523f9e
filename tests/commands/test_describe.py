"""describe: parts, layers, memory, sizes that are not square, every block."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from regnet_ds.designspace import canonical, complexity
from regnet_ds.designspace.tables.columns import read_columns

Call = Callable[..., tuple[int, str, str]]
RESNET_50 = (
    "describe",
    "block=res_bottleneck_block",
    "stem_type=res_stem_in",
    "stem_width=64",
    "stage_widths=256,512,1024,2048",
    "stage_depths=3,4,6,3",
    "stage_strides=1,2,2,2",
    "stage_group_widths=64,128,256,512",
    "bottleneck_ratio=4",
)
Z = ("describe", "block=z", "depth=21", "w0=16", "wa=10.7", "wm=2.51", "group_width=4")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_table_has_parts_and_memory(call: Call) -> None:
    code, out, _ = call("describe", "RegNetX-200MF")
    assert code == 0
    lines = out.splitlines()
    assert lines[2].split()[-3:] == ["flops", "params", "acts"]
    assert [line.split()[0] for line in lines[3:9]] == ["stem", "s1", "s2", "s3", "s4", "head"]
    assert "inference 777,728 elements (3.0 MiB in float32, 1.5 MiB in bfloat16) at s1.b1.b" in out


def test_layers_and_stages_as_tables(call: Call, tmp_path: Path) -> None:
    for option, first, n in (("--layers", "stem.conv", 45), ("--stages", "stem", 6)):
        code, out, _ = call("describe", "RegNetX-200MF", option, "--format", "csv")
        assert code == 0
        table = rows(out)
        assert len(table) == n
        assert next(iter(table[0].values())) == first
        assert sum(int(row["flops"]) for row in table) == 199040872
        made = json.loads(call("describe", "RegNetX-200MF", option, "--format", "json")[1])
        assert [row["params"] for row in made] == [int(row["params"]) for row in table]
        path = tmp_path / "t.parquet"
        assert call("describe", "RegNetX-200MF", option, "--out", path)[0] == 0
        assert read_columns(path)["acts"] == [int(row["acts"]) for row in table]
        code, out, err = call("describe", "RegNetX-200MF", option)
        assert (code, err, len(out.splitlines())) == (0, "", n + 1)


def test_long_layer_tables_are_printed_in_full(call: Call) -> None:
    code, out, err = call("describe", "RegNetY-400MF", "--layers")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].split()[0] == "head.fc"


def test_record_has_the_stages_and_the_memory(call: Call) -> None:
    (record,) = json.loads(call("describe", "RegNetX-200MF", "--format", "json")[1])
    assert len(record["stage_flops"]) == len(record["stage_acts"]) == 4
    assert record["inference_bytes_float32"] == 4 * 777728
    assert record["training_memory"] > record["acts"]


def test_not_square(call: Call) -> None:
    args = ("describe", "RegNetX-200MF", "--resolution", "320x256")
    (record,) = json.loads(call(*args, "--format", "json")[1])
    cost = complexity(canonical("RegNetX-200MF"), resolution=(320, 256))
    assert record["resolution"] == "320x256"
    assert (record["flops"], record["acts"]) == (cost.flops, cost.acts)
    out = call(*args)[1]
    assert "at 320x256 px" in out
    assert "10 x 8 x 368" in out
    assert call("describe", "RegNetX-200MF", "--resolution", "224x224") == call(
        "describe", "RegNetX-200MF"
    )


def test_other_blocks(call: Call) -> None:
    code, out, _ = call(*RESNET_50)
    assert code == 0
    assert "flops 4,089,185,256 (multiply-adds), params 25,557,032, acts 11,315,688" in out
    assert out.startswith("AnyNet: block x, resnet stem 64\n")
    code, out, _ = call(*Z)
    assert code == 0
    assert "flops 493,604,070 (multiply-adds), params 6,090,550, acts 5,810,182" in out
    assert "se ratio 0.25, silu" in out
    assert "nearest" in out
    code, out, _ = call("describe", "block=v", "depth=4", "w0=16", "wa=8", "wm=2")
    assert code == 0
    assert out.startswith("RegNet: block v, ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("RegNetX-200MF", "--resolution", "22x"), "cannot read the resolution '22x'"),
        (("RegNetX-200MF", "--resolution", "0"), "resolution must be a positive integer, got 0"),
        (("RegNetX-200MF", "--resolution", "224x31"), "total stride 32, got 31"),
        (("RegNetX-200MF", "--layers", "--stages"), "are two tables"),
        (("RegNetX-200MF", "--layers", "--out", "a.txt"), "unknown suffix '.txt'"),
        (("block=w", "depth=4", "w0=16", "wa=8", "wm=2"), "the parameter group_width is missing"),
        (("block=w", "depth=4", "w0=16", "wa=8", "wm=2", "group_width=8"), "got 'w'"),
        (("stem_type=deep", "stage_widths=8", "stage_depths=1", "group_width=8"), "got 'deep'"),
        (("block=r", "se_ratio=0.5", "stage_widths=8", "stage_depths=1"), "block r has no"),
    ],
)
def test_bad_input_is_one_line(call: Call, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = call("describe", *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err
