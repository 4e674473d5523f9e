"""Search at a budget: the best network of 4 million multiply-adds, found with few epochs.

python docs/tutorials/search_at_a_budget.py            # 27 networks: a quarter of an hour
python docs/tutorials/search_at_a_budget.py --short    # 4 networks: it runs, it finds little
"""

from __future__ import annotations

import argparse
from pathlib import Path

from regnet_ds.analysis.storages.storage import load_study, open_storage
from regnet_ds.designspace import SPACES, Budget
from regnet_ds.search import Recipe, Search, SearchPlan, Settings, load_dataset, run_search
from regnet_ds.search.budget_search.ranking import ranking, winner


def main() -> None:
    """Run the tutorial."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("tutorial-search"))
    asked = parser.parse_args()
    n, epochs, finalists, long = (4, 2, 1, 2) if asked.short else (27, 9, 3, 27)
    asked.out.mkdir(parents=True, exist_ok=True)

    # 1. Halving: all begin a training of full length, a third of them goes on at each rung.
    plan = SearchPlan("halving", n, 3, 4, finalists, long, 2, 2 if asked.short else 3)
    print(f"networks at rungs {plan.rungs(epochs)}: {plan.sizes(epochs)}")

    # 2. What is searched, and in which units its budget is counted.
    settings = Settings.of(load_dataset("digits"), Recipe(epochs=epochs), seed=0)
    search = Search(SPACES["regnetx"], Budget(flops=(3.8e6, 4.2e6)), plan, settings)

    # 3. To the end; stopped, the same call goes on.
    storage = f"journal:{asked.out / 'search.journal'}"
    run_search(storage, "search", search, workers=1)

    # 4. Selected by validation error alone; the test split is for the winner, once.
    study = load_study(open_storage(storage), "search")
    for row in ranking(study)[:3]:
        error = row["error"]
        shown = "-" if error is None else f"{error:.1f}% after {row['epochs']} epochs"
        print(f"{row['rank']}. trial {row['trial']}: {shown}, widths {row['stage_widths']}")
    best = winner(study)
    assert best is not None  # noqa: S101 - the search came to its end
    print(f"the winner: search#{best.trial.number}, its model: {best.model}")


if __name__ == "__main__":
    main()
