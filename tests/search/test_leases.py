"""Claims on a real PostgreSQL: leases, one judge, and a server that stops in between."""

import threading
import time
from dataclasses import replace

import pytest
from optuna.trial import TrialState
from regnet_ds.analysis.storages.storage import load_study, open_storage
from regnet_ds.search.populations.studies import add_seed_runs, create_population_study
from regnet_ds.search.queue import claims, leases, outages
from regnet_ds.search.queue.claims import Owner, claim, finish, give_back, is_owner, release_orphans
from regnet_ds.search.queue.counts import status
from regnet_ds.search.queue.leases import LEASE, kept
from regnet_ds.search.queue.tasks import find_trainer
from regnet_ds.search.queue.worker import StorageFailed, Worker

ME = Owner.of_this_process("me")


@pytest.fixture
def study(database, population, settings):
    made = create_population_study(database, "p", population(3), settings)
    made.set_user_attr(LEASE, 0.4)
    return made


@pytest.fixture
def fall_silent(study):
    """Let the leases of a study run out; only then, however busy the machine is."""
    study.set_user_attr(LEASE, 60)

    def wait():
        study.set_user_attr(LEASE, 0.1)
        time.sleep(0.2)
        found = release_orphans(study)
        study.set_user_attr(LEASE, 60)
        return found

    return wait


def states(study):
    return [trial.state.name for trial in study.trials]


def test_claims_are_in_order_and_recorded(study):
    began = [claim(study, ME) for _ in range(3)]
    assert [trial.number for trial in began] == [0, 1, 2]
    assert claim(study, ME) is None
    attrs = began[0].user_attrs
    assert (attrs["worker"], attrs["attempts"]) == ("me", 1)
    assert attrs["rds:owner"]["token"] == ME.token
    assert began[0].state == TrialState.RUNNING and began[0].datetime_start is not None


def test_many_claimants_never_share_a_trial(database, population, settings):
    create_population_study(database, "p", population(24), settings)
    got: list[list[int]] = [[] for _ in range(4)]

    def take(k: int) -> None:
        mine = load_study(open_storage(database), "p")
        while trial := claim(mine, replace(ME, token=str(k))):
            got[k].append(trial.number)

    threads = [threading.Thread(target=take, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number for mine in got for number in mine) == list(range(24))
    assert all(mine == sorted(mine) for mine in got)


def test_results_and_returns(study):
    trial = claim(study, ME)
    assert is_owner(study, trial, ME)
    assert give_back(study, trial, ME)
    assert not give_back(study, trial, ME)
    assert study.trials[0].user_attrs["attempts"] == 0
    trial = claim(study, ME)
    assert not finish(study, trial, replace(ME, token="other"), 1.0, {})
    assert finish(study, trial, ME, 7.0, {"status": "diverged", "reason": None})
    assert not finish(study, trial, ME, 8.0, {})
    assert study.trials[0].value == 7.0
    assert finish(study, claim(study, ME), ME, None, {"status": "failed"})
    counts = {k: v for k, v in status(study).items() if v}
    assert counts == {"diverged": 1, "failed": 1, "waiting": 1}


def test_the_silent_lose_their_trials_until_the_third_attempt(study, fall_silent):
    for attempt in (1, 2, 3):
        trial = claim(study, ME)
        assert (trial.number, trial.user_attrs["attempts"]) == (0, attempt)
        assert release_orphans(study) == []
        assert fall_silent() == [0]
        assert not finish(study, trial, ME, 1.0, {})
    assert study.trials[0].state == TrialState.FAIL
    assert study.trials[0].user_attrs["reason"] == "its worker died 3 times"


def test_who_ends_its_trial_while_it_is_judged_is_in_time(study, fall_silent, monkeypatch):
    trial = claim(study, ME)
    seen = claims.trials_in(study, TrialState.RUNNING)

    def too_late(*_):
        assert finish(study, trial, ME, 1.0, {})  # by its slow owner, after the judge has looked
        return seen

    monkeypatch.setattr(claims, "trials_in", too_late)
    assert fall_silent() == []
    assert study.trials[0].state == TrialState.COMPLETE


def test_who_renews_keeps_its_trial(study):
    trial = claim(study, ME)
    with kept(study, trial, ME.token) as lease:
        time.sleep(0.8)
        assert release_orphans(study) == []
        assert not lease.lost
        study._storage.set_trial_user_attr(trial._trial_id, "rds:owner", None)
        time.sleep(0.3)
        assert lease.lost
    time.sleep(0.5)
    assert release_orphans(study) == [0]


def test_a_trial_claimed_by_other_means_has_one_lease(study, fall_silent):
    trial = study.trials[0]
    study._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)
    assert release_orphans(study) == []
    assert fall_silent() == [0]
    assert claim(study, ME).number == 0
    assert release_orphans(study) == []


def test_only_a_parent_knows_that_its_workers_are_dead(study):
    study.set_user_attr(LEASE, 60)
    claim(study, replace(ME, started=ME.started - 100, pool="mine"))
    assert release_orphans(study) == []
    assert release_orphans(study, pool="other") == []
    assert release_orphans(study, pool="mine") == [0]


def test_nobody_is_judged_right_after_the_server_began(study, postgres):
    claim(study, ME)
    postgres.stop()
    time.sleep(0.5)
    postgres.start()
    study.set_user_attr(LEASE, 3)
    assert release_orphans(study) == []
    study.set_user_attr(LEASE, 0.1)
    time.sleep(0.2)
    assert release_orphans(study) == [0]


def test_a_worker_waits_for_a_server_that_is_away(study, postgres, database, fake_trainer):
    train = find_trainer(fake_trainer)

    def interrupt(task, report):
        if task.trial == 1:
            postgres.stop()
            threading.Timer(0.5, postgres.start).start()
        return train(task, report)

    assert Worker(open_storage(database), ["p"], interrupt).run() == 3
    assert states(study) == ["COMPLETE"] * 3
    assert [t.user_attrs["attempts"] for t in study.trials] == [1, 1, 1]


def test_patience_ends(study, postgres, database, fake_trainer, monkeypatch):
    train = find_trainer(fake_trainer)
    monkeypatch.setattr(outages, "OUTAGE", 0.3)
    monkeypatch.setattr(outages.patiently, "__kwdefaults__", {"patience": 0.3, "stopped": bool})

    def stop(task, report):
        postgres.stop()
        return train(task, report)

    with pytest.raises(StorageFailed):
        Worker(open_storage(database), ["p"], stop).run()
    postgres.start()
    assert states(study) == ["RUNNING", "WAITING", "WAITING"]


def test_a_worker_notices_that_its_trial_was_given_away(study, database, fake_trainer):
    train = find_trainer(fake_trainer)
    other = replace(ME, token="other")
    study.set_user_attr(LEASE, 1)

    def lose(task, report):
        if task.trial == 0:
            study.set_user_attr(LEASE, 60)  # of the other one, which is silent
            with study._storage.batch() as connection:
                leases.write(connection, study.trials[0]._trial_id, {"rds:owner": vars(other)})
            time.sleep(0.4)
        return train(task, report)

    assert Worker(open_storage(database), ["p"], lose).run() == 3
    first = study.trials[0]
    assert first.state == TrialState.RUNNING and not first.intermediate_values
    assert states(study)[1:] == ["COMPLETE"] * 2


def test_continuing_and_seed_runs(database, population, settings, fake_trainer):
    study = create_population_study(database, "p", population(2), settings)
    create_population_study(database, "p", population(4), settings)
    assert add_seed_runs(study, [1], 2) == 2
    assert Worker(open_storage(database), ["p"], find_trainer(fake_trainer)).run() == 6
    assert [t.user_attrs["index"] for t in study.trials] == [0, 1, 2, 3, 1, 1]
    assert states(study) == ["COMPLETE"] * 6
