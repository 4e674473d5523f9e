"""A study on a real PostgreSQL, worked on by several pools: nothing lost, nothing twice."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from optuna.trial import TrialState
from regnet_ds.analysis.storages.storage import load_study, open_storage
from regnet_ds.search.populations.settings import Settings
from regnet_ds.search.populations.studies import create_population_study, run_study
from regnet_ds.search.queue.counts import status
from regnet_ds.search.queue.executors import WorkerPool
from regnet_ds.search.queue.leases import LEASE, OWNER

N = 16


@pytest.fixture
def make(population, settings, monkeypatch, database, tmp_path):
    monkeypatch.chdir(tmp_path)  # where the logs of studies on a server go
    monkeypatch.setenv("FAKE_SECONDS", "0.3")

    def make_study(url=database, n=N):
        study = create_population_study(url, "p", population(n), settings)
        study.set_user_attr(LEASE, 2.0)
        return url

    return make_study


@pytest.fixture
def ledger(monkeypatch, tmp_path):
    path = tmp_path / "ledger"
    monkeypatch.setenv("FAKE_LEDGER", str(path))
    return lambda: [int(line.split()[0]) for line in path.read_text().splitlines()]


def open_study(url):
    return load_study(open_storage(url), "p")


def counts(study):
    return {k: v for k, v in status(study).items() if v}


def table(study):
    keys = ("index", "seed", "status", "best_epoch")
    return [
        (t.number, t.value, t.intermediate_values, [t.user_attrs.get(k) for k in keys])
        for t in study.trials
    ]


def quiet_table(make, monkeypatch, fake_trainer, tmp_path):
    """The table of the same study on a journal, where nothing happens."""
    monkeypatch.setenv("FAKE_SECONDS", "0")
    quiet = make(f"journal:{tmp_path}/quiet.journal")
    assert run_study(quiet, "p", 1, trainer=fake_trainer)
    return table(open_study(quiet))


def kill_one(study, rng):
    """Kill a worker whose trial has lost none yet; a trial that loses three is given up."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    owners = [t.user_attrs.get(OWNER) for t in running if t.user_attrs.get("attempts") == 1]
    pids = [owner["pid"] for owner in owners if owner]
    if pids:
        os.kill(rng.choice(pids), signal.SIGKILL)
    return bool(pids)


@pytest.mark.slow
@pytest.mark.smoke
def test_two_pools_whose_workers_are_killed_and_a_server_that_restarts(
    make, ledger, fake_trainer, monkeypatch, tmp_path, postgres
):
    url = make()
    study, storage = open_study(url), open_storage(url)
    pools = [
        WorkerPool(url, ["p"], 2, folder=tmp_path / f"host{i}", trainer=fake_trainer, name=f"{i}-")
        for i in range(2)
    ]
    rng = random.Random(0)
    killed, restarted = 0, False
    deadline = time.monotonic() + 120
    try:
        while counts(study) != {"complete": N} and time.monotonic() < deadline:
            for pool in pools:
                pool.mend(storage)
            done = counts(study).get("complete", 0)
            if killed < 3 and done > 3 * killed and counts(study).get("running", 0) > 1:
                killed += kill_one(study, rng)
            if not restarted and done >= N // 2:
                postgres.stop()
                time.sleep(0.5)
                postgres.start()
                restarted = True
            time.sleep(0.1)
    finally:
        for pool in pools:
            pool.stop()
    assert (killed, restarted) == (3, True)
    assert counts(study) == {"complete": N}
    assert sorted(set(ledger())) == list(range(N))
    assert len(ledger()) <= N + killed
    workers = {t.user_attrs["worker"] for t in study.trials}
    assert {name[:2] for name in workers} == {"0-", "1-"}
    assert table(study) == quiet_table(make, monkeypatch, fake_trainer, tmp_path)


@pytest.mark.slow
def test_a_host_that_is_lost_costs_a_lease(make, ledger, fake_trainer, tmp_path):
    url = make(n=6)
    lost = WorkerPool(url, ["p"], 2, folder=tmp_path / "lost", trainer=fake_trainer, name="lost-")
    lost.start()
    study = open_study(url)
    deadline = time.monotonic() + 60
    while counts(study).get("running", 0) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    for pid in lost.pids:
        os.kill(pid, signal.SIGKILL)
    lost.kill()
    began = time.monotonic()
    assert run_study(url, "p", 2, trainer=fake_trainer)
    assert time.monotonic() - began < 30
    assert counts(study) == {"complete": 6}
    assert sorted(set(ledger())) == list(range(6))
    attempts = [t.user_attrs["attempts"] for t in study.trials]
    assert sorted(attempts) == [1, 1, 1, 1, 2, 2] or sum(attempts) <= 8


def command(*arguments):
    return [sys.executable, "-m", "regnet_ds", "study", *arguments]


@pytest.mark.slow
def test_a_worker_joins_from_the_command_line(make, ledger, fake_trainer, database):
    url = make()
    join = command("worker", "--storage", url, "--trainer", fake_trainer)
    others = [
        subprocess.Popen([*join, "--name", name], stderr=subprocess.PIPE, text=True)
        for name in ("a", "b")
    ]
    said = [other.communicate(timeout=120)[1] for other in others]
    assert [other.returncode for other in others] == [0, 0], said
    assert all("nothing waits in postgresql" in text for text in said)
    assert sorted(ledger()) == list(range(N))
    workers = {t.user_attrs["worker"] for t in open_study(url).trials}
    assert workers <= {"a-1", "b-1"}
    shown = subprocess.run(
        command("status", "--storage", database, "--format", "json"),
        capture_output=True,
        text=True,
        check=True,
    )
    (row,) = json.loads(shown.stdout)
    assert (row["complete"], row["waiting"]) == (N, 0)


@pytest.mark.slow
def test_ctrl_c_of_a_worker_returns_its_trial(make, fake_trainer, monkeypatch):
    monkeypatch.setenv("FAKE_SECONDS", "60")
    url = make(n=2)
    study = open_study(url)
    join = command("worker", "--storage", url, "--trainer", fake_trainer)
    process = subprocess.Popen(join, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 60
    while not counts(study).get("running") and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=300)[1]
    assert process.returncode == 130
    assert "the same command continues" in said
    assert counts(study) == {"waiting": 2}
    assert study.trials[0].user_attrs["attempts"] == 0


@pytest.mark.slow
def test_real_training_on_a_server(database, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    from regnet_ds.designspace import RegNetParams
    from regnet_ds.search.data.datasets import load_dataset
    from regnet_ds.search.recipes.recipe import Recipe

    networks = [RegNetParams(depth, 8, 16.0, 2.5, 8).to_spec() for depth in (2, 3)]
    settings = Settings.of(load_dataset("digits"), Recipe(epochs=1, lr=0.1), seed=1)
    tables = []
    for url in (database, f"journal:{tmp_path}/j"):
        create_population_study(url, "p", networks, settings)
        assert run_study(url, "p", 2)
        tables.append(table(open_study(url)))
    assert tables[0] == tables[1]
