"""Search at a budget: rungs, finals, a model that chooses, and the same table for all workers."""

from dataclasses import replace

import numpy as np
import pytest
from optuna.trial import TrialState
from regnet_ds.analysis.storages.storage import load_study, open_storage
from regnet_ds.analysis.tables.table import load_table
from regnet_ds.designspace import SPACES, Budget, complexity, from_record
from regnet_ds.search.budget_search.finals import undecided
from regnet_ds.search.budget_search.model_based import choose
from regnet_ds.search.budget_search.plan import SearchPlan
from regnet_ds.search.budget_search.ranking import ranking, winner
from regnet_ds.search.budget_search.rungs import FINAL, RUNG, SHORT, of_phase
from regnet_ds.search.budget_search.searching import (
    Search,
    advance,
    create_search,
    run_search,
)
from regnet_ds.search.queue.tasks import find_trainer, task_of
from regnet_ds.search.queue.worker import Worker
from scipy.stats import ttest_ind

BUDGET = Budget(flops=(3.8e6, 4.2e6))


@pytest.fixture
def make(settings):
    """Return a function of a plan's fields: a search of three epochs."""

    def make_search(**fields):
        plan = SearchPlan(**{"n": 9, "final_epochs": 3, "batch": 3, **fields})
        return Search(SPACES["regnetx"], BUDGET, plan, settings)

    return make_search


@pytest.fixture
def finished(url, make, fake_trainer):
    """Return a function that searches to the end in this process, and its study."""

    def finish(name="s", limit=None, **fields):
        storage = open_storage(url)
        search = make(**fields)
        study = create_search(url, name, search)
        trainer = find_trainer(fake_trainer)
        while not advance(study, search):
            Worker(storage, [name], trainer).run(limit=limit)
        return load_study(open_storage(url), name)

    return finish


def table(study):
    keys = ("index", "seed", "status", "epochs", RUNG, "replicate")
    return [
        (t.value, t.intermediate_values, [t.user_attrs.get(k) for k in keys]) for t in study.trials
    ]


def test_rungs_and_costs():
    plan = SearchPlan(n=27)
    assert plan.rungs(9) == [1, 3, 9] and plan.sizes(9) == [27, 9, 3]
    assert plan.cost(9) == 27 * 1 + 9 * 2 + 3 * 6
    assert plan.rungs(10) == [1, 3, 10] and plan.rungs(100) == [1, 4, 11, 33, 100]
    assert plan.rungs(2) == [2] and plan.rungs(1) == [1]
    random = SearchPlan(method="random", n=7)
    assert random.rungs(9) == [9] and random.cost(9) == plan.cost(9)


def test_the_best_third_goes_on(finished):
    study = finished()
    short = of_phase(study.trials, SHORT)
    first, second = ([t for t in short if t.user_attrs[RUNG] == r] for r in (1, 3))
    assert len(first) == 9 and {t.state for t in first} == {TrialState.PRUNED}
    assert all(t.value == t.intermediate_values[1] for t in first)
    assert all(list(t.intermediate_values) == [1] for t in first)
    best = sorted(first, key=lambda t: t.value)[:3]
    assert {t.user_attrs["index"] for t in second} == {t.user_attrs["index"] for t in best}
    assert {t.state for t in second} == {TrialState.COMPLETE}
    assert all(list(t.intermediate_values) == [1, 2, 3] for t in second)
    seeds = {t.user_attrs["index"]: t.user_attrs["seed"] for t in first}
    assert all(seeds[t.user_attrs["index"]] == t.user_attrs["seed"] for t in second)


def test_pruned_trials_are_told_apart_in_tables(finished, url):
    finished()
    statuses = load_table(url, "s")["status"].value_counts()
    assert statuses["pruned"] == 9


def test_finalists_have_seeds_of_their_own_and_the_winner_the_lowest_mean(finished):
    study = finished()
    finals = of_phase(study.trials, FINAL)
    assert len({t.user_attrs["seed"] for t in finals}) == len(finals) >= 6
    rows = ranking(study)
    assert [row["rank"] for row in rows] == list(range(1, 10))
    assert [row["final"] for row in rows] == [True] * 3 + [False] * 6
    means = [row["error"] for row in rows[:3]]
    assert means == sorted(means)
    errors = [t.value for t in finals if t.user_attrs["index"] == rows[0]["index"]]
    assert rows[0]["error"] == pytest.approx(np.mean(errors))
    assert rows[0]["spread"] == pytest.approx(np.std(errors, ddof=1))
    best = winner(study)
    assert best is not None and best.trial.value == min(errors) and best.model == ""
    losers = [row["error"] for row in rows[3:]]
    assert losers == sorted(losers)


@pytest.mark.parametrize("method", ["halving", "model"])
def test_interruptions_and_workers_decide_nothing(finished, make, url, fake_trainer, method):
    parts = finished("parts", limit=2, method=method)
    whole = finished("whole", method=method)
    assert table(parts) == table(whole)
    if method == "halving":
        place = url + "2"
        assert run_search(place, "two", make(), 2, trainer=fake_trainer)
        assert table(load_study(open_storage(place), "two")) == table(whole)


def test_failed_and_diverged_networks_do_not_go_on(finished, monkeypatch):
    monkeypatch.setenv("FAKE_RAISE", "0")
    study = finished()
    monkeypatch.setenv("FAKE_DIVERGE", "0,1,2,3,4,5,6,7,8")
    none = finished("none", method="random", n=3)
    assert study.trials[0].state == TrialState.FAIL
    went_on = [t for t in study.trials if t.user_attrs["index"] == 0]
    assert len(went_on) == 1
    assert ranking(study)[-1]["index"] == 0 and ranking(study)[-1]["error"] is None
    assert winner(none) is None and not of_phase(none.trials, FINAL)


def test_every_network_of_a_model_based_search_is_within_the_budget_and_new(finished):
    study = finished(method="model", n=8)
    short = of_phase(study.trials, SHORT)
    assert [t.user_attrs["index"] for t in short] == list(range(8))
    costs = [complexity(from_record(t.user_attrs), resolution=32, classes=10) for t in short]
    assert all(3.8e6 <= cost.flops <= 4.2e6 for cost in costs)
    shapes = {str([t.user_attrs[k] for k in ("stage_widths", "stage_depths")]) for t in short}
    assert len(shapes) == 8


def test_the_model_learns_where_errors_are_low(make):
    search = make()
    rows = search.records(search.drawn(300))
    errors = np.array([abs(row["depth"] - 20) + abs(row["wm"] - 2.6) for row in rows])
    chosen = choose(rows[:20], list(errors[:20]), rows[20:], 5, seed=0)
    assert len(set(chosen)) == 5
    assert errors[20:][chosen].mean() < 0.3 * errors[20:].mean()
    assert chosen == choose(rows[:20], list(errors[:20]), rows[20:], 5, seed=0)


def test_finals_agree_with_the_t_test():
    rng = np.random.default_rng(0)
    kept = 0
    for _ in range(200):
        a, b = rng.normal(0, 1, 4), rng.normal(rng.uniform(0, 3), 1, 4)
        best, other = (a, b) if a.mean() < b.mean() else (b, a)
        p = ttest_ind(other, best, alternative="greater").pvalue
        found = undecided({0: list(best), 1: list(other)})
        assert found == ([0] if p < 0.05 else [0, 1])
        kept += len(found) == 2
    assert 20 < kept < 180
    assert undecided({0: [1.0, 1.0], 1: [1.0, 1.0], 2: [1.1, 1.1]}) == [0, 1]
    assert undecided({}) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"method": "magic"}, "must be one of halving, random, model, got 'magic'"),
        ({"n": 0}, "n must be at least 1, got 0"),
        ({"eta": 1}, "eta must be at least 2"),
        ({"fewest_seeds": 1}, "fewest seeds must be at least 2"),
        ({"most_seeds": 1}, "most seeds must be at least the fewest, 2, got 1"),
    ],
)
def test_bad_plans(fields, said):
    with pytest.raises(ValueError, match=said):
        SearchPlan(**fields)


def test_another_plan_does_not_continue_a_search(url, make):
    create_search(url, "s", make())
    with pytest.raises(ValueError, match=r"plan\.n is 9, not 12"):
        create_search(url, "s", make(n=12))


@pytest.mark.slow
def test_a_network_that_paused_ends_as_if_it_had_not(tmp_path):
    from regnet_ds.search.data.datasets import load_dataset
    from regnet_ds.search.populations.settings import Settings
    from regnet_ds.search.queue.tasks import train_task
    from regnet_ds.search.recipes.recipe import Recipe

    recipe = Recipe(epochs=2, precise_bn_images=256)
    settings = Settings.of(load_dataset("digits"), recipe)
    plan = SearchPlan(n=2, eta=2, finalists=1, final_epochs=1, most_seeds=2)
    budget = Budget(flops=(1e6, 2e6))
    search = Search(SPACES["regnetx"], budget, plan, settings)
    url = f"journal:{tmp_path}/j"
    study = create_search(url, "s", search)
    folder = tmp_path / "j.runs" / "s"
    kept = []
    while not advance(study, search):
        kept.append(len(list(folder.glob("*.npz"))))
        Worker(open_storage(url), ["s"], train_task).run()
    assert kept[:2] == [0, 1] and not list(folder.glob("*.npz"))
    best = winner(study)
    assert best is not None and best.model.endswith(".keras")
    (whole,) = [t for t in of_phase(study.trials, SHORT) if t.state == TrialState.COMPLETE]
    errors: dict[int, float] = {}
    train_task(replace(task_of(study.user_attrs, whole), checkpoint=""), errors.__setitem__)
    assert errors == whole.intermediate_values
