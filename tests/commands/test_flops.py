"""flops and bench: saved models, names and parameters; what is refused."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import keras
import pytest
from regnet_ds.regnet import build, canonical

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RegNet of open size."""
    path = tmp_path_factory.mktemp("models") / "net.keras"
    build(canonical("RegNetX-200MF"), input_shape=(None, None, 3), classes=10).save(path)
    return path


def test_a_row_a_layer_and_its_sum(call: Call, saved: Path) -> None:
    code, out, err = call("flops", saved, "--resolution", 224, "--format", "csv")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert rows[0] == {
        "layer": "stem_conv",
        "type": "GroupedConv2D",
        "calls": "1",
        "output": "112 112 32",
        "flops": str(27 * 32 * 112**2),
        "bias_adds": "0",
        "params": str(27 * 32),
        "acts": str(32 * 112**2),
    }
    of_ten_classes = 199040872 - 990 * 369
    assert sum(int(row["flops"]) for row in rows) == of_ten_classes
    code, out, _ = call("flops", saved, "--resolution", 224)
    assert len(out.splitlines()) == 1 + len(rows) + 2
    assert f"flops {of_ten_classes:,} (multiply-adds of one image, 10 of them bias adds)" in out


def test_types_and_totals(call: Call, saved: Path, tmp_path: Path) -> None:
    args = ("flops", saved, "--resolution", "64x96")
    (whole,) = json.loads(call(*args, "--by", "total", "--format", "json")[1])
    kinds = json.loads(call(*args, "--by", "type", "--format", "json")[1])
    for key in ("flops", "bias_adds", "params", "acts"):
        assert sum(row[key] for row in kinds) == whole[key]
    assert whole["model"] == "net" and whole["uncounted"] == 0
    assert call(*args, "--out", tmp_path / "t.parquet")[0] == 0
    same = call("flops", saved, "--input-shape", "64,96,3", "--by", "total", "--format", "json")
    assert json.loads(same[1]) == [whole]


def test_names_and_parameters(call: Call) -> None:
    (row,) = json.loads(call("flops", "regnetx_002", "--by", "total", "--format", "json")[1])
    assert (row["model"], row["flops"], row["acts"]) == ("RegNetX-200MF", 199040872, 2164056)
    pairs = ("depth=13", "w0=24", "wa=36.44", "wm=2.49", "group_width=8")
    assert call("flops", *pairs, "--by", "total")[1].split()[-4:] == [
        "199M",
        "1000",
        "2.68M",
        "2.16M",
    ]


@keras.saving.register_keras_serializable(package="tests_flops")
class ByHand(keras.layers.Layer):
    def call(self, x):
        return keras.ops.matmul(x, keras.ops.transpose(x, (0, 2, 1)))


def test_what_cannot_be_counted_is_an_error_unless_asked_for(call: Call, tmp_path: Path) -> None:
    x = keras.Input((4, 4))
    path = tmp_path / "hand.keras"
    keras.Model(x, keras.layers.Dense(2)(ByHand(name="odd")(x))).save(path)
    code, out, err = call("flops", path)
    assert (code, out) == (2, "")
    assert "cannot count odd (ByHand) multiplies or pools outside standard layers" in err
    code, out, err = call("flops", path, "--partial", "--format", "json")
    assert code == 0
    odd, dense = json.loads(out)
    assert odd["flops"] is None and "outside standard layers" in odd["reason"]
    assert dense["flops"] == 4 * (4 * 2 + 2)
    assert err.startswith("not counted: odd (ByHand)")


def lambda_file(path: Path) -> None:
    """Code that would say that it has run."""
    x = keras.Input((4,))
    keras.Model(x, keras.layers.Lambda(lambda t: t * 2)(x)).save(path)


@pytest.mark.parametrize("command", ["flops", "bench"])
def test_bad_files_are_one_line(
    command: str, call: Call, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lambda_file(Path("code.keras"))
    Path("text.keras").write_text("hello")
    Path("short.keras").write_bytes(saved.read_bytes()[:5000])
    whole = bytearray(saved.read_bytes())
    whole[len(whole) // 2] ^= 255
    Path("flipped.keras").write_bytes(whole)
    wanted = {
        "missing.keras": "cannot read missing.keras: No such file",
        "text.keras": "text.keras is not a .keras file",
        "short.keras": "short.keras is not a .keras file",
        "flipped.keras": "flipped.keras is damaged",
        "code.keras": "cannot load code.keras: it has a Lambda layer",
        "model.h5": "expected a .keras file, got model.h5",
        "RegNetX-9GF": "unknown model 'RegNetX-9GF' (nearest: ",
        str(saved): "unknown size (None, None, 3)",
    }
    for name, message in wanted.items():
        code, out, err = call(command, name)
        assert (code, out) == (2, ""), name
        assert message in err
        assert [line for line in err.splitlines() if not line.startswith("batch ")] == [
            err.splitlines()[-1]
        ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("flops", "RegNetX-200MF", "--resolution", "31"), "total stride 32, got 31"),
        (("flops", "RegNetX-200MF", "--input-shape", "8,x"), "cannot read the input shape '8,x'"),
        (("flops", "RegNetX-200MF", "--out", "t.txt"), "unknown suffix '.txt'"),
        (
            ("flops", "RegNetX-200MF", "--input-shape", "8,8,3", "--resolution", "8"),
            "say the same",
        ),
        (("bench", "RegNetX-200MF", "--batch", "1,0"), "cannot read the batch sizes '1,0'"),
        (("bench", "RegNetX-200MF", "--batch", "some"), "cannot read the batch sizes 'some'"),
        (("bench", "RegNetX-200MF", "--seconds", "0"), "--seconds must be positive, got 0"),
        (("bench", "RegNetX-200MF", "--threads", "0"), "'--threads'"),
    ],
)
def test_bad_options_are_one_line(call: Call, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err


def test_a_fixed_size_is_not_changed(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "small.keras"
    layers = [keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3)]
    keras.Sequential(layers).save(path)
    assert call("flops", path, "--resolution", 8)[0] == 0
    code, _, err = call("flops", path, "--resolution", 16)
    assert code == 2
    assert "has the shape (8, 8, 3), got (16, 16, 3)" in err


def test_bench_prints_a_row_a_batch(call: Call, saved: Path) -> None:
    args = ("bench", saved, "--resolution", 32, "--batch", "1,2", "--seconds", 0.3)
    code, out, err = call(*args, "--format", "json")
    assert (code, err) == (0, "batch 1 ...\nbatch 2 ...\n")
    rows = json.loads(out)
    assert [row["batch"] for row in rows] == [1, 2]
    for row in rows:
        assert row["ms_low"] <= row["ms"] <= row["ms_high"]
        assert row["images_per_second"] == pytest.approx(row["batch"] / row["ms"] * 1e3)
        assert row["images_per_second_low"] <= row["images_per_second"]
        assert (row["mode"], row["resolution"]) == ("inference", "32")
        assert row["device"] and row["threads"] >= 1 and row["calls"] >= 6
    code, out, _ = call(*args)
    assert code == 0
    assert out.splitlines()[2].startswith("model  mode       batch  calls")


@pytest.mark.slow
@pytest.mark.smoke
def test_bench_in_a_process_of_its_own(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "regnet_ds", "bench", "RegNetX-200MF", "--resolution", "32"]
    command += ["--train", "--classes", "10", "--threads", "1", "--format", "csv", "--batch", "8"]
    done = subprocess.run(
        [*command, "--seconds", "1"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert (row["threads"], row["mode"], row["batch"]) == ("1", "train", "8")
    assert done.stderr == "batch 8 ...\n"
    with subprocess.Popen(
        [*command, "--seconds", "600"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as running:
        assert running.stderr is not None
        assert running.stderr.readline() == "batch 8 ...\n"
        time.sleep(3)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=300)
    assert (running.returncode, out) == (130, "")
    assert err == "regnet-ds: interrupted\n"
