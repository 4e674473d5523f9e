"""Worker processes: the same table whoever dies, and nothing lost when all stop."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest
from regnet_ds.analysis.storages.storage import load_study, open_storage
from regnet_ds.designspace import RegNetParams
from regnet_ds.search.populations.studies import (
    create_population_study,
    population_step,
    run_study,
)
from regnet_ds.search.queue.counts import status
from regnet_ds.search.queue.executors import WorkerError, WorkerPool, run_workers
from regnet_ds.search.queue.guards import Limits
from regnet_ds.search.queue.tasks import run_folder

N = 12


@pytest.fixture
def make(population, settings, tmp_path, monkeypatch):
    """Return a function that makes a study and its URL; trials take FAKE_SECONDS."""
    monkeypatch.setenv("FAKE_SECONDS", "0.3")

    def make_study(name: str = "p", n: int = N) -> str:
        url = f"journal:{tmp_path}/{name}.journal"
        create_population_study(url, name, population(n), settings)
        return url

    return make_study


def table(url: str, name: str = "p") -> list[tuple]:
    study = load_study(open_storage(url), name)
    keys = ("index", "seed", "status", "best_epoch", "fingerprint", "stage_widths")
    return [
        (t.number, t.value, t.intermediate_values, [t.user_attrs.get(k) for k in keys])
        for t in study.trials
    ]


def counts(url: str, name: str = "p") -> dict[str, int]:
    return {k: v for k, v in status(load_study(open_storage(url), name)).items() if v}


def ledger(monkeypatch, tmp_path):
    path = tmp_path / "ledger"
    monkeypatch.setenv("FAKE_LEDGER", str(path))
    return lambda: [int(line.split()[0]) for line in path.read_text().splitlines()]


def test_progress_ends_with_all_trials_however_the_last_one_ends(make, monkeypatch):
    """It ends between two looks at the storage: what was counted before is not the end."""
    storage = open_storage(make(n=1))
    study = load_study(storage, "p")
    trial = study.ask()
    seen: list[dict[str, int]] = []
    step = population_step("p", seen.append)

    def count_then_end(one):
        counts = status(one)
        if not study.trials[0].state.is_finished():
            study.tell(trial, 1.0)
        return counts

    monkeypatch.setattr("regnet_ds.search.populations.studies.status", count_then_end)
    assert not step(storage)
    assert step(storage)
    assert [counts["complete"] for counts in seen] == [0, 1]


def test_one_or_two_workers_give_the_same_table(make, fake_trainer, monkeypatch, tmp_path):
    trained = ledger(monkeypatch, tmp_path)
    tables = []
    seen: list[dict[str, int]] = []
    for workers in (1, 2):
        monkeypatch.setenv("FAKE_SECONDS", "0.1")
        url = make(f"p{workers}", 6)
        assert run_study(url, f"p{workers}", workers, trainer=fake_trainer, on_progress=seen.append)
        tables.append(table(url, f"p{workers}"))
    assert tables[0] == tables[1]
    assert sorted(trained()) == sorted([*range(6)] * 2)
    assert seen[0]["waiting"] == 6 and seen[-1]["complete"] == 6
    study = load_study(open_storage(url), "p2")
    assert {t.user_attrs["worker"] for t in study.trials} == {"w1", "w2"}


@pytest.mark.slow
@pytest.mark.smoke
def test_a_killed_worker_loses_nothing_and_counts_nothing_twice(
    make, fake_trainer, monkeypatch, tmp_path
):
    trained = ledger(monkeypatch, tmp_path)
    url = make()
    pool = WorkerPool(url, ["p"], 2, folder=run_folder(url, "p"), trainer=fake_trainer)
    storage = open_storage(url)
    rng = random.Random(0)
    pool.start()
    killed = 0
    deadline = time.monotonic() + 60
    try:
        while counts(url) != {"complete": N} and time.monotonic() < deadline:
            if killed < 3 and counts(url).get("running", 0) == 2:
                time.sleep(rng.uniform(0.05, 0.25))
                os.kill(rng.choice(pool.pids), signal.SIGKILL)
                killed += 1
            pool.mend(storage)
            time.sleep(0.1)
    finally:
        pool.stop()
    assert killed == 3
    assert counts(url) == {"complete": N}
    assert sorted(set(trained())) == list(range(N))
    assert len(trained()) <= N + killed
    attempts = [t.user_attrs["attempts"] for t in load_study(storage, "p").trials]
    assert sum(attempts) <= N + killed
    monkeypatch.setenv("FAKE_SECONDS", "0")
    quiet = make("q")
    assert run_study(quiet, "q", 2, trainer=fake_trainer)
    assert [row[:3] for row in table(url)] == [row[:3] for row in table(quiet, "q")]


@pytest.mark.slow
def test_a_trial_that_kills_its_workers_fails_and_the_rest_goes_on(make, fake_trainer, monkeypatch):
    monkeypatch.setenv("FAKE_KILL", "1")
    monkeypatch.setenv("FAKE_SECONDS", "0")
    url = make(n=4)
    assert run_study(url, "p", 1, trainer=fake_trainer)
    assert counts(url) == {"complete": 3, "failed": 1}
    failed = load_study(open_storage(url), "p").trials[1]
    assert failed.user_attrs["reason"] == "its worker died 3 times"


PARENT = """
import sys
from regnet_ds.search.populations.studies import run_study
done = run_study(sys.argv[1], "p", 2, trainer=sys.argv[2])
print("done" if done else "interrupted")
"""


def parent(url: str, trainer: str) -> subprocess.Popen:
    command = [sys.executable, "-c", PARENT, url, trainer]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 30
    while counts(url).get("running", 0) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    return process


@pytest.mark.slow
def test_a_killed_parent_takes_its_workers_along_and_a_new_run_completes(make, fake_trainer):
    url = make()
    process = parent(url, fake_trainer)
    workers = psutil.Process(process.pid).children()
    assert len(workers) == 2
    process.kill()
    process.communicate()
    gone, alive = psutil.wait_procs(workers, timeout=100)
    assert len(gone) == 2 and not alive
    assert run_study(url, "p", 2, trainer=fake_trainer)
    assert counts(url) == {"complete": N}


@pytest.mark.slow
def test_two_runs_of_one_study_share_it(make, fake_trainer, monkeypatch, tmp_path):
    trained = ledger(monkeypatch, tmp_path)
    url = make()
    other = parent(url, fake_trainer)
    assert run_study(url, "p", 2, trainer=fake_trainer)
    assert other.communicate(timeout=300)[0].strip() == "done"
    assert counts(url) == {"complete": N}
    assert sorted(trained()) == list(range(N))


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_leaves_the_study_resumable(make, fake_trainer, monkeypatch, times):
    monkeypatch.setenv("FAKE_SECONDS", "60")
    url = make(n=4)
    process = parent(url, fake_trainer)
    workers = psutil.Process(process.pid).children()
    began = time.monotonic()
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    out, _ = process.communicate(timeout=200)
    assert time.monotonic() - began < 8
    assert out.strip() == "interrupted"
    assert not psutil.wait_procs(workers, timeout=30)[1]
    assert counts(url) == {"waiting": 4}
    monkeypatch.setenv("FAKE_SECONDS", "0")
    assert run_study(url, "p", 2, trainer=fake_trainer)
    assert counts(url) == {"complete": 4}


def test_an_interruption_as_the_last_trial_ends_is_one(make, fake_trainer, monkeypatch):
    """Else what comes next would go on: reproduce more, tune --confirm."""
    monkeypatch.setenv("FAKE_SECONDS", "0")
    url = make(n=2)

    def step(storage):
        if counts(url) != {"complete": 2}:
            return False
        os.kill(os.getpid(), signal.SIGINT)
        return True

    folder = run_folder(url, "p")
    assert not run_workers(url, ["p"], 1, step=step, folder=folder, trainer=fake_trainer)
    assert run_study(url, "p", 1, trainer=fake_trainer)


def test_runs_share_their_limits(make, fake_trainer, monkeypatch):
    monkeypatch.setenv("FAKE_SECONDS", "0")
    limits = Limits(trials=5)
    url = make(n=3)
    assert run_study(url, "p", 1, trainer=fake_trainer, limits=limits)
    url = make("q", 3)
    assert not run_study(url, "q", 1, trainer=fake_trainer, limits=limits)
    assert limits.reached == "5 trials"
    assert counts(url, "q") == {"complete": 2, "waiting": 1}


def test_workers_that_cannot_start_are_given_up(make, tmp_path):
    url = make(n=2)
    broken = tmp_path / "broken.py"
    broken.write_text("raise ImportError('no such library')\ndef train(): pass\n")
    with pytest.raises(WorkerError, match="no such library"):
        run_study(url, "p", 1, trainer=f"{broken}:train")
    assert counts(url) == {"waiting": 2}


def test_sqlite_with_one_worker(population, settings, fake_trainer, tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    create_population_study(url, "p", population(3), settings)
    assert run_study(url, "p", 1, trainer=fake_trainer)
    assert counts(url) == {"complete": 3}


def test_a_worker_serves_a_study_that_comes_later(make, fake_trainer, monkeypatch, tmp_path):
    monkeypatch.setenv("FAKE_SECONDS", "0")
    url = f"journal:{tmp_path}/p.journal"
    open_storage(url)
    begun = threading.Event()

    def step(storage):
        if not begun.is_set():
            make("p", 2)
            begun.set()
        return counts(url).get("complete") == 2

    assert run_workers(url, ["p"], 1, step=step, folder=tmp_path / "runs", trainer=fake_trainer)


@pytest.mark.slow
@pytest.mark.smoke
def test_real_training_gives_the_same_table_with_one_and_two_workers(tmp_path):
    from regnet_ds.search.data.datasets import load_dataset
    from regnet_ds.search.populations.settings import Settings
    from regnet_ds.search.recipes.recipe import Recipe

    networks = [RegNetParams(depth, 8, 16.0, 2.5, 8).to_spec() for depth in (2, 3)]
    settings = Settings.of(load_dataset("digits"), Recipe(epochs=1, lr=0.1), seed=1)
    tables = []
    for workers in (1, 2):
        url = f"journal:{tmp_path}/{workers}.journal"
        create_population_study(url, "p", networks, settings)
        assert run_study(url, "p", workers)
        study = load_study(open_storage(url), "p")
        (environment,) = study.user_attrs["rds:environments"].values()
        assert environment["convolution"] != "unknown"
        assert all(t.user_attrs["images_per_second"] > 0 for t in study.trials)
        tables.append(table(url))
    assert tables[0] == tables[1]
    assert all(row[1] is not None for row in tables[0])
