import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from regnet_ds.designspace import RegNetParams
from regnet_ds.search.data.datasets import load_dataset
from regnet_ds.search.learning import checkpoints, loop
from regnet_ds.search.learning.checkpoints import (
    Keep,
    Progress,
    Stopped,
    load_checkpoint,
    save_checkpoint,
)
from regnet_ds.search.learning.training import train
from regnet_ds.search.recipes.recipe import Recipe

SPEC = RegNetParams(depth=3, w0=8, wa=8.0, wm=2.0, group_width=8).to_spec()
RECIPE = Recipe(
    epochs=3, batch_size=128, lr=0.02, area_factor=0.6, flip=False, pca_std=0.0, ema_decay=0.9
)
PROGRAM = """
import sys
from regnet_ds.designspace import RegNetParams
from regnet_ds.search import Recipe, load_dataset
from regnet_ds.search.learning.checkpoints import Keep
from regnet_ds.search.learning.training import train
spec = RegNetParams(depth=3, w0=8, wa=8.0, wm=2.0, group_width=8).to_spec()
recipe = Recipe(epochs=24, batch_size=64, optimizer="adamw", lr=0.002, mixup_alpha=0.2,
                area_factor=0.6, flip=False, pca_std=0.0, ema_decay=0.9, stepped_by="step")
data = load_dataset("digits")
print("begins", flush=True)
train(spec, recipe, data, keep=Keep(sys.argv[1], 0.0))
"""


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


def arrays_of(path):
    with np.load(path) as file:
        return [file[f"v{i}"] for i in range(len(file.files) - 1)]


def same(first, second):
    a, b = arrays_of(first), arrays_of(second)
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.fixture(scope="module")
def whole(digits, tmp_path_factory):
    """Return an uninterrupted training and its last checkpoint."""
    path = tmp_path_factory.mktemp("whole") / "c.npz"
    return train(SPEC, RECIPE, digits, keep=Keep(str(path), 3600.0)), path


class Crash(Exception):
    pass


@pytest.mark.parametrize("at", [3, 8, 11, 22])
def test_a_training_that_breaks_off_ends_the_same(whole, digits, tmp_path, monkeypatch, at):
    """Within an epoch, at its end and in the next one; 8 steps an epoch, a checkpoint a step."""
    real, count = loop.save_checkpoint, []

    def crashes(*arguments):
        real(*arguments)
        count.append(1)
        if len(count) == at:
            raise Crash

    path = tmp_path / "c.npz"
    with monkeypatch.context() as patch, pytest.raises(Crash):
        patch.setattr(loop, "save_checkpoint", crashes)
        train(SPEC, RECIPE, digits, keep=Keep(str(path), 0.0))
    done = train(SPEC, RECIPE, digits, keep=Keep(str(path), 3600.0))
    assert done.errors == whole[0].errors and done.steps == whole[0].steps == 24
    assert same(path, whole[1])
    weights = zip(done.model.get_weights(), whole[0].model.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in weights)


def test_a_finished_training_is_not_trained_again(whole, digits, tmp_path):
    path = tmp_path / "c.npz"
    path.write_bytes(whole[1].read_bytes())
    done = train(SPEC, RECIPE, digits, keep=Keep(str(path)))
    assert done.errors == whole[0].errors
    assert np.isnan(done.images_per_second)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_a_checkpoint_and_stops(whole, digits, tmp_path, number):
    path = tmp_path / "c.npz"
    before = signal.getsignal(number)

    def on_history(history):
        if len(history) == 1:
            os.kill(os.getpid(), number)

    with pytest.raises(Stopped, match="stopped; the state is in") as stopped:
        train(SPEC, RECIPE, digits, keep=Keep(str(path), 3600.0, on_history))
    assert stopped.value.signal_number == number
    assert signal.getsignal(number) is before
    done = train(SPEC, RECIPE, digits, keep=Keep(str(path), 3600.0))
    assert done.errors == whole[0].errors and same(path, whole[1])


def test_checkpoints_of_other_trainings_are_refused(whole, digits, tmp_path):
    keep = Keep(str(whole[1]))
    with pytest.raises(ValueError, match=r"of another training: seed is 0, not 1"):
        train(SPEC, RECIPE, digits, seed=1, keep=keep)
    with pytest.raises(ValueError, match=r"of another training: recipe lr is 0.\d+, not 0.03$"):
        train(SPEC, replace(RECIPE, lr=0.03), digits, keep=keep)
    other = RegNetParams(depth=4, w0=8, wa=8.0, wm=2.0, group_width=8).to_spec()
    with pytest.raises(ValueError, match=r"of another training: model depth is \d, not 4; model"):
        train(other, RECIPE, digits, keep=keep)
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(whole[1].read_bytes()[:-100])
    with pytest.raises(ValueError, match="cannot read the checkpoint"):
        train(SPEC, RECIPE, digits, keep=Keep(str(damaged)))
    damaged.write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"damaged.npz: it is none, or cut short"):
        train(SPEC, RECIPE, digits, keep=Keep(str(damaged)))


def test_a_newer_checkpoint_is_refused(tmp_path, monkeypatch):
    path = str(tmp_path / "c.npz")
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "SCHEMA", 99)
        save_checkpoint(path, {}, Progress(), [np.zeros(2)])
    with pytest.raises(ValueError, match="newer version"):
        load_checkpoint(path, {}, [(2,)])
    assert load_checkpoint(str(tmp_path / "none.npz"), {}, []) is None


def test_a_full_disk_is_one_line_and_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    from regnet_ds.search.data.sources import places

    path = tmp_path / "c.npz"
    save_checkpoint(str(path), {"seed": 0}, Progress(), [np.zeros(2)])
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(places, "open", full, raising=False)
    with pytest.raises(ValueError, match=r"cannot write .*c.npz: No space left on device"):
        save_checkpoint(str(path), {"seed": 0}, Progress(), [np.ones(2)])
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
@pytest.mark.parametrize("kills", [pytest.param(3, marks=pytest.mark.smoke), 10])
def test_kill_9_at_random_moments_changes_nothing(tmp_path, kills):
    """The same weights, optimiser and averages bit for bit as without a kill."""
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    rng = random.Random(0)
    undisturbed, killed = tmp_path / "a.npz", tmp_path / "b.npz"
    subprocess.run([sys.executable, "-c", PROGRAM, str(undisturbed)], check=True, env=env)
    places = []
    for _ in range(kills):
        child = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(killed)], stdout=subprocess.PIPE, env=env
        )
        assert child.stdout.readline() == b"begins\n"
        begun = killed.stat().st_mtime_ns if killed.exists() else 0
        while not killed.exists() or killed.stat().st_mtime_ns == begun:
            assert child.poll() is None
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.4))
        child.kill()
        child.communicate()
        places.append(steps_in(killed))
    assert places == sorted(places) and len(set(places)) > kills // 2
    assert places[-1] < 24 * 16, "too fast: nothing was left to kill"
    subprocess.run([sys.executable, "-c", PROGRAM, str(killed)], check=True, env=env)
    assert steps_in(killed) == 24 * 16
    assert same(undisturbed, killed)


def steps_in(path: Path) -> int:
    with np.load(path) as file:
        return json.loads(file["meta"].tobytes())["progress"]["steps_done"]
