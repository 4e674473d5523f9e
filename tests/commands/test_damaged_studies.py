"""Studies whose attributes are damaged: one line that names the trial, whatever reads them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from regnet_ds.analysis.records import PRIVATE
from regnet_ds.analysis.storages import soundness
from regnet_ds.analysis.storages.storage import load_study, open_storage
from regnet_ds.designspace import canonical
from regnet_ds.search.populations.settings import Settings
from regnet_ds.search.populations.studies import create_population_study
from regnet_ds.search.recipes.recipe import Recipe

Refuses = Callable[..., None]
GONE = object()
ROOT = Path(soundness.__file__).parent.parent.parent


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return the records of a journal with two architectures that wait."""
    path = tmp_path_factory.mktemp("made") / "s.journal"
    recipe = Recipe(epochs=2).to_dict()
    settings = Settings(recipe=recipe, data="digits", resolution=32, classes=10)
    networks = [canonical("RegNetX-200MF"), canonical("RegNetY-200MF")]
    create_population_study(str(path), "s", networks, settings, space="regnetx")
    return [json.loads(line) for line in path.read_text().splitlines()]


def damaged(records: list[dict[str, Any]], key: str, value: Any) -> str:
    """Return the journal with an attribute of the first trial or of the study that is another."""
    made = json.loads(json.dumps(records))
    holders = [r["user_attr"] for r in made if key in r.get("user_attr", ())]
    holders = holders or [next(r["user_attrs"] for r in made if "user_attrs" in r)]
    if value is GONE:
        holders[0].pop(key)
        made = [r for r in made if r.get("user_attr") != {}]
    else:
        holders[0][key] = value
    return "".join(json.dumps(record) + "\n" for record in made)


@pytest.mark.parametrize(
    "arguments",
    [
        *("study status", "study export s", "study export s#0", "study retry", "study worker"),
        *("describe s#0", "edf j.journal", "report j.journal --out x.html", "train s#0"),
        *("export s#0 --to onnx --out x.onnx", "study copy s --from j.journal --to x.journal"),
    ],
)
@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("recipe", "x", "study 's' is damaged: recipe must be a mapping, got 'x'"),
        ("kind", GONE, "study 's' is damaged: kind must be a text, got None"),
        ("threads", GONE, "study 's' is damaged: threads must be a whole number"),
        ("index", "x", "trial s#0 is damaged: index must be a whole number below 2^63, got 'x'"),
        ("seed", None, "study 's' is damaged: seed must be a whole number from 0"),
        ("epochs", [2], "trial s#0 is damaged: epochs must be a whole number below 2^63, got [2]"),
        ("stage_widths", 7, "trial s#0 is damaged: stage_widths must be a list"),
        ("space", [], "study 's' is damaged: space must be a text or a number, got []"),
        (PRIVATE + "owner", {"host": "x"}, "s#0 is damaged: rds:owner must be a mapping with"),
    ],
)
def test_a_damaged_attribute(
    refuses: Refuses,
    records: list[dict[str, Any]],
    arguments: str,
    key: str,
    value: Any,
    message: str,
) -> None:
    words = arguments.split()
    if "j.journal" not in words:
        words += ["--storage", "j.journal"]
    refuses(words, message, {"j.journal": damaged(records, key, value)})


@pytest.mark.parametrize("command", ["describe s#0", "study export s#0 --as timm", "train s#0"])
@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("depth", None, "s#0 is no network: it has no depth"),
        ("stage_widths", [8, 16, 24, 32], "s#0 is no network: stage_widths [8, 16, 24, 32] dis"),
    ],
)
def test_a_trial_of_no_network_is_named(
    refuses: Refuses,
    records: list[dict[str, Any]],
    command: str,
    key: str,
    value: Any,
    message: str,
) -> None:
    words = [*command.split(), "--storage", "j.journal"]
    refuses(words, message, {"j.journal": damaged(records, key, value)})


@pytest.mark.parametrize("attributes", ["x", [1]])
def test_attributes_that_are_none(
    refuses: Refuses, records: list[dict[str, Any]], attributes: Any
) -> None:
    made = [{**r, "user_attrs": attributes} if "user_attrs" in r else r for r in records]
    text = "".join(json.dumps(record) + "\n" for record in made)
    message = "trial s#0 is damaged: its attributes must be a mapping"
    refuses(["study", "status", "--storage", "j.journal"], message, {"j.journal": text})


def test_an_unreadable_last_record_is_refused_before_a_write(
    refuses: Refuses, records: list[dict[str, Any]]
) -> None:
    text = "".join(json.dumps(record) + "\n" for record in records)
    text = text[:-9] + "\x01" + text[-9:]
    files = {"j.journal": text, "t.csv": "error\n50\n"}
    arguments = ["study", "import", "t.csv", "--name", "i", "--storage", "j.journal"]
    refuses(arguments, "j.journal is a damaged journal: its last record", files)


@pytest.mark.parametrize("text", ['{"name":', "{}", '{"name": "IntDistribution"}'])
def test_a_damaged_sqlite_file(call: Any, tmp_path: Path, text: str) -> None:
    path = tmp_path / "s.db"
    (tmp_path / "t.csv").write_text("depth,w0,wa,wm,group_width,error\n13,24,36.44,2.49,8,50\n")
    storage = ("--storage", f"sqlite:///{path}")
    assert call("study", "import", tmp_path / "t.csv", "--name", "s", *storage)[0] == 0
    with sqlite3.connect(path) as database:
        database.execute("UPDATE trial_params SET distribution_json = ?", (text,))
    code, out, err = call("describe", "s#0", *storage)
    assert (code, out) == (2, "")
    assert err.startswith(f"regnet-ds: error: {path} is damaged: ")
    assert err.count("\n") == 1


def test_a_sound_study_and_one_of_somebody_else_are_read(
    tmp_path: Path, records: list[dict[str, Any]]
) -> None:
    import optuna

    path = tmp_path / "s.journal"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    storage = open_storage(str(path))
    assert len(load_study(storage, "s").trials) == 2
    other = optuna.create_study(storage=storage, study_name="other")
    other.set_user_attr("mine", [{"x": None}])
    other.add_trial(optuna.trial.create_trial(value=1.0, user_attrs={"mine": {}}))
    assert load_study(storage, "other").trials[0].user_attrs == {"mine": {}}


def test_every_attribute_of_the_claim_loop_has_a_kind() -> None:
    """A name that the search writes and nobody checks would be read as it is."""
    import re

    known = {*soundness.OF_TRIAL, *soundness.OF_STUDY}
    found = {
        name
        for path in ROOT.joinpath("search").rglob("*.py")
        for name in re.findall(r"PRIVATE \+ \"(\w+)\"", path.read_text())
    }
    assert len(found) > 15
    assert {PRIVATE + name for name in found} <= known
