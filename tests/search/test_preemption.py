"""Trials that are preempted: they go on from their checkpoints, to the same end, and leave none."""

import os
import signal
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from optuna.trial import TrialState
from regnet_ds.analysis.storages.storage import load_study, open_storage
from regnet_ds.designspace import RegNetParams, to_record
from regnet_ds.search.data.datasets import load_dataset
from regnet_ds.search.populations.settings import Settings, keep_checkpoints
from regnet_ds.search.populations.studies import create_population_study, run_study
from regnet_ds.search.queue.leases import OWNER
from regnet_ds.search.queue.tasks import (
    RESUMED,
    Task,
    checkpoint_of,
    forget,
    run_folder,
    task_of,
    train_task,
)
from regnet_ds.search.recipes.recipe import Recipe

SPEC = RegNetParams(depth=3, w0=8, wa=8.0, wm=2.0, group_width=8).to_spec()
RECIPE = Recipe(epochs=2, lr=0.05, area_factor=0.6, flip=False, pca_std=0.0)


class Crash(Exception):
    pass


@pytest.fixture(scope="module")
def task():
    return Task(
        trial=0,
        index=0,
        record=to_record(SPEC, resolution=32, classes=10),
        recipe=RECIPE.to_dict(),
        data="digits",
        data_fingerprint="",
        seed=1,
        threads=1,
        classes=10,
        spare=True,
        every=0.0,
    )


@pytest.fixture(scope="module")
def whole(task):
    return train_task(task, lambda epoch, error: None)


def crash_in(epoch_to_crash):
    def report(epoch, error):
        if epoch == epoch_to_crash:
            raise Crash

    return report


def test_a_task_goes_on_where_it_was(task, whole, tmp_path):
    kept = replace(task, checkpoint=f"{tmp_path}/trials/c.npz")
    with pytest.raises(Crash):
        train_task(kept, crash_in(1))
    done = train_task(kept, lambda epoch, error: None)
    assert done.errors == whole.errors and done.steps == whole.steps == 16
    assert done.resumed == 8 and whole.resumed == 0
    forget(kept)
    assert list((tmp_path / "trials").iterdir()) == []
    forget(kept)


def test_a_checkpoint_that_is_of_no_use_costs_time_only(task, whole, tmp_path, caplog):
    kept = replace(task, checkpoint=f"{tmp_path}/c.npz")
    with pytest.raises(Crash):
        train_task(replace(kept, seed=2), crash_in(1))
    assert train_task(kept, lambda epoch, error: None).errors == whole.errors
    assert "of another training: seed is 2, not 1; the training begins anew" in caplog.text
    (tmp_path / "file").write_text("")
    nowhere = replace(task, checkpoint=f"{tmp_path}/file/c.npz")
    assert train_task(nowhere, lambda epoch, error: None).errors == whole.errors
    assert "the training is not kept" in caplog.text
    with pytest.raises(ValueError, match="cannot make the folder"):
        train_task(replace(nowhere, spare=False), lambda epoch, error: None)


def test_a_disk_that_is_full_costs_the_checkpoint_alone(task, whole, tmp_path, monkeypatch, caplog):
    from regnet_ds.search.learning import loop

    def full(*_):
        raise ValueError("cannot write c.npz: No space left on device")

    monkeypatch.setattr(loop, "save_checkpoint", full)
    kept = replace(task, checkpoint=f"{tmp_path}/c.npz")
    assert train_task(kept, lambda epoch, error: None).errors == whole.errors
    assert "No space left on device; the training goes on" in caplog.text
    with pytest.raises(ValueError, match="No space left"):
        train_task(replace(kept, spare=False), lambda epoch, error: None)


def test_where_trials_are_kept(url, population, settings):
    study = create_population_study(url, "a b", population(1), settings)
    (trial,) = study.trials
    folder = run_folder(url, "a b").as_posix()
    assert task_of(study.user_attrs, trial, folder).checkpoint == (
        f"{folder}/00000-{trial.user_attrs['seed']}-3.npz"
    )
    assert task_of(study.user_attrs, trial).checkpoint == ""
    keep_checkpoints(study, "gs://bucket/runs/", 30.0)
    there = task_of(study.user_attrs, trial, folder)
    assert there.checkpoint.startswith("gs://bucket/runs/a-b/00000-") and there.every == 30.0
    assert there.spare and checkpoint_of(study.user_attrs, trial) == there.checkpoint


def study_of(url, epochs=12):
    data = load_dataset("digits")
    settings = Settings.of(data, replace(RECIPE, epochs=epochs), seed=3)
    study = create_population_study(url, "p", [SPEC], settings)
    keep_checkpoints(study, seconds=0.0)
    return study


def when_trained(study, epochs, do):
    """Call ``do`` with the pid of the worker once its trial has come so far."""

    def wait():
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            (trial,) = study.get_trials(deepcopy=False)
            held = trial.user_attrs.get(OWNER)
            if len(trial.intermediate_values) >= epochs and held:
                assert trial.state == TrialState.RUNNING
                do(held["pid"])
                return
            time.sleep(0.01)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.slow
@pytest.mark.parametrize("how", ["kill", "ctrl-c"])
def test_a_worker_that_is_ended(url, how):
    study = study_of(url)
    if how == "kill":
        waiting = when_trained(study, 3, lambda pid: os.kill(pid, signal.SIGKILL))
        assert run_study(url, "p", 1)
    else:
        waiting = when_trained(study, 3, lambda _: os.kill(os.getpid(), signal.SIGINT))
        assert not run_study(url, "p", 1)
        assert run_study(url, "p", 1)
    waiting.join()
    (trial,) = load_study(open_storage(url), "p").trials
    assert trial.user_attrs["attempts"] == (2 if how == "kill" else 1)
    assert 2 * 8 <= trial.user_attrs[RESUMED] < 12 * 8
    assert not list(run_folder(url, "p").glob("*.npz"))
    undisturbed = f"{url}.undisturbed"  # by a worker too: this process may have other threads
    study_of(undisturbed)
    assert run_study(undisturbed, "p", 1)
    (alone,) = load_study(open_storage(undisturbed), "p").trials
    assert alone.user_attrs["seed"] == trial.user_attrs["seed"]
    assert alone.intermediate_values == trial.intermediate_values
    assert np.isfinite(trial.value) and trial.value == alone.value
