"""``regnet-ds tune``: training hyperparameters for each model size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import shared
from .hardware_options import (
    Accelerator,
    Checkpoints,
    CheckpointSeconds,
    Devices,
    Precision,
    StepsPerExecution,
    Workers,
    read_hardware,
    read_workers,
)
from .training_options import (
    STORAGE,
    Address,
    Data,
    Epochs,
    Executor,
    Fields,
    Fresh,
    MaxTrials,
    Memory,
    Resolution,
    Resources,
    Storage,
    Threads,
    TimeLimit,
    Trainer,
    TrialTime,
    finish,
    note_narrowing,
    quiet_optuna,
    read_cluster,
    read_guards,
    read_limits,
    read_recipe,
)
from .tune_models import Base, base_recipe, read_models, read_sizes

if TYPE_CHECKING:
    from ..search.sizes.size import Size

HYPERBAND = "hyperband"


def tune(
    model: Annotated[
        list[str] | None,
        typer.Option(help="A model's name, or 'depth=13 w0=24 ...'; may be repeated."),
    ] = None,
    all_models: Annotated[bool, typer.Option("--all", help="All 24 canonical models.")] = False,
    trials: Annotated[int, typer.Option(min=1, help="Trials of each size.")] = 16,
    batch: Annotated[
        int, typer.Option(min=1, help="Trials asked together; part of the study.")
    ] = 8,
    space: Annotated[
        Path | None,
        typer.Option(help="A search space of your own, .yaml; else each size has its priors."),
    ] = None,
    print_space: Annotated[
        bool, typer.Option("--print-space", help="Print the search space of each size; no more.")
    ] = False,
    pruner: Annotated[
        str, typer.Option(help="Which trials end early: hyperband, median or none.")
    ] = HYPERBAND,
    asynchronous: Annotated[
        bool,
        typer.Option("--async", help="No batches: faster, but time decides which trials exist."),
    ] = False,
    base: Annotated[
        Base, typer.Option("--recipe", help="To begin with: short (DDS section 3), paper or post.")
    ] = Base.SHORT,
    data: Data = "digits",
    resolution: Resolution = None,
    storage: Storage = STORAGE,
    name: Annotated[str, typer.Option(help="The studies are NAME/MODEL.")] = "tune",
    workers: Workers = None,
    threads: Threads = 1,
    accelerator: Accelerator = None,
    devices: Devices = None,
    precision: Precision = "float32",
    steps_per_execution: StepsPerExecution = 1,
    checkpoints: Checkpoints = None,
    checkpoint_seconds: CheckpointSeconds = None,
    epochs: Epochs = None,
    fields: Fields = None,
    seed: shared.Seed = 0,
    confirm: Annotated[
        int | None,
        typer.Option(min=3, help="Seeds with which the gain is measured, on the test split."),
    ] = None,
    memory: Memory = None,
    trial_time: TrialTime = None,
    fresh: Fresh = None,
    time_limit: TimeLimit = None,
    max_trials: MaxTrials = None,
    executor: Executor = "local",
    address: Address = None,
    resources: Resources = None,
    trainer: Trainer = None,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Tune the training of each model, the smallest first; continues what is there.

    The first trials of a size are its own recipe, the published ones and the best of the next
    smaller size. Read the result with: regnet-ds canonical --recipe tuned --study STORAGE

    Example: regnet-ds tune --model RegNetX-200MF --model RegNetX-400MF --trials 8 --epochs 5
    """
    from ..analysis.storages.storage import open_storage
    from ..designspace.tables.columns import require_suffix
    from ..search.data.datasets import load_dataset
    from ..search.learning.hardware import require_multiple
    from ..search.populations.settings import Settings
    from ..search.queue.pruning import Pruner
    from ..search.queue.tasks import DEFAULT_TRAINER
    from ..search.recipes.recipe import Recipe
    from ..search.sizes.tuning import TuningPlan, ascending, require_same, tune_sizes
    from .progress import trial_progress

    if out is not None:
        require_suffix(out)
    plan = TuningPlan(
        trials, batch, Pruner(pruner), asynchronous, checkpoints or "", checkpoint_seconds
    )
    limits = read_limits(time_limit, max_trials)
    guards = read_guards(memory, trial_time, fresh)
    cluster = read_cluster(executor, address, resources)
    hardware = read_hardware(accelerator, devices, precision, steps_per_execution)
    processes = read_workers(workers, storage, hardware, cluster)
    quiet_optuna()
    dataset = load_dataset(data, resolution=resolution)
    sizes = read_sizes(read_models(model or [], all_models), base, (epochs, fields), space, dataset)
    settings = Settings.of(dataset, Recipe(), seed=seed, threads=threads, hardware=hardware)
    for size in sizes:
        require_multiple(size.recipe.batch_size, hardware.get("devices") or 1)
    if print_space:
        _print_spaces(ascending(sizes, settings))
        return
    require_same(open_storage(storage), name, sizes, settings, plan)
    note_narrowing(read_recipe(base_recipe(base, sizes[0].model), epochs, fields), dataset)
    if asynchronous:
        shared.note("--async: which trials there are depends on how fast others end")
    with trial_progress() as show:
        done = tune_sizes(
            storage,
            name,
            sizes,
            settings,
            plan,
            workers=processes,
            trainer=trainer or DEFAULT_TRAINER,
            guards=guards,
            limits=limits,
            cluster=cluster,
            on_progress=lambda one, counts, lowest: show(_title(one, lowest), counts, trials),
        )
        if done and confirm is not None:
            from ..search.sizes.gain import confirm as confirm_sizes

            done = confirm_sizes(
                storage,
                [f"{name}/{size.model}" for size in ascending(sizes, settings)],
                confirm,
                processes,
                trainer=trainer or DEFAULT_TRAINER,
                guards=guards,
                limits=limits,
                cluster=cluster,
                on_progress=lambda one, counts: show(one, counts, sum(counts.values())),
            )
    columns = _results(storage, name, ascending(sizes, settings))
    if columns:
        shared.emit(columns, format, out)
    finish(done, limits.reached)


def _print_spaces(sizes: list[Size]) -> None:
    """Print search spaces as YAML, a document each."""
    from ..search.recipes.search_space import search_space_text

    for i, size in enumerate(sizes):
        print("---\n" * (i > 0) + f"# {size.model}\n{search_space_text(size.priors)}", end="")


def _title(model: str, lowest: float | None) -> str:
    return f"{model}" if lowest is None else f"{model} (best {lowest:.2f}%)"


def _results(storage: str, name: str, sizes: list[Size]) -> dict[str, list[Any]]:
    """Return one row a size that has a result."""
    from ..analysis.storages.storage import open_storage
    from ..search.queue.executors import existing
    from ..search.recipes.search_space import field_of
    from ..search.sizes.gain import gain_of
    from ..search.sizes.proposals import ORIGIN
    from ..search.sizes.tuned import best_recipe, has_result

    storage_open = open_storage(storage, create=False)
    studies = existing(storage_open, [f"{name}/{s.model}" for s in sizes])
    rows: list[dict[str, Any]] = []
    for study in filter(has_result, studies):
        best = best_recipe(study)
        trials = study.get_trials(deepcopy=False)
        tuned = dict.fromkeys(map(field_of, study.user_attrs["priors"]))
        gain = gain_of(storage_open, study, best.trial)
        first = trials[0].values
        rows.append(
            {
                "model": best.model,
                "flops": study.user_attrs["record"]["flops"],
                "trials": len(trials),
                "first_error": first[0] if first else None,
                "best_error": best.error,
                "trial": best.trial,
                "origin": trials[best.trial].user_attrs[ORIGIN],
                **{key: getattr(best.recipe, key) for key in tuned},
                **({} if gain is None else gain.columns()),
                "study": best.study,
            }
        )
    keys = dict.fromkeys(key for row in rows for key in row)
    return {key: [row.get(key) for row in rows] for key in keys}


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(tune)
