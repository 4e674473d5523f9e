"""Study a design space: sample it, train a population, look at its errors, narrow it.

python docs/tutorials/study_a_space.py            # 24 networks, 5 epochs: some minutes
python docs/tutorials/study_a_space.py --short    # 4 networks, 1 epoch: it runs, it shows nothing
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from regnet_ds.analysis import edf, edf_figure, good_range, load_table, make_groups, usable
from regnet_ds.designspace import SPACES, Budget, sample
from regnet_ds.search import Recipe, Settings, create_population_study, load_dataset, run_study


def main() -> None:
    """Run the tutorial."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("tutorial-space"))
    asked = parser.parse_args()
    n, epochs = (4, 1) if asked.short else (24, 5)
    asked.out.mkdir(parents=True, exist_ok=True)

    # 1. The data decide the units of the budget: complexity is counted at their resolution.
    data = load_dataset("digits")
    settings = Settings.of(data, Recipe(epochs=epochs), seed=0)
    units = {"resolution": settings.resolution, "classes": settings.classes}

    # 2. Networks of one complexity, so that the space is compared and not the budget.
    space, budget = SPACES["regnetx-dds"], Budget(flops=(3.8e6, 4.2e6))
    drawn = sample(space, n, budget=budget, rng=np.random.default_rng(0), **units)
    print(f"{n} of {space.name} from {drawn.n_drawn:,} candidates; rejected: {drawn.rejected}")

    # 3. A study is a file. The same call goes on where another stopped.
    storage = f"journal:{asked.out / 'runs.journal'}"
    create_population_study(
        storage, "space", drawn.population, settings, space=space, budget=budget.describe()
    )
    run_study(storage, "space", workers=1)

    # 4. The error distribution is the space's quality: not its best network, all of them.
    table = load_table(storage, "space")
    rows, excluded = usable(table)
    errors = edf(rows["error"])
    print(f"{len(rows)} trained, excluded: {excluded or 'none'}")
    print(f"median error {np.median(rows['error']):.1f}%, best {rows['error'].min():.1f}%")
    print(f"share of networks below 50% error: {errors.at(50.0):.2f}")
    figure = asked.out / "edf.png"
    edf_figure(make_groups([("space", table)])).figure.savefig(figure)

    # 5. Where do the best networks lie? The next round samples there.
    for name in ("depth", "wa"):
        found = good_range(rows[name], rows["error"])
        print(f"{name}: the best value lies in {found.low:g} to {found.high:g}")
    print(f"wrote {figure}; regnet-ds report {asked.out / 'runs.journal'} shows more")


if __name__ == "__main__":
    main()
