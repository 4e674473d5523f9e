"""``regnet-ds search``: the best network within a budget, found with few epochs."""

from __future__ import annotations

from enum import StrEnum
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
from .sample import restricted
from .training_options import (
    STORAGE,
    Address,
    Data,
    Epochs,
    Executor,
    Fields,
    Force,
    Fresh,
    MaxTrials,
    Memory,
    Number,
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
    shown_storage,
)

if TYPE_CHECKING:
    import optuna

    from ..search.budget_search.plan import SearchPlan
    from ..search.budget_search.searching import Search

FINAL_EPOCHS = 3  # times those of the short trainings, unless said otherwise


class Method(StrEnum):
    """How the networks that are trained to the end are chosen."""

    HALVING = "halving"
    RANDOM = "random"
    MODEL = "model"


def search(
    flops: shared.Flops = None,
    params: shared.Params = None,
    acts: shared.Acts = None,
    tolerance: shared.Tolerance = "5%",
    space: Annotated[str, typer.Option(help="A space, or a .yaml file.")] = "regnetx",
    block: shared.Block = None,
    method: Annotated[
        Method, typer.Option(help="Halving; random: all to the end; model: a Gaussian process.")
    ] = Method.HALVING,
    n: Number = 27,
    eta: Annotated[int, typer.Option(min=2, help="Of halving: 1 of so many goes on.")] = 3,
    batch: Annotated[
        int, typer.Option(min=1, help="Networks that the model chooses together.")
    ] = 4,
    finalists: Annotated[int, typer.Option(min=1, help="That are trained long.")] = 3,
    final_epochs: Annotated[
        int | None, typer.Option(min=1, help="Of the finals; 3 times --epochs if left out.")
    ] = None,
    seeds: Annotated[
        str, typer.Option(help="Of a finalist, FEWEST:MOST; noise decides how many.")
    ] = "2:5",
    data: Data = "digits",
    resolution: Resolution = None,
    storage: Storage = STORAGE,
    name: Annotated[str, typer.Option(help="The study's name.")] = "search",
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
    force: Force = False,
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
    out: Annotated[
        Path | None,
        typer.Option("--out", help="A folder: table.csv, winner.yaml and winner.keras."),
    ] = None,
) -> None:
    """Find the best network within a budget: many for a short while, the best to the end.

    All networks begin one training of full length; at each rung a third goes on. The best are
    then trained long, with as many seeds as the noise asks for. Ctrl-C once returns what is being
    trained and stops; the same command goes on.

    Example: regnet-ds search --flops 4M -n 27 --epochs 9 --out found
    """
    from ..analysis.storages.storage import load_study, open_storage
    from ..designspace.space_catalogue import find_space
    from ..search.budget_search.plan import SearchPlan
    from ..search.budget_search.ranking import ranking
    from ..search.budget_search.searching import Search, create_search, run_search
    from ..search.data.datasets import load_dataset
    from ..search.populations.settings import Settings, keep_checkpoints
    from ..search.queue.tasks import DEFAULT_TRAINER
    from ..search.recipes.recipe import Recipe

    limits = read_limits(time_limit, max_trials)
    guards = read_guards(memory, trial_time, fresh)
    cluster = read_cluster(executor, address, resources)
    hardware = read_hardware(accelerator, devices, precision, steps_per_execution)
    processes = read_workers(workers, storage, hardware, cluster)
    quiet_optuna()
    budget = shared.read_budget(flops, params, acts, tolerance)
    if not budget.limits():
        raise ValueError("a search needs a budget: --flops 4M, --params or --acts")
    dataset = load_dataset(data, resolution=resolution)
    recipe = read_recipe(Recipe(), epochs, fields)
    fewest, most = read_seeds(seeds)
    plan = SearchPlan(
        str(method), n, eta, batch, finalists, final_epochs or FINAL_EPOCHS * recipe.epochs,
        fewest, most,
    )  # fmt: skip
    settings = Settings.of(dataset, recipe, seed=seed, threads=threads, hardware=hardware)
    wanted = Search(restricted(find_space(space), block, None, False), budget, plan, settings)
    study = create_search(storage, name, wanted, force=force)
    keep_checkpoints(study, checkpoints or "", checkpoint_seconds)
    note_narrowing(recipe, dataset)
    shared.note(
        f"study {name} in {shown_storage(storage)}: {_words(plan, wanted.epochs)} of "
        f"{wanted.space.name} with {budget.describe()} at {settings.resolution} px and "
        f"{settings.classes} classes; seed {seed}"
    )
    from .progress import trial_progress

    with trial_progress() as show:
        done = run_search(
            storage,
            name,
            wanted,
            processes,
            trainer=trainer or DEFAULT_TRAINER,
            cluster=cluster,
            on_progress=lambda counts: show(name, counts, sum(counts.values())),
            guards=guards,
            limits=limits,
            force=force,
        )
    study = load_study(open_storage(storage, create=False), name)
    _emit(study, ranking(study), wanted, done, format, out)
    finish(done, limits.reached)


def read_seeds(text: str) -> tuple[int, int]:
    """Return the fewest and the most seeds of ``2:5`` or ``3``."""
    low, _, high = text.partition(":")
    try:
        return int(low), int(high or low)
    except ValueError:
        raise ValueError(f"seeds must be a number or FEWEST:MOST, got {text!r}") from None


def _words(plan: SearchPlan, epochs: int) -> str:
    rungs, sizes = plan.rungs(epochs), plan.sizes(epochs)
    parts = [f"{size} to epoch {rung}" for size, rung in zip(sizes, rungs, strict=True)]
    return f"{', '.join(parts)} ({plan.cost(epochs)} epochs, then the finals)"


SHOW = (
    "rank", "trial", "epochs", "error", "spread", "seeds", "test_error", "flops", "params",
    "stage_widths", "stage_depths", "group_width",
)  # fmt: skip


def _emit(
    study: optuna.Study,
    rows: list[dict[str, Any]],
    wanted: Search,
    done: bool,
    format: shared.Format,
    out: Path | None,
) -> None:
    """Print the ranked table and write the winner; the test split is read for it, at the end."""
    from ..search.budget_search.ranking import winner

    best = winner(study) if done else None
    error = None if best is None or not best.model else _test_error(best.model, wanted)
    rows = [{**row, "test_error": error if row["rank"] == 1 else None} for row in rows]
    columns = {key: [row[key] for row in rows] for key in rows[0]} if rows else {}
    if out is not None and columns:
        _write(columns, best, study, wanted, out)
    if columns:
        shared.emit(columns, format, None, show=SHOW)
    if best is not None:
        where = f"{study.study_name}#{best.trial.number}"
        shared.note(f"the winner: {where}; describe, train and study export read it by this name")


def _test_error(model: str, wanted: Search) -> float:
    from ..search.data.datasets import load_dataset
    from ..search.quiet import import_tensorflow

    import_tensorflow()
    from ..search.learning.evaluation import evaluate
    from .saved_model import load_saved

    data = load_dataset(wanted.settings.data, resolution=wanted.settings.resolution)
    return evaluate(load_saved(Path(model)), data, split="test")


def _write(
    columns: dict[str, list[Any]], best: Any, study: optuna.Study, wanted: Search, out: Path
) -> None:
    from ..designspace import emit
    from ..designspace.atomic import whole_file
    from ..designspace.record import RECORD_KEYS
    from ..designspace.tables.columns import write_columns
    from ..search.data.sources import places

    out.mkdir(parents=True, exist_ok=True)
    write_columns(columns, out / "table.csv")
    if best is None:
        return
    attrs = best.trial.user_attrs
    record = {
        "name": f"{study.study_name}#{best.trial.number}",
        **{key: attrs[key] for key in RECORD_KEYS if key in attrs},
        "recipe": {**wanted.settings.recipe, "epochs": attrs["epochs"]},
        "found": {
            "method": wanted.plan.method,
            "errors": list(best.errors),
            "test_error": columns["test_error"][0],
        },
    }
    emit.write_texts({"winner.yaml": emit.dump_foreign(record, json=False)}, out)
    if best.model:
        with whole_file(out / "winner.keras") as temporary:
            temporary.write_bytes(places.read_bytes(best.model))
    shared.note(f"wrote table.csv, winner.yaml{' and winner.keras' if best.model else ''} to {out}")


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(search)
