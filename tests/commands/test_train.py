"""``regnet-ds train``, ``evaluate``, ``predict`` and ``doctor``."""

import csv
import json
import os
import signal
import subprocess
import sys
import types
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

NETWORK = ("depth=3", "w0=8", "wa=8", "wm=2", "group_width=8")
SHORT = ("--set", "batch_size=128", "--epochs", "2")
FILES = {"run.json", "recipe.yaml", "history.csv", "checkpoint.npz", "model.keras", "metrics.json"}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Return the folder of a short run, and what the command printed."""
    from contextlib import redirect_stdout
    from io import StringIO

    from regnet_ds.cli import run

    root = tmp_path_factory.mktemp("runs")
    printed = StringIO()
    with redirect_stdout(printed):
        assert run(["train", *NETWORK, *SHORT, "--out", str(root), "--seed", "3"]) == 0
    (folder,) = root.iterdir()
    return folder, printed.getvalue()


def test_a_run_folder_says_everything(done):
    folder, printed = done
    names = {path.name for path in folder.iterdir()}
    assert names > FILES and any(name.startswith("events.out.tfevents") for name in names)
    facts = json.loads((folder / "run.json").read_text())
    assert facts["seed"] == 3 and facts["recipe"]["batch_size"] == 128
    assert facts["recipe"]["flip"] is False  # narrowed
    assert facts["environment"]["keras"] and len(facts["data_fingerprint"]) == 64
    assert facts["record"]["w0"] == 8 and facts["record"]["classes"] == 10
    rows = list(csv.DictReader((folder / "history.csv").read_text().splitlines()))
    metrics = json.loads((folder / "metrics.json").read_text())
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[-1]["error"]) == metrics["error"] and metrics["status"] == "complete"
    assert printed == f"error {metrics['error']:.2f}% on val after 2 epochs: {folder}\n"


def test_tensorboard_finds_the_history(done):
    import tensorflow as tf

    folder, _ = done
    found = {}
    for path in folder.glob("events*"):
        for raw in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(raw)
            for value in event.summary.value:
                found[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    rows = list(csv.DictReader((folder / "history.csv").read_text().splitlines()))
    for row in rows:
        for key in ("error", "loss", "lr"):
            assert found[key, int(row["epoch"])] == pytest.approx(float(row[key]), rel=1e-6)


def test_a_recipe_goes_round_by_yaml(done, call, tmp_path):
    folder, _ = done
    arguments = ("--recipe", folder / "recipe.yaml", "--seed", 3, "--out", tmp_path)
    assert call("train", *NETWORK, *arguments)[0] == 0
    (again,) = tmp_path.iterdir()
    assert (again / "recipe.yaml").read_text() == (folder / "recipe.yaml").read_text()
    assert (
        json.loads((again / "metrics.json").read_text())["error"]
        == (json.loads((folder / "metrics.json").read_text())["error"])
    )


def test_a_stopped_run_is_resumed_to_the_same_end(done, call, tmp_path, monkeypatch):
    from regnet_ds.search.learning import runs

    folder, _ = done
    real = runs.Run.write_history

    def stops(self, history):
        real(self, history)
        if len(history) == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(runs.Run, "write_history", stops)
        code, out, err = call("train", *NETWORK, *SHORT, "--out", tmp_path, "--seed", 3)
    (stopped,) = tmp_path.iterdir()
    assert code == 128 + signal.SIGTERM and out == ""
    assert f"go on with regnet-ds train --resume {stopped}" in err
    code, _, err = call("evaluate", stopped)
    assert code == 2 and "has no model yet" in err
    code, out, _ = call("train", "--resume", stopped)
    assert code == 0
    assert (
        json.loads((stopped / "metrics.json").read_text())["error"]
        == (json.loads((folder / "metrics.json").read_text())["error"])
    )
    with np.load(stopped / "checkpoint.npz") as a, np.load(folder / "checkpoint.npz") as b:
        assert all(np.array_equal(a[k], b[k]) for k in b.files if k != "meta")


def test_evaluate_writes_errors_by_class_and_the_confusion_matrix(done, call, tmp_path):
    folder, _ = done
    matrix = tmp_path / "c.csv"
    arguments = ("--split", "val", "--confusion", matrix, "--format", "json")
    code, out, err = call("evaluate", folder, *arguments)
    assert code == 0, err
    rows = json.loads(out)
    assert [row["class"] for row in rows] == [str(i) for i in range(10)]
    assert sum(row["images"] for row in rows) == 360
    table = np.array(
        [list(map(int, row[1:])) for row in list(csv.reader(matrix.read_text().splitlines()))[1:]]
    )
    wrong = 100 * (1 - np.trace(table) / table.sum())
    assert f"error {wrong:.2f}% on val of digits" in err
    assert rows[2]["error"] == pytest.approx(100 * (1 - table[2, 2] / table[2].sum()), rel=1e-4)


def test_predict_names_the_classes_of_files(done, call, tmp_path):
    import regnet_ds.regnet  # noqa: F401  registers the layers
    from regnet_ds.search.data.batches import normalise
    from regnet_ds.search.data.datasets import load_dataset

    folder, _ = done
    digits = load_dataset("digits")
    files = []
    for i in range(3):
        files.append(tmp_path / f"{i}.png")
        pixels = np.rint(digits.test.images[i] * 255).astype(np.uint8)
        Image.fromarray(pixels).save(files[-1])
    code, out, err = call("predict", folder, *files, "--top", 2, "--format", "json")
    assert code == 0, err
    rows = json.loads(out)
    assert [row["rank"] for row in rows] == [1, 2] * 3
    import keras

    model = keras.saving.load_model(folder / "model.keras", compile=False)
    exact = np.rint(digits.test.images[:3] * 255).astype(np.float32) / 255
    logits = np.asarray(model(normalise(exact, digits)))
    for i in range(3):
        first, second = rows[2 * i], rows[2 * i + 1]
        assert [first["class"], second["class"]] == list(map(str, np.argsort(-logits[i])[:2]))
        shares = np.exp(logits[i]) / np.exp(logits[i]).sum()
        assert first["probability"] == pytest.approx(shares.max(), rel=1e-3)
    (tmp_path / "bad.png").write_bytes(b"")
    code, _, err = call("predict", folder, files[0], tmp_path / "bad.png", tmp_path / "no.png")
    assert code == 2 and "cannot read 2 of 3 images" in err and "bad.png: empty" in err


def test_weights_and_frozen_parts_of_another_run(done, call, tmp_path):
    folder, _ = done
    arguments = ("--weights", folder / "model.keras", "--freeze-until", "head")
    code, _, err = call("train", *NETWORK, *SHORT, "--out", tmp_path, *arguments)
    assert code == 0, err
    import keras

    (tuned,) = tmp_path.iterdir()
    first, second = (
        keras.saving.load_model(path / "model.keras", compile=False) for path in (folder, tuned)
    )
    for a, b in zip(first.layers, second.layers, strict=True):
        for x, y in zip(a.get_weights(), b.get_weights(), strict=True):
            assert np.array_equal(x, y) == (a.name != "head_dense")


@pytest.mark.slow
def test_another_backend_evaluates_and_predicts_the_same(done, call, tmp_path):
    """What TensorFlow has trained, under JAX in processes of its own."""
    folder, _ = done
    rng = np.random.default_rng(0)
    files = [str(tmp_path / f"{i}.png") for i in range(4)]
    for file in files:
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(file)
    evaluation = ("evaluate", str(folder), "--split", "val", "--format", "json")
    prediction = ("predict", str(folder), *files, "--format", "json")
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    for arguments, key in ((evaluation, "error"), (prediction, "probability")):
        command = [sys.executable, "-m", "regnet_ds", *arguments]
        other = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert other.returncode == 0, other.stderr
        rows = json.loads(other.stdout)
        ours = json.loads(call(*arguments)[1])
        assert [row["class"] for row in rows] == [row["class"] for row in ours]
        numbers = [row[key] for row in ours]
        # one image more or less of the 36 of a class, where two logits are all but equal
        near = {"abs": 3} if key == "error" else {"rel": 1e-3}
        assert [row[key] for row in rows] == pytest.approx(numbers, **near)


class Recorder:
    """A hook of the user's own."""

    made: ClassVar[list] = []

    def __init__(self, facts):
        self.facts, self.records, self.metrics = facts, [], None
        self.made.append(self)

    def on_epoch(self, record):
        self.records.append(dict(record))

    def on_end(self, metrics):
        self.metrics = dict(metrics)


def test_a_hook_follows_the_run(call, tmp_path, monkeypatch):
    module = types.ModuleType("my_hooks")
    module.Recorder = Recorder
    monkeypatch.setitem(sys.modules, "my_hooks", module)
    arguments = ("--hook", "my_hooks:Recorder", "--out", tmp_path)
    assert call("train", *NETWORK, *SHORT, *arguments)[0] == 0
    (hook,) = Recorder.made
    assert [record["epoch"] for record in hook.records] == [1, 2]
    assert hook.metrics["error"] == hook.records[-1]["error"] and hook.facts["seed"] == 0


def test_memory_that_ends_halves_the_batch_on_request(call, tmp_path, monkeypatch):
    import tensorflow as tf
    from regnet_ds.search.learning.backends.on_tensorflow import Steps

    real = Steps.train

    def small_only(self, images, target, lr):
        if len(images) > 64:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM")
        return real(self, images, target, lr)

    monkeypatch.setattr(Steps, "train", small_only)
    code, _, err = call("train", *NETWORK, *SHORT, "--out", tmp_path / "a")
    assert code == 2 and "out of memory with batches of 128 images: try batch_size=64" in err
    code, _, err = call("train", *NETWORK, *SHORT, "--out", tmp_path / "b", "--halve-batch")
    assert code == 0, err
    (run,) = (tmp_path / "b").iterdir()
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["batch_size"], metrics["lr"], metrics["halved_from"]) == (64, 0.025, 128)
    assert call("train", "--resume", run)[0] == 0


def test_doctor_says_what_is_there(call):
    code, out, _ = call("doctor", "--format", "json")
    rows = {row["what"]: row for row in json.loads(out)}
    assert code == 0 and rows["GPU"]["found"] == "none"
    assert rows["tensorflow"]["found"] and rows["keras backend"]["found"] == "tensorflow"


def test_a_terminal_shows_images_a_second_error_and_time_left(monkeypatch):
    from io import StringIO

    import rich.console
    from regnet_ds.commands import progress

    shown, console = StringIO(), rich.console.Console
    made = console(file=shown, force_terminal=True, width=120)
    monkeypatch.setattr(rich.console, "Console", lambda **_: made)
    with progress.training_progress(40, 64) as (show, say):
        say("epoch 1")
        show(30, 10, 4.0, 12.5)
    text = shown.getvalue()
    assert "epoch 1" in text and "30/40" in text and "160 images/s, error 12.50%" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "name a model, or a run to --resume"),
        (["train", "RegNetX-201MF"], "RegNetX-201MF"),
        (["train", *NETWORK, "--recipe", "papr"], "no recipe 'papr': short, paper, post"),
        (["train", *NETWORK, "--recipe", "paper"], "is that of a canonical model"),
        (["train", *NETWORK, "--recipe", "r.yaml"], "r.yaml: a recipe has no field 'lrr'"),
        (["train", *NETWORK, "--recipe", "r.yaml"], "epochs must be a whole number"),
        (["train", *NETWORK, "--set", "batch_size=5000"], "larger than the 1077 training"),
        (["train", *NETWORK, "--set", "warmup_epochs=10"], "warmup_epochs must be below epochs"),
        (["train", *NETWORK, "--freeze-until", "s2"], "--freeze-until needs --weights"),
        (["train", *NETWORK, "--accelerator", "gpu"], "accelerator gpu: there is none here"),
        (["train", *NETWORK, "--accelerator", "tpu"], "accelerator tpu needs Keras on JAX"),
        (["train", *NETWORK, "--accelerator", "npu"], "auto, cpu, gpu, tpu, got 'npu'"),
        (["train", *NETWORK, "--weights", "none.keras"], "none.keras"),
        (["train", *NETWORK, "--hook", "nothing"], "no hook 'nothing': wandb, mlflow"),
        (["train", "--resume", "nowhere"], "nowhere is not a run's folder"),
        (["train", *NETWORK, "--resume", "nowhere"], "--resume goes on as it was begun"),
        (["evaluate", "nowhere"], "nowhere is not a run's folder"),
        (["predict", "nowhere", "a.jpg"], "nowhere is not a run's folder"),
    ],
)
def test_bad_input(refuses, arguments, message):
    refuses(arguments, message, {"r.yaml": "lrr: 1\nepochs: 0\n"})
