"""``regnet-ds export``: a model as a file for another runtime, compared with the model."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from . import models, shared
from .training_options import STORAGE, TrialStorage


class Target(StrEnum):
    """The formats; ``regnet.serving.exporting`` describes them."""

    SAVED_MODEL = "saved_model"
    TFLITE = "tflite"
    TFLITE_INT8 = "tflite-int8"
    ONNX = "onnx"
    KERAS = "keras"


def export(
    model: models.What,
    to: Annotated[Target, typer.Option("--to", help="The format.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="A file, or saved_model's folder.")],
    fuse: Annotated[
        bool, typer.Option("--fuse/--no-fuse", help="Fold batch norm into the convolutions.")
    ] = True,
    resolution: models.Size = None,
    classes: shared.Classes = 1000,
    tolerance: Annotated[
        float | None, typer.Option("--tolerance", help="Of max|a-b|/max|b|; else the format's.")
    ] = None,
    seed: shared.Seed = 0,
    storage: TrialStorage = STORAGE,
) -> None:
    r"""Write a model for TensorFlow, LiteRT, onnxruntime or Keras, and check it there.

    What is written is read back by its runtime and compared with the model on 8 random images;
    where the outputs differ by more than the tolerance, nothing is left on disk. Batch size stays
    open. ONNX needs: pip install "regnet-ds\[export]"

    Example: regnet-ds export model.keras --to onnx --out model.onnx

    Example: regnet-ds export RegNetX-200MF --to tflite-int8 --out model.tflite

    STUDY#17 is a model that a search has kept: those of its finals.
    """
    if len(model) == 1 and "#" in model[0] and not Path(model[0]).exists():
        from .study_files import trained_model

        model = [trained_model(storage, model[0])]
    size = models.read_size(resolution)
    name, network = models.make_model(model, size, classes)
    from ..regnet.serving.exporting import export as write

    shared.note(f"{name} to {to} ...")
    done = write(network, out, to, fused=fuse, resolution=size, tolerance=tolerance, seed=seed)
    print(f"wrote {done.path} ({done.bytes / 1e6:.1f} MB)")
    print(
        f"max|a-b|/max|b| {done.error:.2g} (at most {done.tolerance:g}), the same top class on "
        f"{round(done.agreement * done.images)} of {done.images} images"
    )


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command()(export)
