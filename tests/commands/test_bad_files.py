"""Faults that fuzzing found (tests/fuzz), each one line and exit code 2 since."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from regnet_ds.messages import without_passwords

Call = Callable[..., tuple[int, str, str]]
LAUGHS = "a0: &a0 [x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("name", "content", "arguments", "message"),
    [
        ("a.npz", b"", "data facts a.npz", "cannot read a.npz: No data left in file"),
        ("a.yaml", LAUGHS.encode() + b"w0: *a11\n", "account a.yaml", "with aliases expanded"),
        ("a.yaml", b"d: 2026-99-99", "account a.yaml", "a.yaml is not valid YAML: month must be"),
        ("r.yaml", b"- " * 5000, "train RegNetX-200MF --recipe r.yaml", "nested too deeply"),
        ("r.yaml", LAUGHS.encode(), "train RegNetX-200MF --recipe r.yaml", "aliases expanded"),
        (
            "r.yaml",
            b"lr: !!python/object/apply:os.system ['touch trapped']",
            "train RegNetX-200MF --recipe r.yaml",
            "lr (line 1): cannot read",
        ),
        ("s.yaml", b"- " * 5000, "tune --model RegNetX-200MF --space s.yaml", "too deeply"),
        (
            "s.yaml",
            b"optimizer: 0\nlr: {sgd: [1, 2]}",
            "tune --model RegNetX-200MF --space s.yaml",
            "optimizer must be a list of values",
        ),
        ("m.keras", b"PK\x03\x04" + bytes(40), "flops m.keras", "m.keras is not a .keras file"),
        ("j.journal", b'{"op_code":0}\n', "study status --storage j.journal", "damaged journal"),
        ("s.db", b"", "study status --storage sqlite:///s.db", "s.db is a SQLite file, but no"),
        ("j.json", b'[{"cfg": 1, "test_epoch": {}}]', "edf j.json", "job 1: cannot be read"),
        ("run/run.json", b"{}", "evaluate run", "run.json is damaged: schema is 'None'"),
        ("run/run.json", b"[" * 9999, "evaluate run", "run is not a run's folder"),
        (
            "a.csv",
            b"depth,w0,wa,wm,group_width,bottleneck_ratio\n13,24,36,2.5,8,3.4e38\n",
            "account a.csv",
            "a bottleneck ratio is from 1/2147483647 to 2147483647, got 3.4e+38",
        ),
        ("a.csv", b"x", f"account {'a' * 300}.csv", "aaa.csv"),
        ("a.csv", b"x", f"edf {'a' * 300}", "File name too long"),
    ],
)
def test_a_bad_file(
    call: Call,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: bytes,
    arguments: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content)
    code, out, err = call(*arguments.split())
    assert (code, out) == (2, "")
    assert err.startswith("regnet-ds: error: ")
    assert err.count("\n") == 1
    assert message in err
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [tmp_path / name]
    assert (tmp_path / name).read_bytes() == content


def test_a_database_of_another_program_stays_as_it_is(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "photos.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE photos (name)")
    before = path.read_bytes()
    for command in ("status", "import"):
        more = ("t.csv", "--name", "t") if command == "import" else ()
        (tmp_path / "t.csv").write_text("error\n50\n")
        more = (tmp_path / "t.csv", *more[1:]) if more else ()
        code, _, err = call("study", command, *more, "--storage", f"sqlite:///{path}")
        assert code == 2
        assert "it has the tables photos" in err
    assert path.read_bytes() == before


def test_more_images_than_memory(call: Call) -> None:
    code, _, err = call("data", "facts", "digits", "--resolution", "9999999")
    assert code == 2
    assert "1,797 images of 9999999 px take" in err


def test_lists_of_json_become_text_in_csv(call: Call, tmp_path: Path) -> None:
    row = {"depth": 13, "w0": 24, "wa": 36.44, "wm": 2.49, "group_width": 8, "mine": [[1], 2]}
    (tmp_path / "a.json").write_text(json.dumps([row, row | {"mine": None}]))
    code, out, _ = call("account", tmp_path / "a.json", "--format", "csv")
    assert code == 0
    assert out.splitlines()[1].endswith(",[1] 2")


def test_two_outputs_are_checked_before_either_is_written(call: Call, tmp_path: Path) -> None:
    figure = tmp_path / "x.png"
    made = call("compare", "a.csv", "b.csv", "--out", figure, "--data", tmp_path / "x.npz")
    assert made[0] == 2
    assert "unknown suffix '.npz'" in made[2]
    assert not figure.exists()


def test_a_terminal_s_control_characters_are_shown_not_sent(call: Call, tmp_path: Path) -> None:
    name, journal = "evil \x1b[2J", tmp_path / "s.journal"
    (tmp_path / "t.csv").write_text("error\n50\n")
    code, _, err = call("study", "import", tmp_path / "t.csv", "--name", name, "--storage", journal)
    assert code == 0
    assert "study evil \\x1b[2J" in err
    code, out, err = call("study", "status", "--storage", journal)
    assert code == 0
    assert "evil \\x1b[2J" in out
    assert "\x1b" not in out + err


def test_a_run_s_file_holds_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from regnet_ds.search.learning.runs import new_run
    from regnet_ds.search.recipes.recipe import Recipe

    url = "postgresql://me:secret@host/db"
    monkeypatch.setattr("sys.argv", ["regnet-ds", "train", "a#1", "--storage", url])
    run = new_run(tmp_path, "x", {}, Recipe())
    written = (run.folder / "run.json").read_text()
    assert without_passwords(url) in written
    assert "secret" not in written


def test_a_configuration_for_another_library_goes_to_its_file(call: Call, tmp_path: Path) -> None:
    table, journal = tmp_path / "t.csv", tmp_path / "s.journal"
    table.write_text("depth,w0,wa,wm,group_width,error\n13,24,36.44,2.49,8,50\n")
    assert call("study", "import", table, "--name", "s", "--storage", journal)[0] == 0
    arguments = ("study", "export", "s#0", "--as", "timm", "--storage", journal)
    printed = call(*arguments)[1]
    assert "36.44" in printed
    assert call(*arguments, "--out", tmp_path / "x.yaml")[0] == 0
    assert (tmp_path / "x.yaml").read_text() == printed
    code, _, err = call(*arguments, "--out", tmp_path / "x.csv")
    assert code == 2
    assert "expected one of .yaml, .json" in err


def test_a_damaged_trial_is_named_before_a_copy_is_begun(call: Call, tmp_path: Path) -> None:
    table, journal = tmp_path / "t.csv", tmp_path / "s.journal"
    table.write_text("error\n50\n")
    assert call("study", "import", table, "--name", "s", "--storage", journal)[0] == 0
    text = journal.read_text()
    damaged = re.sub(r',"datetime_complete":"[^"]*"', "", text)
    assert damaged != text
    journal.write_text(damaged)
    code, _, err = call("study", "copy", "s", "--from", journal, "--to", tmp_path / "x.journal")
    assert code == 2
    assert "the trial s#0 is damaged: `datetime_complete`" in err
    assert not (tmp_path / "x.journal").exists()
