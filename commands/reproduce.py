"""``regnet-ds reproduce``: the papers' findings again, small, on embedded data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import shared
from .quickstart import make_folder
from .study import MaxTrials, TimeLimit, Trainer, Workers, finish, quiet_optuna, read_limits

MODELS = 100
app = typer.Typer(no_args_is_help=True, help="The papers' findings again, on embedded data.")


@app.command("ladder")
def ladder(
    out: Annotated[Path, typer.Option("--out", help="The folder for all that is made.")] = Path(
        "regnet-ds-ladder"
    ),
    n: Annotated[int, typer.Option("-n", "--number", min=2, help="Models of each space.")] = MODELS,
    workers: Workers = 2,
    seed: shared.Seed = 0,
    time_limit: TimeLimit = None,
    max_trials: MaxTrials = None,
    trainer: Trainer = None,
) -> None:
    """Train AnyNetX A, B, C, D, E and RegNetX alike, and test every step from one to the next.

    Samples n networks of each space within one budget, trains them in a short regime, some of
    every space in turn. Ctrl-C stops it; the same command goes on, and a larger n adds networks.

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
    make_folder(out)
    plan = Ladder(n, seed)
    with trial_progress() as show:
        done = train_ladder(
            storage,
            plan,
            workers,
            trainer=trainer or DEFAULT_TRAINER,
            on_progress=lambda name, counts: show(name, counts, plan.trials),
            limits=limits,
        )
    finish(done, limits.reached)


def register(root: typer.Typer) -> None:
    """Mount the commands."""
    root.add_typer(app, name="reproduce")
