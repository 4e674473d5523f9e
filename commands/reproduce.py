"""``regnet-ds reproduce``: the papers' findings again, small, on embedded data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import shared
from .training_options import (
    MaxTrials,
    TimeLimit,
    Trainer,
    Workers,
    finish,
    quiet_optuna,
    read_limits,
)

MODELS = 100
EXAMPLE = "example:ladder"
Source = Annotated[
    str, typer.Argument(help="A packed ladder; the one that comes with the package if left out.")
]
Folder = Annotated[Path, typer.Option("--out", help="The folder for all that is made.")]
app = typer.Typer(no_args_is_help=True, help="The papers' findings again, on embedded data.")


@app.command("ladder")
def ladder(
    out: Folder = Path("regnet-ds-ladder"),
    n: Annotated[int, typer.Option("-n", "--number", min=2, help="Models of each space.")] = MODELS,
    workers: Workers = 2,
    seed: shared.Seed = 0,
    time_limit: TimeLimit = None,
    max_trials: MaxTrials = None,
    trainer: Trainer = None,
) -> None:
    """Train AnyNetX A, B, C, D, E and RegNetX alike, and test every step from one to the next.

    Samples n networks of each space within one budget, trains them in a short regime, some of
    every space in turn, packs them into ladder.parquet, draws, and says what holds. Ctrl-C stops
    it; the same command goes on, and a larger n adds networks. Ten seconds a model on one core.

    Example: regnet-ds reproduce ladder --out ladder -n 100
    """
    from ..search.queue.executors import check_workers
    from ..search.queue.tasks import DEFAULT_TRAINER
    from ..search.reproduction.ladder import Ladder, train_ladder
    from .progress import trial_progress

    storage = f"journal:{out / 'runs.journal'}"
    check_workers(storage, workers)
    limits = read_limits(time_limit, max_trials)
    quiet_optuna()
    plan = Ladder(n, seed)
    shared.make_folder(out)
    with trial_progress() as show:
        done = train_ladder(
            storage,
            plan,
            workers,
            trainer=trainer or DEFAULT_TRAINER,
            on_progress=lambda name, counts: show(name, counts, plan.trials),
            limits=limits,
        )
    if done:
        packed = out / "ladder.parquet"
        _pack(storage, plan.studies, packed)
        _say(str(packed), None, False, out)
    finish(done, limits.reached)


@app.command("more")
def more(
    out: Folder = Path("regnet-ds-ladder"),
    n: Annotated[
        int, typer.Option("-n", "--number", min=2, help="Models of each space on larger maps.")
    ] = 25,
    rates: Annotated[int, typer.Option(min=4, help="Pairs of learning rate and decay.")] = 40,
    workers: Workers = 2,
    seed: shared.Seed = 0,
    time_limit: TimeLimit = None,
    max_trials: MaxTrials = None,
    trainer: Trainer = None,
) -> None:
    """Train the smaller studies: larger maps, scaling, learning rates and decays, augmentation.

    They have the ladder's data and recipe, and its folder's journal; packed into more.parquet.

    Example: regnet-ds reproduce more --out ladder
    """
    from ..search.queue.executors import check_workers
    from ..search.queue.tasks import DEFAULT_TRAINER
    from ..search.reproduction.ladder import Ladder
    from ..search.reproduction.small_studies import (
        add_augmentation,
        add_rates,
        add_scaling,
        maps,
        train_studies,
    )
    from .progress import trial_progress

    storage = f"journal:{out / 'runs.journal'}"
    check_workers(storage, workers)
    limits = read_limits(time_limit, max_trials)
    quiet_optuna()
    plan, larger = Ladder(2, seed), maps(n, seed)
    settings = plan.settings()
    shared.make_folder(out)
    names = [
        *add_rates(storage, plan, settings, rates),
        *add_scaling(storage, settings, seed),
        *add_augmentation(storage, settings, seed),
    ]
    with trial_progress() as show:
        done = train_studies(
            storage,
            names,
            larger,
            workers,
            trainer=trainer or DEFAULT_TRAINER,
            on_progress=lambda name, counts: show(name, counts, sum(counts.values())),
            limits=limits,
        )
    if done:
        _pack(storage, [*names, *larger.studies], out / "more.parquet")
    finish(done, limits.reached)


@app.command("findings")
def findings(
    source: Source = EXAMPLE,
    more: Annotated[
        str | None,
        typer.Option(
            "--more", help="The packed smaller studies; with the shipped ladder, its own."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Draw ladder, steps, fits and ranges into a folder."),
    ] = None,
) -> None:
    """Say which of the papers' findings hold in a trained ladder, with intervals, as Markdown.

    Example: regnet-ds reproduce findings --out pictures
    """
    shipped = source == EXAMPLE
    _say(source, f"{EXAMPLE}-more" if shipped and more is None else more, shipped, out)


@app.command("check")
def check(
    source: Source = EXAMPLE,
    n: Annotated[int, typer.Option("-n", "--number", min=1, help="Models to train again.")] = 2,
    seed: shared.Seed = 0,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Train random models of a packed ladder again from their seeds, and compare the errors.

    In the environment that made them errors must be equal; elsewhere the difference must stay
    within two standard deviations of what seeds do. Exit code 1 if one does not agree.

    Example: regnet-ds reproduce check -n 5
    """
    import numpy as np

    from ..analysis.findings.rungs import seed_noise
    from ..analysis.tables.table import load_table
    from ..search.quiet import import_tensorflow

    table = load_table(source)
    noise = seed_noise(table).over_seeds
    import_tensorflow()
    from ..search.reproduction.retraining import draw_rows, retrain

    rows: list[dict[str, Any]] = []
    for one in retrain(draw_rows(table, n, np.random.default_rng(seed)), noise):
        rows.append(
            {
                "study": one.study,
                "index": one.index,
                "shipped": one.shipped,
                "error": one.error,
                "environment": "same" if one.same else "other",
                "agrees": "yes" if one.agrees else "no",
            }
        )
        shared.note(f"{one.study} {one.index}: {one.shipped:.2f}% shipped, {one.error:.2f}% now")
    shared.emit({key: [row[key] for row in rows] for key in rows[0]}, format, out)
    if any(row["agrees"] == "no" for row in rows):
        raise typer.Exit(1)


def _pack(storage: str, names: list[str], path: Path) -> None:
    """Write the finished trainings of studies as one table."""
    from ..designspace.tables.columns import write_columns
    from ..search.reproduction.packing import pack

    write_columns(pack(storage, names), path)
    shared.note(f"wrote {path}")


def _say(source: str, more: str | None, times: bool, out: Path | None) -> None:
    """Print what a packed ladder and the studies beside it say, and draw the ladder."""
    from ..analysis.findings.more import more_answers, time_answers
    from ..analysis.findings.page import Ladder, markdown
    from ..analysis.tables.table import load_table

    found = Ladder.of(load_table(source))
    answers = found.answers()
    if more is not None:
        answers |= more_answers(load_table(more), found.noise.over_seeds)
    if times:
        answers |= time_answers()
    print(markdown(found.populations, answers))
    if out is not None:
        shared.make_folder(out)
        for path in found.draw(out):
            shared.note(f"wrote {path}")


def register(root: typer.Typer) -> None:
    """Mount the commands."""
    root.add_typer(app, name="reproduce")
