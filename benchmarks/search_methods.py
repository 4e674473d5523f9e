"""Which search finds the better network at equal cost: halving, random, or a model of errors.

A population of 64 RegNets of 4 MF is trained on `digits` twice, with two seeds: the first gives
what a search sees (errors by epoch), the second judges what it chose. Then searches are played on
these records, each with the same epochs (27 networks at rungs 1, 3, 9, or 7 trained to the
end), over many seeds. The noise of a search's own validation errors is so kept out of its score.

    python benchmarks/search_methods.py [--pool pool.journal] [--searches 200]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

N, EPOCHS = 64, 9


def train_pool(url: str) -> None:
    """Train the population and its seed runs; continues what is there."""
    from regnet_ds.analysis.storages.storage import load_study, open_storage
    from regnet_ds.designspace import SPACES, Budget, sample
    from regnet_ds.search.data.datasets import load_dataset
    from regnet_ds.search.populations.settings import Settings
    from regnet_ds.search.populations.studies import (
        add_seed_runs,
        create_population_study,
        run_study,
    )
    from regnet_ds.search.recipes.recipe import Recipe

    settings = Settings.of(load_dataset("digits"), Recipe(epochs=EPOCHS))
    drawn = sample(
        SPACES["regnetx"], N, budget=Budget(flops=(3.8e6, 4.2e6)), rng=np.random.default_rng(0),
        resolution=32, classes=10,
    )  # fmt: skip
    create_population_study(
        url, "pool", drawn.population, settings, space=SPACES["regnetx"], budget="flops 4M"
    )
    run_study(url, "pool", 2)
    add_seed_runs(load_study(open_storage(url), "pool"), range(N), 1)
    run_study(url, "pool", 2)


def curves(url: str) -> tuple[np.ndarray, np.ndarray, list[dict[str, Any]]]:
    """Return errors seen (N, epochs), errors that judge (N,), and the networks' records."""
    from regnet_ds.analysis.storages.storage import load_study, open_storage

    trials = load_study(open_storage(url), "pool").get_trials(deepcopy=False)
    seen, judge = np.full((N, EPOCHS), np.nan), np.full(N, np.nan)
    records: list[dict[str, Any]] = [{} for _ in range(N)]
    for trial in trials:
        i = trial.user_attrs["index"]
        if trial.user_attrs["replicate"]:
            judge[i] = trial.value
        else:
            seen[i] = [trial.intermediate_values[e] for e in range(1, EPOCHS + 1)]
            records[i] = trial.user_attrs
    return seen, judge, records


def halving(seen: np.ndarray, order: np.ndarray, plan: Any) -> int:
    """Return the network that halving ends with."""
    left = order[: plan.n]
    for rung, n in zip(plan.rungs(EPOCHS), [*plan.sizes(EPOCHS)[1:], 1], strict=True):
        left = left[np.argsort(seen[left, rung - 1], kind="stable")][:n]
    return int(left[0])


def model_based(
    seen: np.ndarray, order: np.ndarray, records: list[dict[str, Any]], n: int, seed: int
) -> int:
    """Return the best of n networks of which the model chose all but the first four."""
    from regnet_ds.search.budget_search.model_based import choose

    tried, rest = list(order[:4]), list(order[4:])
    places = choose(
        [records[i] for i in tried], list(seen[tried, -1]), [records[i] for i in rest], n - 4, seed
    )
    tried += [rest[i] for i in places]
    return int(tried[int(np.argmin(seen[tried, -1]))])


def main() -> None:
    """Let the searches of equal cost choose from the pool, and print whose choice is best."""
    from regnet_ds.search.budget_search.plan import SearchPlan

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pool", type=Path, default=Path("pool.journal"))
    parser.add_argument("--searches", type=int, default=200)
    options = parser.parse_args()
    url = f"journal:{options.pool}"
    if not options.pool.exists():
        train_pool(url)
    seen, judge, records = curves(url)
    plan = SearchPlan(n=27)
    n = plan.cost(EPOCHS) // EPOCHS
    found: dict[str, list[int]] = {"halving": [], "random": [], "model": []}
    for seed in range(options.searches):
        order = np.random.default_rng(seed).permutation(N)
        found["halving"].append(halving(seen, order, plan))
        found["random"].append(int(order[:n][np.argmin(seen[order[:n], -1])]))
        found["model"].append(model_based(seen, order, records, n, seed))
    print(f"{N} networks: error after {EPOCHS} epochs {np.percentile(judge, [0, 25, 50, 75])}")
    correlation = [float(np.corrcoef(seen[:, e], judge)[0, 1]) for e in range(EPOCHS)]
    print("correlation of the error by epoch with the judge:", np.round(correlation, 2))
    print(f"{plan.cost(EPOCHS)} epochs a search, {options.searches} searches")
    scores = {method: judge[np.array(chosen)] for method, chosen in found.items()}
    for method, score in scores.items():
        spread = 1.96 * score.std(ddof=1) / np.sqrt(len(score))
        few = " ".join(f"{x:.1f}" for x in score[:5])
        print(f"{method:8} {score.mean():6.2f}% +- {spread:.2f}, median {np.median(score):.2f}, "
              f"first five seeds: {few}")  # fmt: skip
    for other in ("random", "model"):
        better = np.mean(scores["halving"] < scores[other])
        worse = np.mean(scores["halving"] > scores[other])
        print(f"halving better than {other} in {better:.0%}, worse in {worse:.0%}")


if __name__ == "__main__":
    main()
