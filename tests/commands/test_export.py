"""export: what it prints and writes, and one line for bad input."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from regnet_ds.designspace import NetSpec, Stage
from regnet_ds.regnet import build

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "net.keras"
    spec = NetSpec((Stage(1, 8, 1, 4, 1), Stage(1, 16, 2, 8, 1)), "x", 0.0, stem_width=8)
    build(spec, input_shape=(16, 16, 3), classes=4).save(path)
    return path


@pytest.mark.parametrize(("fuse", "norms"), [("--fuse", 0), ("--no-fuse", 8)])
def test_a_line_says_how_near_it_is(
    fuse: str, norms: int, call: Call, saved: Path, tmp_path: Path
) -> None:
    out_path = tmp_path / "new" / "fused.keras"
    code, out, err = call("export", saved, "--to", "keras", "--out", out_path, fuse)
    assert (code, err) == (0, "net to keras ...\n")
    first, second = out.splitlines()
    assert first.startswith(f"wrote {out_path} (0.")
    assert second.startswith("max|a-b|/max|b| ")
    assert second.endswith(" (at most 0.0001), the same top class on 8 of 8 images")
    written = keras.saving.load_model(out_path)
    kinds = [isinstance(x, keras.layers.BatchNormalization) for x in written.layers]
    assert sum(kinds) == norms
    x = np.ones((2, 16, 16, 3), np.float32)
    np.testing.assert_allclose(written(x), keras.saving.load_model(saved)(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--to", "coreml", "--out", "m.onnx"), "'coreml' is not one of"),
        (("--to", "onnx", "--out", "m.tflite"), "a file that ends in .onnx, got m.tflite"),
        (("--to", "keras", "--out", "m.keras", "--tolerance", "-1"), "must be positive, got -1"),
        (("--to", "keras", "--out", "m.keras", "--resolution", "24"), "got the size (24, 24)"),
        (("--to", "keras", "--out", "m.keras", "--tolerance", "1e-12"), "m.keras was not written"),
        (("--to", "keras"), "--out"),
    ],
)
def test_bad_options_are_one_line_and_leave_nothing(
    arguments: tuple[str, ...],
    message: str,
    call: Call,
    saved: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = call("export", saved, *arguments)
    assert (code, out) == (2, "")
    lines = [line for line in err.splitlines() if not line.endswith(" ...")]
    assert len(lines) == 1
    assert message in lines[0]
    assert os.listdir(tmp_path) == []


def test_missing_packages_are_named(
    call: Call, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regnet_ds.regnet.serving.onnx_files.find_spec", lambda name: None)
    code, _, err = call("export", saved, "--to", "onnx", "--out", tmp_path / "m.onnx")
    assert code == 2
    assert "onnx needs tf2onnx and onnx and onnxruntime, which is not installed" in err
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
@pytest.mark.smoke
@pytest.mark.parametrize(("to", "name"), [("tflite-int8", "m.tflite"), ("saved_model", "m")])
def test_a_published_network_in_a_process_of_its_own(to: str, name: str, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    command = [sys.executable, "-m", "regnet_ds", "export", "RegNetX-200MF", "--to", to]
    command += ["--out", name, "--resolution", "64", "--classes", "10"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0].startswith(f"wrote {name} (")
    assert os.listdir(tmp_path) == [name]
    assert done.stderr.splitlines()[0] == f"RegNetX-200MF to {to} ..."


def test_help_names_the_extra(call: Call) -> None:
    _, out, _ = call("export", "--help")
    assert '"regnet-ds[export]"' in out
