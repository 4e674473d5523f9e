"""Tuning: sizes ascending, warm starts, batches that no worker count can change."""

from dataclasses import replace

import pytest
from regnet_ds.analysis.storages.storage import load_study, open_storage
from regnet_ds.designspace import RegNetParams, canonical
from regnet_ds.search.queue.tasks import find_trainer
from regnet_ds.search.queue.worker import Worker
from regnet_ds.search.recipes.recipe import Recipe
from regnet_ds.search.sizes.proposals import proposals
from regnet_ds.search.sizes.tuned import best_recipe, tuned_recipes
from regnet_ds.search.sizes.tuning import Size, TuningPlan, advance, ascending, begin, tune_sizes

PRIORS = {"lr": (0.01, 1.0, "log"), "weight_decay": (1e-5, 1e-2, "log")}
BASE = Recipe(epochs=2, lr=0.05, weight_decay=5e-5)
SMALL = Size("RegNetX-200MF", canonical("RegNetX-200MF"), BASE, PRIORS)
PLAN = TuningPlan(batch=4)
LARGE = Size("RegNetX-400MF", canonical("RegNetX-400MF"), BASE, PRIORS)


@pytest.fixture
def finished(url, settings, fake_tuner):
    """Return a function that tunes one size in this process, and its study."""
    trainer = find_trainer(fake_tuner)

    def finish(name="t", size=SMALL, trials=12, smaller=None, plan=PLAN, **changes):
        storage = open_storage(url)
        own = replace(settings, recipe=size.recipe.to_dict(), **changes)
        study = begin(storage, name, size, own, plan, smaller)
        while not advance(study, trials):
            Worker(storage, [name], trainer).run()
        return study

    return finish


def table(study):
    return [
        (t.params, t.value, t.user_attrs["seed"], t.user_attrs["rds:origin"]) for t in study.trials
    ]


def test_batches_follow_from_seed_and_results_alone(finished):
    first, again = finished("a"), finished("b")
    assert table(first) == table(again)
    other = finished("c", seed=8)
    assert table(other)[1:] != table(first)[1:]
    assert len({str(t.params) for t in first.trials}) == 12


def test_more_trials_continue_as_if_asked_for_at_once(finished):
    whole = finished("whole", trials=12)
    for trials in (3, 6, 12):
        parts = finished("parts", trials=trials)
    assert table(parts) == table(whole)


def test_the_sampler_learns(finished):
    study = finished(trials=40)
    early = [t.value for t in study.trials[1:8]]
    late = [t.value for t in study.trials[-12:]]
    assert sum(late) / len(late) < 0.6 * sum(early) / len(early)
    assert study.best_value < study.trials[0].value


def test_nothing_is_added_while_a_trial_waits(url, settings):
    storage = open_storage(url)
    study = begin(storage, "t", SMALL, replace(settings, recipe=BASE.to_dict()), PLAN)
    assert not advance(study, 8)
    assert not advance(study, 8)
    assert len(study.trials) == 4
    assert [p for p, _ in proposals(study, 0)] == [t.params for t in study.trials]


def test_the_first_trial_is_the_recipe_itself(finished):
    first = finished(trials=4).trials[0]
    assert first.params == {"lr": 0.05, "weight_decay": 5e-5}
    assert first.user_attrs["rds:origin"] == "recipe"
    assert first.user_attrs["model"] == "RegNetX-200MF"
    assert (first.user_attrs["w0"], first.user_attrs["epochs"]) == (24, 2)


def test_the_next_size_begins_with_the_best_of_the_smaller(finished):
    small = finished("small", trials=8)
    larger = replace(LARGE, recipe=replace(BASE, batch_size=256))
    study = finished("large", larger, trials=4, smaller=small)
    best = best_recipe(small)
    warm = study.trials[1]
    assert warm.user_attrs["rds:origin"] == f"small#{best.trial}"
    assert warm.params["weight_decay"] == best.recipe.weight_decay
    assert warm.params["lr"] == pytest.approx(2 * best.recipe.lr)
    assert study.trials[2].user_attrs["rds:origin"] == "sampled"


def test_given_values_outside_the_priors_widen_them(finished):
    size = replace(SMALL, recipe=replace(BASE, lr=3.0, weight_decay=0.0))
    study = finished(size=size, trials=4)
    assert study.trials[0].params == {"lr": 3.0, "weight_decay": 1e-5}
    assert study.trials[0].distributions["lr"].high == 3.0
    assert study.trials[3].distributions == study.trials[0].distributions


def test_best_recipe(finished):
    study = finished()
    best = best_recipe(study)
    trial = study.best_trial
    assert (best.trial, best.error, best.study) == (trial.number, trial.value, "t")
    assert best.recipe == replace(BASE, **trial.params)


def test_tuned_recipes(url, finished):
    finished("a", trials=4)
    finished("b", trials=8)
    finished("c", LARGE, trials=4)
    found = tuned_recipes(url)
    assert set(found) == {"RegNetX-200MF", "RegNetX-400MF"}
    one = found["RegNetX-200MF"]
    assert set(one) == {"recipe", "study", "trial", "error", "data", "resolution"}
    assert one["error"] == min(load_study(open_storage(url), s).best_value for s in "ab")
    assert Recipe.from_dict(one["recipe"]).epochs == 2


def test_two_sizes_with_one_and_two_workers(url, settings, fake_tuner, tmp_path):
    seen = []
    tables = []
    for workers in (1, 2):
        place = f"{url}{workers}"
        for trials in (3, 6):  # resumed in between
            assert tune_sizes(
                place, "t", [LARGE, SMALL], settings, TuningPlan(trials, 2),
                workers=workers, trainer=fake_tuner,
                on_progress=lambda *args: seen.append(args),
            )  # fmt: skip
        storage = open_storage(place)
        tables.append([table(load_study(storage, f"t/{s.model}")) for s in (SMALL, LARGE)])
    assert tables[0] == tables[1]
    assert [len(t) for t in tables[0]] == [6, 6]
    assert seen[0] == ("RegNetX-200MF", seen[0][1], None)
    assert seen[-1][0] == "RegNetX-400MF" and seen[-1][2] is not None


def test_sizes_ascend(settings):
    assert [s.model for s in ascending([LARGE, SMALL], settings)] == [SMALL.model, LARGE.model]
    with pytest.raises(ValueError, match="no model to tune"):
        ascending([], settings)
    with pytest.raises(ValueError, match="RegNetX-200MF is named twice"):
        ascending([SMALL, SMALL], settings)


def test_bad_input(url, settings, finished):
    with pytest.raises(ValueError, match="trials must be at least 1, got 0"):
        tune_sizes(url, "t", [SMALL], settings, TuningPlan(0))
    spec = RegNetParams(12, 24, 36.0, 2.5, 8).to_spec()
    for priors, said in (
        ({"depth": (1.0, 2.0, "log")}, "a recipe has no field 'depth'"),
        ({"lr": (3.0, 2.0, "linear")}, "lr has no range from 3.0 to 2.0"),
    ):
        with pytest.raises(ValueError, match=said):
            Size("m", spec, BASE, priors)
    finished("t", trials=4)
    with pytest.raises(ValueError, match=r"recipe\.lr is 0\.05, not 0\.07"):
        finished("t", replace(SMALL, recipe=replace(BASE, lr=0.07)))
    with pytest.raises(ValueError, match="no such file"):
        tuned_recipes(url + "x")
    open_storage(url + "y")
    with pytest.raises(ValueError, match="holds no result of tuning"):
        tuned_recipes(url + "y")
