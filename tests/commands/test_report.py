import json

import optuna
import pytest
from optuna.trial import create_trial
from regnet_ds.analysis.storages.storage import open_storage

CSV = (
    "space,depth,status,error\na,12,complete,10\na,13,complete,20\nb,12,complete,5\nb,20,failed,\n"
)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "nets.csv"
    path.write_text(CSV)
    return path


def test_report_of_a_table(call, table, tmp_path):
    out = tmp_path / "report.html"
    code, _, err = call("report", table, "--by", "space", "--title", "My <i>nets", "--out", out)
    assert code == 0, err
    assert err.startswith(f"wrote {out} (")
    text = out.read_text()
    assert "<h1>My &lt;i&gt;nets</h1>" in text
    assert "a has 2 models. Their mean error is 15.00%" in text
    assert "b has one model, with an error of 5.00% (excluded: 1 failed)" in text


def test_report_of_a_study_has_its_settings_and_curves(call, tmp_path):
    path = tmp_path / "runs.journal"
    study = optuna.create_study(storage=open_storage(str(path)), study_name="one")
    for key, value in {"space": "tiny", "recipe": {"lr": 0.1}, "loop:secret": 1}.items():
        study.set_user_attr(key, value)
    for i in range(4):
        study.add_trial(create_trial(value=10.0 + i, intermediate_values={1: 50.0, 2: 10.0 + i}))
    out = tmp_path / "report.html"
    code, _, err = call("report", path, "--out", out)
    assert code == 0, err
    text = out.read_text()
    assert "<dt>recipe.lr</dt><dd>0.1</dd>" in text
    assert "secret" not in text
    assert "Learning curves</h3>" in text


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_the_numbers_behind_all_figures(call, table, tmp_path, suffix):
    data = tmp_path / f"numbers.{suffix}"
    code, _, err = call("report", table, "--out", tmp_path / "r.html", "--data", data)
    assert code == 0, err
    if suffix == "json":
        rows = json.loads(data.read_text())
        curve = [row for row in rows if row["figure"] == "Error distributions"]
        assert [row["error"] for row in curve] == [5, 10, 20]
        assert {row["figure"] for row in rows} > {"Error distributions", "Random-search efficiency"}
    else:
        assert data.stat().st_size > 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.csv", "--out", "a.html"], "absent.csv: no such file"),
        (["TABLE", "--out", "a.pdf"], "expected one of .html"),
        (["TABLE", "--out", "a.html", "--data", "a.txt"], ".csv"),
        (["TABLE", "--by", "spice", "--out", "a.html"], "no column spice (nearest: space)"),
    ],
)
def test_bad_input_is_one_line(call, table, arguments, message):
    code, _, err = call("report", *[table if a == "TABLE" else a for a in arguments])
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1
