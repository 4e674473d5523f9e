"""Trials that end early: by earlier batches alone, whoever trains them and however fast."""

from dataclasses import replace

import pytest
from optuna.trial import TrialState
from regnet_ds.analysis.storages.storage import load_study, open_storage
from regnet_ds.designspace import canonical
from regnet_ds.search.queue.pruning import Judge, Pruner
from regnet_ds.search.recipes.recipe import Recipe
from regnet_ds.search.sizes.size import Size
from regnet_ds.search.sizes.tuned import best_recipe
from regnet_ds.search.sizes.tuning import TuningPlan, tune_sizes

PRIORS = {"lr": (0.001, 10.0, "log"), "weight_decay": (1e-6, 1e-1, "log")}
SMALL = Size("RegNetX-200MF", canonical("RegNetX-200MF"), Recipe(epochs=9, lr=0.5), PRIORS)


class Trial:
    """As much of a trial as a judge reads."""

    def __init__(self, index, errors, epochs=9, state=TrialState.COMPLETE):
        self.user_attrs = {"index": index, "epochs": epochs}
        self.intermediate_values = dict(enumerate(errors, 1))
        self.state = state


class Study:
    """A study of these trials."""

    _study_id = 0

    def __init__(self, trials, batch=4, asynchronous=False):
        self.user_attrs = {"batch": batch, "asynchronous": asynchronous}
        self._storage = self
        self._trials = trials

    def get_all_trials(self, _, deepcopy, states):
        return [trial for trial in self._trials if trial.state in states]


def judge(pruner, others, index=4, epochs=9, known=(), **changes):
    return Judge(Study(others, **changes), Trial(index, known, epochs), pruner)


def test_rungs_and_brackets():
    pruner = Pruner()
    assert [pruner.rungs(9, bracket) for bracket in range(3)] == [[1, 3], [3], []]
    assert [pruner.rungs(100, bracket) for bracket in range(3)] == [[11, 33], [33], []]
    assert [pruner.rungs(epochs) for epochs in (1, 2, 3, 5)] == [[], [1], [1], [1, 2]]
    counts = [[pruner.bracket(i) for i in range(1700)].count(b) for b in range(3)]
    assert counts == pytest.approx([900, 500, 300], abs=3)  # n = ceil((s_max + 1) / (s + 1) eta^s)
    first = [pruner.bracket(i) for i in range(17)]
    assert sorted(first) != first and set(first) == {0, 1, 2}


def test_hyperband_keeps_the_best_third_at_a_rung():
    others = [Trial(i, [10.0 + i] * 9) for i in range(4)]
    index = next(i for i in range(4, 40) if Pruner().bracket(i) == 0)
    assert not judge(Pruner(), others, index, batch=1).ends(1, 10.5)  # 2nd of 5: the best ceil(5/3)
    assert judge(Pruner(), others, index, batch=1).ends(1, 11.5)
    assert not judge(Pruner(), others, index, batch=1).ends(2, 99.0)  # no rung
    assert not judge(Pruner(), others, index, batch=1).ends(9, 99.0)  # the end
    assert not judge(Pruner(), others[:2], index, batch=1).ends(1, 99.0)  # too few


def test_the_median_looks_at_the_lowest_error_so_far_from_a_third_on():
    others = [Trial(i, [10.0 + i] * 9) for i in range(4)]  # median 11.5
    assert not judge(Pruner("median"), others).ends(2, 50.0)
    assert judge(Pruner("median"), others).ends(3, 11.6)
    assert not judge(Pruner("median"), others).ends(3, 11.4)
    assert not judge(Pruner("median"), others, known=[11.0]).ends(3, 50.0)
    assert not judge(Pruner("median"), others[:3]).ends(3, 50.0)
    cut = [*others[:3], Trial(3, [13.0] * 3, state=TrialState.PRUNED)]
    assert not judge(Pruner("median"), cut).ends(3, 50.0)  # three that came to the end


def test_errors_are_compared_at_equal_shares_of_the_schedule():
    half = [Trial(i, [40.0, 30.0, 20.0, 10.0], epochs=4) for i in range(4)]
    assert judge(Pruner("median"), half, epochs=8).ends(4, 31.0)  # beside 30 after 2 of 4
    assert not judge(Pruner("median"), half, epochs=8).ends(4, 29.0)


def test_trials_of_the_same_batch_and_failed_ones_decide_nothing():
    same = [Trial(i, [1.0] * 9) for i in (4, 5, 7)]
    failed = [Trial(i, [1.0] * 9, state=TrialState.FAIL) for i in range(4)]
    for kind in ("hyperband", "median"):
        for index in (4, 5, 6, 7):
            found = judge(Pruner(kind), same + failed, index)
            assert not any(found.ends(epoch, 99.0) for epoch in range(1, 10))
    later = [Trial(i, [1.0] * 9, state=TrialState.RUNNING) for i in range(4, 12)]
    now = judge(Pruner(), later, next(i for i in range(30) if Pruner().bracket(i) == 0),
                asynchronous=True)  # fmt: skip
    assert now.ends(1, 99.0)


def test_bad_pruners():
    with pytest.raises(ValueError, match="one of hyperband, median, none, got 'asha'"):
        Pruner("asha")
    with pytest.raises(ValueError, match="eta must be at least 2, got 1"):
        Pruner(eta=1)


@pytest.fixture
def tune(settings, fake_long_tuner, tmp_path):
    """Return a function that tunes one size and returns its study."""

    def run(name, workers=2, size=SMALL, **changes):
        url = f"journal:{tmp_path}/{name}"
        plan = TuningPlan(**{"trials": 24, "batch": 4, **changes})
        assert tune_sizes(
            url, "t", [size], settings, plan, workers=workers, trainer=fake_long_tuner
        )
        return load_study(open_storage(url), f"t/{size.model}")

    return run


def table(study):
    return [(t.number, t.state, t.params, t.value, t.intermediate_values) for t in study.trials]


@pytest.mark.parametrize("kind", ["hyperband", pytest.param("median", marks=pytest.mark.slow)])
def test_the_number_of_workers_decides_nothing(tune, monkeypatch, kind):
    monkeypatch.setenv("FAKE_SECONDS", "0.01")  # uneven, so that two workers overtake each other
    tables = [table(tune(f"{n}", n, pruner=Pruner(kind))) for n in (1, 2)]
    assert tables[0] == tables[1]
    states = [row[1] for row in tables[0]]
    assert states.count(TrialState.PRUNED) > 3 and states.count(TrialState.COMPLETE) > 5
    assert states[:4] == [TrialState.COMPLETE] * 4
    lowest = min(row[3] for row in tables[0] if row[1] == TrialState.COMPLETE)
    assert lowest < tables[0][0][3]


def test_the_recipe_itself_never_ends_early(tune):
    published = {f"r{i}": Recipe(epochs=9, lr=5.0 + i) for i in range(7)}  # as bad as can be
    study = tune("g", 1, replace(SMALL, published=published), pruner=Pruner(), trials=16)
    assert {t.state for t in study.trials[:8]} == {TrialState.COMPLETE}
    assert best_recipe(study).error == study.best_value


def test_asynchronous_trials_are_asked_one_by_one(tune, monkeypatch):
    monkeypatch.setenv("FAKE_SECONDS", "0.01")
    study = tune("a", 2, asynchronous=True, batch=2, trials=12, pruner=Pruner())
    assert len(study.trials) == 12 and all(t.state.is_finished() for t in study.trials)
    begun = [t.datetime_start for t in study.trials]
    ended = [t.datetime_complete for t in study.trials]
    assert any(begun[i] < ended[i - 1] and ended[i - 2] <= begun[i] for i in range(3, 12))
    assert len({str(t.params) for t in study.trials}) == 12
