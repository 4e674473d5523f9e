"""``regnet-ds data``: facts, TFRecords, check, show."""

import importlib.util
import json
from pathlib import Path

import pytest

HELPER = Path(__file__).parents[1] / "search" / "photographs.py"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    spec = importlib.util.spec_from_file_location("photographs", HELPER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.write_folder(tmp_path_factory.mktemp("photos"), 20)


def test_facts(call):
    code, out, _ = call("data", "facts", "digits", "--format", "json")
    (row,) = json.loads(out)
    assert code == 0
    assert (row["train"], row["val"], row["test"], row["classes"]) == (1077, 360, 360, 10)
    assert row["resolution"] == 32 and row["flip"] is False


def test_a_folder_becomes_records_that_check_finds_sound(call, photos, tmp_path):
    out = tmp_path / "records"
    code, _, err = call("data", "tfrecords", photos, "--out", out, "--images-per-shard", 8)
    assert code == 0, err
    assert f"wrote {len(list(out.glob('*.tfrecord')))} shards" in err
    assert "of 2 classes" in err
    assert call("data", "tfrecords", photos, "--out", out, "--images-per-shard", 8)[0] == 0
    code, text, err = call("data", "check", f"{out},{photos}")
    assert code == 0 and text == ""
    assert f"{out}: 40 images read, 0 damaged" in err
    assert f"{photos}: 40 images read, 0 damaged" in err
    code, text, _ = call("data", "facts", out, "--format", "json", "--resolution", 64)
    (row,) = json.loads(text)
    assert row["train"] + row["val"] + row["test"] == 40 and row["resolution"] == 64


def test_check_names_what_is_damaged_and_says_so_by_its_exit_code(call, photos, tmp_path):
    import shutil

    folder = shutil.copytree(photos, tmp_path / "damaged")
    (folder / "china" / "0003.jpg").write_bytes(b"")
    code, out, err = call("data", "check", folder)
    assert code == 1 and out == "china/0003.jpg: empty\n"
    assert "40 images read, 1 damaged" in err
    code, _, err = call("data", "tfrecords", folder, "--out", tmp_path / "x")
    assert code == 2 and "1 images" in err and "china/0003.jpg" in err
    code, _, err = call("data", "tfrecords", folder, "--out", tmp_path / "x", "--skip-damaged")
    assert code == 0


@pytest.mark.parametrize("source", ["digits", "photos"])
def test_show_draws_a_grid(call, photos, tmp_path, source):
    out = tmp_path / "grid.png"
    name = photos if source == "photos" else source
    arguments = ("--set", "mixup_alpha=0.3", "--resolution", 32, "-n", 2, "--views", 2)
    code, _, err = call("data", "show", name, "--out", out, *arguments)
    assert code == 0, err
    assert out.read_bytes().startswith(b"\x89PNG")
    assert ("allows less augmentation" in err) == (source == "digits")


def test_bad_input(refuses, photos):
    refuses(["data", "facts", "digit"], "unknown data set 'digit'", {})
    refuses(["data", "show", "digits", "--out", "grid.txt"], "grid.txt", {})
    refuses(["data", "show", "digits", "--out", "a.png", "--set", "flop=1"], "no field 'flop'", {})
    refuses(["data", "check", "nowhere"], "nowhere", {})
    refuses(["data", "tfrecords", str(photos), "--out", "x", "--workers", "0"], "workers", {})
    refuses(["data", "tfrecords", "nowhere", "--out", "x"], "nowhere", {})
