"""space count, space enumerate: what they print, write and refuse."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from regnet_ds.designspace import find_space
from regnet_ds.designspace.constraints import with_law
from regnet_ds.designspace.laws import Choice

Call = Callable[..., tuple[int, str, str]]


def test_count(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("space", "count", "anynetx-e", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(out))
    assert code == 0
    assert row["settings"] == "817446539520"
    assert row["printed"] == "~5.5e11"
    records = json.loads(call("space", "count", "--format", "json")[1])
    assert {"regnetx", "anynetx-a"} <= {record["space"] for record in records}
    assert "13821510942720" in call("space", "count")[1]
    assert call("space", "count", "--out", tmp_path / "s.csv")[0] == 0
    assert len((tmp_path / "s.csv").read_text().splitlines()) == len(records) + 1


@pytest.fixture
def small_regnetx(monkeypatch: pytest.MonkeyPatch) -> None:
    space = find_space("regnetx")
    for name, values in {"w0": (8, 48), "wa": (8, 40), "wm": (2, 2.5)}.items():
        space = space & with_law(name, Choice(tuple(map(float, values))))
    monkeypatch.setattr("regnet_ds.designspace.space_catalogue.find_space", lambda _: space)


@pytest.mark.usefixtures("small_regnetx")
def test_enumerate_writes_and_goes_on(call: Call, tmp_path: Path) -> None:
    arguments = ("space", "enumerate", "--out", tmp_path / "e", "--workers", "1")
    code, out, err = call(*arguments)
    assert code == 0
    assert out.splitlines()[1].split() == ["space", "regnetx"]
    assert "200MF" in out
    assert "chunk 2 of" in err
    code, again, err = call(*arguments)
    assert (code, again) == (0, out)
    assert "chunk" not in err
    (record,) = json.loads(call(*arguments, "--format", "json")[1])
    assert record == json.loads((tmp_path / "e" / "summary.json").read_text())[0]
    assert f"{record['networks']:,}" in out
    assert record["settings"] == 17 * 2 * 2 * 2 * 16
    code, out, err = call(*arguments, "--resolution", "64")
    assert (code, out) == (2, "")
    assert "holds another enumeration (resolution 224)" in err


BAD: list[tuple[tuple[str, ...], str]] = [
    (("count", "regnettx"), "unknown space 'regnettx' (nearest: regnetx;"),
    (("count", "--out", "a.cvs"), "unknown suffix '.cvs'"),
    (("enumerate", "regnetq", "--out", "e"), "unknown space 'regnetq'"),
    (("enumerate", "anynetx-c", "--out", "e"), "only spaces of RegNets can be enumerated"),
    (("enumerate", "regnetx"), "--out"),
    (("enumerate", "--out", "e", "--workers", "0"), "got '0'"),
    (("enumerate", "--out", "e", "--resolution", "16"), "resolution must be at least 32 px"),
    (("enumerate", "--out", "file.txt"), "file.txt: it is not a folder"),
    (("enumerate", "--out", "file.txt/e"), "cannot write"),
    (("enumerate", "--out", "."), "is not empty and holds no enumeration"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_input_is_one_line_and_exit_code_2(
    refuses: Callable[..., None], arguments: tuple[str, ...], message: str
) -> None:
    refuses(("space", *arguments), message, {"file.txt": ""})


@pytest.mark.slow
def test_ctrl_c_and_kill_leave_a_folder_that_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "regnet_ds", "space", "enumerate", "--out", "e"]
    for sent, code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        before = chunks(tmp_path)
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 120
        while len(chunks(tmp_path)) < len(before) + 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(process.pid, sent)
        _, err = process.communicate(timeout=120)
        assert process.returncode == code
        assert "Traceback" not in err
        assert len(before) + 3 <= len(chunks(tmp_path)) < 35
    done = subprocess.run(
        [*command, "--format", "json"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["networks"] == 8_942_581


def chunks(folder: Path) -> list[Path]:
    return sorted(folder.glob("e/chunks/[0-9]*.npz"))
