"""``study`` and ``tune`` as a user runs them, with a trainer that only pretends."""

import json
from pathlib import Path

import pytest
from regnet_ds.analysis.storages.storage import load_study, open_storage
from regnet_ds.cli import run
from regnet_ds.search.recipes.recipe_files import read_recipe_file

FAKE = Path(__file__).parents[1] / "search" / "fake_trainer.py"


@pytest.fixture
def storage(tmp_path):
    return str(tmp_path / "s.journal")


@pytest.fixture
def study(storage):
    """Return a function that runs ``study run`` with small defaults."""

    def run_study(*options: str) -> int:
        fixed = ["--storage", storage, "--trainer", f"{FAKE}:train", "--workers", "1"]
        return run(["study", "run", "--flops", "4M", *fixed, *options])

    return run_study


def status(storage, capsys, *options):
    capsys.readouterr()
    assert run(["study", "status", "--storage", storage, "--format", "json", *options]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_population_is_trained_and_continued(study, storage, capsys):
    assert study("-n", "3", "--epochs", "2", "--set", "lr=0.1") == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[1].split()[:4] == ["population", "regnetx", "digits", "3"]
    assert "3 of regnetx with flops 3.80M to 4.20M at 32 px and 10 classes; seed 0" in err
    assert "digits allows less augmentation: flip True -> False" in err
    assert "population: 3 of 3" in err
    assert "A new study created" not in err
    (row,) = status(storage, capsys)
    assert (row["complete"], row["waiting"], row["epochs"]) == (3, 0, 2)
    assert row["best_error"] <= row["median_error"]
    assert study("-n", "4", "--epochs", "2", "--set", "lr=0.1") == 0
    (again,) = status(storage, capsys, "--name", "population")
    assert again["complete"] == 4


def test_the_resolution_is_of_the_budget_and_of_the_trainings(study, storage, capsys):
    assert study("-n", "1", "--epochs", "1", "--resolution", "48") == 0
    assert "flops 3.80M to 4.20M at 48 px and 10 classes" in capsys.readouterr().err
    (trial,) = load_study(open_storage(storage), "population").trials
    assert trial.user_attrs["resolution"] == 48
    assert 3.8e6 <= trial.user_attrs["flops"] <= 4.2e6
    assert study("-n", "1", "--epochs", "1", "--resolution", "64") == 2
    assert "resolution is 48, not 64" in capsys.readouterr().err


def test_other_settings_are_refused_in_one_line(study, storage, capsys):
    assert study("-n", "1", "--epochs", "2") == 0
    capsys.readouterr()
    for options, said in (
        (["--epochs", "2", "--set", "lr=0.3"], "recipe.lr is 0.05, not 0.3"),
        (["--epochs", "2", "--seed", "1"], "seed is 0, not 1"),
        (["--epochs", "2", "--tolerance", "1%"], "budget is 'flops 3.80M to 4.20M', not"),
    ):
        assert study("-n", "1", *options) == 2
        out, err = capsys.readouterr()
        last = err.splitlines()[-1]
        assert out == "" and last.startswith("regnet-ds: error: study 'population'")
        assert said in last and "force" in last
    assert status(storage, capsys)[0]["waiting"] == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--workers", "0"], "workers must be at least 1, got 0"),
        (["--data", "digit"], "unknown data set 'digit'"),
        (["--space", "regnetz9"], "unknown space 'regnetz9'"),
        (["--epochs", "0"], "epochs must be a whole number"),
        (["--set", "rl=1"], "no field 'rl' (nearest: lr)"),
        (["--set", "lr"], "--set takes field=value, got 'lr'"),
        (["--out", "x.txt"], "unknown suffix '.txt'"),
        (["--trainer", "nowhere:train"], "nowhere"),
        (["--storage", "mysql://h/d"], "unknown storage"),
    ],
)
def test_bad_input_is_one_line(study, storage, capsys, options, said):
    code = study("-n", "1", *options)
    out, err = capsys.readouterr()
    assert (code, out) == (1 if "--trainer" in options else 2, "")
    assert said in err.splitlines()[-1]


def test_a_population_needs_a_budget(storage, capsys):
    assert run(["study", "run", "--storage", storage]) == 2
    assert "needs a budget: --flops 4M" in capsys.readouterr().err
    assert not Path(storage).exists()


def test_status_of_nothing(storage, capsys):
    assert run(["study", "status", "--storage", storage]) == 2
    assert "no such file" in capsys.readouterr().err
    Path(storage).touch()
    assert run(["study", "status", "--storage", storage]) == 2
    assert "holds no study" in capsys.readouterr().err


def test_tuned_recipes_reach_the_canonical_configurations(storage, capsys, tmp_path):
    models = ["--model", "regnetx_004", "--model", "RegNetX-200MF"]
    fixed = ["--storage", storage, "--trainer", f"{FAKE}:tune", "--epochs", "2"]
    assert run(["tune", *models, *fixed, "--trials", "3", "--batch", "2", "--format", "json"]) == 0
    out, err = capsys.readouterr()
    small, large = json.loads(out)
    assert (small["model"], large["model"]) == ("RegNetX-200MF", "RegNetX-400MF")
    assert small["trials"] == 3 and small["best_error"] <= small["first_error"]
    assert "RegNetX-400MF (best" in err and "): 3 of 3" in err
    command = ["canonical", "--recipe", "tuned", "--study", storage, "--format", "json"]
    assert run(command) == 0
    made = {c["name"]: c for c in json.loads(capsys.readouterr().out)}
    assert made["RegNetX-200MF"]["tuned"]["error"] == small["best_error"]
    assert made["RegNetX-200MF"]["recipe"]["lr"] == small["lr"]
    assert made["RegNetX-200MF"]["tuned"]["base"] == "short, epochs=2"
    assert "tuned" not in made["RegNetX-4.0GF"]
    assert run([*command[:-2], "RegNetX-200MF", "--out", str(tmp_path / "tuned")]) == 0
    read = read_recipe_file(tmp_path / "tuned" / "RegNetX-200MF.yaml")
    assert (read.lr, read.epochs) == (small["lr"], 2)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "name the models to tune"),
        (["--all", "--model", "RegNetX-200MF"], "name the models to tune"),
        (["--model", "RegNetX-201MF"], "RegNetX-200MF"),
        (["--model", "RegNetX-200MF", "--model", "regnetx_002"], "regnetx_002 is named twice"),
        (["--model", "RegNetX-200MF", "--trials", "0"], "greater than or equal to 1, got '0'"),
        (["--model", "depth=0 w0=8 wa=8 wm=2 group_width=8"], "depth must be"),
        (["--model", "RegNetX-200MF", "--pruner", "asha"], "got 'asha'"),
        (["--model", "RegNetX-200MF", "--space", "none.yaml"], "cannot read none.yaml"),
    ],
)
def test_bad_tuning(storage, capsys, options, said):
    assert run(["tune", "--storage", storage, *options]) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


def test_a_search_space_of_the_users_own(storage, capsys, tmp_path):
    model = ["tune", "--model", "RegNetX-200MF", "--storage", storage, "--trainer", f"{FAKE}:long"]
    assert run([*model, "--print-space"]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[:4] == [
        "# RegNetX-200MF", "optimizer: [sgd, adamw]", "lr:", "  sgd: [0.02, 0.4, log]",
    ]  # fmt: skip
    assert not Path(storage).exists()
    path = tmp_path / "space.yaml"
    path.write_text(
        printed + "epochs: [1, 3]\nwarmup_epoch: [0, 1]\nmomentum: [0.5, 1.5, linear]\n"
    )
    assert run([*model, "--space", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert (
        "'warmup_epoch' (nearest: warmup_epochs); momentum must be a number in [0, 1), got 1.5"
        in line
    )
    assert not Path(storage).exists()
    path.write_text(printed + "epochs: [1, 3]\n")
    options = ["--space", str(path), "--trials", "8", "--batch", "4", "--epochs", "3"]
    assert run([*model, *options, "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["epochs"] in (1, 3) and row["optimizer"] in ("sgd", "adamw") and row["trials"] == 8
    trials = load_study(open_storage(storage), "tune/RegNetX-200MF").trials
    assert {t.user_attrs["epochs"] for t in trials} == {1, 3}
    assert [t.user_attrs["rds:origin"] for t in trials[:3]] == ["recipe", "paper", "post"]


def test_a_study_is_not_continued_by_mistake(study, storage, capsys):
    assert study("-n", "2", "--epochs", "2") == 0
    fixed = ["--storage", storage, "--trainer", f"{FAKE}:tune", "--workers", "1"]
    tune = ["tune", "--model", "RegNetX-200MF", "--trials", "1", "--epochs", "2", *fixed]
    assert run(tune) == 0
    capsys.readouterr()

    def said(code):
        assert code == 2
        return capsys.readouterr().err.splitlines()[-1]

    line = said(study("-n", "2", "--epochs", "2", "--space", "anynetx-a"))
    assert "space is 'regnetx', not 'anynetx-a'; choose another --name, or --force to" in line
    line = said(study("-n", "2", "--epochs", "2", "--data", "mnist5k"))
    assert "data is 'digits', not 'mnist5k', data_fingerprint is" in line
    line = said(run([*tune, "--pruner", "median"]))
    assert line.endswith("pruner.kind is 'hyperband', not 'median'; choose another --name")
    line = said(run(["search", "--flops", "4M", "--name", "population", *fixed]))
    assert line.endswith(
        "'population' is of the kind population, not search: choose another --name"
    )
    assert status(storage, capsys)[0]["complete"] == 2


def run_and_read(capsys, *arguments):
    capsys.readouterr()
    code = run([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def test_a_trained_network_becomes_a_configuration(study, storage, capsys, tmp_path):
    assert study("-n", "2", "--epochs", "2") == 0
    at = ["--storage", storage]
    code, out, _ = run_and_read(capsys, "describe", "population#1", *at, "--format", "json")
    assert code == 0
    (described,) = json.loads(out)
    assert (described["resolution"], described["classes"]) == (32, 10)
    export = ["study", "export"]
    code, out, _ = run_and_read(capsys, *export, "population#1", *at, "--format", "json")
    (exported,) = json.loads(out)
    assert exported["stage_widths"] == described["stage_widths"]
    assert exported["error"] > 0
    for library in ("keras", "timm", "pycls", "torchvision", "classyvision"):
        code, out, err = run_and_read(capsys, *export, "population#1", *at, "--as", library)
        assert code == 0, err
        assert str(described["stage_depths"][0]) in out
    table = tmp_path / "p.parquet"
    assert run_and_read(capsys, *export, "population", *at, "--out", table)[0] == 0
    assert table.exists()
    for what, said in (("population#9", "#0 to #1, got '9'"), ("popu#0", "nearest: population")):
        code, _, err = run_and_read(capsys, *export, what, *at)
        assert code == 2 and said in err


def test_copies_imports_and_retries(study, storage, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_RAISE", "1")
    assert study("-n", "2", "--epochs", "2") == 0
    other = tmp_path / "other.journal"
    code, out, err = run_and_read(
        capsys, "study", "retry", "--storage", storage, "--format", "json"
    )
    assert code == 0 and "1 of study population" in err
    assert json.loads(out)[0]["reason"] == "RuntimeError: architecture 1 does not train"
    monkeypatch.delenv("FAKE_RAISE")
    copy = ["study", "copy", "population", "--from", storage, "--to", other]
    assert run_and_read(capsys, *copy)[0] == 0
    worker = ["study", "worker", "--storage", other, "--trainer", f"{FAKE}:train"]
    assert run_and_read(capsys, *worker)[0] == 0
    assert status(other, capsys)[0]["complete"] == 2
    merge = ["study", "merge", "population", "--from", other, "--to", storage]
    code, _, err = run_and_read(capsys, *merge)
    assert code == 0 and "1 waiting trials finished, 0 added, 1 were there already" in err
    assert status(storage, capsys)[0]["failed"] == 0
    table = tmp_path / "t.csv"
    export = ["study", "export", "population", "--storage", storage, "--out", table]
    assert run_and_read(capsys, *export)[0] == 0
    code, _, err = run_and_read(
        capsys, "study", "import", table, "--name", "theirs", "--storage", storage
    )
    assert code == 0 and "imported 3 rows as study theirs" in err


def test_several_spaces_share_a_run(study, storage, capsys):
    spaces = ["--space", "regnetx", "--space", "anynetx-e", "--stages", "4", "--block", "y"]
    assert study("-n", "2", "--epochs", "2", *spaces, "--max-trials", "3") == 0
    assert "stopped after 3 trials" in capsys.readouterr().err
    assert study("-n", "2", "--epochs", "2", *spaces) == 0
    rows = status(storage, capsys)
    assert len(rows) == 2 and all(row["complete"] == 2 for row in rows)
    assert len({row["space"] for row in rows}) == 2
    assert len({row["budget"] for row in rows}) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--memory", "much"], "cannot read 'much' as a size: write 4G"),
        (["--trial-time", "2 weeks"], "cannot read '2 weeks' as a time"),
        (["--time-limit", "0s"], "cannot read '0s' as a time"),
        (["--stages", "x"], "stages must be a number"),
        (["--space", "regnetx", "--space", "regnetx"], "named twice"),
    ],
)
def test_bad_options_of_a_run(study, storage, capsys, options, said):
    assert study("-n", "1", *options) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not Path(storage).exists()


def test_a_search_ends_with_a_winner(storage, capsys, tmp_path):
    options = ["search", "--flops", "4M", "-n", "6", "--epochs", "3", "--storage", storage]
    options += ["--trainer", f"{FAKE}:train", "--workers", "1", "--finalists", "2"]
    assert run([*options, "--out", str(tmp_path / "found"), "--format", "json"]) == 0
    out, err = capsys.readouterr()
    rows = json.loads(out)
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[0]["seeds"] >= 2 and rows[0]["error"] <= rows[1]["error"]
    assert "6 to epoch 1, 2 to epoch 3 (10 epochs, then the finals)" in err
    assert (tmp_path / "found" / "table.csv").exists()
    winner = (tmp_path / "found" / "winner.yaml").read_text()
    name = winner.splitlines()[0].removeprefix("name: ").strip("'")
    assert f"the winner: {name};" in err
    assert run(["describe", name, "--storage", storage, "--format", "json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["stage_widths"] == rows[0]["stage_widths"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "a search needs a budget"),
        (["--flops", "4M", "--seeds", "many"], "seeds must be a number or FEWEST:MOST, got 'many'"),
        (["--flops", "4M", "--workers", "0"], "workers must be at least 1, got 0"),
        (["--flops", "1K"], "flops"),
    ],
)
def test_bad_searches(storage, capsys, options, said):
    assert run(["search", "--storage", storage, "--epochs", "3", *options]) == 2
    err = capsys.readouterr().err
    assert said in err and len(err.splitlines()) == 1
    assert not Path(storage).exists()


def test_a_dry_run_stores_nothing(study, storage, capsys, monkeypatch):
    from regnet_ds.search.populations import forecast

    probed = forecast.Probe(start=3.0, step=0.1, acts=100_000)
    monkeypatch.setattr(forecast, "probe", lambda *_, **__: probed)
    assert study("-n", "5", "--epochs", "2", "--dry-run", "--format", "json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["models"], row["epochs"], row["step_ms"]) == (5, 2, 100.0)
    assert row["hours"] > 0 and row["disk_MB"] > 0
    assert not Path(storage).exists()


def test_a_trial_as_a_training(study, storage, capsys):
    from regnet_ds.analysis.storages.storage import load_study, open_storage
    from regnet_ds.commands.training_run import trained_as

    assert study("-n", "2", "--epochs", "2", "--set", "lr=0.1") == 0
    trial = load_study(open_storage(storage), "population").trials[1]
    found = trained_as(storage, "population#1")
    assert (found.recipe.epochs, found.recipe.lr, found.data) == (2, 0.1, "digits")
    assert (found.seed, found.resolution) == (trial.user_attrs["seed"], 32)
    assert [stage.width for stage in found.spec.stages] == trial.user_attrs["stage_widths"]
    capsys.readouterr()
    for command, said in (
        (["train", "population#7"], "has trials #0 to #1, got '7'"),
        (["train", "elsewhere#1"], "unknown study 'elsewhere'"),
        (["export", "population#1", "--to", "onnx", "--out", "m.onnx"], "no model of population#1"),
    ):
        assert run([*command, "--storage", storage]) == 2
        err = capsys.readouterr().err
        assert said in err and len(err.splitlines()) == 1
