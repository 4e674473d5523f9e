"""What tuning gained, on the test split and with seeds of its own."""

import numpy as np
import pytest
from regnet_ds.analysis.storages.storage import load_study, open_storage
from regnet_ds.designspace import canonical
from regnet_ds.search.queue.tasks import task_of
from regnet_ds.search.recipes.recipe import Recipe
from regnet_ds.search.sizes.gain import compare, confirm, gain_of
from regnet_ds.search.sizes.tuned import best_recipe, tuned_recipes
from regnet_ds.search.sizes.tuning import Size, TuningPlan, tune_sizes
from scipy.stats import ttest_ind

PRIORS = {"lr": (0.01, 1.0, "log"), "weight_decay": (1e-5, 1e-2, "log")}
SMALL = Size("RegNetX-200MF", canonical("RegNetX-200MF"), Recipe(epochs=2, lr=0.02), PRIORS)


@pytest.fixture
def tuned(url, settings, fake_tuner):
    def tune(trials=8):
        assert tune_sizes(
            url, "t", [SMALL], settings, TuningPlan(trials, 4), workers=1, trainer=fake_tuner
        )
        return load_study(open_storage(url), "t/RegNetX-200MF")

    return tune


def test_a_gain_is_confirmed_with_fresh_seeds_on_the_test_split(url, tuned, fake_tuner):
    study = tuned()
    names = [study.study_name]
    assert gain_of(open_storage(url), study, best_recipe(study).trial) is None
    for _ in range(2):  # the second time everything is there
        assert confirm(url, names, 3, 1, trainer=fake_tuner)
    gains = load_study(open_storage(url), f"{names[0]}/gain")
    assert len(gains.trials) == 6
    used = {t.user_attrs["seed"] for t in study.trials}
    assert len({t.user_attrs["seed"] for t in gains.trials}) == 3
    assert not used & {t.user_attrs["seed"] for t in gains.trials}
    base, best = ([t for t in gains.trials if t.user_attrs["index"] == i] for i in (0, 1))
    assert {task_of(gains.user_attrs, t).recipe["lr"] for t in base} == {0.02}
    lr = best_recipe(study).recipe.lr
    assert {task_of(gains.user_attrs, t).recipe["lr"] for t in best} == {lr}
    found = tuned_recipes(url)["RegNetX-200MF"]
    errors = [[t.user_attrs["test_error"] for t in group] for group in (base, best)]
    assert found["base_test_error"] == pytest.approx(np.mean(errors[0]))
    assert found["gain"] == pytest.approx(np.mean(errors[0]) - np.mean(errors[1])) != 0
    assert found["gain_low"] < found["gain"] < found["gain_high"] and found["seeds"] == 3
    assert found["study"] == "t/RegNetX-200MF"


def test_a_better_recipe_is_confirmed_anew(url, tuned, fake_tuner):
    study = tuned(2)
    first = best_recipe(study).trial
    assert confirm(url, [study.study_name], 3, 1, trainer=fake_tuner)
    study = tuned(24)
    best = best_recipe(study).trial
    assert best != first
    assert gain_of(open_storage(url), study, best) is None
    assert confirm(url, [study.study_name], 3, 1, trainer=fake_tuner)
    assert gain_of(open_storage(url), study, best) is not None
    assert len(load_study(open_storage(url), f"{study.study_name}/gain").trials) == 9


def test_the_interval_is_that_of_welch():
    rng = np.random.default_rng(0)
    for _ in range(20):
        base, best = rng.normal(10, 1, 5), rng.normal(9, 2, 4)
        found = compare(list(base), list(best))
        wanted = ttest_ind(base, best, equal_var=False).confidence_interval(0.95)
        assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    assert compare([2.0, 2.0, 2.0], [1.0, 1.0, 1.0]).low == 1.0


def test_too_few_seeds(url, tuned):
    tuned(2)
    with pytest.raises(ValueError, match="at least 3 seeds, got 2"):
        confirm(url, ["t/RegNetX-200MF"], 2)
