"""What the sampler and the pruner cost a trial of a tuning study, apart from the rest.

A tuning study on a journal is filled with finished trials of random hyperparameters. Then the next
batches are asked of TPE as `tune` asks them (`proposals`), and trials of them are judged by
Hyperband and by the median after every epoch, as workers do (`Judge`). There is no target: these
come on top of `study_overhead.py`, whose trials have neither.

    python benchmarks/sampler_overhead.py [--trials 100 1000 10000] [--repeats 5]
"""

from __future__ import annotations

import argparse
import tempfile
import time

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial
from side_by_side import spread

MODEL, EPOCHS = "depth=8 w0=16 wa=16 wm=2 group_width=8", 10


def finished(trial: FrozenTrial) -> FrozenTrial:
    """Return a waiting trial with a learning curve and a result."""
    error = 5 + trial.user_attrs["seed"] % 1000 / 100
    return create_trial(
        state=TrialState.COMPLETE,
        value=error,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs={**trial.user_attrs, "error": error, "status": "complete"},
        intermediate_values={e: error + 40 / e for e in range(1, EPOCHS + 1)},
    )


def tuning_study(url: str, trials: int, kind: str, batch: int) -> optuna.Study:
    """Return a tuning study of so many finished trials, and whole batches of them."""
    from regnet_ds.analysis.storages.storage import add_trials, open_storage
    from regnet_ds.commands.tune_models import make_size, read_models
    from regnet_ds.search.data.datasets import load_dataset
    from regnet_ds.search.populations.settings import Settings
    from regnet_ds.search.queue.pruning import Pruner
    from regnet_ds.search.recipes.recipe import Recipe
    from regnet_ds.search.sizes.proposals import proposals, waiting
    from regnet_ds.search.sizes.tuning import TuningPlan, begin

    data, recipe = load_dataset("digits"), Recipe(epochs=EPOCHS)
    [(name, spec)] = read_models([MODEL], False).items()
    size, settings = make_size(name, spec, recipe, data), Settings.of(data, recipe)
    plan = TuningPlan(trials, batch, Pruner(kind))
    study = begin(open_storage(url), f"{kind}/{trials}", size, settings, plan)
    batches = [proposals(study, k) for k in range(trials // batch)]  # nothing is told: random
    asked = waiting(study, 0, (proposal for one in batches for proposal in one))
    add_trials(study, [finished(trial) for trial in asked])
    return study


def asking(study: optuna.Study, k: int, batch: int) -> float:
    """Return the seconds that a trial of batch ``k`` is asked in."""
    from regnet_ds.search.sizes.proposals import proposals

    began = time.perf_counter()
    proposals(study, k)
    return (time.perf_counter() - began) / batch


def judging(study: optuna.Study, first: int, batch: int) -> float:
    """Return the seconds that a trial is judged in, over all its epochs; mean of a batch."""
    from regnet_ds.search.queue.pruning import Judge, Pruner
    from regnet_ds.search.sizes.proposals import proposals, waiting

    trials = waiting(study, first, proposals(study, first // batch))
    pruner = Pruner(**study.user_attrs["pruner"])
    began = time.perf_counter()
    for trial in trials:
        judge = Judge(study, trial, pruner)
        for epoch in range(1, EPOCHS + 1):
            judge.ends(epoch, 5 + 40 / epoch)
    return (time.perf_counter() - began) / len(trials)


def main() -> None:
    """Ask and judge in studies of several sizes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--batch", type=int, default=8, help="trials that are asked together")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for trials in options.trials:
        n = trials // options.batch * options.batch
        with tempfile.TemporaryDirectory() as folder:
            found: dict[str, list[float]] = {}
            for kind in ("hyperband", "median"):
                study = tuning_study(f"journal:{folder}/t", n, kind, options.batch)
                asks = [
                    asking(study, n // options.batch, options.batch) for _ in range(options.repeats)
                ]
                judged = [judging(study, n, options.batch) for _ in range(options.repeats)]
                found.setdefault("a trial asked of TPE (ms)", []).extend(asks)
                found[f"judged by {kind} (ms)"] = judged
        shown = (f"{name}: {spread([1e3 * s for s in each])}" for name, each in found.items())
        print(f"{n} finished trials", *shown, sep="  ", flush=True)


if __name__ == "__main__":
    main()
