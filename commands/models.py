"""What the commands take for a model: a .keras file, a canonical name, or parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..designspace.layers import height_and_width, read_resolution
from ..designspace.spec import require_resolution
from ..processors import available
from .saved_model import load_saved, require_archive

What = Annotated[
    list[str],
    typer.Argument(
        help="A .keras file, a model's name, or parameters as key=value.", show_default=False
    ),
]
Size = Annotated[
    str | None,
    typer.Option("--resolution", help="Input size: 224, or 320x256 (height first)."),
]
InputShapes = Annotated[
    list[str] | None,
    typer.Option("--input-shape", help="Without the batch: 224,224,3; once for each input."),
]


def read_size(text: str | None) -> tuple[int, int] | None:
    """Return height and width from ``224`` or ``320x256``."""
    return None if text is None else height_and_width(read_resolution(text))


def read_shapes(texts: list[str] | None) -> list[tuple[int, ...]] | None:
    """Return shapes from texts such as ``224,224,3``."""
    return [_shape(text) for text in texts] if texts else None


def _shape(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise ValueError(f"cannot read the input shape {text!r}: write 224,224,3")
    return sizes


def is_file(what: list[str]) -> bool:
    """Whether the arguments mean a saved model; a name may hold a dot, a path a slash."""
    return (
        len(what) == 1
        and "=" not in what[0]
        and (
            what[0].lower().endswith((".keras", ".h5", ".hdf5", ".tflite", ".onnx"))
            or "/" in what[0]
            or Path(what[0]).exists()
        )
    )


def make_model(
    what: list[str], size: tuple[int, int] | None, classes: int, threads: int | None = None
) -> tuple[str, Any]:
    """Return a name and the model that the arguments mean; a built one has the size, or 224.

    ``threads`` are set in TensorFlow before it starts; None leaves them to it.

    Raises
    ------
    ValueError
        If there is no such model or file, or the size does not suit it.
    """
    from .describe import read_network

    if is_file(what):
        path = Path(what[0])
        require_archive(path)
        start_tensorflow(threads)
        return path.stem, load_saved(path)
    name, spec = read_network(what)
    height, width = size or (224, 224)
    require_resolution(spec.total_stride, height, width)
    start_tensorflow(threads)
    from ..regnet import build

    shape = (height, width, 3)
    model = build(spec, input_shape=shape, classes=classes, data_format="channels_last")
    return name or f"regnet{spec.block}", model


def start_tensorflow(threads: int | None = None) -> None:
    """Import TensorFlow quietly; with so many threads, or its own number."""
    from ..search.quiet import import_tensorflow

    import_tensorflow()
    if threads is None:
        return
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError as error:
        raise ValueError(
            f"TensorFlow has already started in this process; it cannot take {threads} threads"
        ) from error


def threads_in_use() -> int:
    """Return the threads of one of TensorFlow's operations; its default is one a processor."""
    import tensorflow as tf

    return tf.config.threading.get_intra_op_parallelism_threads() or available()
