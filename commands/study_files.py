"""``regnet-ds study export|copy|merge|import``: results from one place to another."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import shared
from .training_options import STORAGE, Storage, quiet_optuna, shown_storage

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from ..designspace.spec import NetSpec

Source = Annotated[str, typer.Option("--from", help="The storage to read.")]
Target = Annotated[str, typer.Option("--to", help="The storage to write; made if need be.")]


USUAL = {"resolution": 224, "classes": 1000}  # of an imported trial that does not say
NOTATIONS = (".yaml", ".json")  # of a configuration that another library reads


def export(
    what: Annotated[str, typer.Argument(help="A study, or one of its networks: STUDY#17.")],
    storage: Storage = STORAGE,
    library: Annotated[
        str | None,
        typer.Option("--as", help="Of a network: keras, timm, pycls, torchvision, classyvision."),
    ] = None,
    format: shared.OutputFormat = shared.Format.CSV,
    out: shared.Output = None,
) -> None:
    """Write the table of a study, or the configuration of one of its networks.

    Example: regnet-ds study export population --out population.parquet

    Example: regnet-ds study export population#17 --as timm
    """
    from ..analysis.tables.table import load_table, to_columns
    from ..designspace import to_record
    from ..designspace.atomic import whole_file
    from ..designspace.tables.columns import SUFFIXES, require_suffix

    if out is not None:
        require_suffix(out, SUFFIXES if library is None else NOTATIONS)
    if "#" not in what:
        if library is not None:
            raise ValueError(f"--as takes one network, {what}#NUMBER, got the study {what!r}")
        shared.emit(to_columns(load_table(storage, what)), format, out)
        return
    spec, trial, _ = read_trial(storage, what)
    if library is not None:
        text = _foreign(spec, library, units_of(trial))
        if out is None:
            print(text, end="")
        else:
            with whole_file(out) as temporary:
                temporary.write_text(text, encoding="utf-8")
            shared.note(f"wrote {out}")
        return
    units = units_of(trial)
    record = {"name": what, **to_record(spec, **units), "error": _error(trial)}
    shared.emit({key: [value] for key, value in record.items()}, format, out)


def copy(
    study: Annotated[str, typer.Argument(help="The study's name.")],
    source: Source = STORAGE,
    target: Target = ...,  # type: ignore[assignment]
    name: Annotated[str | None, typer.Option("--as", help="The copy's name.")] = None,
) -> None:
    """Copy a study to another storage, as from a journal to a server.

    Example: regnet-ds study copy population --from regnet-ds.journal --to postgresql://me@host/db
    """
    from ..analysis.storages.storage import load_study, open_storage, require_writable
    from ..search.populations.transfer import copy_study, require_storable

    quiet_optuna()
    found = load_study(open_storage(source, create=False), study)
    require_storable(found)
    opened = open_storage(target)
    require_writable(opened, target)
    made = copy_study(found, opened, name or study)
    n = len(made.get_trials(deepcopy=False))
    shared.note(f"copied {n} trials to study {made.study_name} in {shown_storage(target)}")


def merge(
    study: Annotated[str, typer.Argument(help="The study whose results are taken.")],
    source: Source = STORAGE,
    target: Target = STORAGE,
    into: Annotated[str | None, typer.Option(help="The study that gets them.")] = None,
) -> None:
    """Bring the results of a study into another that was made with the same settings.

    Example: regnet-ds study merge population --from other.journal --to regnet-ds.journal
    """
    from ..analysis.storages.storage import load_study, open_storage, require_writable
    from ..search.populations.transfer import merge_study, require_storable

    quiet_optuna()
    found = load_study(open_storage(source, create=False), study)
    require_storable(found)
    opened = open_storage(target, create=False)
    require_writable(opened, target)
    merged = merge_study(found, load_study(opened, into or study))
    shared.note(
        f"{merged.filled} waiting trials finished, {merged.added} added, "
        f"{merged.there} were there already"
    )


def import_results(
    file: Annotated[str, typer.Argument(help="CSV, Parquet, JSON, pycls sweep.json or nds json.")],
    name: Annotated[str, typer.Option(help="Of the new study.")],
    storage: Storage = STORAGE,
    errors: Annotated[
        str | None, typer.Option(help="What the errors are: percent, or share in [0, 1].")
    ] = None,
) -> None:
    """Store other people's results as a study, for `edf`, `plot` and comparisons.

    Example: regnet-ds study import sweep.json --name sweep
    """
    from ..analysis.storages.storage import open_storage, require_writable
    from ..analysis.tables.table import load_table
    from ..search.populations.transfer import import_table

    quiet_optuna()
    table = load_table(file, errors=errors)
    opened = open_storage(storage)
    require_writable(opened, storage)
    made = import_table(table, opened, name, Path(file).name)
    shared.note(
        f"imported {len(table)} rows as study {made.study_name} in {shown_storage(storage)}"
    )


def read_trial(storage: str, what: str) -> tuple[NetSpec, FrozenTrial, dict[str, Any]]:
    """Return the network and the trial of ``STUDY#NUMBER``, and the attributes of its study.

    Raises
    ------
    ValueError
        If there is no such study or trial, or the trial is of no network.
    """
    from ..analysis.storages.storage import load_study, open_storage
    from ..designspace import from_record

    name, _, number = what.rpartition("#")
    study = load_study(open_storage(storage, create=False), name)
    trials = study.get_trials(deepcopy=False)
    if not (number.isascii() and number.isdigit()) or int(number) >= len(trials):
        raise ValueError(f"study {name!r} has trials #0 to #{len(trials) - 1}, got {number!r}")
    trial = trials[int(number)]
    try:
        return from_record(trial.user_attrs), trial, study.user_attrs
    except KeyError as error:
        raise ValueError(f"{what} is no network: it has no {error.args[0]}") from error
    except ValueError as error:
        raise ValueError(f"{what} is no network: {error}") from error


def trained_model(storage: str, what: str) -> str:
    """Return the file of the trained model of ``STUDY#NUMBER``.

    Raises
    ------
    ValueError
        If there is no such trial, or its study kept no model of it.
    """
    from ..search.data.sources import places
    from ..search.queue.tasks import task_of

    _, trial, settings = read_trial(storage, what)
    path = task_of(settings, trial).model if "recipe" in settings else ""
    if not path or not places.exists(path):
        raise ValueError(f"no model of {what} was kept: run regnet-ds train {what} first")
    return path


def _error(trial: FrozenTrial) -> float | None:
    return trial.values[0] if trial.values else None


def units_of(trial: FrozenTrial) -> dict[str, Any]:
    """Return the resolution and classes that a trial was trained at; 224 and 1000 if unknown."""
    return {key: int(trial.user_attrs.get(key) or usual) for key, usual in USUAL.items()}


def _foreign(spec: NetSpec, library: str, units: dict[str, Any]) -> str:
    from ..designspace import emit
    from ..designspace.foreign import formats
    from .canonical import Library

    if library not in list(Library):
        raise ValueError(f"--as takes {', '.join(Library)}, got {library!r}")
    convert: Any = getattr(formats, f"to_{library}")
    known = inspect.signature(convert).parameters
    tree = convert(spec, **{key: units[key] for key in units if key in known})
    return emit.dump_foreign(tree, json=library == Library.CLASSYVISION)
