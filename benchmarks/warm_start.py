"""Does tuning a size from the best of the next smaller size beat tuning it from its recipe alone.

On `digits`: a small network is tuned; then a larger one, warm (the first trials are its own recipe
and the small one's best) and cold (its own recipe), with equally many trials and the same seed. For
each seed of the study the lowest validation error so far is compared trial by trial.

    python benchmarks/warm_start.py [--seeds 6] [--first 0] [--trials 8] [--epochs 6] [--workers 2]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from statistics import fmean, stdev

import numpy as np
import optuna

SMALL, LARGE = "depth=8 w0=16 wa=16 wm=2 group_width=8", "depth=10 w0=24 wa=24 wm=2 group_width=8"


def best_so_far(url: str, study: str) -> np.ndarray:
    """Return the lowest error of a study after each of its trials."""
    from regnet_ds.analysis.storages.storage import load_study, open_storage

    trials = load_study(open_storage(url), study).trials
    return np.minimum.accumulate([trial.value for trial in trials])


def compare(
    seed: int, trials: int, epochs: int, workers: int
) -> tuple[np.ndarray, np.ndarray, str]:
    """Return the lowest errors so far of the large network, warm and cold, and what is warm.

    That is the origin of the small network's best: ``sampled``, or the name of a recipe.
    """
    from regnet_ds.analysis.storages.storage import load_study, open_storage
    from regnet_ds.commands.tune_models import make_size, read_models
    from regnet_ds.search.data.datasets import load_dataset
    from regnet_ds.search.populations.settings import Settings
    from regnet_ds.search.recipes.recipe import Recipe
    from regnet_ds.search.sizes.proposals import ORIGIN
    from regnet_ds.search.sizes.tuned import best_recipe
    from regnet_ds.search.sizes.tuning import TuningPlan, tune_sizes

    data, recipe = load_dataset("digits"), Recipe(epochs=epochs)
    sizes = [make_size(m, s, recipe, data) for m, s in read_models([SMALL, LARGE], False).items()]
    settings, plan = Settings.of(data, recipe, seed=seed), TuningPlan(trials, 2)
    with tempfile.TemporaryDirectory() as folder:
        url = f"journal:{folder}/t.journal"
        tune_sizes(url, "warm", sizes, settings, plan, workers=workers)
        tune_sizes(url, "cold", sizes[1:], settings, plan, workers=workers)
        small = load_study(open_storage(url), f"warm/{sizes[0].model}")
        return (
            best_so_far(url, f"warm/{sizes[1].model}"),
            best_so_far(url, f"cold/{sizes[1].model}"),
            small.trials[best_recipe(small).trial].user_attrs[ORIGIN],
        )


def interval(differences: Sequence[float]) -> str:
    """Return the mean of paired differences with Student's 95% interval."""
    mean = fmean(differences)
    if len(differences) < 2:
        return f"{mean:.2f}"
    from scipy.stats import t

    half = t.ppf(0.975, len(differences) - 1) * stdev(differences) / len(differences) ** 0.5
    return f"{mean:.2f} ({mean - half:.2f} to {mean + half:.2f})"


def main() -> None:
    """Tune with and without the smaller size, seed by seed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=6, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    gaps: list[np.ndarray] = []
    for seed in range(options.first, options.first + options.seeds):
        warm, cold, origin = compare(seed, options.trials, options.epochs, options.workers)
        gaps.append(warm - cold)
        print(f"seed {seed}: small's best is {origin}", flush=True)
        print(f"  warm {np.round(warm, 2)}\n  cold {np.round(cold, 2)}", flush=True)
    print("lowest error so far, warm minus cold, points, mean over seeds (95% interval)")
    for i in range(options.trials):
        print(f"  after {i + 1} trials: {interval([float(gap[i]) for gap in gaps])}")
    print(f"  mean over trials: {interval([float(gap.mean()) for gap in gaps])}")


if __name__ == "__main__":
    main()
