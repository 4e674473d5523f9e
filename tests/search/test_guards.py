"""Trials that hang or need too much memory, processes that are renewed, runs with an end."""

import time
from pathlib import Path

import pytest
from regnet_ds.analysis.storages.storage import load_study, open_storage
from regnet_ds.search.populations.studies import create_population_study, run_study
from regnet_ds.search.queue.counts import status
from regnet_ds.search.queue.guards import Guards, Limits

N = 4


@pytest.fixture
def trained(population, settings, fake_trainer, url, monkeypatch, tmp_path):
    """Return a function that runs a study of four and returns it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAKE_SECONDS", "0")

    def run(workers=1, where=url, **options):
        create_population_study(where, "p", population(N), settings)
        run_study(where, "p", workers, trainer=fake_trainer, **options)
        return load_study(open_storage(where), "p")

    return run


def counts(study):
    return {k: v for k, v in status(study).items() if v}


def processes(study):
    return [
        (t.user_attrs["rds:owner"]["pid"], t.user_attrs["rds:owner"]["nth"]) for t in study.trials
    ]


def test_a_trial_that_hangs_fails_and_says_where(trained, monkeypatch):
    monkeypatch.setenv("FAKE_HANG", "1")
    study = trained(guards=Guards(seconds=1.5))
    assert counts(study) == {"complete": 3, "failed": 1}
    attrs = study.trials[1].user_attrs
    assert attrs["reason"] == "took longer than 1.5 s"
    assert attrs["attempts"] == 1
    stack = Path(attrs["rds:traceback"])
    assert "fake_trainer.py" in stack.read_text() and "in hang" in stack.read_text()
    assert list(stack.parent.glob("stack-*")) == [stack]


@pytest.mark.slow
@pytest.mark.smoke
def test_a_trial_that_needs_too_much_memory_fails_and_the_rest_goes_on(trained, monkeypatch):
    monkeypatch.setenv("FAKE_MEMORY", "0,2")
    study = trained(guards=Guards(memory=250 * 2**20))
    assert counts(study) == {"complete": 2, "failed": 2}
    first, _, third, _ = study.trials
    assert "GiB of memory, more than 0.24" in first.user_attrs["reason"]
    assert first.user_attrs["attempts"] == 1
    assert third.user_attrs["attempts"] == 2  # its first process had trained another before


@pytest.mark.slow
def test_a_fresh_process_for_every_two(trained):
    got = processes(trained(guards=Guards(trials=2)))
    assert [nth for _, nth in got] == [1, 2, 1, 2]
    assert len({pid for pid, _ in got}) == 2


@pytest.mark.parametrize(
    ("workers", "wanted"),
    [
        pytest.param(1, 3, marks=pytest.mark.slow),
        (2, 3),
        pytest.param(3, 2, marks=pytest.mark.slow),
    ],
)
def test_at_most_so_many_trials(trained, workers, wanted):
    limits = Limits(trials=wanted)
    study = trained(workers, limits=limits, guards=Guards(trials=1))
    assert counts(study) == {"complete": wanted, "waiting": N - wanted}
    assert limits.reached == f"{wanted} trials"
    assert counts(trained()) == {"complete": N}


def test_a_run_ends_in_time(trained, monkeypatch):
    monkeypatch.setenv("FAKE_SECONDS", "60")
    limits = Limits(seconds=2.0)
    began = time.monotonic()
    study = trained(2, limits=limits)
    assert time.monotonic() - began < 15
    assert counts(study) == {"waiting": N}
    assert limits.reached == "2 s"
    assert all(t.user_attrs.get("attempts", 0) == 0 for t in study.trials)


@pytest.mark.slow
def test_guards_on_a_server(trained, database, monkeypatch):
    monkeypatch.setenv("FAKE_HANG", "2")
    study = trained(2, database, guards=Guards(seconds=1.5), limits=Limits(trials=3))
    assert counts(study)["failed"] == 1
    assert study.trials[2].user_attrs["reason"] == "took longer than 1.5 s"


def test_shares_of_memory():
    import psutil

    assert Guards(memory=5).memory_of(3) == 5
    assert Guards().memory_of(2) == int(0.9 * psutil.virtual_memory().total / 2)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Guards(memory=0), "the limit on memory must be above 0, got 0"),
        (lambda: Guards(seconds=-1), "the limit on seconds must be above 0, got -1"),
        (lambda: Guards(trials=0), "the limit on trials must be above 0, got 0"),
        (lambda: Limits(trials=0), "the number of trials must be above 0, got 0"),
        (lambda: Limits(seconds=float("nan")), "the time limit must be above 0, got nan"),
    ],
)
def test_bad_limits(make, said):
    with pytest.raises(ValueError, match=said):
        make()
