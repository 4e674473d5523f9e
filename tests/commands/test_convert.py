"""convert: weights of other libraries as Keras models and back, and one line for bad input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from regnet_ds.designspace import NetSpec, Stage
from regnet_ds.regnet import build, save_timm
from regnet_ds.regnet.weights.safetensors_file import read_safetensors

Call = Callable[..., tuple[int, str, str]]
SPEC = NetSpec((Stage(1, 8, 2, 4), Stage(2, 16, 2, 8)), "y", 0.25, stem_width=8)
MODEL = (
    "block=y se_ratio=0.25 stage_depths=1,2 stage_widths=8,16 stage_group_widths=4,8 stem_width=8"
)


@pytest.fixture(scope="module")
def source() -> keras.Model:
    return build(SPEC, input_shape=(16, 16, 3), classes=4, seed=3)


@pytest.fixture
def timm_file(source: keras.Model, tmp_path: Path) -> Path:
    save_timm(source, tmp_path / "timm.safetensors")
    return tmp_path / "timm.safetensors"


def test_there_and_back(call: Call, source: keras.Model, timm_file: Path, tmp_path: Path) -> None:
    whole, back = tmp_path / "new" / "net.keras", tmp_path / "back.safetensors"
    arguments = ("--model", MODEL, "--resolution", "24x16", "--out", whole)
    code, out, err = call("convert", timm_file, *arguments)
    assert (code, err) == (0, "")
    assert out.startswith(f"wrote {whole} (0.")
    assert out.endswith(" MB) from weights of timm, 4 classes\n")
    made = keras.saving.load_model(whole)
    assert made.input_shape == (None, 24, 16, 3)
    for ours, theirs in zip(made.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert call("convert", whole, "--out", back)[0] == 0
    first, second = read_safetensors(timm_file), read_safetensors(back)
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def test_weights_of_keras_3(
    call: Call, source: keras.Model, timm_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "net.weights.h5"
    assert call("convert", timm_file, "--model", MODEL, "--out", path)[0] == 0
    other = build(SPEC, input_shape=(16, 16, 3), classes=4, seed=4)
    other.load_weights(path)
    for ours, theirs in zip(other.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("timm.safetensors", "--out", "x.keras"), "--model is missing"),
        (("timm.safetensors", "--model", "RegNetX-200MF", "--out", "x.keras"), "another network"),
        (("timm.safetensors", "--model", "RegNetX-201MF", "--out", "x.keras"), "(nearest: RegNet"),
        (("timm.safetensors", "--out", "x.pth"), "--out must end in .keras, .weights.h5, .safe"),
        (("nothing.pth", "--out", "x.keras"), "cannot read nothing.pth: no such file"),
        (("torn.pth", "--model", "RegNetX-200MF", "--out", "x.keras"), "torn.pth is cut short"),
        (("torn.keras", "--out", "x.safetensors"), "torn.keras is not a .keras file"),
        (("torn.keras", "--model", "x", "--out", "x.safetensors"), "leave --model and --resol"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    arguments: tuple[str, ...],
    message: str,
    refuses: Callable[..., None],
    timm_file: Path,
) -> None:
    files = {"torn.pth": "PK\x03\x04...............", "torn.keras": "nothing"}
    refuses(("convert", *arguments), message, files)
