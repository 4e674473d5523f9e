"""fit, scale, explain: what they print, write and refuse."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from regnet_ds.designspace import fit_line, fit_quantised
from regnet_ds.designspace.tables.reading import read_population

Call = Callable[..., tuple[int, str, str]]
NETS = "name,depth,w0,wa,wm,group_width\na,13,24,36.44,2.49,8\nb,22,24,24.48,2.54,16\n"


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_fit_of_widths(call: Call) -> None:
    code, out, _ = call("fit", "256x3,512x4,1024x6,2048x3")
    assert code == 0
    assert [line.split()[1] for line in out.splitlines()] == ["fit", "line", "quantised", "rounded"]
    named = json.loads(call("fit", "resnet-50", "--format", "json")[1])
    given = json.loads(call("fit", "256x3,512x4,1024x6,2048x3", "--format", "json")[1])
    assert [row["error"] for row in named] == [row["error"] for row in given]
    observed = [256] * 3 + [512] * 4 + [1024] * 6 + [2048] * 3
    assert named[0]["observed"] == observed
    assert named[0]["error"] == fit_line(observed).error
    assert named[1]["error"] == fit_quantised(observed).error
    assert named[0]["wm"] is None


def test_fit_of_a_model_is_of_both_its_widths(call: Call) -> None:
    made = json.loads(call("fit", "regnetx_040", "--format", "json")[1])
    assert [row["widths"] for row in made[::3]] == [
        "RegNetX-4.0GF, quantised",
        "RegNetX-4.0GF, adjusted",
    ]
    assert made[2]["error"] == 0
    assert made[2]["fitted"] == made[2]["observed"]
    assert made[5]["observed"][0] == 80
    effnet = json.loads(call("fit", "efficientnet-b0", "--format", "json")[1])
    assert len(effnet) == 3


def test_fit_of_a_file_adds_columns(call: Call, tmp_path: Path) -> None:
    (tmp_path / "nets.csv").write_text(NETS)
    out = tmp_path / "fitted.csv"
    code, _, err = call("fit", tmp_path / "nets.csv", "--out", out)
    assert code == 0
    assert "wrote 2 rows" in err
    table = rows(out.read_text())
    assert [row["name"] for row in table] == ["a", "b"]
    population = read_population(tmp_path / "nets.csv")
    for i, row in enumerate(table):
        widths = [s.width for s in population.row(i).stages for _ in range(s.depth)]
        found = fit_quantised(widths)
        assert float(row["e_fit"]) == pytest.approx(found.error, abs=1e-12)
        assert float(row["fit_wm"]) == pytest.approx(found.wm)
        assert float(row["fit_wa"]) == pytest.approx(found.wa)
        assert float(row["e_line"]) == pytest.approx(fit_line(widths).error, abs=1e-9)
    shown = call("fit", tmp_path / "nets.csv", "--rounded")[1]
    assert "e_fit" in shown.splitlines()[0]
    assert read_population(out).column("flops") == population.column("flops")


def test_scale_prints_before_and_after(call: Call) -> None:
    code, out, _ = call("scale", "RegNetY-4.0GF", "--factor", "4")
    assert code == 0
    assert "224 336 896 1904" in out
    assert "flops 3.928, params 3.301, acts 2.160" in out
    before, after = json.loads(
        call("scale", "RegNetY-4.0GF", "--factor", "4", "--format", "json")[1]
    )
    assert (before["flops"], after["flops"]) == (3973301344, 15608249240)
    assert (after["resolution"], after["test_resolution"]) == (240, 276)
    assert after["w0"] is None
    assert after["flops_ratio"] == after["flops"] / before["flops"]


def test_scale_of_parameters_landmarks_and_alpha(call: Call, tmp_path: Path) -> None:
    named = call("scale", "RegNetX-200MF", "--factor", "2", "--alpha", "0.8", "--format", "csv")[1]
    parameters = ("depth=13", "w0=24", "wa=36.44", "wm=2.49", "group_width=8")
    out = tmp_path / "scaled.csv"
    assert call("scale", *parameters, "--factor", "2", "--out", out)[0] == 0
    given = rows(out.read_text())
    for expected, row in zip(rows(named), given, strict=True):
        assert {k: v for k, v in row.items() if k != "name"} == {
            k: v for k, v in expected.items() if k != "name"
        }
    population = read_population(out)
    assert [str(f) for f in population.flops] == [row["flops"] for row in given]
    for name, flops in (("efficientnet-b0", 1381124070), ("resnet-50", 15693158404)):
        made = json.loads(call("scale", name, "--factor", "4", "--format", "json")[1])
        assert made[1]["flops"] == flops


def test_explain_prints_a_row_a_block(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("explain", "RegNetX-4.0GF")
    assert code == 0
    assert len(out.splitlines()) == 24
    assert out.splitlines()[1].split() == ["0", "1", "96", "0", "96", "96", "80", "40"]
    deep = ("depth=80", "w0=24", "wa=20", "wm=2", "group_width=8")
    assert len(call("explain", *deep)[1].splitlines()) == 81
    path = tmp_path / "t.csv"
    parameters = ("depth=23", "w0=96", "wa=38.65", "wm=2.43", "group_width=40")
    assert call("explain", *parameters, "--out", path)[0] == 0
    assert rows(path.read_text()) == rows(call("explain", "regnetx_040", "--format", "csv")[1])


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_explain_draws(call: Call, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"w{suffix}"
    code, out, err = call("explain", "RegNetX-200MF", "--figure", path)
    assert code == 0
    assert f"wrote {path}" in err
    assert len(out.splitlines()) == 14
    assert path.stat().st_size > 5000


BAD: list[tuple[tuple[str, ...], str]] = [
    (("fit", "24"), "a fit needs the widths of at least 2 blocks, got 1"),
    (("fit", "24,0"), "the width of block 1 must be a positive number, got 0.0"),
    (("fit", "24,-8"), "the width of block 1 must be a positive number, got -8.0"),
    (("fit", "24,nan"), "the width of block 1 must be a positive number, got nan"),
    (("fit", "24,wide"), "cannot read the width 'wide'"),
    (("fit", "24,8x0"), "a network has 1 to 1024 blocks, got '8x0'"),
    (("fit", "24,8x99999999999"), "got '8x99999999999'"),
    (("fit", "resnet-5"), "unknown model 'resnet-5' (nearest: resnet-50)"),
    (("fit", "RegNetX-4.2GF"), "(nearest: RegNetX-4.0GF)"),
    (("fit", "none.csv"), "cannot read none.csv"),
    (("fit", "one.csv"), "one.csv, row 2: a fit needs at least 2 blocks, got 1"),
    (("fit", "good.csv", "--wm", "x"), "cannot read the range of wm 'x'"),
    (("fit", "good.csv", "--wm", "3:2"), "got (3.0, 2.0)"),
    (("fit", "24,56", "--rounded"), "--rounded belongs to a file"),
    (("fit", "24,56", "--out", "a.cvs"), "unknown suffix '.cvs'"),
    (("scale", "RegNetX-200MF"), "--factor"),
    (("scale", "RegNetX-200MF", "--factor", "0"), "the factor must be above 0"),
    (("scale", "RegNetX-200MF", "--factor", "nan"), "got nan"),
    (("scale", "RegNetX-200MF", "--factor", "x"), "got 'x'"),
    (("scale", "RegNetX-200MF", "--factor", "2", "--type", "d1_q2"), "unknown letter 'q'"),
    (
        ("scale", "RegNetX-200MF", "--factor", "2", "--type", "d", "--alpha", "0.5"),
        "two ways to scale",
    ),
    (("scale", "RegNetX-200MF", "--factor", "2", "--alpha", "nan"), "alpha must be in [0, 1]"),
    (("scale", "RegNetX-4.2GF", "--factor", "2"), "(nearest: RegNetX-4.0GF)"),
    (("scale", "RegNetX-200MF", "--factor", "1e-2", "--type", "r"), "at least 32 px"),
    (("scale", "RegNetX-200MF", "--factor", "900", "--type", "d"), "at most 1024"),
    (("explain", "RegNetX-4.2GF"), "(nearest: RegNetX-4.0GF)"),
    (("explain", "stage_widths=8,16", "stage_depths=1,1", "group_width=8"), "has no line"),
    (("explain", "depth=13"), "the parameter w0 is missing"),
    (("explain", "RegNetX-200MF", "--figure", "a.bmp"), "unknown suffix '.bmp'"),
]


@pytest.mark.parametrize(
    ("arguments", "message"), BAD, ids=lambda v: v if isinstance(v, str) else ""
)
def test_bad_input_is_one_line_and_exit_code_2(
    refuses: Callable[..., None], arguments: tuple[str, ...], message: str
) -> None:
    refuses(arguments, message, {"good.csv": NETS, "one.csv": NETS.replace("b,22", "b,1")})


def test_help_has_an_example(call: Call) -> None:
    for command in ("fit", "scale", "explain"):
        code, out, _ = call(command, "--help")
        assert code == 0
        assert f"regnet-ds {command}" in out.partition("Example:")[2]
