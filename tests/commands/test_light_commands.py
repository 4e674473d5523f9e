"""sample, describe, account, canonical: what they print, write and refuse."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from regnet_ds.designspace import CANONICAL, RECORD_KEYS, canonical, complexity
from regnet_ds.designspace.tables.reading import read_population

Call = Callable[..., tuple[int, str, str]]
SMALL = "depth,w0,wa,wm,group_width\n13,24,36.44,2.49,8\n"


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_sample_prints_a_table_and_says_what_it_took(call: Call) -> None:
    code, out, err = call("sample", "--flops", "4G", "-n", "3")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split()[:5] == ["depth", "w0", "wa", "wm", "group_width"]
    assert len(lines) == 4
    assert "candidates (rejected: stages" in err
    assert "seed 0" in err


def test_sample_csv_is_within_the_budget_and_reads_back(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("sample", "--flops", "400M", "--params", ":6M", "--format", "csv")
    assert code == 0
    table = rows(out)
    assert set(RECORD_KEYS) <= set(table[0])
    assert all(3.8e8 <= int(row["flops"]) <= 4.2e8 for row in table)
    assert all(int(row["params"]) <= 6e6 for row in table)
    path = tmp_path / "s.csv"
    assert call("sample", "--flops", "400M", "--params", ":6M", "--out", path)[0] == 0
    assert path.read_text() == out
    assert [str(f) for f in read_population(path).flops] == [row["flops"] for row in table]


def test_sample_several_budgets_at_once(call: Call) -> None:
    args = ("sample", "--space", "anynetx-d", "-n", "3", "--tolerance", "1%", "--format", "json")
    code, out, err = call(*args, "--flops", "400M,1.6G")
    rows = json.loads(out)
    assert code == 0
    assert [row["regime"] for row in rows] == ["400M"] * 3 + ["1.6G"] * 3
    assert all(0.99 * 4e8 <= row["flops"] <= 1.01 * 4e8 for row in rows[:3])
    assert all(0.99 * 1.6e9 <= row["flops"] <= 1.01 * 1.6e9 for row in rows[3:])
    assert rows[3]["name"] == "anynetx-d-1.6G-0-0"
    assert err.count("from ") == 2
    alone = json.loads(call(*args, "--flops", "1.6G")[1])
    keys = ("stage_widths", "stage_depths", "flops")
    assert [[row[k] for k in keys] for row in alone] == [[row[k] for k in keys] for row in rows[3:]]


def test_sample_stages_block_and_bounds(call: Call) -> None:
    args = ("sample", "-n", "4", "--stages", "2:3", "--block", "y", "--bounds", "--format", "json")
    rows = json.loads(call(*args)[1])
    assert {row["block"] for row in rows} == {"y"}
    for row in rows:
        assert len(row["stage_widths"]) in (2, 3)
        assert row["params"] <= 3e6 + 5.5e-3 * row["flops"]


def test_sample_streams_many_to_parquet(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet

    monkeypatch.setattr("regnet_ds.commands.sample.IN_MEMORY", 500)
    monkeypatch.setattr("regnet_ds.commands.sample.SECONDS_BETWEEN_LINES", 0.0)
    path = tmp_path / "many.parquet"
    code, out, err = call("sample", "-n", "20000", "--unique", "none", "--out", path)
    assert (code, out) == (0, "")
    assert "wrote 20,000 rows" in err
    assert "of 20,000 networks, from" in err
    assert pyarrow.parquet.read_metadata(path).num_rows == 20_000
    assert call("account", path, "--out", tmp_path / "again.csv")[0] == 0


def test_sample_tolerance_seed_and_units(call: Call) -> None:
    args = ("sample", "--flops", "4M", "--resolution", "32", "--classes", "10", "--format", "json")
    exact = json.loads(call(*args, "--tolerance", "1%")[1])
    assert all(3.96e6 <= row["flops"] <= 4.04e6 for row in exact)
    assert {row["resolution"] for row in exact} == {32}
    assert call(*args)[1] == call(*args, "--seed", "0")[1] != call(*args, "--seed", "1")[1]


def test_describe_a_model_and_its_parameters_agree(call: Call) -> None:
    code, named, _ = call("describe", "RegNetY-200MF")
    parameters = ("depth=13", "w0=24", "wa=36.44", "wm=2.49", "group_width=8", "block=y")
    _, given, _ = call("describe", *parameters)
    assert code == 0
    assert "flops 199,519,076 (multiply-adds), params 3,162,996, acts 2,168,052" in named
    assert "RegNetY002" in named
    assert "28 x 28" in named
    assert named.splitlines()[1:] == given.splitlines()[1:]


def test_describe_record(call: Call) -> None:
    record = json.loads(call("describe", "regnetx_040", "--format", "json")[1])[0]
    assert record["name"] == "RegNetX-4.0GF"
    assert record["flops"] == 3964499816
    assert record["stage_widths"] == [80, 240, 560, 1360]
    wide = ("describe", "stage_widths=24,48", "stage_depths=1,2", "group_width=8")
    anynet = json.loads(call(*wide, "--format", "json")[1])[0]
    assert anynet["w0"] is None
    assert anynet["depth"] == 3


def test_account_keeps_columns_and_counts(call: Call, tmp_path: Path, golden: Path) -> None:
    out = tmp_path / "counted.csv"
    code, _, err = call("account", golden / "canonical.csv", "--out", out)
    assert code == 0
    assert "wrote 24 rows" in err
    given = rows((golden / "canonical.csv").read_text())
    for row, expected in zip(rows(out.read_text()), given, strict=True):
        for key in ("name", "flops", "params", "acts", "comment", "stage_depths"):
            assert row[key] == expected[key]


def test_account_of_what_canonical_wrote(call: Call, tmp_path: Path) -> None:
    call("canonical", "--out", tmp_path / "c")
    code, out, _ = call("account", tmp_path / "c" / "RegNetY-32GF.yaml", "--format", "json")
    assert code == 0
    assert json.loads(out)[0]["flops"] == 32279583362
    code, out, _ = call("account", tmp_path / "c" / "table.csv", "--format", "csv")
    assert code == 0
    assert len(rows(out)) == 24


@pytest.mark.parametrize("recipe", ["paper", "post"])
def test_canonical_folder(call: Call, tmp_path: Path, golden: Path, recipe: str) -> None:
    code, out, err = call("canonical", "--recipe", recipe, "--out", tmp_path / "c")
    assert (code, out) == (0, "")
    assert "wrote 24 configurations" in err
    assert len(list((tmp_path / "c").iterdir())) == 25
    for row in rows((golden / "canonical.csv").read_text()):
        made = yaml.safe_load((tmp_path / "c" / f"{row['name']}.yaml").read_text())
        assert (made["flops"], made["params"], made["acts"]) == tuple(
            int(row[key]) for key in ("flops", "params", "acts")
        )
        assert made["names"]["keras"] == row["keras_name"]
        if recipe == "paper":
            assert made["recipe"]["batch_size"] == int(row["pycls_batch_size"])
            assert made["recipe"]["lr"] == float(row["pycls_base_lr"])
            assert made["published"]["top1_error"] == float(row["pycls_top1_err"])
        else:
            assert made["recipe"]["mixup_alpha"] == float(row["seed_mixup_alpha"])
            assert made["recipe"]["area_factor"] == float(row["seed_area_factor"])
            assert made["recipe"]["weight_decay"] == float(row["seed_weight_decay"])
            assert made["published"]["top1_accuracy"] == float(row["keras_top1_acc"])


def test_canonical_of_some(call: Call) -> None:
    code, out, _ = call("canonical", "RegNetX040", "regnety_002", "--format", "json")
    assert code == 0
    assert [made["name"] for made in json.loads(out)] == ["RegNetX-4.0GF", "RegNetY-200MF"]
    assert len(call("canonical")[1].splitlines()) == 25


def test_the_24_in_the_table_are_the_catalogue_s(call: Call) -> None:
    table = rows(call("canonical", "--format", "csv")[1])
    assert [row["name"] for row in table] == list(CANONICAL)
    for row in table:
        assert int(row["flops"]) == complexity(canonical(row["name"])).flops


BAD: list[tuple[tuple[str, ...], str]] = [
    (("sample", "--flops", "4Q"), "cannot read the size '4Q'"),
    (("sample", "--flops", "5G:4G"), "the budget '5G:4G' is inverted"),
    (("sample", "--flops", "1:2"), "no network of regnetx has flops 1 to 2: at 224 px"),
    (("sample", "--stages", "x"), "stages must be a number or LO:HI, got 'x'"),
    (("sample", "--stages", "5:4"), "stages must be at least 5, got 4"),
    (("sample", "--block", "q"), "block must be one of x, y, z, r, v, vr"),
    (("sample", "--block", "v"), "a regnet needs a block with groups, got 'v'"),
    (("sample", "--workers", "0"), "greater than or equal to 1, got '0'"),
    (("sample", "-n", "2000000"), "--out nets.parquet"),
    (("sample", "-n", "2000000000", "--out", "a.parquet"), "take unique none"),
    (("sample", "--space", "regnettx"), "(nearest: regnetx;"),
    (("sample", "--tolerance", "x", "--flops", "4G"), "cannot read the tolerance 'x'"),
    (("sample", "--tolerance", "150%", "--flops", "4G"), "got '150%'"),
    (("sample", "-n", "0"), "greater than or equal to 1, got '0'"),
    (("sample", "-n", "x"), "got 'x'"),
    (("sample", "--seed", "-1"), "got '-1'"),
    (("sample", "--flop", "4G"), "No such option: --flop"),
    (("sample", "--out", "a.cvs"), "unknown suffix '.cvs'"),
    (("sample", "--out", "/dev/null/a.csv"), "cannot write /dev/null/a.csv"),
    (("sample", "--unique", "some"), "got 'some'"),
    (("smaple",), "smaple"),
    (("describe", "RegNetX-4.2GF"), "(nearest: RegNetX-4.0GF)"),
    (("describe", "w0=24"), "the parameter depth is missing"),
    (("describe", "depth=13"), "the parameter w0 is missing"),
    (("describe", "deep=13"), "unknown parameter 'deep' in 'deep=13' (nearest: depth)"),
    (("describe", "depth=a", "w0=24"), "depth must be an integer, got 'a'"),
    (
        ("describe", "depth=13", "w0=24", "wa=36", "wm=2", "group_width=0"),
        "group_width must be a positive integer, got 0",
    ),
    (
        ("describe", "depth=13", "w0=20", "wa=36", "wm=2", "group_width=8"),
        "w0 must be a multiple of 8, got 20",
    ),
    (
        ("describe", "depth=13", "w0=24", "wa=36", "wm=1", "group_width=8"),
        "wm must be a number above 1, got 1.0",
    ),
    (
        ("describe", "depth=0", "w0=24", "wa=36", "wm=2", "group_width=8"),
        "depth must be a positive integer, got 0",
    ),
    (("sample", "--resolution", "16"), "resolution must be at least 32 px"),
    (("describe", "RegNetX-200MF", "--resolution", "31"), "at least 32 px for a network of total"),
    (("account", "good.csv", "--resolution", "16"), "row 1, column resolution: expected at least"),
    (("account", "none.csv"), "cannot read none.csv"),
    (("account", "empty.csv"), "empty.csv is empty"),
    (("account", "bad.csv"), "row 2, column wa: expected a number, got 'x'"),
    (("account", "short.csv"), "the column group_width is missing"),
    (("account", "good.csv", "--out", "good.csv/x.csv"), "cannot write good.csv/x.csv"),
    (("canonical", "RegNetZ"), "unknown model 'RegNetZ'"),
    (("canonical", "--recipe", "tuned"), "--recipe tuned and --study belong together"),
    (("canonical", "--recipe", "best"), "'best' is not one of"),
    (("canonical", "--out", "good.csv"), "cannot write to good.csv"),
]


@pytest.mark.parametrize(
    ("arguments", "message"), BAD, ids=lambda v: v if isinstance(v, str) else ""
)
def test_bad_input_is_one_line_and_exit_code_2(
    refuses: Callable[..., None], arguments: tuple[str, ...], message: str
) -> None:
    files = {
        "empty.csv": "",
        "good.csv": SMALL,
        "bad.csv": SMALL + "13,24,x,2.49,8\n",
        "short.csv": "depth,w0,wa,wm\n13,24,36.44,2.49\n",
    }
    refuses(arguments, message, files)


def test_version_and_help(call: Call) -> None:
    code, out, _ = call("--version")
    assert code == 0
    assert out.startswith("regnet-ds 0.")
    for command in ("sample", "describe", "account", "canonical"):
        code, out, _ = call(command, "--help")
        assert code == 0
        assert f"regnet-ds {command}" in out.partition("Example:")[2]


def test_closed_pipe_is_quiet(regnet_ds: Callable[..., object], tmp_path: Path) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        f"{sys.executable} -m regnet_ds sample -n 2000 --format csv | head -1",
        shell=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.stdout.startswith("name,schema,block")
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_an_unexpected_failure_is_one_line_and_exit_code_1(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def boom(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("regnet_ds.designspace.sampling.stream", boom)
    code, _, err = call("sample")
    assert code == 1
    assert err == "regnet-ds: RuntimeError: boom (REGNET_DS_TRACEBACK=1 shows where)\n"
    monkeypatch.setenv("REGNET_DS_TRACEBACK", "1")
    with pytest.raises(RuntimeError):
        call("sample")
