"""``tune`` with each trial split over eight devices: two sizes end to end, one trial preempted.

The devices are the CPU, forced to be eight for JAX: ``--accelerator cpu --devices 8`` goes the way
of ``--accelerator tpu`` but for the name under which JAX is asked for devices, which needs a TPU.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from optuna.trial import TrialState
from regnet_ds.analysis.storages.storage import load_study, open_storage
from regnet_ds.cli import run
from regnet_ds.search.queue.leases import OWNER
from regnet_ds.search.queue.tasks import RESUMED

SIZES = ["depth=2 w0=8 wa=8 wm=2 group_width=8", "depth=3 w0=8 wa=8 wm=2 group_width=8"]
NAMES = [f"tune/{','.join(sorted(size.split()))}" for size in SIZES]
DEVICES = {"KERAS_BACKEND": "jax", "XLA_FLAGS": "--xla_force_host_platform_device_count=8"}
EPOCHS = 4


def command(storage, *options):
    models = [word for size in SIZES for word in ("--model", size)]
    plan = ["--trials", "2", "--batch", "2", "--epochs", f"{EPOCHS}", "--pruner", "none"]
    where = ["--storage", storage, "--accelerator", "cpu", "--devices", "8", "--workers", "1"]
    return [*models, *plan, *where, *options]


@pytest.mark.slow
def test_two_sizes_on_eight_devices_one_trial_of_them_preempted(tmp_path):
    pytest.importorskip("jax")
    storage = str(tmp_path / "s.journal")
    arguments = command(storage, "--checkpoint-seconds", "0", "--format", "json")
    process = subprocess.Popen(
        [sys.executable, "-m", "regnet_ds", "tune", *arguments],
        env={**os.environ, **DEVICES},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    killed = kill_in_training(process, storage)
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    rows = json.loads(out)
    assert [row["model"] for row in rows] == [name.partition("/")[2] for name in NAMES]
    studies = [load_study(open_storage(storage), name) for name in NAMES]
    assert all(study.user_attrs["hardware"] == {"accelerator": "cpu", "devices": 8}
               for study in studies)  # fmt: skip
    trials = [trial for study in studies for trial in study.trials]
    assert [t.state for t in trials] == [TrialState.COMPLETE] * 4
    assert all(sorted(t.intermediate_values) == list(range(1, EPOCHS + 1)) for t in trials)
    assert [t.user_attrs["attempts"] for t in trials] == [2, 1, 1, 1]
    resumed = trials[0].user_attrs[RESUMED]
    assert resumed >= killed * 8 > 0 and resumed < EPOCHS * 8  # steps of an epoch: 1078 // 128
    origins = [t.user_attrs["rds:origin"] for t in studies[1].trials]
    assert origins == ["recipe", f"{NAMES[0]}#{rows[0]['trial']}"] or rows[0]["trial"] == 0
    environments = studies[0].user_attrs["rds:environments"].values()
    assert {one["backend"] for one in environments} == {"jax"}
    logs = "".join(path.read_text() for path in Path(f"{storage}.runs").rglob("*.log"))
    assert "goes on from step" in logs


def kill_in_training(process, storage):
    """Kill the first worker once it has reported two epochs; return how many it had."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
        if not Path(storage).exists():
            continue
        opened = open_storage(storage)
        if all(study.study_name != NAMES[0] for study in opened.get_all_studies()):
            continue
        for trial in load_study(opened, NAMES[0]).get_trials(deepcopy=False):
            held = trial.user_attrs.get(OWNER)
            if trial.number == 0 and held and len(trial.intermediate_values) >= 2:
                os.kill(held["pid"], signal.SIGKILL)
                return len(trial.intermediate_values)
    raise AssertionError("the first trial was never seen in training")


@pytest.mark.parametrize(
    ("options", "backend", "said"),
    [
        (["--accelerator", "tpu"], "tensorflow", "needs Keras on JAX: set KERAS_BACKEND=jax"),
        (["--accelerator", "tpu", "--workers", "2"], "jax", "a TPU serves one process, got --wor"),
        (["--accelerator", "npu"], "jax", "npu"),
        (["--precision", "float16"], "jax", "float16"),
        (["--devices", "7"], "jax", "batch_size 128 is not a multiple of the 7 devices: 126 or 13"),
    ],
)
def test_what_no_accelerator_does(tmp_path, monkeypatch, capsys, options, backend, said):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    storage = tmp_path / "s.journal"
    fixed = ["tune", "--model", "RegNetX-200MF", "--storage", str(storage), *options]
    assert run(fixed) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not storage.exists()
