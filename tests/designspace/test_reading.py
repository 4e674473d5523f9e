# ruff: noqa: E501
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from regnet_ds.designspace import (
    SPACES,
    NetSpec,
    RegNetParams,
    Stage,
    canonical,
    from_record,
    from_specs,
    sample,
)
from regnet_ds.designspace.blocks import BLOCKS, STEM_TYPES
from regnet_ds.designspace.tables.columns import SUFFIXES, read_columns, write_columns
from regnet_ds.designspace.tables.reading import read_population

SMALL = "depth,w0,wa,wm,group_width\n13,24,36.44,2.49,8\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_round_trip_of_mixed_architectures(tmp_path: Path, suffix: str) -> None:
    specs: list[NetSpec] = [canonical(name) for name in ("RegNetX-200MF", "RegNetY-8.0GF")]
    specs.insert(1, NetSpec((Stage(2, 32, 1, 8), Stage(1, 96, 2, 24, 2.0)), stem_width=16))
    population = from_specs(specs, resolution=96, classes=11)
    path = tmp_path / f"nets{suffix}"
    write_columns({"name": ["a", "b", "c"], **population.columns()}, path)
    again = read_population(path)
    assert again.records() == [
        {**record, "name": name} for name, record in zip("abc", population.records(), strict=True)
    ]
    assert [again.row(i) for i in range(3)] == specs


def every_block_and_stem() -> list[NetSpec]:
    params = RegNetParams(7, 24, 21.5, 2.2, 16, 2.0)
    specs: list[NetSpec] = []
    for block in BLOCKS:
        for stem in STEM_TYPES:
            strides = (1, 2, 2) if stem == "resnet" else None
            specs.append(params.to_spec(block=block, stem_type=stem, stage_strides=strides))
            anynet = replace(specs[-1], stages=specs[-1].stages[::-1], parameters=None)
            specs.append(replace(anynet, activation="gelu", stem_width=24, head_width=40))
    return specs


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_block_and_stem_round_trips(tmp_path: Path, suffix: str) -> None:
    specs = every_block_and_stem()
    population = from_specs(specs, resolution=64, classes=10)
    assert [population.row(i) for i in range(len(specs))] == specs
    assert [from_record(record) for record in population.records()] == specs
    path = tmp_path / f"nets{suffix}"
    write_columns(population.columns(), path)
    again = read_population(path)
    assert again.records() == population.records()
    assert [again.row(i) for i in range(len(specs))] == specs


def test_defaults_follow_the_block(tmp_path: Path) -> None:
    header = "block,depth,w0,wa,wm,group_width,stem_type,activation\n"
    body = "Z,21,16,10.7,2.51,4,,\nX,21,16,10.7,2.51,4,CIFAR,GELU\nbasic,21,16,10.7,2.51,9,,\n"
    population = read_population(write(tmp_path / "p.csv", header + body))
    assert population.flops[0] == 493604070  # ClassyVision's regnet_z_500mf
    assert population.se_ratio.tolist() == [0.25, 0.0, 0.0]
    assert population.bottleneck_ratio.tolist() == [0.25, 1.0, 1.0]
    assert population.activation.tolist() == ["silu", "gelu", "relu"]
    assert population.stem_type.tolist() == ["simple", "cifar", "simple"]
    record = {"block": "z", "depth": 21, "w0": 16, "wa": 10.7, "wm": 2.51, "group_width": 4}
    assert from_record(record) == population.row(0)


def test_blocks_without_groups_need_no_group_width(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", "block,depth,w0,wa,wm\nr,13,24,36,2.5\n")
    assert [stage.groups for stage in read_population(path).row(0).stages] == [1, 1, 1, 1]
    mixed = "block,depth,w0,wa,wm,group_width\nbasic,13,24,36,2.5,\nx,13,24,36,2.5,16\n"
    population = read_population(write(tmp_path / "m.csv", mixed))
    assert [population.row(i).stages[-1].groups for i in (0, 1)] == [1, 24]
    path = write(tmp_path / "q.csv", "block,stage_widths,stage_depths\nvr,20 30,1 2\n")
    spec = read_population(path).row(0)
    assert spec == NetSpec((Stage(1, 20, 2, 20), Stage(2, 30, 2, 30)), "vr")
    assert from_record({"block": "vr", "stage_widths": (20, 30), "stage_depths": (1, 2)}) == spec


def test_names_of_pycls_are_read(tmp_path: Path) -> None:
    rows = {
        "res_bottleneck_block,0.25,res_stem_in": ("y", "resnet"),
        "RES_BOTTLENECK_BLOCK,0,simple_stem_in": ("x", "simple"),
        "res_bottleneck_block,,res_stem_cifar": ("x", "cifar"),
        "res_bottleneck_linear_block,0,simple": ("z", "simple"),
        "res_basic_block,,": ("basic", "simple"),
        "vanilla_block,,simple_stem_cifar": ("vanilla", "cifar"),
    }
    body = "".join(f"{row},16 32,1 1,8\n" for row in rows)
    header = "block,se_ratio,stem_type,stage_widths,stage_depths,group_width\n"
    population = read_population(write(tmp_path / "p.csv", header + body))
    names = zip(population.block.tolist(), population.stem_type.tolist(), strict=True)
    assert list(names) == list(rows.values())
    record = {"block": "res_bottleneck_block", "stage_widths": (16,), "stage_depths": (1,)}
    record["group_width"] = 8
    assert from_record(record).block == "x"
    assert from_record({**record, "se_ratio": 0.25}).block == "y"


def test_total_stride_follows_the_stem(tmp_path: Path) -> None:
    header = "stem_type,stage_widths,stage_depths,group_width,resolution\n"
    path = write(tmp_path / "p.csv", header + "cifar,16,1,8,2\nresnet,16,1,8,8\n")
    assert len(read_population(path)) == 2
    path = write(tmp_path / "q.csv", header + "cifar,16,1,8,2\nresnet,16,1,8,7\n")
    with pytest.raises(ValueError, match="row 2, column resolution: expected at least the total"):
        read_population(path)


def test_sampled_population_round_trips(tmp_path: Path) -> None:
    population = sample(SPACES["regnetx"], 300, rng=np.random.default_rng(0)).population
    write_columns(population.columns(), tmp_path / "p.csv")
    assert read_population(tmp_path / "p.csv").columns() == population.columns()


def test_defaults_and_units(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", SMALL)
    assert read_population(path).flops[0] == 199040872
    small = read_population(path, resolution=32, classes=10)
    assert (small.resolution[0], small.classes[0]) == (32, 10)
    text = "block,depth,w0,wa,wm,group_width,resolution\nY,13,24,36.44,2.49,8,\nX,13,24,36.44,2.49,8,32\n"
    path = write(tmp_path / "q.csv", text)
    mixed = read_population(path)
    assert mixed.resolution.tolist() == [224, 32]
    assert mixed.flops[0] == 199519076
    assert read_population(path, resolution=64).resolution.tolist() == [64, 64]


def test_bot_mul_is_one_over_b(tmp_path: Path) -> None:
    text = "depth,w0,wa,wm,group_width,bot_mul\n13,24,36.44,2.49,8,0.5\n"
    assert read_population(write(tmp_path / "p.csv", text)).bottleneck_ratio[0] == 2.0


CASES = {
    "depth,w0,wa,wm\n1,8,1,2\n": "the column group_width is missing",
    "depth,wa\n1,2\n": "the column w0 (or stage_widths, for AnyNets) is missing",
    "stage_widths\n8 16\n": "the column stage_depths is missing",
    SMALL + "13,24,x,2.49,8\n": "row 2, column wa: expected a number, got 'x'",
    SMALL + "13,24,nan,2.49,8\n": "row 2, column wa: expected a number, got 'nan'",
    SMALL + "13,24,,2.49,8\n": "row 2, column wa: expected a number, got an empty cell",
    SMALL + "13,24,1,2.49,0\n": "row 2, column group_width: expected a positive integer, got 0",
    SMALL + "0,24,1,2.49,8\n": "row 2, column depth: expected a positive integer, got 0",
    SMALL + "1.5,24,1,2.49,8\n": "row 2, column depth: expected an integer, got 1.5",
    SMALL + "9999,24,1,2.49,8\n": "row 2, column depth: expected at most 1024, got 9999",
    SMALL + "13,20,1,2.49,8\n": "row 2, column w0: expected a multiple of 8, got 20",
    SMALL + "13,24,1,1,8\n": "row 2, column wm: expected a number above 1, got 1",
    SMALL + "13,24,-1,2,8\n": "row 2, column wa: expected at least 0, got -1",
    SMALL + "13,24,1e300,2,8\n": "row 2, column wa: the widest stage exceeds",
    SMALL + "13,24,1,2\n": "row 2: 4 cells where the header has 5",
    "depth,w0,wa,wm,group_width,block\n13,24,1,2,8,q\n": "row 1, column block: expected one of x, y, z, r, v, vr, basic, vanilla, got 'q'",
    "depth,w0,wa,wm,group_width,se_ratio\n13,24,1,2,8,0.25\n": "column se_ratio: expected 0 for block x",
    "depth,w0,wa,wm,group_width,block,se_ratio\n13,24,1,2,8,y,0\n": "column se_ratio: expected more than 0 for block y, got 0",
    "depth,w0,wa,wm,group_width,stem_type\n13,24,1,2,8,deep\n": "column stem_type: expected one of simple, resnet, cifar, got 'deep'",
    "depth,w0,wa,wm,group_width,activation\n13,24,1,2,8,tanh\n": "column activation: expected one of relu, silu, gelu, got 'tanh'",
    "depth,w0,wa,wm,group_width,stage_strides\n13,24,36.44,2.49,8,2 2 2\n": "column stage_strides: expected 4 positive integers, a stage each, got '2 2 2'",
    "depth,w0,wa,wm,group_width,stage_strides\n13,24,36.44,2.49,8,2 2 2 0\n": "column stage_strides: expected 4 positive integers, a stage each, got '2 2 2 0'",
    "block,depth,w0,wa,wm,group_width\nbasic,1,8,1,2,\nx,1,8,1,2,\n": "row 2, column group_width: expected a number, got an empty cell",
    "stage_widths,stage_depths,group_width\n2147483640,3,8\n": "row 1, column stage_widths: flops exceed 9223372036854775807",
    "depth,w0,wa,wm,group_width,bottleneck_ratio\n13,24,1,2,8,0.4\n": "column bottleneck_ratio: below 1",
    "depth,w0,wa,wm,group_width,stage_widths\n13,24,36.44,2.49,8,24 56 152 360\n": "the parameters give 24 56 152 368, got '24 56 152 360'",
    "depth,w0,wa,wm,group_width,schema\n13,24,1,2,8,99\n": "schema 99, which is newer",
    "stage_widths,stage_depths\n8 a,1 1\n": "row 1, column stage_widths: expected a list of numbers, got '8 a'",
    "stage_widths,stage_depths\n8 16,1\n": "row 1, column stage_widths: the stage lists have different lengths",
    "stage_widths,stage_depths,group_width\n20,1,8\n": "group_width 8 does not divide the inner width 20",
    "depth,depth\n1,2\n": "the column 'depth' twice",
    "depth,w0\n": "has a header but no rows",
    "": "is empty",
    "  \n": "is empty",
}


@pytest.mark.parametrize("text", CASES)
def test_faults_name_row_and_column(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "bad.csv", text)
    with pytest.raises(ValueError) as error:
        read_population(path)
    assert CASES[text] in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "{", "is not valid JSON"),
        ("a.json", "[1]", "row 1: expected keys and values, got 1"),
        ("a.json", "[]", "has no rows"),
        ("a.yaml", "a: [", "is not valid YAML"),
        ("a.parquet", "x", "is not a Parquet file"),
        ("a.xlsx", "x", "unknown suffix '.xlsx'"),
    ],
)
def test_broken_files(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(ValueError) as error:
        read_population(write(tmp_path / name, content))
    assert message in str(error.value)


def test_missing_file_and_wrong_encoding(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot read .*none\.csv"):
        read_population(tmp_path / "none.csv")
    (tmp_path / "b.csv").write_bytes(b"depth\xff,w0\n")
    with pytest.raises(ValueError, match="not text in UTF-8"):
        read_population(tmp_path / "b.csv")


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "f.csv"
    path.write_text(text, encoding="utf-8", errors="replace", newline="")
    try:
        population = read_population(path)
    except ValueError as error:
        assert str(path) in str(error)
    else:
        assert len(population) > 0


def test_write_leaves_nothing_on_failure(tmp_path: Path) -> None:
    target = tmp_path / "x.json"
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_columns({"a": [1.0, float("nan")]}, target)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(ValueError, match="it is a folder"):
        write_columns({"a": [1]}, tmp_path / "d.csv")


def test_json_is_plain(tmp_path: Path) -> None:
    write_columns({"a": [(1, 2)], "b": [None]}, tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text()) == [{"a": [1, 2], "b": None}]
    assert read_columns(tmp_path / "x.json") == {"a": [[1, 2]], "b": [None]}
