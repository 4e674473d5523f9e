import json

import optuna
import pytest
from optuna.trial import TrialState, create_trial
from regnet_ds.analysis.storages.storage import open_storage

CSV = """space,w0,depth,status,error
a,8,12,complete,10
a,16,13,complete,20
a,24,14,complete,30
b,8,12,complete,5
b,16,20,diverged,90
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "nets.csv"
    path.write_text(CSV)
    return path


def test_edf_prints_the_numbers(call, table):
    code, out, err = call("edf", table, "--by", "space", "--format", "json")
    first, second = json.loads(out)
    assert (code, err) == (0, "")
    assert (first["population"], first["n"], first["min"], first["mean"]) == ("a", 3, 10, 20)
    assert (first["median"], first["max"], first["excluded"]) == (20, 30, "none")
    assert (second["population"], second["n"], second["excluded"]) == ("b", 1, "1 diverged")


def test_edf_counts_diverged_when_asked(call, table):
    _, out, _ = call("edf", table, "--diverged", "--format", "json")
    (record,) = json.loads(out)
    assert (record["population"], record["n"], record["excluded"]) == ("nets", 5, "none")


def test_edf_as_table_and_csv(call, table):
    code, out, _ = call("edf", table)
    assert code == 0
    assert out.splitlines()[0].split()[:4] == ["population", "n", "min", "mean"]
    assert out.splitlines()[1].split()[:4] == ["nets", "4", "5", "16.25"]
    _, out, _ = call("edf", table, "--format", "csv")
    assert out.splitlines()[1].startswith("nets,4,5.0,16.25,")


def test_edf_of_studies(call, tmp_path):
    path = tmp_path / "runs.journal"
    storage = open_storage(path)
    for name, error in (("one", 3.0), ("two", 4.0)):
        study = optuna.create_study(storage=storage, study_name=name)
        study.add_trial(create_trial(state=TrialState.COMPLETE, value=error))
    code, out, _ = call("edf", path, "--study", "one", "--study", "two", "--format", "json")
    assert code == 0
    assert [(r["population"], r["min"]) for r in json.loads(out)] == [("one", 3), ("two", 4)]
    code, _, err = call("edf", path)
    assert code == 2
    assert "holds 2 studies, name one: one, two" in err


@pytest.mark.parametrize("kind", ["edf", "scatter", "ranges"])
def test_plot(call, table, tmp_path, kind):
    picture = tmp_path / "picture.svg"
    code, out, err = call("plot", kind, table, "--out", picture, "--format", "json")
    assert (code, err) == (0, f"wrote {picture}\n")
    assert "<svg" in picture.read_text()
    records = json.loads(out)
    if kind == "edf":
        assert records[0]["n"] == 4
    else:
        assert [r["parameter"] for r in records] == ["depth", "w0"]
        assert set(records[0]) == {"parameter", "low", "best", "high", "k", "n"}


def test_edf_draws(call, table, tmp_path):
    picture = tmp_path / "new" / "picture.png"
    code, _, err = call("edf", table, "--out", picture)
    assert (code, err) == (0, f"wrote {picture}\n")
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["edf", "absent.csv"], "absent.csv: no such file"),
        (["edf", "TABLE", "--by", "spice"], "no column spice (nearest: space)"),
        (["edf", "TABLE", "--out", "x.jpg"], "expected one of .png, .svg, .pdf"),
        (["plot", "scater", "TABLE", "--out", "x.png"], "'scater' (nearest: scatter)"),
        (["plot", "scatter", "TABLE", "--by", "space", "--out", "x.png"], "got 2: a, b"),
        (["plot", "scatter", "TABLE", "--parameter", "w1", "--out", "x.png"], "no column w1"),
        (["edf", "TABLE", "--study", "s"], "has no column study"),
        (["plot", "edf", "TABLE"], "--out"),
    ],
)
def test_bad_input(call, table, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(*(table if a == "TABLE" else a for a in arguments))
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["nets.csv"]


def test_two_sources_of_one_name_keep_their_paths(call, table, tmp_path):
    other = tmp_path / "more" / "nets.csv"
    other.parent.mkdir()
    other.write_text(CSV)
    _, out, _ = call("edf", table, other, "--format", "json")
    assert [record["population"] for record in json.loads(out)] == [str(table), str(other)]


SEEDS = """space,index,seed,status,error
a,0,1,complete,10
a,0,2,complete,12
a,1,1,complete,30
b,0,1,complete,9
b,0,2,complete,10
b,1,1,complete,20
"""


def test_noise_over_seeds(call, tmp_path):
    path, data, picture = tmp_path / "t.csv", tmp_path / "d.csv", tmp_path / "p.svg"
    path.write_text(SEEDS)
    more = ("--by", "space", "--format", "json", "--data", data, "--out", picture)
    code, out, err = call("noise", path, *more)
    assert code == 0, err
    first, second = json.loads(out)
    assert (first["population"], first["n"], first["networks"], first["trainings"]) == (
        "a",
        2,
        1,
        2,
    )
    assert first["sd_seeds"] == pytest.approx(2**0.5)
    assert second["sd_seeds"] == pytest.approx(0.5**0.5)
    assert second["low"] < second["sd_seeds"] < second["high"]
    assert "10.0 times the noise" in err
    assert len(data.read_text().splitlines()) == 3
    assert "<svg" in picture.read_text()


def test_noise_needs_seeds(call, table):
    code, out, err = call("noise", table)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "nets has no network of several seeds: its rows need the columns index and seed" in err


CURVES = """space,seed,index,status,error,curve
a,1,0,complete,10,50 10
a,2,0,complete,11,51 11
a,1,1,complete,20,60 20
b,1,0,complete,30,70 30
b,1,1,diverged,90,90 90
"""


def test_curves_are_those_of_the_rows_that_count(call, tmp_path):
    path, data = tmp_path / "t.csv", tmp_path / "d.json"
    path.write_text(CURVES)
    more = ("--out", tmp_path / "p.png", "--data", data)
    assert call("plot", "curves", path, "--where", "space=a", *more)[0] == 0
    assert [row["error"] for row in json.loads(data.read_text())] == [50, 10, 60, 20]
    assert call("plot", "curves", path, "--diverged", *more)[0] == 0
    assert len(json.loads(data.read_text())) == 8
