"""One training as data, and the function that does it: what a worker turns a trial into."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from optuna.trial import FrozenTrial

from ...analysis.records import PRIVATE, RECORD_KEYS
from ...analysis.storages.storage import parse_url
from ...designspace.atomic import as_file_name
from ..recipes.search_space import recipe_fields

if TYPE_CHECKING:
    from ..learning.checkpoints import Keep

UNTIL = PRIVATE + "until"  # of a trial that pauses: the epoch after which it is told as pruned
SAVE = PRIVATE + "save"  # of a trial whose model is kept
TEST = PRIVATE + "test"  # of a trial whose test error is read, after every decision
FOLDER = PRIVATE + "folder"  # of a study: where checkpoints are, and models that are kept
EVERY = PRIVATE + "every"  # of a study: seconds between the checkpoints of a training
RESUMED = PRIVATE + "resumed"  # of a trial: the steps that an earlier attempt had done
HARDWARE = "hardware"  # of a study: fields of `Hardware` that are not the usual ones
SETTINGS = PRIVATE + "settings"  # of a trial that differs from its study's
TUNING = "tuning"
SEARCH = "search"
GAIN = "gain"
POPULATION = "population"
_log = logging.getLogger("regnet_ds")
DEFAULT_TRAINER = "regnet_ds.search.queue.tasks:train_task"


class Interrupted(BaseException):
    """A stop was asked for while a trial was being trained."""


@dataclass(frozen=True)
class Task:
    """One training: an architecture's record, a recipe's fields, a data set's name, a seed.

    ``until`` is the epoch after which it pauses (0: never), ``checkpoint`` the file in which it
    is kept every so many seconds, ``model`` the file for the trained network; "" for neither.
    ``spare``: nothing but time hangs on the checkpoint. ``test``: read the test error.
    ``hardware``: fields of `Hardware`; one device if there are none.
    """

    trial: int
    index: int
    record: Mapping[str, Any]
    recipe: Mapping[str, Any]
    data: str
    data_fingerprint: str
    seed: int
    threads: int
    classes: int
    until: int = 0
    checkpoint: str = ""
    model: str = ""
    test: bool = False
    spare: bool = False
    every: float = 300.0
    hardware: Mapping[str, Any] = field(default_factory=dict)


class Outcome(Protocol):
    """What a trainer returns; `training.Result` is one."""

    @property
    def error(self) -> float: ...  # noqa: D102

    @property
    def best_epoch(self) -> int | None: ...  # noqa: D102

    @property
    def status(self) -> str: ...  # noqa: D102

    @property
    def seconds(self) -> float: ...  # noqa: D102

    @property
    def images_per_second(self) -> float | None: ...  # noqa: D102


Report = Callable[[int, float], None]
Trainer = Callable[[Task, Report], Outcome]


def task_of(settings: Mapping[str, Any], trial: FrozenTrial, folder: str = "") -> Task:
    """Return the training that a trial of a study with these attributes stands for.

    In a tuning study the trial's parameters are fields of the recipe. ``folder`` takes the
    checkpoints of studies that do not say where.
    """
    attrs = trial.user_attrs
    merged = {**settings, **attrs.get(SETTINGS, {})}
    recipe = dict(merged["recipe"])
    if merged["kind"] == TUNING:
        recipe |= recipe_fields(trial.params)
    checkpoint = checkpoint_of({FOLDER: folder, **settings}, trial)
    return Task(
        trial=trial.number,
        index=attrs["index"],
        record={key: attrs.get(key) for key in RECORD_KEYS},
        recipe=recipe,
        data=merged["data"],
        data_fingerprint=merged.get("data_fingerprint", ""),
        seed=attrs["seed"],
        threads=merged["threads"],
        classes=merged["classes"],
        until=attrs.get(UNTIL, 0),
        checkpoint=checkpoint,
        model=checkpoint.removesuffix(".npz") + ".keras" if attrs.get(SAVE) else "",
        test=attrs.get(TEST, False),
        spare=merged["kind"] != SEARCH,
        every=merged.get(EVERY, Task.every),
        hardware=merged.get(HARDWARE, {}),
    )


def checkpoint_of(settings: Mapping[str, Any], trial: FrozenTrial) -> str:
    """Return the file in which a trial is kept; "" where its study keeps none.

    Trials of one architecture, seed and number of epochs share it: they are one training.
    """
    folder, attrs = settings.get(FOLDER, ""), trial.user_attrs
    name = f"{attrs['index']:05d}-{attrs['seed']}-{attrs.get('epochs')}.npz"
    return f"{folder}/{name}" if folder else ""


def run_folder(url: str, name: str) -> Path:
    """Return the folder of a study's logs and tracebacks: beside the file of its storage."""
    path = parse_url(url).path
    parent = path.with_name(path.name + ".runs") if path else Path("regnet-ds.runs")
    return parent / as_file_name(name)


def train_task(task: Task, report: Report) -> Outcome:
    """Train a task with this package's own training.

    Raises
    ------
    ValueError
        If the data set has changed since the study began.
    """
    from ...designspace import from_record
    from ..data.datasets import load_dataset
    from ..learning.checkpoints import Stopped
    from ..learning.hardware import hardware_of_trial
    from ..learning.memory import forget_networks
    from ..learning.training import train
    from ..recipes.recipe import Recipe

    data = load_dataset(task.data, resolution=task.record.get("resolution"), mirror=task.trial)
    if task.data_fingerprint not in ("", data.fingerprint):
        raise ValueError(f"the data set {task.data!r} is not the one that the study began with")
    forget_networks()
    try:
        result = train(
            from_record(task.record),
            Recipe.from_dict(dict(task.recipe)),
            data,
            seed=task.seed,
            threads=task.threads,
            on_epoch=report,
            keep=_keep(task),
            hardware=hardware_of_trial(task.hardware),
        )
    except Stopped as stopped:  # its checkpoint is there: whoever goes on begins with it
        raise Interrupted from stopped
    if task.model:
        _write_model(task.model, result.model)
    if task.test:
        from ..learning.evaluation import evaluate

        return replace(result, test_error=evaluate(result.model, data, split="test"))
    return result


def _keep(task: Task) -> Keep | None:
    """Return where a training is kept; its folder is there."""
    from ..data.sources import places
    from ..learning.checkpoints import Keep

    if not task.checkpoint:
        return None
    try:
        places.make_folder(task.checkpoint.rpartition("/")[0])
    except ValueError as error:
        if not task.spare:
            raise
        _log.warning("%s; the training is not kept", error)
        return None
    return Keep(task.checkpoint, task.every, spare=task.spare)


def forget(task: Task) -> None:
    """Remove the checkpoint of a training that has ended, unless more hangs on it than time."""
    from ..data.sources import places

    if not task.checkpoint or not task.spare:
        return
    try:
        places.remove(task.checkpoint)
    except Exception as error:
        _log.warning("cannot remove %s: %s", task.checkpoint, error)


def _write_model(path: str, model: Any) -> None:
    """Write a network as .keras, whole or not at all."""
    import tempfile

    from ..data.sources import places

    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "model.keras"
        model.save(made)
        places.write_bytes(path, made.read_bytes())


def find_trainer(name: str) -> Trainer:
    """Return the trainer of a name: ``module:function`` or ``path/to/file.py:function``.

    Raises
    ------
    ValueError
        If it cannot be found.
    """
    place, colon, function = name.rpartition(":")
    if not colon:
        raise ValueError(f"a trainer is written module:function, got {name!r}")
    try:
        module = (
            _load_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
        )
        return getattr(module, function)
    except (ImportError, AttributeError, OSError) as error:
        raise ValueError(f"cannot find the trainer {name!r}: {error}") from error


def _load_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
