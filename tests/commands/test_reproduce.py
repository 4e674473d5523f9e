"""reproduce: with a trainer that pretends, in full."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import regnet_ds.analysis as regnet_ds_analysis
from regnet_ds.analysis import learning_curves, load_example, load_table
from regnet_ds.search.reproduction.ladder import MOST_BLOCKS, SPACES, Ladder, draw
from regnet_ds.search.reproduction.small_studies import FORMS, MAPS_SPACES, SIZES

FAKE = Path(__file__).resolve().parent.parent / "search" / "fake_trainer.py"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def ladder(n: int, *more: str) -> list[str]:
    fake = ["--trainer", f"{FAKE}:train"]
    return ["reproduce", "ladder", "--out", "made", "-n", str(n), *fake, *more]


def test_the_ladder_is_trained_in_turn_packed_and_continued(regnet_ds: Run, tmp_path: Path) -> None:
    stopped = regnet_ds(*ladder(12, "--max-trials", "60"))
    assert stopped.returncode == 0, stopped.stderr
    assert "the same command continues" in stopped.stderr
    assert not (tmp_path / "made" / "ladder.parquet").exists()
    done = regnet_ds(*ladder(12))
    assert done.returncode == 0, done.stderr
    for heading in ("The populations", "The ladder", "Widths on a line", "Good parameters"):
        assert f"### {heading}" in done.stdout
    assert done.stdout.count("| 12 |") == len(SPACES)
    table = load_table(tmp_path / "made" / "ladder.parquet")
    own = table[table["replicate"] == 0]
    assert own.groupby("space", observed=True).size().to_dict() == dict.fromkeys(SPACES, 12)
    assert (table["replicate"] > 0).sum() == len(SPACES) * 4
    assert own["flops"].between(1.9e6, 2.1e6).all()
    assert own["depth"].max() <= MOST_BLOCKS
    assert not table.duplicated(["space", "seed"]).any()
    assert {len(curve) for curve in table["curve"]} == {3}
    for name in ("ladder", "fits", "ranges"):
        assert (tmp_path / "made" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ladder", "-n", "1"), "greater than or equal to 2, got '1'"),
        (("ladder", "-n", "2", "--workers", "0"), "workers must be at least 1, got 0"),
        (("findings", "nothing.csv"), "no such file"),
        (("findings", "example:imagenet"), "a ladder needs the columns space, index and replicate"),
    ],
)
def test_bad_input(call, arguments: tuple[str, ...], message: str) -> None:  # type: ignore[no-untyped-def]
    code, out, err = call("reproduce", *arguments)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert message in err


PAGE = (Path(__file__).parents[2] / "docs" / "findings.md").read_text(encoding="utf-8")
DRAWN = ("fits", "ladder", "ranges", "steps")


def test_the_page_is_what_the_command_prints(call, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Every number of the page is printed by the command, from the file that is shipped."""
    begin, end = "<!-- printed by: regnet-ds reproduce findings -->", "<!-- end -->"
    block = PAGE.partition(begin)[2].partition(end)[0].strip()
    code, out, err = call("reproduce", "findings", "--out", tmp_path)
    assert code == 0, err
    assert out.strip() == block
    pictures = Path(__file__).parents[2] / "docs" / "pictures" / "findings"
    assert sorted(path.stem for path in pictures.iterdir()) == list(DRAWN)
    for name in DRAWN:
        assert f"pictures/findings/{name}.png)" in PAGE
        for made in (tmp_path, pictures):
            assert 5_000 < (made / f"{name}.png").stat().st_size < 300_000


def test_every_answer_on_the_page_has_an_interval() -> None:
    answers = [line for line in PAGE.splitlines() if line.startswith("- **")]
    assert len(answers) >= 15
    for line in answers:
        assert re.search(r"\(.*-?\d to -?\d.*\)", line), line


def test_the_shipped_ladder() -> None:
    path = Path(regnet_ds_analysis.__file__).parent / "data" / "ladder.parquet"
    assert path.stat().st_size < 1_000_000
    table = load_example("ladder")
    own = table[table["replicate"] == 0]
    assert set(own["space"]) == set(SPACES)
    assert not own.duplicated(["space", "index"]).any()
    assert own["flops"].between(1.9e6, 2.1e6).all()
    assert own["depth"].max() <= MOST_BLOCKS
    assert [len(curve) for curve in table["curve"]] == table["epochs"].tolist()
    last = [curve[-1] for curve in table["curve"]]
    done = (table["status"] == "complete").to_numpy()
    assert table["error"].to_numpy()[done].tolist() == np.array(last)[done].tolist()
    # The networks are those that the seed decides, counted as they are today.
    plan = Ladder(3)
    for space in SPACES:
        drawn = draw(plan, space, plan.settings())
        first = own[own["space"] == space].sort_values("index").head(3)
        assert [tuple(w) for w in drawn.stage_widths.tolist()] == first["stage_widths"].tolist()
        assert drawn.flops.tolist() == first["flops"].tolist()
        assert drawn.acts.tolist() == first["acts"].tolist()
    assert len(learning_curves("example:ladder")) == table["epochs"].sum()


def retrained(regnet_ds: Run, number: int, seed: int) -> list[dict[str, object]]:
    """Train shipped models again in a process of its own, whose threads are still to be set."""
    wanted = ("-n", str(number), "--seed", str(seed), "--format", "json")
    done = regnet_ds("reproduce", "check", *wanted, timeout=600 + 300 * number)
    rows = json.loads(done.stdout)
    assert done.returncode == any(row["agrees"] == "no" for row in rows), done.stderr
    return rows


@pytest.mark.smoke
@pytest.mark.slow
def test_a_shipped_model_comes_out_again(regnet_ds: Run) -> None:
    (row,) = retrained(regnet_ds, 1, seed=0)
    assert row["agrees"] == "yes"


@pytest.mark.slow
def test_a_twentieth_of_the_shipped_models_comes_out_again(regnet_ds: Run) -> None:
    """Equal in the environment that made them; elsewhere within 2 sd, but for what chance does."""
    rows = retrained(regnet_ds, len(load_example("ladder")) // 20, seed=1)
    assert all(row["agrees"] == "yes" for row in rows if row["environment"] == "same")
    assert np.mean([row["agrees"] == "yes" for row in rows]) >= 0.9


def test_the_smaller_studies_are_trained_and_answered(regnet_ds: Run, tmp_path: Path) -> None:
    fake = ["--trainer", f"{FAKE}:train"]
    done = regnet_ds("reproduce", "more", "--out", "made", "-n", "12", "--rates", "8", *fake)
    assert done.returncode == 0, done.stderr
    packed = tmp_path / "made" / "more.parquet"
    table = load_table(packed)
    counts = table.groupby("study", observed=True).size().to_dict()
    assert counts["rates"] == 8
    assert {counts[f"scaling/{form}"] for form in FORMS} == {15}
    assert {counts[f"augmentation/{size}"] for size in SIZES} == {9}
    assert {counts[f"maps/{space}"] for space in MAPS_SPACES} == {12 + 4}
    scaled = table[table["study"].str.startswith("scaling/")]
    assert scaled["flops"].between(1.9e6, 2.1e6).all()
    recipes = table[table["study"] == "rates"]["recipe"]
    assert recipes.is_unique
    assert set(table[table["study"] == "maps/anynetx-e"]["stage_strides"]) == {(1, 2, 2, 2)}


def test_the_shipped_smaller_studies() -> None:
    folder = Path(regnet_ds_analysis.__file__).parent / "data"
    assert sum(path.stat().st_size for path in folder.glob("*.parquet")) < 1_000_000
    table = load_example("ladder-more")
    counts = table.groupby("study", observed=True).size().to_dict()
    assert counts["rates"] == 40
    assert {counts[f"scaling/{form}"] for form in FORMS} == {15}
    assert {counts[f"augmentation/{size}"] for size in SIZES} == {9}
    assert min(counts[f"maps/{space}"] for space in MAPS_SPACES) >= 10


COMMANDS = {
    "ladder": ["reproduce", "ladder", "-n", "12"],
    "more": ["reproduce", "more", "-n", "12", "--rates", "8"],
}


def finished(journal: Path) -> int:
    """Return how many trainings a journal has the end of (Optuna's record 6, state COMPLETE)."""
    records = [] if not journal.exists() else map(json.loads, journal.read_text().splitlines()[:-1])
    return sum(record["op_code"] == 6 and record["state"] == 1 for record in records)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "stops"),
    [
        ("ladder", (30,)),
        ("more", (30, 71)),  # the smaller studies are 71 trainings, then come the maps
    ],
)
def test_ctrl_c_loses_nothing(
    regnet_ds: Run, tmp_path: Path, name: str, stops: tuple[int, ...]
) -> None:
    command = [*COMMANDS[name], "--trainer", f"{FAKE}:train"]
    whole = regnet_ds(*command, "--out", "whole")
    assert whole.returncode == 0, whole.stderr
    journal = tmp_path / "made" / "runs.journal"
    for stop in stops:
        wanted = max(stop, finished(journal) + 1)
        deadline = time.monotonic() + 300
        process = subprocess.Popen(
            [sys.executable, "-m", "regnet_ds", *command, "--out", "made"],
            cwd=tmp_path,
            env={**os.environ, "FAKE_SECONDS": "0.1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        while finished(journal) < wanted and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=60)[1]
        assert process.returncode == 130, err
        assert "stopped; the same command continues" in err
        assert not (tmp_path / "made" / f"{name}.parquet").exists()
    done = regnet_ds(*command, "--out", "made")
    assert done.returncode == 0, done.stderr
    key, same = ["study", "index", "replicate"], ["seed", "error", "recipe", "stage_widths"]
    tables = [load_table(tmp_path / at / f"{name}.parquet") for at in ("whole", "made")]
    one, other = (table.sort_values(key)[key + same].to_dict("records") for table in tables)
    assert one == other
