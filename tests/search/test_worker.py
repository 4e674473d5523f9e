"""The claim loop: who gets a trial, who loses it, and what happens to orphans."""

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.trial import TrialState
from regnet_ds.analysis.storages.storage import load_study, open_storage
from regnet_ds.search.populations.studies import create_population_study
from regnet_ds.search.queue import claims
from regnet_ds.search.queue.claims import Owner, claim, finish, give_back, release_orphans
from regnet_ds.search.queue.tasks import find_trainer
from regnet_ds.search.queue.worker import Interrupted, Stop, StorageFailed, Worker

ME = Owner.of_this_process("me")


@pytest.fixture
def study(url, population, settings):
    return create_population_study(url, "p", population(3), settings)


def dead_owner() -> Owner:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return replace(ME, worker="dead", pid=process.pid, token="dead")


def states(study):
    return [trial.state.name for trial in study.trials]


def test_claims_are_in_order_and_recorded(study):
    assert [claim(study, ME).number for _ in range(3)] == [0, 1, 2]
    assert claim(study, ME) is None
    attrs = study.trials[0].user_attrs
    assert (attrs["worker"], attrs["attempts"]) == ("me", 1)
    assert attrs["rds:owner"]["pid"] == os.getpid()


def test_two_claimants_never_share_a_trial(url, population, settings):
    create_population_study(url, "p", population(24), settings)
    got: list[list[int]] = [[], []]

    def take(k: int) -> None:
        mine = load_study(open_storage(url), "p")
        owner = replace(ME, token=str(k))
        while trial := claim(mine, owner):
            got[k].append(trial.number)

    threads = [threading.Thread(target=take, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got[0] + got[1]) == list(range(24))


def test_a_returned_trial_waits_as_if_never_claimed(study):
    trial = claim(study, ME)
    assert give_back(study, trial, ME)
    assert states(study) == ["WAITING"] * 3
    assert study.trials[0].user_attrs["attempts"] == 0
    again = claim(study, ME)
    assert (again.number, again.user_attrs["attempts"]) == (0, 1)


def test_the_former_owner_does_not_win_the_next_claim(url, study):
    trial = claim(study, ME)
    give_back(study, trial, ME)
    other = load_study(open_storage(url), "p")
    assert claim(other, replace(ME, token="other")).number == 0
    assert claim(study, ME).number == 1


def test_the_living_keep_their_trials(study):
    claim(study, ME)
    assert release_orphans(study) == []


def test_preemptions_that_let_a_trial_get_on_do_not_count(study):
    dead = dead_owner()
    for epoch in (1, 2, 3, 4, 4, 4):
        trial = claim(study, dead)
        assert trial.number == 0
        study._storage.set_trial_intermediate_value(trial._trial_id, epoch, 50.0)
        assert release_orphans(study) == [0]
    first = study.trials[0]
    assert (first.state, first.user_attrs["attempts"]) == (TrialState.FAIL, 6)
    assert first.user_attrs["reason"] == "its worker died 3 times"


def test_the_dead_lose_their_trials_until_the_third_attempt(study):
    dead = dead_owner()
    for attempt in (1, 2, 3):
        trial = claim(study, dead)
        assert (trial.number, trial.user_attrs["attempts"]) == (0, attempt)
        assert release_orphans(study) == [0]
    first = study.trials[0]
    assert first.state == TrialState.FAIL
    assert first.user_attrs["reason"] == "its worker died 3 times"
    assert states(study)[1:] == ["WAITING"] * 2


def test_a_reused_pid_is_not_the_owner(study):
    claim(study, replace(ME, started=ME.started - 100))
    assert release_orphans(study) == [0]


def test_other_hosts_are_judged_only_on_demand(study):
    claim(study, replace(dead_owner(), host="elsewhere"))
    assert release_orphans(study) == []
    assert release_orphans(study, everywhere=True) == [0]


def test_a_trial_without_an_owner_is_an_orphan_after_a_while(study, monkeypatch):
    trial = study.trials[0]
    study._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)
    assert release_orphans(study) == []
    monkeypatch.setattr(claims, "GRACE", -1.0)
    assert release_orphans(study) == [0]


def test_results_of_a_trial_that_was_taken_away_are_dropped(study):
    dead = dead_owner()
    trial = claim(study, dead)
    release_orphans(study)
    assert not finish(study, trial, dead, 5.0, {})
    mine = claim(study, ME)
    assert not give_back(study, trial, dead)
    assert finish(study, mine, ME, 7.0, {"status": "complete"})
    assert study.trials[0].value == 7.0
    assert not finish(study, mine, ME, 8.0, {})


def test_a_failing_trial_keeps_its_reason_and_traceback(
    url, study, fake_trainer, tmp_path, monkeypatch
):
    monkeypatch.setenv("FAKE_RAISE", "1")
    folder = tmp_path / "run"
    worker = Worker(open_storage(url), ["p"], find_trainer(fake_trainer), folder=folder)
    assert worker.run() == 3
    assert states(study) == ["COMPLETE", "FAIL", "COMPLETE"]
    attrs = study.trials[1].user_attrs
    assert attrs["reason"] == "RuntimeError: architecture 1 does not train"
    assert attrs["status"] == "failed"
    text = Path(attrs["rds:traceback"]).read_text()
    assert "at all" in text and "fake_trainer.py" in text


def test_nan_is_divergence(url, study):
    from types import SimpleNamespace

    nan = SimpleNamespace(error=float("nan"), status="complete", best_epoch=None, seconds=1.0)
    Worker(open_storage(url), ["p"], lambda task, report: nan).run()
    assert [t.value for t in study.trials] == [90.0] * 3
    assert study.trials[0].user_attrs["status"] == "diverged"


def test_a_storage_that_fails_is_not_the_trials_fault(url, study, fake_trainer, monkeypatch):
    storage = open_storage(url)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "set_trial_intermediate_value", full)
    with pytest.raises(StorageFailed, match="No space left"):
        Worker(storage, ["p"], find_trainer(fake_trainer)).run()
    assert states(study) == ["RUNNING", "WAITING", "WAITING"]


def test_a_stop_returns_the_trial_that_is_being_trained(url, study, fake_trainer):
    train = find_trainer(fake_trainer)

    def stop_second(task, report):
        if task.trial == 1:
            worker.stop.request()
        return train(task, report)

    worker = Worker(open_storage(url), ["p"], stop_second)
    assert worker.run() == 2
    assert states(study) == ["COMPLETE", "WAITING", "WAITING"]
    assert study.trials[1].user_attrs["attempts"] == 0


def test_keyboard_interrupt_returns_the_trial_and_goes_on_up(url, study):
    def interrupted(task, report):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Worker(open_storage(url), ["p"], interrupted).run()
    assert states(study) == ["WAITING"] * 3


def test_a_stop_does_not_break_into_a_write():
    stop = Stop()
    done = []
    with pytest.raises(Interrupted), stop.breaks(True):
        with stop.breaks(False):
            stop.request()
            done.append("written")
        done.append("never")
    assert done == ["written"]
    with stop.breaks(False):
        done.append("after")


def test_trainers_that_do_not_exist():
    for name in ("nothing", "no.such.module:f", "json:nothing", "no/file.py:f"):
        with pytest.raises(ValueError, match=name):
            find_trainer(name)
