"""Faults that a study of weeks meets, end to end: nothing lost and nothing counted twice."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from optuna.trial import TrialState
from regnet_ds.analysis.storages.storage import load_study, open_storage
from regnet_ds.search.populations.studies import run_study
from regnet_ds.search.queue.counts import status
from regnet_ds.search.queue.leases import OWNER

N = 60


@pytest.fixture
def command(tmp_path, fake_trainer, monkeypatch):
    """Return the command line of a study of 60 trials, and its journal."""
    monkeypatch.setenv("FAKE_LEDGER", str(tmp_path / "ledger"))
    path = tmp_path / "s.journal"
    options = ["--flops", "4M", "-n", str(N), "--epochs", "3", "--storage", str(path)]
    line = [sys.executable, "-m", "regnet_ds", "study", "run", *options, "--trainer", fake_trainer]
    return line, path


def counts(path):
    found = status(load_study(open_storage(path), "population"))
    return {key: n for key, n in found.items() if n}


def trained(tmp_path):
    lines = (tmp_path / "ledger").read_text().splitlines()
    return [int(line.split()[0]) for line in lines]


def table(path):
    keys = ("index", "seed", "status", "stage_widths")
    return [
        (t.value, t.intermediate_values, [t.user_attrs.get(k) for k in keys])
        for t in load_study(open_storage(path), "population").trials
    ]


def kill_a_worker(path, rng):
    """Kill the worker of a trial that has lost none yet; a trial that loses three is given up."""
    study = load_study(open_storage(path), "population")
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    owners = [t.user_attrs.get(OWNER) for t in running if t.user_attrs.get("attempts") == 1]
    pids = [owner["pid"] for owner in owners if owner]
    if not pids:
        return 0
    try:
        os.kill(rng.choice(pids), signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return 1


@pytest.mark.slow
def test_workers_and_their_parent_are_killed_again_and_again(
    command, tmp_path, monkeypatch, fake_trainer
):
    line, path = command
    monkeypatch.setenv("FAKE_SECONDS", "0.9")
    rng = random.Random(0)
    parent = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    killed, parents, deadline = 0, 0, time.monotonic() + 240
    while not path.exists() or counts(path).get("complete", 0) < 2:
        time.sleep(0.2)
        assert time.monotonic() < deadline
    while counts(path).get("complete") != N and time.monotonic() < deadline:
        time.sleep(rng.uniform(1.5, 3.0))
        if parents == 0 and counts(path).get("complete", 0) > N // 2:
            workers = psutil.Process(parent.pid).children()
            parent.kill()
            parent.wait()
            psutil.wait_procs(workers, timeout=200)
            parents += 1
            assert not any(process.is_running() for process in workers)
            parent = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        else:
            killed += kill_a_worker(path, rng)
    assert parent.wait(60) == 0
    assert killed >= 5 and parents == 1
    assert counts(path) == {"complete": N}
    assert sorted(set(trained(tmp_path))) == list(range(N))
    assert len(trained(tmp_path)) <= N + killed + 2
    monkeypatch.setenv("FAKE_SECONDS", "0")
    quiet = tmp_path / "quiet.journal"
    again = [str(quiet) if word == str(path) else word for word in line]
    assert subprocess.run(again, capture_output=True).returncode == 0
    assert table(quiet) == table(path)


@pytest.mark.slow
def test_a_disk_that_fills_stops_the_run_and_loses_nothing(command, tmp_path, fake_trainer):
    line, path = command
    few = [*line, "--max-trials", "3"]
    assert subprocess.run(few, capture_output=True).returncode == 0
    done = counts(path)["complete"]
    room = path.stat().st_size + 8_000

    def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    made = subprocess.run(line, capture_output=True, text=True, preexec_fn=fill, timeout=120)
    assert made.returncode == 1
    said = made.stderr.splitlines()[-1]
    assert "File too large" in said and "Traceback" not in made.stderr
    assert path.stat().st_size <= room
    assert done < counts(path)["complete"] < N and "failed" not in counts(path)
    assert run_study(f"journal:{path}", "population", 2, trainer=fake_trainer)
    assert counts(path) == {"complete": N}
    assert sorted(set(trained(tmp_path))) == list(range(N))
    # a trial whose result found no room is trained again, and counted once
    numbers = [t.number for t in load_study(open_storage(path), "population").trials]
    assert numbers == list(range(N))


def test_the_last_lines_of_a_run_are_json_for_whoever_watches(command, monkeypatch):
    line, path = command
    made = subprocess.run(
        [*line, "--max-trials", "2", "--format", "json"], capture_output=True, text=True
    )
    (row,) = json.loads(made.stdout)
    assert row["complete"] == 2 == counts(Path(path))["complete"]
    assert "stopped after 2 trials; the same command continues" in made.stderr
