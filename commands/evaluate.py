"""``regnet-ds evaluate`` and ``regnet-ds predict``: what the model of a run does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import shared

if TYPE_CHECKING:
    from ..search.learning.runs import Run

Folder = Annotated[Path, typer.Argument(help="The folder of a run.", metavar="RUN")]


def evaluate(
    run: Folder,
    data: Annotated[str | None, typer.Option(help="Else that of the run.")] = None,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    confusion: Annotated[
        Path | None, typer.Option(help="Write the confusion matrix: .csv, .json, .parquet.")
    ] = None,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Show the error of a run's model on a split, class by class.

    Example: regnet-ds evaluate runs/2026-11-26_10h00m00s_regnetx --confusion confusion.csv
    """
    from ..designspace.tables.columns import require_suffix

    for path in (out, confusion):
        if path is not None:
            require_suffix(path)
    opened = _open(run)
    from ..search.data.datasets import load_dataset
    from ..search.learning.evaluation import tally

    facts = opened.facts
    loaded = load_dataset(data or facts["data"], resolution=facts["resolution"])
    loaded.split(split)
    if list(loaded.class_names) != facts["class_names"]:
        raise ValueError(f"{loaded.name} has other classes than the run: {loaded.classes}")
    counted = tally(_model(opened), loaded, split=split)
    columns = {
        "class": list(loaded.class_names),
        "images": counted.confusion.sum(axis=1).tolist(),
        "error": counted.class_errors.tolist(),
    }
    if confusion is not None:
        matrix = {"class": list(loaded.class_names)}
        matrix |= {
            name: counted.confusion[:, i].tolist() for i, name in enumerate(loaded.class_names)
        }
        shared.emit(matrix, format, confusion)
    shared.emit(columns, format, out)
    shared.note(f"error {counted.error:.2f}% on {split} of {loaded.name}")


def predict(
    run: Folder,
    files: Annotated[list[str], typer.Argument(help="Images.", metavar="FILE")],
    top: Annotated[int, typer.Option(min=1, help="Likeliest classes of each.")] = 1,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Print the likeliest classes of image files by a run's model.

    Example: regnet-ds predict runs/2026-11-26_10h00m00s_regnetx photo.jpg --top 3
    """
    from ..designspace.tables.columns import require_suffix

    if out is not None:
        require_suffix(out)
    opened = _open(run)
    from ..search.learning.predicting import predict as predict_files

    found = predict_files(_model(opened), files, opened.facts, top)
    rows = [
        (one.file, rank, name, probability)
        for one in found
        for rank, (name, probability) in enumerate(
            zip(one.classes, one.probabilities, strict=True), start=1
        )
    ]
    names = ("file", "rank", "class", "probability")
    shared.emit(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)), format, out)


def _open(folder: Path) -> Run:
    """Return the run of a folder, with TensorFlow imported quietly."""
    from ..search.learning.runs import open_run
    from ..search.quiet import import_tensorflow

    opened = open_run(folder)
    if not opened.model.exists():
        raise ValueError(f"{folder} has no model yet: regnet-ds train --resume {folder}")
    import_tensorflow()
    return opened


def _model(run: Run) -> Any:
    from .saved_model import load_saved, require_archive

    require_archive(run.model)
    return load_saved(run.model)


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command()(evaluate)
    app.command()(predict)
