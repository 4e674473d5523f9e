"""ONNX files, by tf2onnx: every grouped convolution is one Conv with groups.

Keras traces a grouped convolution on a CPU as a call of XLA's, which onnxruntime refuses; here it
is TensorFlow's plain operation.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np

from .graphs import INPUT, OUTPUT, inference

OPSET = 17  # 2022; onnxruntime reads it since 1.12
PACKAGES = ("tf2onnx", "onnx", "onnxruntime")


def require() -> None:
    """Raise ValueError unless the optional packages are there."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ValueError(
            f"onnx needs {' and '.join(missing)}, which is not installed: "
            'pip install "regnet-ds[export]"'
        )


def write(model: keras.Model, shape: tuple[int | None, ...], path: Path) -> None:
    """Write a model from ``images``, channels last, to ``output``; the batch is named ``batch``."""
    import onnx  # pyright: ignore[reportMissingImports]
    import tf2onnx  # pyright: ignore[reportMissingImports]

    function = inference(model, shape, "native")
    made, _ = tf2onnx.convert.from_function(function, function.input_signature, opset=OPSET)
    graph = made.graph
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.checker.check_model(made, full_check=True)
    onnx.save(made, path)


def run(path: Path, images: np.ndarray) -> np.ndarray:
    """Return the outputs of a file for images, by onnxruntime."""
    import onnxruntime  # pyright: ignore[reportMissingImports]

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.asarray(session.run([OUTPUT], {INPUT: images})[0])
