"""``regnet-ds study``: train a population of a design space, and see how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import shared

if TYPE_CHECKING:
    import optuna

    from ..search.recipe import Recipe

STORAGE = "regnet-ds.journal"
Storage = Annotated[
    str, typer.Option(help="journal:PATH, a path, sqlite:///PATH or postgresql://...")
]
Data = Annotated[str, typer.Option(help="The data set.")]
Workers = Annotated[int, typer.Option(help="Processes that train; decides nothing else.")]
Threads = Annotated[int, typer.Option(min=1, help="Of one training; part of the study.")]
Epochs = Annotated[int | None, typer.Option(help="Passes over the training split.")]
Fields = Annotated[
    list[str] | None,
    typer.Option("--set", help="A field of the recipe, as lr=0.1; may be repeated."),
]
Trainer = Annotated[
    str | None, typer.Option(help="module:function in place of our own training.", hidden=True)
]
app = typer.Typer(no_args_is_help=True, help="Populations: train, continue, look.")


def quiet_optuna() -> None:
    """Keep Optuna from saying on stderr what the commands say themselves."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)


def read_recipe(recipe: Recipe, epochs: int | None, fields: list[str] | None) -> Recipe:
    """Return the recipe with the fields that the options set."""
    from ..search.recipe import Recipe

    values: dict[str, Any] = recipe.to_dict()
    for field in fields or []:
        key, equals, text = field.partition("=")
        if not equals:
            raise ValueError(f"--set takes field=value, got {field!r}")
        flags = {"true": True, "false": False}
        values[key.strip()] = flags.get(text.strip().lower(), text.strip())
    if epochs is not None:
        values["epochs"] = epochs
    return Recipe.from_dict(values)


def note_narrowing(recipe: Recipe, data: Any) -> None:
    """Say what of a recipe the data set does not allow."""
    excess = recipe.excess(data.augmentations)
    if excess:
        parts = [f"{name} {asked} -> {allowed}" for name, (asked, allowed) in excess.items()]
        shared.note(f"{data.name} allows less augmentation: {', '.join(parts)}")


@app.command("run")
def run(
    flops: shared.Flops = None,
    params: shared.Params = None,
    acts: shared.Acts = None,
    tolerance: shared.Tolerance = "5%",
    space: Annotated[str, typer.Option(help="The design space.")] = "regnetx",
    n: Annotated[int, typer.Option("-n", "--number", min=1, help="How many networks.")] = 16,
    data: Data = "digits",
    storage: Storage = STORAGE,
    name: Annotated[str, typer.Option(help="The study's name.")] = "population",
    workers: Workers = 2,
    threads: Threads = 1,
    epochs: Epochs = None,
    fields: Fields = None,
    seed: shared.Seed = 0,
    force: Annotated[
        bool, typer.Option("--force", help="Continue a study made with other settings.")
    ] = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Take trials that a lost host holds.")
    ] = False,
    trainer: Trainer = None,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Sample networks within a budget and train them; continues the study of this name.

    The budget is counted at the data set's resolution and classes. Ctrl-C once returns what is
    being trained and stops; the same command goes on.

    Example: regnet-ds study run --flops 4M -n 16 --data digits --epochs 5
    """
    from ..analysis.storage import load_study, open_storage
    from ..designspace.tables.columns import require_suffix
    from ..search.executors import check_workers
    from ..search.studies import run_study
    from ..search.tasks import DEFAULT_TRAINER

    if out is not None:
        require_suffix(out)
    check_workers(storage, workers)
    quiet_optuna()
    budget = shared.read_budget(flops, params, acts, tolerance)
    _prepare(storage, name, budget, space, n, data, (epochs, fields, seed, threads), force)
    from .progress import trial_progress

    with trial_progress() as show:
        done = run_study(
            storage,
            name,
            workers,
            trainer=trainer or DEFAULT_TRAINER,
            take_over=take_over,
            on_progress=lambda counts: show(name, counts, sum(counts.values())),
        )
    columns = summary([load_study(open_storage(storage, create=False), name)])
    shared.emit(columns, format, out, show=SHOW)
    finish(done)


def _prepare(
    storage: str,
    name: str,
    budget: Any,
    space: str,
    n: int,
    data: str,
    regime: tuple[int | None, list[str] | None, int, int],
    force: bool,
) -> None:
    """Sample the networks and add those that the study lacks."""
    import numpy as np

    from ..designspace.sampling import sample
    from ..designspace.space_catalogue import find_space
    from ..search.datasets import load_dataset
    from ..search.recipe import Recipe
    from ..search.settings import Settings
    from ..search.studies import create_population_study

    if not budget.limits():
        raise ValueError("a population needs a budget: --flops 4M, --params or --acts")
    epochs, fields, seed, threads = regime
    found = find_space(space)
    dataset = load_dataset(data)
    recipe = read_recipe(Recipe(), epochs, fields)
    settings = Settings.of(dataset, recipe, seed=seed, threads=threads)
    drawn = sample(
        found,
        n,
        budget=budget,
        rng=np.random.default_rng(seed),
        resolution=settings.resolution,
        classes=settings.classes,
    )
    create_population_study(
        storage,
        name,
        drawn.population,
        settings,
        space=found,
        budget=budget.describe(),
        force=force,
    )
    note_narrowing(recipe, dataset)
    shared.note(
        f"study {name} in {storage}: {n} of {space} with {budget.describe()} at "
        f"{settings.resolution} px and {settings.classes} classes; seed {seed}"
    )


@app.command("status")
def show_status(
    storage: Storage = STORAGE,
    name: Annotated[str | None, typer.Option(help="One study; all if left out.")] = None,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Show the studies of a storage: trials by status, and the best of each.

    Example: regnet-ds study status --storage regnet-ds.journal
    """
    from ..analysis.storage import load_study, open_storage
    from ..designspace.tables.columns import require_suffix

    if out is not None:
        require_suffix(out)
    opened = open_storage(storage, create=False)
    names = [study.study_name for study in opened.get_all_studies()]
    chosen = [name] if name is not None or not names else names
    shared.emit(summary([load_study(opened, one) for one in chosen]), format, out, show=SHOW)


SHOW = (
    "study",
    "space",
    "data",
    "complete",
    "diverged",
    "failed",
    "running",
    "waiting",
    "median_error",
    "best_error",
    "best_trial",
)


def summary(studies: list[optuna.Study]) -> dict[str, list[Any]]:
    """Return one row a study: its settings, trials by status, median and best error."""
    rows = [_summary(study) for study in studies]
    return {key: [row[key] for row in rows] for key in rows[0]}


def _summary(study: optuna.Study) -> dict[str, Any]:
    from statistics import median

    from ..search.studies import status

    attrs = study.user_attrs
    done = [
        (trial.values[0], trial.number)
        for trial in study.get_trials(deepcopy=False)
        if trial.values and trial.user_attrs.get("status") == "complete"
    ]
    best = min(done, default=(None, None))
    return {
        "study": study.study_name,
        "kind": attrs.get("kind"),
        "space": attrs.get("space", attrs.get("model")),
        "budget": attrs.get("budget"),
        "data": attrs.get("data"),
        "seed": attrs.get("seed"),
        "epochs": attrs.get("recipe", {}).get("epochs"),
        **status(study),
        "median_error": median(error for error, _ in done) if done else None,
        "best_error": best[0],
        "best_trial": best[1],
    }


def finish(done: bool) -> None:
    """End with exit code 130 if the run was interrupted."""
    if not done:
        shared.note("stopped; the same command continues")
        raise typer.Exit(130)


def register(root: typer.Typer) -> None:
    """Mount the commands."""
    root.add_typer(app, name="study")
