"""Models an hour of a population of `digits`: two workers of one thread, or one of one or two.

Target: two workers of one thread train at least 1.6 times as many as the better of the others.

    python benchmarks/models_per_hour.py [--models 64] [--epochs 2] [--only 2x1]
"""

from __future__ import annotations

import argparse
import tempfile
import time

import numpy as np
import optuna

WAYS = {"2x1": (2, 1), "1x1": (1, 1), "1x2": (1, 2)}  # workers, threads of each


def models_per_hour(n: int, epochs: int, workers: int, threads: int) -> float:
    """Return the networks that so many workers train an hour."""
    from regnet_ds.designspace import SPACES, Budget, sample
    from regnet_ds.search.data.datasets import load_dataset
    from regnet_ds.search.populations.settings import Settings
    from regnet_ds.search.populations.studies import create_population_study, run_study
    from regnet_ds.search.recipes.recipe import Recipe

    settings = Settings.of(load_dataset("digits"), Recipe(epochs=epochs), threads=threads)
    drawn = sample(
        SPACES["regnetx"], n, budget=Budget(flops=(3.8e6, 4.2e6)), rng=np.random.default_rng(0),
        resolution=32, classes=10,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        url = f"journal:{folder}/p.journal"
        create_population_study(url, "p", drawn.population, settings, space=SPACES["regnetx"])
        began = time.perf_counter()
        run_study(url, "p", workers)
        return 3600 * n / (time.perf_counter() - began)


def main() -> None:
    """Measure each way and print its rate."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--only", choices=WAYS, help="one way, as 2x1 (workers x threads)")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    found = {
        way: models_per_hour(options.models, options.epochs, *WAYS[way])
        for way in ([options.only] if options.only else WAYS)
    }
    for way, rate in found.items():
        print(f"{way} (workers x threads): {rate:.0f} models an hour", flush=True)
    if len(found) == len(WAYS):
        better = max(found["1x1"], found["1x2"])
        print(f"two workers: {found['2x1'] / better:.2f} times the better single one")


if __name__ == "__main__":
    main()
