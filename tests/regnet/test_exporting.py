"""Exported files, read by runtimes of their own: the outputs are the model's."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from regnet_ds.regnet import build, canonical
from regnet_ds.regnet.serving.exporting import FORMATS, compare, export

SHAPE = (12, 13, 3)
# Warnings of the converters, which are not ours to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def images(n, shape=SHAPE):
    return np.random.default_rng(5).normal(size=(n, *shape)).astype(np.float32)


def error(outputs, expected):
    return compare(np.asarray(outputs), np.asarray(expected))[0]


def run_onnx(path, x):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    ((entry,), (out,)) = session.get_inputs(), session.get_outputs()
    assert (entry.name, entry.shape[0], out.name) == ("images", "batch", "output")
    return session.run(None, {"images": x})[0]


def run_litert(path, x):
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    interpreter = litert.Interpreter(model_path=str(path))
    assert interpreter.get_signature_list() == {
        "serving_default": {"inputs": ["images"], "outputs": ["output"]}
    }
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], x.shape)
    return interpreter.get_signature_runner()(images=x)["output"]


RUN_SAVED_MODEL = """
import sys
import numpy as np
import tensorflow as tf
signature = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
np.save(sys.argv[3], signature(images=tf.constant(np.load(sys.argv[2])))["output"])
assert not any(name.startswith("regnet_ds") for name in sys.modules)
"""


def run_saved_model(path, x, onednn="1"):
    """Run it in a process without this package, with or without oneDNN."""
    files = path.parent / "x.npy", path.parent / "y.npy"
    np.save(files[0], x)
    subprocess.run(
        [sys.executable, "-c", RUN_SAVED_MODEL, path, *files],
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": onednn},
        check=True,
    )
    return np.load(files[1])


def run_keras(path, x):
    return keras.saving.load_model(path)(x)


RUNTIMES = {"onnx": run_onnx, "tflite": run_litert, "tflite-int8": run_litert, "keras": run_keras}


@pytest.mark.parametrize("format", RUNTIMES)
def test_the_runtime_of_a_format_gives_the_models_outputs(format, trained_like, tmp_path):
    model = trained_like("y", stem_type="resnet")
    path = tmp_path / f"net{FORMATS[format].suffix}"
    done = export(model, path, format)
    assert (done.path, done.format, done.bytes) == (path, format, path.stat().st_size)
    assert done.error <= done.tolerance == FORMATS[format].tolerance
    for n in (1, 3):
        x = images(n)
        assert error(RUNTIMES[format](path, x), model(x)) <= done.tolerance
    assert os.listdir(tmp_path) == [path.name]


def test_a_saved_model_needs_neither_this_package_nor_onednn(trained_like, tmp_path):
    model, path = trained_like("z"), tmp_path / "net"
    done = export(model, path, "saved_model")
    assert done.bytes == sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
    assert os.listdir(tmp_path) == ["net"]
    assert error(run_saved_model(path, images(3), onednn="0"), model(images(3))) < 1e-4


@pytest.mark.parametrize("fused", [True, False])
def test_onnx_has_one_operation_a_convolution(fused, trained_like, tmp_path):
    onnx = pytest.importorskip("onnx")
    export(trained_like("x"), tmp_path / "net.onnx", "onnx", fused=fused)  # tf2onnx folds too
    nodes = onnx.load(tmp_path / "net.onnx").graph.node
    kinds = [node.op_type for node in nodes]
    assert kinds.count("Conv") == 1 + 3 * 3 + 1  # stem, three blocks, a projection
    assert not {"BatchNormalization", "Pad", "Concat", "Split"} & set(kinds)
    groups = [a.i for node in nodes for a in node.attribute if a.name == "group"]
    assert max(groups) == 2


def test_open_sizes_stay_open(trained_like, tmp_path):
    model, x = trained_like("x", input_shape=(None, None, 3)), images(2, (32, 48, 3))
    export(model, tmp_path / "net.onnx", "onnx")
    assert error(run_onnx(tmp_path / "net.onnx", x), model(x)) < 1e-4
    with pytest.raises(ValueError, match="LiteRT needs a size"):
        export(model, tmp_path / "net.tflite", "tflite")
    export(model, tmp_path / "net.tflite", "tflite", resolution=(32, 48))
    assert error(run_litert(tmp_path / "net.tflite", x), model(x)) < 1e-4
    assert sorted(os.listdir(tmp_path)) == ["net.onnx", "net.tflite"]


def test_outputs_that_differ_leave_what_was_there(trained_like, tmp_path, monkeypatch):
    model, path = trained_like("x"), tmp_path / "net.keras"
    path.write_text("before")
    fused_wrongly = trained_like("x")
    fused_wrongly.get_layer("stem_conv").kernel.assign_add(np.full((3, 3, 3, 8), 0.05, np.float32))
    monkeypatch.setattr("regnet_ds.regnet.serving.exporting.fuse", lambda _: fused_wrongly)
    with pytest.raises(ValueError, match=r"net\.keras was not written: outputs of keras differ by"):
        export(model, path, "keras")
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["net.keras"]
    assert export(model, path, "keras", tolerance=10).error > 1e-4


def test_a_saved_model_replaces_a_saved_model_alone(trained_like, tmp_path):
    path = tmp_path / "net"
    path.mkdir()
    (path / "thesis.txt").write_text("dear")
    with pytest.raises(ValueError, match="net exists and is not a SavedModel"):
        export(trained_like("v"), path, "saved_model")
    assert (path / "thesis.txt").read_text() == "dear"
    (path / "thesis.txt").rename(path / "saved_model.pb")
    export(trained_like("v"), path, "saved_model")
    assert os.listdir(tmp_path) == ["net"]
    assert (path / "saved_model.pb").read_bytes() != b"dear"


def test_compare_is_relative_to_the_largest_and_refuses_shapes():
    expected = np.array([[1.0, -4.0], [3.0, 2.0]])
    assert compare(expected, expected) == (0.0, 1.0)
    assert compare(expected + np.array([[0.0, 0.0], [0.0, 2.0]]), expected) == (0.5, 0.5)
    assert np.isnan(compare(expected * np.nan, expected)[0])
    with pytest.raises(ValueError, match=r"the shape \(2, 1\), not \(2, 2\)"):
        compare(expected[:, :1], expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"format": "coreml"}, "format must be one of"),
        ({"path": "net.pb"}, "onnx needs a file that ends in .onnx, got net.pb"),
        ({"path": "net.onnx", "format": "saved_model"}, "saved_model needs a folder"),
        ({"tolerance": 0.0}, "tolerance must be positive, got 0"),
        ({"tolerance": float("nan")}, "tolerance must be positive, got nan"),
        ({"resolution": (24, 24)}, r"the model's input is \(12, 13, 3\), got the size \(24, 24\)"),
    ],
)
def test_bad_arguments_are_refused(arguments, message, trained_like, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    defaults = {"path": "net.onnx", "format": "onnx"}
    with pytest.raises(ValueError, match=message):
        export(trained_like("v"), **defaults | arguments)
    assert os.listdir(tmp_path) == []


def test_models_of_other_inputs_are_refused(tmp_path):
    x = keras.Input((4,))
    with pytest.raises(ValueError, match=r"from one image \(h, w, c\) to one output"):
        export(keras.Model(x, keras.layers.Dense(2)(x)), tmp_path / "m.onnx", "onnx")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("format", "name"),
    [
        pytest.param(format, name, marks=[pytest.mark.smoke] * (format == "onnx"))
        for format in (*RUNTIMES, "saved_model")
        for name in ("RegNetX-200MF", "RegNetY-200MF")
    ],
)
def test_published_networks(format, name, tmp_path):
    model = build(canonical(name), input_shape=(64, 64, 3))
    path = tmp_path / f"net{FORMATS[format].suffix}"
    done = export(model, path, format)
    x = images(2, (64, 64, 3))
    outputs = (RUNTIMES | {"saved_model": run_saved_model})[format](path, x)
    assert error(outputs, model(x)) <= done.tolerance
