"""``regnet-ds quickstart``: the whole loop, small, on images that ship with a dependency."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import shared
from .training_options import Trainer, Workers, finish, quiet_optuna

if TYPE_CHECKING:
    import optuna

    from ..designspace.population import Population
    from ..designspace.spaces import DesignSpace
    from ..search.data.datasets import Dataset
    from ..search.data.sources.streams import StreamedDataset
    from ..search.populations.settings import Settings
    from ..search.recipes.recipe import Recipe
    from ..search.sizes.size import Size

# Four budgets, so that every sample has networks that can learn much and networks that cannot;
# not too deep, and AdamW at a low rate: deep narrow networks at a high rate of SGD fail half-way
# by chance, and then seeds differ as much as networks.
SPACE, DEPTH = "regnetx-dds", (4, 16)
FLOPS, TOLERANCE = (4e5, 1e6, 2.5e6, 6e6), 0.1
DATA = "digits"
REGIME = {
    "optimizer": "adamw",
    "epochs": 8,
    "batch_size": 16,
    "lr": 0.0015,
    "area_factor": 1.0,
}
TUNED_FROM = {"epochs": 6, "batch_size": 32, "lr": 0.03, "area_factor": 0.8}
TUNED_MODELS = ("RegNetX-200MF", "RegNetX-400MF")
TUNED_FIELDS = ("lr", "weight_decay", "mixup_alpha", "area_factor", "label_smoothing")
TUNING_BATCH = 2
POPULATION, TUNING = "population", "tuned"
SEEDS = "seeds of best, median, worst"


@dataclass(frozen=True)
class Plan:
    """What a quickstart does and where."""

    folder: Path
    models: int
    trials: int
    workers: int
    seed: int

    @property
    def storage(self) -> str:
        """The journal that holds every result."""
        return f"journal:{self.folder / 'runs.journal'}"


def quickstart(
    out: Annotated[Path, typer.Option("--out", help="The folder for all that is made.")] = Path(
        "regnet-ds-quickstart"
    ),
    models: Annotated[int, typer.Option(min=3, help="Networks of the population.")] = 16,
    trials: Annotated[int, typer.Option(min=1, help="Trials of each tuned size.")] = 6,
    workers: Workers = 2,
    seed: shared.Seed = 0,
    trainer: Trainer = None,
) -> None:
    """Sample, train, compare, tune and emit: the whole loop on handwritten digits, in minutes.

    Draws RegNetX networks within a budget, trains them, draws their error distribution and the
    good range of each parameter, tunes two model sizes, and writes the 24 canonical
    configurations. Ctrl-C stops it; the same command goes on.

    Example: regnet-ds quickstart --out my-first-space
    """
    from ..search.data.datasets import load_dataset
    from ..search.populations.settings import Settings
    from ..search.queue.executors import check_workers

    began = time.monotonic()
    plan = Plan(out, models, trials, workers, seed)
    check_workers(plan.storage, workers)
    quiet_optuna()
    shared.make_folder(out)
    data = load_dataset(DATA)
    settings = Settings.of(data, recipe_of(REGIME, data), seed=seed)
    population = draw(plan, settings)
    say_plan(plan, settings)
    if not train(plan, settings, population, tuned_sizes(data), trainer):
        finish(False)
    rows = [*write_population(plan), *write_figures(plan), *write_configurations(plan)]
    summary = summarise(plan, time.monotonic() - began)
    rows.append(("these numbers", write_summary(plan, summary)))
    say_results(summary, rows)


def recipe_of(fields: dict[str, Any], data: Dataset | StreamedDataset) -> Recipe:
    """Return a recipe with no more augmentation than the data allow."""
    from ..search.recipes.recipe import Recipe

    return Recipe(**fields).narrowed(data.augmentations)


def space() -> DesignSpace:
    """Return the design space of the population."""
    from ..designspace import SPACES
    from ..designspace.constraints import limited

    low, high = DEPTH
    return SPACES[SPACE] & limited("depth", low=low, high=high)


def budget() -> str:
    """Return the budgets of the population in words."""
    from ..designspace.budget import format_size

    sizes = [format_size(size) for size in FLOPS]
    return f"flops {', '.join(sizes[:-1])} and {sizes[-1]}, each within {TOLERANCE:.0%}"


def draw(plan: Plan, settings: Settings) -> Population:
    """Sample the population, as many networks within each budget, counted as they are trained."""
    import numpy as np

    from ..designspace import Budget, Units, sample_regimes
    from ..designspace.population import concatenate

    share, more = divmod(plan.models, len(FLOPS))
    drawn = sample_regimes(
        space(),
        share + 1,
        budgets=[Budget(flops=((1 - TOLERANCE) * f, (1 + TOLERANCE) * f)) for f in FLOPS],
        rng=np.random.default_rng(plan.seed),
        units=Units(settings.resolution, settings.classes),
    )
    wanted = [np.arange(share + (i < more)) for i in range(len(FLOPS))]
    return concatenate(d.population.take(rows) for d, rows in zip(drawn, wanted, strict=True))


def say_plan(plan: Plan, settings: Settings) -> None:
    """Say on stderr what is about to be done, and the regime."""
    regime = settings.recipe
    shared.note(
        f"{plan.models} networks of {SPACE}, {DEPTH[0]} to {DEPTH[1]} blocks, with {budget()} "
        f"at {settings.resolution} px; seed {plan.seed}"
    )
    shared.note(
        f"each is trained on {settings.data} for {regime['epochs']} epochs: {regime['optimizer']}, "
        f"batch {regime['batch_size']}, learning rate {regime['lr']:g} with a half-cosine; then "
        f"{' and '.join(TUNED_MODELS)} are tuned, {plan.trials} trials each"
    )
    shared.note(f"{plan.workers} workers; results in {plan.folder}; the same command resumes\n")


def tuned_sizes(data: Dataset | StreamedDataset) -> list[Size]:
    """Return the two sizes to tune."""
    from ..designspace.catalogue import canonical
    from ..search.recipes.search_space import DEFAULT
    from .tune_models import make_size

    recipe = recipe_of(TUNED_FROM, data)
    space: dict[str, str] = dict.fromkeys(TUNED_FIELDS, DEFAULT)
    return [make_size(name, canonical(name), recipe, data, space=space) for name in TUNED_MODELS]


def train(
    plan: Plan,
    settings: Settings,
    population: Population,
    sizes: list[Size],
    trainer: str | None,
) -> bool:
    """Train population, seeds and tuning with one pool of workers; False if interrupted."""
    from ..search.populations.repeats import seed_runs_step
    from ..search.populations.studies import create_population_study, population_step
    from ..search.queue.executors import in_turn, run_workers
    from ..search.queue.tasks import DEFAULT_TRAINER, run_folder
    from ..search.sizes.tuning import TuningPlan, tuning_step
    from .progress import trial_progress

    create_population_study(
        plan.storage,
        POPULATION,
        population,
        settings,
        space=space(),
        budget=budget(),
    )
    with trial_progress() as show:
        names, tuning = tuning_step(
            TUNING,
            sizes,
            settings,
            TuningPlan(plan.trials, TUNING_BATCH),
            on_progress=lambda model, counts, _: show(f"tuning {model}", counts, plan.trials),
        )
        steps = [
            population_step(
                POPULATION,
                lambda counts: show(POPULATION, _first(counts, plan.models), plan.models),
            ),
            seed_runs_step(
                POPULATION,
                on_progress=lambda counts: show(SEEDS, _beyond(counts, plan.models), 6),
            ),
            tuning,
        ]
        return run_workers(
            plan.storage,
            [POPULATION, *names],
            plan.workers,
            step=in_turn(steps),
            folder=run_folder(plan.storage, "quickstart"),
            trainer=trainer or DEFAULT_TRAINER,
        )


def _first(counts: dict[str, int], models: int) -> dict[str, int]:
    """Return the counts of the population's own trials, which come before all others."""
    return {**counts, "complete": min(counts["complete"], models)}


def _beyond(counts: dict[str, int], models: int) -> dict[str, int]:
    """Return the counts of the trials that follow the population's own."""
    return {**counts, "complete": max(0, counts["complete"] - models)}


def write_population(plan: Plan) -> list[tuple[str, Path]]:
    """Write the trained population as CSV."""
    from ..analysis.tables.table import load_table, to_columns
    from ..designspace.tables.columns import write_columns

    path = plan.folder / "population.csv"
    write_columns(to_columns(load_table(plan.storage, POPULATION)), path)
    return [(f"{plan.models} trained networks, and seeds of three", path)]


def write_figures(plan: Plan) -> list[tuple[str, Path]]:
    """Draw the error distribution and the good ranges, as PNG and SVG."""
    from ..analysis.plots import edf_figure, ranges_figure
    from ..analysis.style import save_figure
    from ..analysis.tables.groups import make_groups
    from ..analysis.tables.table import load_table

    table = load_table(plan.storage, POPULATION)
    groups = make_groups([("RegNetX", table)])
    edf, ranges = plan.folder / "edf.png", plan.folder / "ranges.png"
    for suffix in (".png", ".svg"):
        save_figure(edf_figure(groups), edf.with_suffix(suffix))
        save_figure(ranges_figure(groups[0]), ranges.with_suffix(suffix))
    return [("error distribution, also .svg", edf), ("good ranges, also .svg", ranges)]


def write_configurations(plan: Plan) -> list[tuple[str, Path]]:
    """Write the 24 with the paper's recipe, and the tuned sizes with theirs."""
    from ..designspace import emit
    from ..designspace.catalogue import CANONICAL
    from .canonical import Source, configure

    paper, tuned = plan.folder / "canonical", plan.folder / "tuned"
    emit.write_folder(configure(list(CANONICAL), Source.PAPER, None), paper)
    emit.write_folder(configure(list(TUNED_MODELS), Source.TUNED, plan.storage), tuned)
    return [
        (f"{len(CANONICAL)} canonical configurations and a table", paper),
        (f"{len(TUNED_MODELS)} sizes with recipes tuned on {DATA}", tuned),
    ]


def summarise(plan: Plan, seconds: float) -> dict[str, Any]:
    """Return the numbers of the run: errors, noise, what tuning found."""
    from ..analysis.distribution import edf
    from ..analysis.storages.storage import load_study, open_storage
    from ..search.populations.repeats import first_errors, noise_of

    storage = open_storage(plan.storage, create=False)
    study = load_study(storage, POPULATION)
    errors = edf(list(first_errors(study).values()))
    noise = noise_of(study)
    return {
        "models": errors.n,
        "median_error": errors.median,
        "best_error": errors.min,
        "worst_error": errors.max,
        "spread_over_models": noise.over_models,
        "spread_over_seeds": noise.over_seeds,
        "spread_ratio": noise.ratio,
        "tuned": [_tuned(load_study(storage, f"{TUNING}/{model}")) for model in TUNED_MODELS],
        "seconds": seconds,
    }


def _tuned(study: optuna.Study) -> dict[str, Any]:
    from ..search.sizes.tuned import best_recipe

    best = best_recipe(study)
    trials = study.get_trials(deepcopy=False)
    return {
        "model": best.model,
        "trials": len(trials),
        "error_of_the_recipe": trials[0].value,
        "best_error": best.error,
        "best_trial": best.trial,
        **{name: getattr(best.recipe, name) for name in trials[0].params},
    }


def write_summary(plan: Plan, summary: dict[str, Any]) -> Path:
    """Write the numbers as JSON."""
    from ..designspace.atomic import whole_file

    path = plan.folder / "summary.json"
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return path


def say_results(summary: dict[str, Any], rows: list[tuple[str, Path]]) -> None:
    """Print the numbers, what tuning found, and what was made where."""
    print(
        f"\nvalidation error over {summary['models']} networks: median "
        f"{summary['median_error']:.2f}%, best {summary['best_error']:.2f}%, worst "
        f"{summary['worst_error']:.2f}%"
    )
    print(
        f"standard deviation over networks {summary['spread_over_models']:.2f}, over seeds "
        f"{summary['spread_over_seeds']:.2f} (percentage points): "
        f"{summary['spread_ratio']:.1f} times the noise\n"
    )
    tuned = summary["tuned"]
    shared.print_table({key: [row[key] for row in tuned] for key in tuned[0]})
    print()
    shared.print_table(
        {"made": [what for what, _ in rows], "where": [str(path) for _, path in rows]}
    )
    print(f"\n{summary['seconds'] / 60:.1f} minutes")


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(quickstart)
