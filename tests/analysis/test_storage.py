"""The repaired journal loses at most its last record, and opening says what is wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState, create_trial
from regnet_ds.analysis.records import SCHEMA
from regnet_ds.analysis.storages.storage import (
    batch,
    exclusive,
    load_study,
    open_storage,
    parse_url,
)

WAITING = TrialState.WAITING


def add(study: optuna.Study, **attrs: object) -> None:
    study.add_trial(create_trial(state=WAITING, user_attrs=dict(attrs)))


def indices(path: Path) -> list[int]:
    study = load_study(open_storage(path, create=False), "s")
    return [trial.user_attrs["index"] for trial in study.trials]


def test_a_journal_cut_at_every_byte_of_its_last_record_stays_usable(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "regnet_ds.analysis.storages.storage.os.fsync", lambda handle: None
    )  # for speed
    whole = tmp_path / "whole.journal"
    study = optuna.create_study(storage=open_storage(whole), study_name="s")
    add(study, index=0)
    add(study, index=1)
    data = whole.read_bytes()
    start = data.rstrip(b"\n").rfind(b"\n") + 1
    cut = tmp_path / "cut.journal"
    for end in range(start, len(data) + 1):
        cut.write_bytes(data[:end])
        kept = [0, 1] if end == len(data) else [0]
        assert indices(cut) == kept
        add(load_study(open_storage(cut), "s"), index=2)
        assert indices(cut) == [*kept, 2]
        assert cut.read_bytes().startswith(data[:start])


def test_a_line_torn_while_open_is_cut_before_the_next_record(tmp_path):
    path = tmp_path / "j"
    study = optuna.create_study(storage=open_storage(path), study_name="s")
    other = load_study(open_storage(path), "s")
    with path.open("ab") as file:
        file.write(b'{"op_code":4,"worker_id":"x","study')
    assert len(other.trials) == 0
    add(study, index=5)
    assert [t.user_attrs["index"] for t in other.trials] == [5]
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_a_journal_cut_within_its_first_record_is_empty(tmp_path):
    path = tmp_path / "j"
    for torn in (b"", b"{", b'{"op_code":0,"worker'):
        path.write_bytes(torn)
        with pytest.raises(ValueError, match="holds no study"):
            load_study(open_storage(path))


def test_a_failed_write_leaves_nothing_behind(tmp_path, monkeypatch):
    path = tmp_path / "j"
    study = optuna.create_study(storage=open_storage(path), study_name="s")
    before = path.read_bytes()
    real = os.write

    def full(handle: int, data: bytes) -> int:
        real(handle, bytes(data)[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("regnet_ds.analysis.storages.storage.os.write", full)
    with pytest.raises(OSError, match="No space"):
        add(study, index=0)
    monkeypatch.undo()
    assert path.read_bytes() == before
    add(study, index=0)
    assert indices(path) == [0]


APPEND = """
import sys
from optuna.trial import TrialState, create_trial
from regnet_ds.analysis.storages.storage import exclusive, load_study, open_storage
study = load_study(open_storage(sys.argv[1]), "s")
for i in range(15):
    with exclusive(study._storage):
        index = int(sys.argv[2]) * 100 + i
        study.add_trial(create_trial(state=TrialState.WAITING, user_attrs={"index": index}))
"""


def test_two_processes_append_without_losing_a_record(tmp_path):
    path = tmp_path / "j"
    optuna.create_study(storage=open_storage(path), study_name="s")
    commands = [[sys.executable, "-c", APPEND, str(path), worker] for worker in ("0", "1")]
    workers = [subprocess.Popen(command) for command in commands]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert sorted(indices(path)) == [*range(15), *range(100, 115)]


def test_a_leftover_lock_file_does_not_block(tmp_path):
    path = tmp_path / "j"
    (tmp_path / "j.lock").symlink_to("nobody")
    study = optuna.create_study(storage=open_storage(path), study_name="s")
    add(study, index=0)
    assert indices(path) == [0]


def test_a_batch_is_one_write_and_nothing_if_it_fails(tmp_path):
    path = tmp_path / "j"
    storage = open_storage(path)
    study = optuna.create_study(storage=storage, study_name="s")
    with batch(storage):
        for i in range(3):
            add(study, index=i)
        assert len(study.trials) == 0
    assert indices(path) == [0, 1, 2]
    with pytest.raises(KeyError), batch(storage):
        add(study, index=3)
        raise KeyError("stop")
    assert indices(path) == [0, 1, 2]


def test_a_newer_schema_is_refused(tmp_path):
    storage = open_storage(tmp_path / "j")
    study = optuna.create_study(storage=storage, study_name="s")
    study.set_user_attr("schema", SCHEMA + 1)
    with pytest.raises(ValueError, match=f"schema {SCHEMA + 1}, newer than {SCHEMA}"):
        load_study(storage, "s")


def test_names_of_studies(tmp_path):
    storage = open_storage(tmp_path / "j")
    optuna.create_study(storage=storage, study_name="alpha")
    assert load_study(storage).study_name == "alpha"
    optuna.create_study(storage=storage, study_name="beta")
    with pytest.raises(ValueError, match="name one: alpha, beta"):
        load_study(storage)
    with pytest.raises(ValueError, match=r"unknown study 'alpa' \(nearest: alpha\)"):
        load_study(storage, "alpa")


@pytest.mark.parametrize("content", [b"error\n1.5", b"SQLite format 3\0", b"{}\n", b"\0\0"])
def test_another_file_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"table\.csv"):
        open_storage(path)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_damaged_line_is_named(tmp_path):
    path = tmp_path / "j"
    optuna.create_study(storage=open_storage(path), study_name="s")
    path.write_bytes(path.read_bytes() + b'{"op_code":\n' + path.read_bytes())
    with pytest.raises(ValueError, match="damaged journal"):
        open_storage(path)


def test_missing_storages(tmp_path):
    for url in (str(tmp_path / "no"), f"journal:{tmp_path}/no", f"sqlite:///{tmp_path}/no"):
        with pytest.raises(ValueError, match="no such file"):
            open_storage(url, create=False)
    with pytest.raises(ValueError, match="is a folder"):
        open_storage(tmp_path)
    with pytest.raises(ValueError, match="cannot make the folder"):
        (tmp_path / "file").write_text("")
        open_storage(tmp_path / "file" / "j")
    open_storage(tmp_path / "new" / "j")
    assert (tmp_path / "new" / "j").exists()


def test_sqlite(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    storage = open_storage(url)
    study = optuna.create_study(storage=storage, study_name="s")
    with exclusive(storage), batch(storage):
        add(study, index=0)
    assert len(load_study(open_storage(url, create=False)).trials) == 1
    storage.remove_session()


@pytest.mark.parametrize(
    ("url", "kind", "text"),
    [
        ("a/b.log", "journal", "journal:a/b.log"),
        ("journal:a/b.log", "journal", "journal:a/b.log"),
        ("journal:///a/b.log", "journal", "journal:/a/b.log"),
        ("sqlite:///s.db", "sqlite", "sqlite:///s.db"),
        ("postgresql+psycopg://u:p@h/d", "postgresql", "postgresql+psycopg://u:p@h/d"),
    ],
)
def test_urls(url, kind, text):
    place = parse_url(url)
    assert (place.kind, place.text) == (kind, text)
    assert "u:p@" not in place.shown


@pytest.mark.parametrize("url", ["", "journal:", "sqlite://", "mysql://h/d", "sqlite:s.db"])
def test_bad_urls(url):
    with pytest.raises(ValueError, match=r"storage|SQLite"):
        parse_url(url)
