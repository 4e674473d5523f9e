"""``regnet-ds study run``: populations of design spaces, sampled within a budget and trained."""

from __future__ import annotations

from dataclasses import dataclass
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
from .study_trials import SHOW, summary
from .training_options import (
    STORAGE,
    Address,
    Data,
    DryRun,
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
    from ..designspace.budget import Budget
    from ..designspace.population import Population
    from ..designspace.spaces import DesignSpace
    from ..search.populations.settings import Settings

SPACE = "regnetx"


def run(
    flops: shared.Flops = None,
    params: shared.Params = None,
    acts: shared.Acts = None,
    tolerance: shared.Tolerance = "5%",
    space: Annotated[
        list[str] | None,
        typer.Option(help="A space, or a .yaml file; several share all else, a study each."),
    ] = None,
    block: shared.Block = None,
    stages: shared.Stages = None,
    bounds: shared.Bounds = False,
    n: Number = 16,
    data: Data = "digits",
    resolution: Resolution = None,
    storage: Storage = STORAGE,
    name: Annotated[
        str, typer.Option(help="The study's name; NAME/SPACE where there are several.")
    ] = "population",
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
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Take trials that a lost host holds.")
    ] = False,
    memory: Memory = None,
    trial_time: TrialTime = None,
    fresh: Fresh = None,
    time_limit: TimeLimit = None,
    max_trials: MaxTrials = None,
    dry_run: DryRun = False,
    executor: Executor = "local",
    address: Address = None,
    resources: Resources = None,
    trainer: Trainer = None,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Sample networks within a budget and train them; continues the study of this name.

    The budget is counted at the data set's resolution and classes. More networks are added; more
    epochs are new trials of the same networks, from scratch. Ctrl-C once returns what is being
    trained and stops; the same command goes on.

    Example: regnet-ds study run --flops 4M -n 16 --data digits --epochs 5

    Example: regnet-ds study run --space anynetx-a --space anynetx-e --flops 4M -n 64
    """
    from ..analysis.storages.storage import load_study, open_storage
    from ..designspace.tables.columns import require_suffix
    from ..search.populations.studies import run_studies
    from ..search.queue.tasks import DEFAULT_TRAINER

    if out is not None:
        require_suffix(out)
    guards = read_guards(memory, trial_time, fresh)
    limits = read_limits(time_limit, max_trials)
    cluster = read_cluster(executor, address, resources)
    hardware = read_hardware(accelerator, devices, precision, steps_per_execution)
    processes = read_workers(workers, storage, hardware, cluster)
    quiet_optuna()
    budget = shared.read_budget(flops, params, acts, tolerance)
    spaces = _spaces(space or [SPACE], block, stages, bounds)
    regime = (epochs, fields, seed, threads, hardware)
    plans = _plans(spaces, name, budget, n, (data, resolution), regime)
    if dry_run:
        shared.emit(_forecasts(plans, processes), format, out)
        return
    for plan in plans:
        plan.store(storage, force, checkpoints, checkpoint_seconds)
    from .progress import trial_progress

    names = [plan.name for plan in plans]
    with trial_progress() as show:
        done = run_studies(
            storage,
            names,
            processes,
            trainer=trainer or DEFAULT_TRAINER,
            cluster=cluster,
            take_over=take_over,
            on_progress=lambda one, counts: show(one, counts, sum(counts.values())),
            guards=guards,
            limits=limits,
        )
    opened = open_storage(storage, create=False)
    shared.emit(summary([load_study(opened, one) for one in names]), format, out, show=SHOW)
    finish(done, limits.reached)


@dataclass(frozen=True)
class Plan:
    """A study to be: the networks that were drawn, and what they are trained with."""

    name: str
    space: DesignSpace
    budget: Budget
    population: Population
    settings: Settings

    def store(self, storage: str, force: bool, kept: str | None, seconds: float | None) -> None:
        """Create the study, or add the networks that it lacks; keep its trials in ``kept``."""
        from ..search.populations.settings import keep_checkpoints
        from ..search.populations.studies import create_population_study

        study = create_population_study(
            storage,
            self.name,
            self.population,
            self.settings,
            space=self.space,
            budget=self.budget.describe(),
            force=force,
        )
        keep_checkpoints(study, kept or "", seconds)
        shared.note(
            f"study {self.name} in {shown_storage(storage)}: {len(self.population)} of "
            f"{self.space.name} with {self.budget.describe()} at {self.settings.resolution} px "
            f"and {self.settings.classes} classes; seed {self.settings.seed}"
        )


def _forecasts(plans: list[Plan], workers: int) -> dict[str, list[Any]]:
    """Return a row a study: models, epochs, hours and disk, from a probe of its median network."""
    from ..search.data.datasets import load_dataset
    from ..search.quiet import import_tensorflow
    from ..search.recipes.recipe import Recipe

    import_tensorflow()
    from ..search.populations.forecast import forecast, probe, typical

    rows: list[dict[str, Any]] = []
    for plan in plans:
        data = load_dataset(plan.settings.data, resolution=plan.settings.resolution)
        recipe = Recipe.from_dict(dict(plan.settings.recipe))
        specs = [plan.population.row(i) for i in range(len(plan.population))]
        threads = plan.settings.threads
        found = forecast(
            specs, recipe, data, probe(typical(specs, data), recipe, data, threads=threads), workers
        )
        rows.append(
            {
                "study": plan.name,
                "models": found.models,
                "epochs": found.epochs,
                "step_ms": round(1000 * found.step_seconds, 2),
                "hours": round(found.hours, 4),
                "workers": workers,
                "disk_MB": round(found.disk / 1e6, 2),
            }
        )
    return {key: [row[key] for row in rows] for key in rows[0]}


def _spaces(
    names: list[str], block: str | None, stages: str | None, bounds: bool
) -> list[DesignSpace]:
    from ..designspace.space_catalogue import find_space

    found = [restricted(find_space(name), block, stages, bounds) for name in names]
    for space in found:
        if sum(other.name == space.name for other in found) > 1:
            raise ValueError(f"the space {space.name} is named twice")
    return found


def _plans(
    spaces: list[DesignSpace],
    name: str,
    budget: Budget,
    n: int,
    source: tuple[str, int | None],
    regime: tuple[int | None, list[str] | None, int, int, dict[str, Any]],
) -> list[Plan]:
    """Draw the networks of every space; nothing is stored before all are drawn."""
    import numpy as np

    from ..designspace.sampling import sample
    from ..search.data.datasets import load_dataset
    from ..search.populations.settings import Settings
    from ..search.recipes.recipe import Recipe

    if not budget.limits():
        raise ValueError("a population needs a budget: --flops 4M, --params or --acts")
    epochs, fields, seed, threads, hardware = regime
    data, resolution = source
    dataset = load_dataset(data, resolution=resolution)
    recipe = read_recipe(Recipe(), epochs, fields)
    settings = Settings.of(dataset, recipe, seed=seed, threads=threads, hardware=hardware)
    note_narrowing(recipe, dataset)
    plans: list[Plan] = []
    for space in spaces:
        rng = np.random.default_rng(seed)
        drawn = sample(
            space,
            n,
            budget=budget,
            rng=rng,
            resolution=settings.resolution,
            classes=settings.classes,
        )
        one = name if len(spaces) == 1 else f"{name}/{space.name}"
        plans.append(Plan(one, space, budget, drawn.population, settings))
    return plans
