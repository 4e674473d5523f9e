"""What ``regnet-ds train`` does: begins a run or goes on with one, and shows how it goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from . import shared
from .training_options import note_narrowing, read_recipe

if TYPE_CHECKING:
    from ..designspace import NetSpec
    from ..search.learning.backends.seam import Place
    from ..search.learning.checkpoints import Keep
    from ..search.learning.fine_tuning import Start
    from ..search.learning.hardware import Hardware
    from ..search.learning.hooks import Hook
    from ..search.learning.runs import Run
    from ..search.recipes.recipe import Recipe
    from .progress import ShowStep


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options that decide a training."""

    what: tuple[str, ...]
    data: str
    recipe: str
    epochs: int | None
    fields: tuple[str, ...]
    resolution: int | None
    weights: Path | None
    freeze_until: str | None
    seed: int
    threads: int
    accelerator: str
    skip_damaged: bool
    devices: int = 0
    precision: str = "float32"
    xla: bool | None = None
    steps_per_execution: int = 1

    def hardware(self) -> Hardware:
        """What the training runs on."""
        from ..search.learning.hardware import Hardware

        return Hardware(
            accelerator=self.accelerator,
            devices=self.devices,
            precision=self.precision,
            xla=self.xla,
            steps_per_execution=self.steps_per_execution,
        )


@dataclass(frozen=True, slots=True)
class Trained:
    """A study's trial as a training: ``name`` is STUDY#17."""

    name: str
    spec: NetSpec
    recipe: Recipe
    data: str
    resolution: int
    seed: int


def trained_as(storage: str, what: str) -> Trained:
    """Return the training of ``STUDY#17``.

    Raises
    ------
    ValueError
        If there is no such trial, or its study was imported and names no training.
    """
    from ..search.queue.tasks import task_of
    from ..search.recipes.recipe import Recipe
    from .study_files import read_trial

    spec, trial, settings = read_trial(storage, what)
    if "recipe" not in settings or not trial.user_attrs.get("resolution"):
        raise ValueError(f"{what} was trained elsewhere: it has no recipe to train with")
    task = task_of(settings, trial)
    recipe = Recipe.from_dict(dict(task.recipe))
    return Trained(what, spec, recipe, task.data, trial.user_attrs["resolution"], task.seed)


def begin(
    wanted: Wanted,
    root: Path,
    checkpoint_seconds: float,
    halve_batch: bool,
    hook: str | None,
    trial: Trained | None = None,
) -> None:
    """Check everything, make the run's folder and train."""
    from ..designspace.atomic import as_file_name
    from ..designspace.record import to_record
    from ..search.data.datasets import load_dataset
    from ..search.learning.fingerprint import environment
    from ..search.learning.hooks import find_hook
    from ..search.learning.runs import new_run
    from ..search.recipes.recipe_files import named_recipe
    from .describe import read_network

    name, spec = (trial.name, trial.spec) if trial else read_network(list(wanted.what))
    base = trial.recipe if trial and not wanted.recipe else named_recipe(wanted.recipe, name)
    recipe = read_recipe(base, wanted.epochs, list(wanted.fields))
    if wanted.freeze_until is not None and wanted.weights is None:
        raise ValueError("--freeze-until needs --weights: untrained layers would stay untrained")
    place = _start(wanted)
    data = load_dataset(wanted.data, resolution=wanted.resolution, skip_damaged=wanted.skip_damaged)
    asked, recipe = recipe, recipe.narrowed(data.augmentations)
    _check(spec, recipe, data, len(place))
    start = _start_of(wanted, spec, data)
    make_hook = find_hook(hook) if hook else None
    options = {key: str(v) if isinstance(v, Path) else v for key, v in asdict(wanted).items()}
    facts = {
        "model": as_file_name(name) if name else f"regnet{spec.block}",
        "record": to_record(spec, resolution=data.image_size[0], classes=data.classes),
        "options": options,
        "seed": wanted.seed,
        "data": data.name,
        "data_fingerprint": data.fingerprint,
        "class_names": list(data.class_names),
        "resolution": data.image_size[0],
        "mean": data.mean,
        "std": data.std,
        "streamed": not hasattr(data, "test"),
        "environment": environment(wanted.threads),
    }
    run = new_run(root, facts["model"], facts, recipe)
    note_narrowing(asked, data)
    shared.note(f"run {run.folder}; seed {wanted.seed}")
    follower = make_hook(run.facts) if make_hook else None
    _train(run, spec, recipe, data, start, checkpoint_seconds, halve_batch, follower)


def go_on(folder: Path, checkpoint_seconds: float, halve_batch: bool, hook: str | None) -> None:
    """Go on with a run from its checkpoint, or from its beginning where there is none."""
    from ..designspace.record import from_record
    from ..search.data.datasets import load_dataset
    from ..search.learning.hooks import find_hook
    from ..search.learning.runs import open_run

    run = open_run(folder)
    wanted = _wanted(run)
    _start(wanted)
    data = load_dataset(wanted.data, resolution=wanted.resolution, skip_damaged=wanted.skip_damaged)
    if data.fingerprint != run.facts["data_fingerprint"]:
        raise ValueError(f"the data {wanted.data} have changed since {folder} was begun")
    spec = from_record(run.facts["record"])
    start = _start_of(wanted, spec, data)
    shared.note(f"run {run.folder} goes on; seed {wanted.seed}")
    follower = find_hook(hook)(run.facts) if hook else None
    _train(run, spec, run.recipe, data, start, checkpoint_seconds, halve_batch, follower)


def _wanted(run: Run) -> Wanted:
    """Return the options with which a run was begun.

    Raises
    ------
    ValueError
        If its file does not say them.
    """
    options = {**run.facts["options"]}
    try:
        options["weights"] = Path(options["weights"]) if options["weights"] else None
        return Wanted(**options)
    except (KeyError, TypeError) as error:
        raise ValueError(f"the options of the run {run.folder} are damaged: {error!r}") from None


def _start(wanted: Wanted) -> Place:
    """Set threads and devices before anything computes; return the devices."""
    from ..search.quiet import import_tensorflow

    hardware = wanted.hardware()
    import_tensorflow()
    from ..search.learning.accelerator import choose_place, prepare_runtime

    prepare_runtime(wanted.threads)
    return choose_place(hardware)


def _check(spec: NetSpec, recipe: Recipe, data: Any, devices: int) -> None:
    """Refuse what training would refuse, before a folder is made."""
    from ..designspace.spec import require_resolution
    from ..search.data.batches import training_batches
    from ..search.learning.accelerator import require_multiple

    require_multiple(recipe.batch_size, devices)
    require_resolution(spec.total_stride, *data.image_size)
    training_batches(data, recipe, 0)


def _start_of(wanted: Wanted, spec: NetSpec, data: Any) -> Start | None:
    """Return the model with the weights that were asked for, and a new head."""
    if wanted.weights is None:
        return None
    from ..search.learning.fine_tuning import Start, freeze, model_with_weights

    model = model_with_weights(
        spec,
        wanted.weights,
        data.image_size,
        classes=data.classes,
        seed=wanted.seed,
        dtype=wanted.hardware().policy,
    )
    freeze(model, wanted.freeze_until)
    return Start(model, wanted.freeze_until)


def _train(
    run: Run,
    spec: NetSpec,
    recipe: Recipe,
    data: Any,
    start: Start | None,
    checkpoint_seconds: float,
    halve_batch: bool,
    follower: Hook | None,
) -> None:
    from ..search.learning.checkpoints import Stopped
    from ..search.learning.memory import OutOfMemory
    from ..search.learning.training import train
    from .progress import training_progress

    steps = len(data.train) // recipe.batch_size * recipe.epochs
    options = run.facts["options"]
    try:
        with training_progress(steps, recipe.batch_size) as (show, say):
            result = train(
                spec,
                recipe,
                data,
                seed=options["seed"],
                threads=options["threads"],
                keep=_keep(run, recipe, checkpoint_seconds, follower, show, say),
                start=start,
                hardware=_wanted(run).hardware(),
            )
    except Stopped as stopped:
        shared.note(f"{stopped}; go on with regnet-ds train --resume {run.folder}")
        raise typer.Exit(128 + stopped.signal_number) from None
    except OutOfMemory as error:
        if not halve_batch or error.smaller is None:
            raise
        shared.note(f"{error}: going on with half")
        halved = run.with_recipe(error.smaller, halved_from=recipe.batch_size)
        _train(halved, spec, error.smaller, data, start, checkpoint_seconds, True, follower)
        return
    _finish(run, result, follower)


def _keep(
    run: Run,
    recipe: Recipe,
    checkpoint_seconds: float,
    follower: Hook | None,
    show: ShowStep,
    say: Callable[[str], None],
) -> Keep:
    """Return what a training does on its way: files, hooks, and what it shows."""
    from ..search.learning.checkpoints import Keep, Progress

    began = time.monotonic()

    def on_history(history: Sequence[dict[str, Any]]) -> None:
        run.write_history(history)
        last = history[-1]
        if follower is not None:
            follower.on_epoch(last)
        left = (time.monotonic() - began) / len(history) * (recipe.epochs - last["epoch"])
        say(
            f"epoch {last['epoch']} of {recipe.epochs}: error {last['error']:.2f}%, loss "
            f"{last['loss']:.4f}, {last['images_per_second']:.0f} images/s, "
            f"{int(left // 60)}:{int(left % 60):02d} left"
        )

    def on_step(progress: Progress) -> None:
        error = progress.errors[-1] if progress.errors else None
        show(progress.steps_done, progress.step, progress.seconds, error)

    return Keep(run.checkpoint, checkpoint_seconds, on_history, on_step)


def _finish(run: Run, result: Any, follower: Hook | None) -> None:
    from ..designspace.atomic import whole_file

    metrics = {
        "status": str(result.status),
        "reason": result.reason,
        "error": result.error,
        "best_epoch": result.best_epoch,
        "best_error": min(result.errors) if result.errors else None,
        "epochs": len(result.errors),
        "steps": result.steps,
        "batch_size": result.recipe.batch_size,
        "lr": result.recipe.lr,
        "halved_from": run.facts.get("halved_from"),
        "seconds": result.seconds,
        "timing": asdict(result.timing),
        "threads": result.threads,
        "note": result.note,
        "devices": result.devices,
        "xla": result.xla,
    }
    with whole_file(run.model) as temporary:
        result.model.save(temporary)
    run.write_metrics(metrics)
    if follower is not None:
        follower.on_end(metrics)
    if result.reason:
        shared.note(f"diverged: {result.reason}")
    print(f"error {result.error:.2f}% on val after {len(result.errors)} epochs: {run.folder}")
