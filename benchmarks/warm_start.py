"""Does tuning a size from the best of the next smaller size beat tuning it from its recipe alone.

On `digits`: a small network is tuned; then a larger one, warm (the first trials are its own recipe
and the small one's best) and cold (its own recipe), with equally many trials and the same seed. For
each seed of the study the lowest validation error so far is compared trial by trial.

    python benchmarks/warm_start.py [--seeds 3] [--trials 6] [--epochs 3]
"""

from __future__ import annotations

import argparse
import tempfile

import numpy as np
import optuna

SMALL, LARGE = "depth=8 w0=16 wa=16 wm=2 group_width=8", "depth=10 w0=24 wa=24 wm=2 group_width=8"


def best_so_far(url: str, study: str) -> np.ndarray:
    """Return the lowest error of a study after each of its trials."""
    from regnet_ds.analysis.storages.storage import load_study, open_storage

    trials = load_study(open_storage(url), study).trials
    return np.minimum.accumulate([trial.value for trial in trials])


def compare(seed: int, trials: int, epochs: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest errors so far of the large network: warm, cold."""
    from regnet_ds.commands.tune import make_size, read_models
    from regnet_ds.search.data.datasets import load_dataset
    from regnet_ds.search.populations.settings import Settings
    from regnet_ds.search.recipes.recipe import Recipe
    from regnet_ds.search.sizes.tuning import TuningPlan, tune_sizes

    data, recipe = load_dataset("digits"), Recipe(epochs=epochs)
    sizes = [make_size(m, s, recipe, data) for m, s in read_models([SMALL, LARGE], False).items()]
    settings = Settings.of(data, recipe, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        url = f"journal:{folder}/t.journal"
        tune_sizes(url, "warm", sizes, settings, TuningPlan(trials, 2))
        tune_sizes(url, "cold", sizes[1:], settings, TuningPlan(trials, 2))
        return (
            best_so_far(url, f"warm/{sizes[1].model}"),
            best_so_far(url, f"cold/{sizes[1].model}"),
        )


def main() -> None:
    """Tune with and without the smaller size, seed by seed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for seed in range(options.seeds):
        warm, cold = compare(seed, options.trials, options.epochs)
        print(f"seed {seed}: warm {np.round(warm, 2)}, cold {np.round(cold, 2)}", flush=True)


if __name__ == "__main__":
    main()
