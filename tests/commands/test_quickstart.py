"""quickstart: with a trainer that pretends, in full; for real, the regime's promises."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from regnet_ds.analysis import load_table
from regnet_ds.designspace import CANONICAL

FAKE = Path(__file__).resolve().parent.parent / "search" / "fake_trainer.py"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def arguments(*more: str) -> list[str]:
    return ["quickstart", "--out", "made", "--models", "5", "--trials", "2", *more]


def check_everything(folder: Path, models: int, trials: int) -> dict[str, object]:
    summary = json.loads((folder / "summary.json").read_text())
    for name in ("edf.png", "edf.svg", "ranges.png", "ranges.svg"):
        assert (folder / name).stat().st_size > 5_000
    assert len(list((folder / "canonical").glob("*.yaml"))) == len(CANONICAL)
    table = load_table(str(folder / "population.csv"))
    assert (table["replicate"] == 0).sum() == models == summary["models"]
    assert (table["replicate"] > 0).sum() == 6
    assert table.loc[table["replicate"] > 0, "index"].nunique() == 3
    assert table["flops"].between(3.6e5, 6.6e6).all()
    assert table["depth"].between(4, 16).all()
    for row in summary["tuned"]:
        assert row["trials"] == trials
        made = yaml.safe_load((folder / "tuned" / f"{row['model']}.yaml").read_text())
        assert made["recipe"]["lr"] == row["lr"]
        assert made["tuned"]["error"] == row["best_error"]
        assert made["tuned"]["data"] == "digits"
    return summary


def test_everything_is_made_and_resumed(regnet_ds: Run, tmp_path: Path) -> None:
    done = regnet_ds(*arguments("--trainer", f"{FAKE}:train"))
    assert done.returncode == 0, done.stderr
    summary = check_everything(tmp_path / "made", 5, 2)
    assert "median" in done.stdout
    assert "times the noise" in done.stdout
    assert "made/canonical" in done.stdout
    again = regnet_ds(*arguments("--trainer", f"{FAKE}:train"))
    assert again.returncode == 0
    assert {**check_everything(tmp_path / "made", 5, 2), "seconds": 0} == {**summary, "seconds": 0}


def test_ctrl_c_and_then_the_same_command(regnet_ds: Run, tmp_path: Path) -> None:
    command = arguments("--trainer", f"{FAKE}:train")
    process = subprocess.Popen(
        [sys.executable, "-m", "regnet_ds", *command],
        cwd=tmp_path,
        env={**os.environ, "FAKE_SECONDS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("population: "):
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "the same command continues" in err
    assert not (tmp_path / "made" / "edf.png").exists()
    assert regnet_ds(*command).returncode == 0
    check_everything(tmp_path / "made", 5, 2)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--workers", "0"], "workers must be at least 1, got 0"),
        (["--models", "2"], "greater than or equal to 3, got '2'"),
        (["--out", "file/x"], "cannot write to file/x"),
    ],
)
def test_bad_input(regnet_ds: Run, tmp_path: Path, more: list[str], message: str) -> None:
    (tmp_path / "file").write_text("")
    done = regnet_ds("quickstart", *more)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.slow
def test_the_promises_of_the_regime(regnet_ds: Run, tmp_path: Path) -> None:
    """At seed 0: median below 10%, best below 2.5%, spread 3 times that over seeds.

    REGNET_DS_QUICKSTART may name the folder of a run that is there already.
    """
    folder = Path(os.environ.get("REGNET_DS_QUICKSTART", tmp_path / "made"))
    if not (folder / "summary.json").exists():
        began = time.monotonic()
        done = regnet_ds("quickstart", "--out", str(folder), timeout=3600)
        assert done.returncode == 0, done.stderr
        assert "tensorflow" not in done.stderr.lower(), time.monotonic() - began
    summary = check_everything(folder, 16, 6)
    assert float(str(summary["median_error"])) < 10
    assert float(str(summary["best_error"])) < 2.5
    assert float(str(summary["spread_ratio"])) >= 3
