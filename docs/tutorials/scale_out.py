"""Scale out: two programs that know nothing of each other train one study in one storage.

python docs/tutorials/scale_out.py            # 12 networks, 3 epochs: some minutes
python docs/tutorials/scale_out.py --short    # 3 networks of one epoch: it runs
python docs/tutorials/scale_out.py --storage postgresql://me@host/regnet    # for many machines
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from regnet_ds.analysis import load_table
from regnet_ds.designspace import SPACES, Budget, sample
from regnet_ds.search import Recipe, Settings, create_population_study, load_dataset


def main() -> None:
    """Run the tutorial."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--storage", default="")
    parser.add_argument("--out", type=Path, default=Path("tutorial-scale-out"))
    asked = parser.parse_args()
    n, epochs, size = (3, 1, 3e5) if asked.short else (12, 3, 1e6)
    asked.out.mkdir(parents=True, exist_ok=True)
    storage = asked.storage or f"journal:{asked.out / 'runs.journal'}"

    # 1. The study: which networks, seeds and trials there are is decided here, once.
    data = load_dataset("digits")
    settings = Settings.of(data, Recipe(epochs=epochs), seed=0)
    drawn = sample(
        SPACES["regnetx-dds"],
        n,
        budget=Budget(flops=(size, 1.2 * size)),
        rng=np.random.default_rng(0),
        resolution=settings.resolution,
        classes=settings.classes,
    )
    create_population_study(storage, "population", drawn.population, settings)

    # 2. Two workers, each a program of its own: on PostgreSQL run this line on any machine. A
    # worker claims the lowest network that waits, trains it, records it, until nothing is left.
    worker = [sys.executable, "-m", "regnet_ds", "study", "worker", "--storage", storage]
    programs = [subprocess.Popen([*worker, "--name", name]) for name in ("here", "there")]
    codes = [program.wait() for program in programs]
    print(f"workers ended with {codes}")

    # 3. One table, as if one had trained all: the number of workers decides nothing but the time.
    table = load_table(storage, "population")
    for name, trained in sorted(Counter(table["worker"]).items()):
        print(f"{name} trained {trained}")
    print(f"{len(table)} networks, best {table['error'].min():.1f}%")


if __name__ == "__main__":
    main()
