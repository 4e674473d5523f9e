"""Storages whose records were damaged or edited: one line that names the place, exit code 2."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from regnet_ds.analysis.storages.storage import load_study, open_storage

TABLE = """space,flops,params,acts,depth,w0,wa,wm,group_width,error
a,4000000,100000,30000,8,16,16,2,8,12.5
a,4100000,110000,31000,9,16,17,2.1,8,11.5
a,3900000,120000,32000,7,24,18,2.2,8,13.5
"""
CREATE_TRIAL, STUDY_ATTRIBUTE = 4, 2  # Optuna's numbers of a journal's records
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def storage(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a journal with a study of three results."""
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text(TABLE)
    assert call("study", "import", "table.csv", "--name", "p")[0] == 0
    return Path("regnet-ds.journal")


def damage(journal: Path, trial: int, key: str, value: Any) -> None:
    """Change an attribute of a trial where the journal makes the trial."""
    records = [json.loads(line) for line in journal.read_text().splitlines()]
    made = [record for record in records if record["op_code"] == CREATE_TRIAL]
    made[trial]["user_attrs"][key] = value
    journal.write_text("".join(json.dumps(record) + "\n" for record in records))


def damage_study(journal: Path, key: str, value: Any) -> None:
    record = {
        "op_code": STUDY_ATTRIBUTE,
        "worker_id": "w",
        "study_id": 0,
        "user_attr": {key: value},
    }
    with journal.open("a") as file:
        file.write(json.dumps(record) + "\n")


COMMANDS = (
    ("study", "status"),
    ("study", "export", "p"),
    ("describe", "p#1"),
    ("edf", "regnet-ds.journal"),
    ("report", "regnet-ds.journal", "--out", "report.html"),
)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("flops", "many", "flops must be a finite number, got 'many'"),
        ("depth", 1.5, "depth must be a whole number below 2^63, got 1.5"),
        ("w0", 2**63, "w0 must be a whole number below 2^63, got 9223372036854775808"),
        ("stage_widths", 8, "stage_widths must be a list, each a finite number, got 8"),
        ("status", ["complete"], "status must be a text or a number, got ['complete']"),
        ("rds:owner", "me", "rds:owner must be a mapping with host, pid, started, token, got 'me'"),
    ],
)
def test_a_damaged_attribute_is_named_with_its_trial(
    call: Call, storage: Path, arguments: tuple[str, ...], key: str, value: object, said: str
) -> None:
    damage(storage, 1, key, value)
    before = storage.read_bytes()
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert err == f"regnet-ds: error: trial p#1 is damaged: {said}\n"
    assert storage.read_bytes() == before
    assert not Path("report.html").exists()


def test_a_trial_without_a_network_is_named(call: Call, storage: Path) -> None:
    damage(storage, 2, "depth", None)
    code, out, err = call("describe", "p#2")
    assert (code, out) == (2, "")
    assert err == "regnet-ds: error: p#2 is no network: it has no depth\n"


def test_a_damaged_study_is_named(call: Call, storage: Path) -> None:
    damage_study(storage, "kind", ["imported"])
    for arguments in COMMANDS:
        code, out, err = call(*arguments)
        assert (code, out) == (2, "")
        assert err == (
            "regnet-ds: error: study 'p' is damaged: kind must be a text, got ['imported']\n"
        )


def test_a_foreign_study_keeps_its_own_attributes(call: Call, storage: Path) -> None:
    damage(storage, 0, "my note", ["anything", 1])
    assert call("study", "status")[0] == 0
    assert load_study(open_storage(storage)).trials[0].user_attrs["my note"] == ["anything", 1]
