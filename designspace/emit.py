"""Configurations of the canonical networks, as plain data for YAML, JSON and tables."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .catalogue import canonical, keras_name, published, timm_name
from .record import STAGE_KEYS, Record, to_record
from .tables.columns import Columns, write_columns

Configuration = dict[str, Any]
NESTED = ("recipe", "published", "tuned")


def peer_names(name: str) -> dict[str, str | None]:
    """Return what other libraries call a canonical network; None where they lack it."""
    return {
        "keras": keras_name(name),
        "timm": timm_name(name),
        "torchvision": published()[name]["torchvision_name"] or None,
    }


def paper_figures(name: str) -> Record:
    """Return the errors published for the paper's recipe (pycls model zoo; DDS figures 15, 16)."""
    row = published()[name]
    return {
        "source": "pycls model zoo; Designing Network Design Spaces, figures 15 and 16",
        "top1_error": float(row["pycls_top1_err"]),
        "top5_error": float(row["pycls_top5_err"]),
        "paper_top1_error": float(row["paper_fig_top1_err"]),
        "paper_top1_error_std": float(row["paper_fig_top1_err_std"]),
    }


def post_figures(name: str) -> Record:
    """Return the accuracy published for the Keras training."""
    accuracy = float(published()[name]["keras_top1_acc"])
    return {
        "source": "Training RegNets for tf.keras.applications",
        "top1_accuracy": accuracy,
        "top1_error": round(100 - accuracy, 2),
    }


def configuration(
    name: str, recipe: Mapping[str, Any], figures: Mapping[str, Any]
) -> Configuration:
    """Return the whole configuration of a canonical network.

    The record keys of its architecture (224 px, 1000 classes), its names elsewhere, the
    ``recipe`` it is trained with and the ``published`` figures for that recipe.
    """
    return {
        "name": name,
        "names": peer_names(name),
        **to_record(canonical(name)),
        "recipe": dict(recipe),
        "published": dict(figures),
    }


def flat_columns(configurations: list[Configuration]) -> Columns:
    """Return configurations as the columns of a table: nested keys are joined by ``_``."""
    rows = [_flat(configuration) for configuration in configurations]
    names = list(dict.fromkeys(key for row in rows for key in row))
    return {name: [row.get(name) for row in rows] for name in names}


def _flat(configuration: Configuration) -> Record:
    row: Record = {}
    for key, value in configuration.items():
        if key == "names":
            row |= {f"{library}_name": name for library, name in value.items()}
        elif key in NESTED:
            row |= {f"{key}_{inner}": cell for inner, cell in value.items()}
        else:
            row[key] = value
    return row


def write_folder(configurations: list[Configuration], folder: Path) -> list[Path]:
    """Write one YAML file a configuration and ``table.csv``; return the paths.

    All files are made in a temporary folder first, so that a failure leaves none behind.

    Raises
    ------
    ValueError
        If the folder cannot be written to.
    """
    import yaml

    with _new_files(folder) as temporary:
        made: list[Path] = []
        for configuration in configurations:
            made.append(temporary / f"{configuration['name']}.yaml")
            made[-1].write_text(dump(configuration, yaml), encoding="utf-8")
        made.append(temporary / "table.csv")
        write_columns(flat_columns(configurations), made[-1])
    return [folder / path.name for path in made]


def write_texts(texts: Mapping[str, str], folder: Path) -> list[Path]:
    """Write texts by file name into a folder, all or none; return the paths.

    Raises
    ------
    ValueError
        If the folder cannot be written to.
    """
    with _new_files(folder) as temporary:
        for name, text in texts.items():
            (temporary / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts]


@contextmanager
def _new_files(folder: Path) -> Generator[Path]:
    """Yield a temporary folder; move what is in it to ``folder`` if the block succeeds."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".canonical.", dir=folder) as temporary:
            yield Path(temporary)
            for path in Path(temporary).iterdir():
                os.replace(path, folder / path.name)
    except OSError as error:
        raise ValueError(f"cannot write to {folder}: {error.strerror or error}") from error


def dump(configuration: Configuration, yaml: Any) -> str:
    """Return a configuration as YAML text, keys in order, lists on one line."""
    plain = {
        key: list(value) if key in STAGE_KEYS else value for key, value in configuration.items()
    }
    return yaml.safe_dump(plain, sort_keys=False, default_flow_style=None, width=100)


def dump_foreign(tree: Mapping[str, Any], *, json: bool) -> str:
    """Return a configuration of another library as YAML or JSON text, keys in order."""
    if json:
        from json import dumps

        return f"{dumps(tree, indent=2)}\n"
    import yaml

    class Dumper(yaml.SafeDumper):
        """Keys on lines of their own, lists on one line."""

    def flow(dumper: Any, values: list[Any]) -> Any:
        return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=True)

    Dumper.add_representer(list, flow)
    return yaml.dump(tree, Dumper=Dumper, sort_keys=False, default_flow_style=False, width=100)
