"""``regnet-ds tune``: training hyperparameters for each model size."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import shared
from .study import (
    STORAGE,
    Address,
    Data,
    Epochs,
    Executor,
    Fields,
    Resources,
    Storage,
    Threads,
    Trainer,
    Workers,
    finish,
    note_narrowing,
    quiet_optuna,
    read_cluster,
    read_recipe,
)

if TYPE_CHECKING:
    from ..designspace import NetSpec
    from ..search.data.datasets import Dataset
    from ..search.data.sources.streams import StreamedDataset
    from ..search.recipes.recipe import Recipe
    from ..search.sizes.tuning import Size


class Base(StrEnum):
    """The recipe that tuning begins with."""

    SHORT = "short"
    PAPER = "paper"
    POST = "post"


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
    base: Annotated[
        Base, typer.Option("--recipe", help="To begin with: short (DDS section 3), paper or post.")
    ] = Base.SHORT,
    data: Data = "digits",
    storage: Storage = STORAGE,
    name: Annotated[str, typer.Option(help="The studies are NAME/MODEL.")] = "tune",
    workers: Workers = 2,
    threads: Threads = 1,
    epochs: Epochs = None,
    fields: Fields = None,
    seed: shared.Seed = 0,
    confirm: Annotated[
        int | None,
        typer.Option(min=3, help="Seeds with which the gain is measured, on the test split."),
    ] = None,
    executor: Executor = "local",
    address: Address = None,
    resources: Resources = None,
    trainer: Trainer = None,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Tune the training of each model, the smallest first; continues what is there.

    The first trials of a size are its own recipe and the best of the next smaller size. Read the
    result with: regnet-ds canonical --recipe tuned --study STORAGE

    Example: regnet-ds tune --model RegNetX-200MF --model RegNetX-400MF --trials 8 --epochs 5
    """
    from ..analysis.storages.storage import open_storage
    from ..designspace.tables.columns import require_suffix
    from ..search.data.datasets import load_dataset
    from ..search.populations.settings import Settings
    from ..search.queue.executors import check_workers
    from ..search.queue.tasks import DEFAULT_TRAINER
    from ..search.recipes.recipe import Recipe
    from ..search.sizes.tuning import ascending, tune_sizes
    from .progress import trial_progress

    if out is not None:
        require_suffix(out)
    check_workers(storage, workers)
    cluster = read_cluster(executor, address, resources)
    quiet_optuna()
    dataset = load_dataset(data)
    recipes = {
        named: (spec, read_recipe(_base(base, named), epochs, fields))
        for named, spec in read_models(model or [], all_models).items()
    }
    sizes = [make_size(named, spec, recipe, dataset) for named, (spec, recipe) in recipes.items()]
    settings = Settings.of(dataset, Recipe(), seed=seed, threads=threads)
    open_storage(storage)
    note_narrowing(next(recipe for _, recipe in recipes.values()), dataset)
    with trial_progress() as show:
        done = tune_sizes(
            storage,
            name,
            sizes,
            settings,
            trials=trials,
            batch_size=batch,
            workers=workers,
            trainer=trainer or DEFAULT_TRAINER,
            cluster=cluster,
            on_progress=lambda one, counts, lowest: show(_title(one, lowest), counts, trials),
        )
        if done and confirm is not None:
            from ..search.sizes.gain import confirm as confirm_sizes

            done = confirm_sizes(
                storage,
                [f"{name}/{size.model}" for size in ascending(sizes, settings)],
                confirm,
                workers,
                trainer=trainer or DEFAULT_TRAINER,
                cluster=cluster,
                on_progress=lambda one, counts: show(one, counts, sum(counts.values())),
            )
    columns = _results(storage, name, ascending(sizes, settings))
    if columns:
        shared.emit(columns, format, out)
    finish(done)


def read_models(texts: list[str], all_models: bool) -> dict[str, NetSpec]:
    """Return networks by name: canonical ones, and ones of ``key=value`` parameters."""
    from ..designspace.catalogue import CANONICAL, canonical, canonical_name
    from .describe import read_parameters

    if all_models == bool(texts):
        raise ValueError("name the models to tune: --model NAME (may be repeated), or --all")
    found: dict[str, NetSpec] = {}
    for text in texts or list(CANONICAL):
        if "=" in text:
            pairs = text.replace(",", " ").split()
            named, spec = ",".join(sorted(pairs)), read_parameters(pairs)
        else:
            named = canonical_name(text)
            spec = canonical(named)
        if named in found:
            raise ValueError(f"the model {text} is named twice")
        found[named] = spec
    return found


def make_size(named: str, spec: NetSpec, recipe: Recipe, data: Dataset | StreamedDataset) -> Size:
    """Return a network to tune on a data set, with its recipe narrowed to what the data allow."""
    from ..designspace.cost import complexity
    from ..search.recipes.size_priors import priors
    from ..search.sizes.tuning import Size

    cost = complexity(spec, resolution=data.image_size, classes=data.classes)
    narrowed = recipe.narrowed(data.augmentations)
    ranges = priors(
        cost.flops,
        optimizer=recipe.optimizer,
        batch_size=recipe.batch_size,
        allowed=data.augmentations,
    )
    return Size(named, spec, narrowed, ranges)


def _base(base: Base, named: str) -> Recipe:
    from ..search.recipes.recipe import Recipe

    if base is Base.SHORT or "=" in named:
        return Recipe()
    return Recipe.paper(named) if base is Base.PAPER else Recipe.post(named)


def _title(model: str, lowest: float | None) -> str:
    return f"{model}" if lowest is None else f"{model} (best {lowest:.2f}%)"


def _results(storage: str, name: str, sizes: list[Size]) -> dict[str, list[Any]]:
    """Return one row a size that has a result."""
    from ..analysis.storages.storage import open_storage
    from ..search.queue.executors import existing
    from ..search.sizes.gain import gain_of
    from ..search.sizes.tuned import best_recipe, has_result
    from ..search.sizes.tuning import ORIGIN

    storage_open = open_storage(storage, create=False)
    studies = existing(storage_open, [f"{name}/{s.model}" for s in sizes])
    rows: list[dict[str, Any]] = []
    for study in filter(has_result, studies):
        best = best_recipe(study)
        trials = study.get_trials(deepcopy=False)
        fields = best.recipe.to_dict()
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
                **{key: fields[key] for key in trials[0].params},
                **({} if gain is None else gain.columns()),
                "study": best.study,
            }
        )
    keys = dict.fromkeys(key for row in rows for key in row)
    return {key: [row.get(key) for row in rows] for key in keys}


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(tune)
