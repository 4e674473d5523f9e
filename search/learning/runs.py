"""One folder a run: what it was made with, its history, its checkpoint and its result.

``run.json`` (model, recipe, data, seed, versions, git commit, command), ``recipe.yaml``,
``history.csv``, ``events.out.tfevents...`` for TensorBoard, ``checkpoint.npz``, ``model.keras``
and ``metrics.json``. Everything appears whole or not at all.
"""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ...designspace.atomic import whole_file
from ...messages import without_passwords
from ..recipes.recipe import Recipe
from ..recipes.recipe_files import recipe_text
from .checkpoints import Record

SCHEMA = 1
FACTS = {  # of run.json, that the commands read
    "schema": int,
    "model": str,
    "record": dict,
    "recipe": dict,
    "options": dict,
    "data": str,
    "class_names": list,
    "resolution": int,
    "data_fingerprint": str,
    "mean": list,
    "std": list,
    "streamed": bool,
}
COLUMNS = ("epoch", "lr", "loss", "error", "seconds", "images_per_second")


@dataclass(frozen=True, slots=True)
class Run:
    """A run's folder; ``facts`` are those of ``run.json``."""

    folder: Path
    facts: Mapping[str, Any]

    @property
    def checkpoint(self) -> str:
        """Path of the checkpoint."""
        return str(self.folder / "checkpoint.npz")

    @property
    def model(self) -> Path:
        """Path of the trained model, which is there when the run is done."""
        return self.folder / "model.keras"

    @property
    def recipe(self) -> Recipe:
        """The recipe of the run."""
        return Recipe.from_dict(self.facts["recipe"])

    def with_recipe(self, recipe: Recipe, **reason: Any) -> Run:
        """Return the run with another recipe, which its files say from now on, and why."""
        facts = {**self.facts, **reason, "recipe": recipe.to_dict()}
        _write(self.folder / "recipe.yaml", recipe_text(recipe))
        _write(self.folder / "run.json", json.dumps(facts, indent=1) + "\n")
        return Run(self.folder, facts)

    def write_history(self, history: Sequence[Record]) -> None:
        """Write the records of all epochs."""
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: record[key] for key in COLUMNS} for record in history)
        _write(self.folder / "history.csv", buffer.getvalue())
        _write_events(self.folder, history[-1])

    def write_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Write the final numbers."""
        _write(self.folder / "metrics.json", json.dumps(metrics, indent=1) + "\n")


def new_run(root: Path, name: str, facts: Mapping[str, Any], recipe: Recipe) -> Run:
    """Make a folder called after date, time and name, and write what is known before training.

    Raises
    ------
    ValueError
        If it cannot be written.
    """
    began = datetime.now().astimezone()
    stem = f"{began:%Y-%m-%d_%Hh%Mm%Ss}_{name}"
    for suffix in ("", *(f"-{i}" for i in range(2, 1000))):
        folder = root / f"{stem}{suffix}"
        try:
            folder.mkdir(parents=True)
            break
        except FileExistsError:
            continue
        except OSError as error:
            raise ValueError(f"cannot make the folder {folder}: {error.strerror}") from None
    else:
        raise ValueError(f"there are 1,000 runs called {stem} in {root}")
    everything = {
        "schema": SCHEMA,
        "began": began.isoformat(timespec="seconds"),
        "command": [without_passwords(argument) for argument in sys.argv[1:]],
        "git_commit": _git_commit(),
        **facts,
        "recipe": recipe.to_dict(),
    }
    _write(folder / "recipe.yaml", recipe_text(recipe))
    _write(folder / "run.json", json.dumps(everything, indent=1) + "\n")
    return Run(folder, json.loads(json.dumps(everything)))


def open_run(folder: Path) -> Run:
    """Return the run of a folder.

    Raises
    ------
    ValueError
        If it is none, or a newer version's.
    """
    path = folder / "run.json"
    try:
        facts = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        what = getattr(error, "strerror", None) or error
        raise ValueError(f"{folder} is not a run's folder: {path}: {what}") from None
    if not isinstance(facts, dict):
        raise ValueError(f"{folder} is not a run's folder: {path} holds {str(facts)[:40]!r}")
    for name, kind in FACTS.items():
        value = facts.get(name)
        if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
            raise ValueError(f"{path} is damaged: {name} is {str(value)[:40]!r}")
    if facts["schema"] > SCHEMA:
        raise ValueError(f"{path} is of a newer version: update regnet-ds")
    return Run(folder, facts)


def _write(path: Path, text: str) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(text)


def _git_commit() -> str | None:
    """Return the commit of the folder that the command runs in, if it is one of git."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _write_events(folder: Path, record: Record) -> None:
    """Add an epoch to TensorBoard's file, which needs no TensorBoard to be written."""
    import tensorflow as tf

    metadata = tf.compat.v1.SummaryMetadata(
        plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
    )
    writer: Any = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        for key in COLUMNS[1:]:
            tf.summary.write(key, float(record[key]), step=record["epoch"], metadata=metadata)
    writer.close()
