"""What a population study holds, what continuing it adds, and what it refuses."""

from dataclasses import replace

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from regnet_ds.analysis.records import PARAMETER_KEYS, RECORD_KEYS
from regnet_ds.analysis.storages.storage import load_study, open_storage
from regnet_ds.designspace import SPACES, Complexity, complexity, from_record, from_specs, sample
from regnet_ds.search.populations.repeats import errors_by_seed
from regnet_ds.search.populations.settings import Settings, trial_seed
from regnet_ds.search.populations.studies import add_seed_runs, create_population_study, run_study
from regnet_ds.search.queue.counts import status
from regnet_ds.search.queue.retries import retry_failed
from regnet_ds.search.queue.tasks import find_trainer, run_folder
from regnet_ds.search.queue.worker import Worker

SPACE = SPACES["regnetx"]


def work(url, name, trainer):
    return Worker(open_storage(url), [name], find_trainer(trainer)).run()


def rows(url, name):
    study = load_study(open_storage(url), name)
    volatile = {"worker", "attempts", "rds:owner", "seconds"}
    return [
        (
            t.number,
            t.state,
            t.values,
            t.intermediate_values,
            t.params,
            {k: v for k, v in t.user_attrs.items() if k not in volatile},
        )
        for t in study.trials
    ]


def test_trials_hold_the_architectures(url, population, settings):
    networks = population(4)
    study = create_population_study(url, "p", networks, settings, space=SPACE)
    for i, trial in enumerate(study.trials):
        assert trial.state == TrialState.WAITING
        assert from_record(trial.user_attrs) == networks.row(i)
        assert set(RECORD_KEYS) <= set(trial.user_attrs)
        assert trial.user_attrs["index"] == i
        assert trial.user_attrs["seed"] == trial_seed(3, i)
        assert trial.user_attrs["space"] == "regnetx"
        assert (trial.user_attrs["resolution"], trial.user_attrs["classes"]) == (32, 10)
        assert trial.user_attrs["flops"] == networks.flops[i]
        assert trial.user_attrs["epochs"] == 3
        assert set(trial.params) == set(PARAMETER_KEYS)
        assert trial.params["wa"] == networks.wa[i]
    ranges = study.trials[0].distributions
    assert ranges == study.trials[3].distributions
    assert ranges["w0"] == optuna.distributions.IntDistribution(8, 256, step=8)
    assert ranges["wm"] == optuna.distributions.FloatDistribution(2.0, 3.0, step=0.001)


@pytest.mark.parametrize("space", ["regnetz", "anynetx-a"])
@pytest.mark.parametrize("units", [(32, 10), (48, 10), (32, 7)])
def test_records_are_in_the_units_of_the_study(url, settings, space, units):
    drawn = sample(SPACES[space], 9, rng=np.random.default_rng(1), resolution=32, classes=10)
    resolution, classes = units
    there = replace(settings, resolution=resolution, classes=classes)
    networks = [drawn.population.row(i) for i in range(9)]
    create_population_study(url, "p", drawn.population, there, space=SPACES[space])
    create_population_study(url, "q", networks, there, space=SPACES[space])
    assert rows(url, "p") == rows(url, "q")
    for (*_, attributes), network in zip(rows(url, "p"), networks, strict=True):
        cost = complexity(network, resolution=resolution, classes=classes)
        found = Complexity(*(attributes[key] for key in ("flops", "params", "acts")))
        assert found == cost


def test_study_attributes(url, population, settings):
    attrs = create_population_study(url, "p", population(1), settings, space=SPACE).user_attrs
    assert attrs["schema"] == 1
    assert attrs["kind"] == "population"
    assert attrs["space"] == "regnetx"
    assert attrs["recipe"] == settings.recipe
    assert (attrs["seed"], attrs["data"], attrs["threads"]) == (3, "digits", 1)
    assert {"numpy", "keras", "backend", "machine", "threads"} <= set(attrs["fingerprint"])


def test_seeds_depend_on_seed_and_index_alone():
    seeds = [trial_seed(s, i, r) for s in (0, 1) for i in range(50) for r in range(3)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert trial_seed(0, 7) == trial_seed(0, 7)


def test_more_architectures_continue_the_study(url, population, settings, fake_trainer):
    create_population_study(url, "p", population(3), settings, space=SPACE)
    assert work(url, "p", fake_trainer) == 3
    before = rows(url, "p")
    create_population_study(url, "p", population(5), settings, space=SPACE)
    create_population_study(url, "p", population(2), settings, space=SPACE)
    assert rows(url, "p")[:3] == before
    assert work(url, "p", fake_trainer) == 2
    create_population_study(url, "q", population(5), settings, space=SPACE)
    work(url, "q", fake_trainer)
    assert rows(url, "p") == rows(url, "q")


def test_another_seed_gives_another_table(url, population, settings, fake_trainer):
    for name, seed in (("a", 0), ("b", 1)):
        other = replace(settings, seed=seed)
        create_population_study(url, name, population(3), other, space=SPACE)
        work(url, name, fake_trainer)
    a, b = rows(url, "a"), rows(url, "b")
    assert all(x[2] != y[2] for x, y in zip(a, b, strict=True))


def test_results(url, population, settings, fake_trainer, monkeypatch):
    monkeypatch.setenv("FAKE_DIVERGE", "1")
    study = create_population_study(url, "p", population(3), settings, space=SPACE)
    work(url, "p", fake_trainer)
    fine, diverged, _ = study.trials
    assert fine.intermediate_values.keys() == {1, 2, 3}
    assert fine.value == min(fine.intermediate_values.values())
    attrs = fine.user_attrs
    assert (attrs["status"], attrs["attempts"], attrs["worker"]) == ("complete", 1, "w0")
    assert attrs["images_per_second"] == 100.0
    assert attrs["fingerprint"] in study.user_attrs["rds:environments"]
    assert (diverged.state, diverged.value) == (TrialState.COMPLETE, 90.0)
    assert diverged.user_attrs["status"] == "diverged"
    assert status(study) == {
        "complete": 2, "pruned": 0, "diverged": 1, "failed": 0, "running": 0, "waiting": 0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"recipe": {"epochs": 3, "lr": 0.2, "weight_decay": 5e-5}}, "recipe.lr is 0.1, not 0.2"),
        ({"recipe": {"epochs": 3, "lr": 0.1}}, "recipe.weight_decay is 5e-05, not None"),
        ({"data": "mnist5k"}, "data is 'digits', not 'mnist5k'"),
        ({"data_fingerprint": "abc"}, "data_fingerprint is '', not 'abc'"),
        ({"seed": 4}, "seed is 3, not 4"),
        ({"threads": 2}, "threads is 1, not 2"),
    ],
)
def test_other_settings_are_refused(url, population, settings, change, said):
    create_population_study(url, "p", population(2), settings, space=SPACE)
    other = replace(settings, **change)
    with pytest.raises(ValueError, match="made with other settings: ") as caught:
        create_population_study(url, "p", population(4), other, space=SPACE)
    assert said in str(caught.value)
    assert "force" in str(caught.value)
    assert len(load_study(open_storage(url), "p").trials) == 2


def test_another_space_is_refused(url, population, settings):
    create_population_study(url, "p", population(2), settings, space=SPACE)
    with pytest.raises(ValueError, match="space is 'regnetx', not 'regnety'"):
        create_population_study(url, "p", population(2), settings, space=SPACES["regnety"])


def test_other_architectures_are_refused(url, population, settings):
    create_population_study(url, "p", population(2), settings, space=SPACE)
    rng = np.random.default_rng(9)
    other = sample(SPACE, 2, rng=rng, resolution=32, classes=10).population
    with pytest.raises(ValueError, match="architecture 0 of the study is another one"):
        create_population_study(url, "p", other, settings, space=SPACE)


def test_a_forced_study_trains_what_is_new_with_the_new_settings(
    url, population, settings, fake_trainer
):
    create_population_study(url, "p", population(2), settings, space=SPACE)
    other = replace(settings, recipe={"epochs": 9, "lr": 0.2, "weight_decay": 5e-5})
    for _ in range(2):
        study = create_population_study(url, "p", population(2), other, space=SPACE, force=True)
    assert [t.user_attrs["epochs"] for t in study.trials] == [3, 3, 9, 9]
    assert [t.user_attrs["index"] for t in study.trials] == [0, 1, 2, 3]
    seen = []
    train = find_trainer(fake_trainer)
    Worker(
        open_storage(url), ["p"], lambda t, r: (seen.append(t.recipe["epochs"]), train(t, r))[1]
    ).run()
    assert seen == [3, 3, 9, 9]


def test_more_epochs_are_new_trials_of_the_same_architectures(
    url, population, settings, fake_trainer
):
    create_population_study(url, "p", population(2), settings, space=SPACE)
    assert work(url, "p", fake_trainer) == 2
    longer = replace(settings, recipe={**settings.recipe, "epochs": 9})
    for _ in range(2):
        study = create_population_study(url, "p", population(3), longer, space=SPACE)
    create_population_study(url, "p", population(3), settings, space=SPACE)
    keys = ("epochs", "index", "seed")
    seeds = [trial_seed(3, i) for i in range(3)]
    assert [tuple(t.user_attrs[k] for k in keys) for t in study.trials] == [
        *((3, i, seeds[i]) for i in range(2)),
        *((9, i, seeds[i]) for i in range(3)),
        (3, 2, seeds[2]),
    ]
    assert add_seed_runs(study, [0], 1) == 1
    assert study.trials[-1].user_attrs["epochs"] == 3
    assert work(url, "p", fake_trainer) == 5
    by_seed = errors_by_seed(study)
    assert by_seed[0].keys() == {0, 1} and by_seed[2].keys() == {0}
    assert by_seed[0][0] == study.trials[0].value
    assert study.trials[2].value != study.trials[0].value


def test_failed_trials_are_tried_again_in_their_places(
    url, population, settings, fake_trainer, monkeypatch
):
    study = create_population_study(url, "p", population(4), settings, space=SPACE)
    monkeypatch.setenv("FAKE_RAISE", "1,2")
    work(url, "p", fake_trainer)
    assert status(study)["failed"] == 2
    with pytest.raises(ValueError, match="trial 0 has not failed; failed ones: 1, 2"):
        retry_failed(study, [0])
    assert retry_failed(study, [2]) == [2]
    assert retry_failed(study) == [1]
    assert retry_failed(study) == []
    monkeypatch.setenv("FAKE_RAISE", "2")
    work(url, "p", fake_trainer)
    counts = {k: v for k, v in status(study).items() if v}
    assert counts == {"complete": 3, "failed": 1}
    assert retry_failed(study) == [4]
    monkeypatch.delenv("FAKE_RAISE")
    work(url, "p", fake_trainer)
    assert {k: v for k, v in status(study).items() if v} == {"complete": 4}
    create_population_study(url, "p", population(4), settings, space=SPACE)
    assert len(study.trials) == 7
    create_population_study(url, "q", population(4), settings, space=SPACE)
    work(url, "q", fake_trainer)
    done = {t.user_attrs["index"]: t for t in study.trials if t.value is not None}
    assert [done[i].value for i in range(4)] == [row[2][0] for row in rows(url, "q")]
    assert done[1].params == study.trials[1].params
    assert study.trials[1].user_attrs["reason"].startswith("RuntimeError: architecture 1")


def test_seed_runs(url, population, settings, fake_trainer):
    study = create_population_study(url, "p", population(3), settings, space=SPACE)
    assert add_seed_runs(study, [2, 0]) == 4
    assert add_seed_runs(study, [2, 0]) == 0
    assert add_seed_runs(study, [2], 3) == 1
    runs = [t for t in study.trials if t.user_attrs["index"] == 2]
    assert len({t.user_attrs["seed"] for t in runs}) == 4
    assert [t.user_attrs["replicate"] for t in runs] == [0, 1, 2, 3]
    assert len({tuple(t.user_attrs["stage_widths"]) for t in runs}) == 1
    with pytest.raises(ValueError, match="no architecture 7"):
        add_seed_runs(study, [7])
    assert work(url, "p", fake_trainer) == 8
    create_population_study(url, "p", population(4), settings, space=SPACE)
    assert [t.user_attrs["index"] for t in study.trials][-1] == 3


def test_specs_without_a_space(url, population, settings):
    specs = [population(3).row(i) for i in range(3)]
    study = create_population_study(url, "p", specs, settings)
    assert from_record(study.trials[2].user_attrs) == specs[2]
    assert len(from_specs(specs)) == len(study.trials)


def test_bad_input(url, population, settings, tmp_path):
    with pytest.raises(ValueError, match="needs a name"):
        create_population_study(url, "", population(1), settings)
    with pytest.raises(ValueError, match="seed must be at least 0, got -1"):
        replace(settings, seed=-1)
    with pytest.raises(ValueError, match="threads must be at least 1, got 0"):
        Settings(recipe={}, data="d", resolution=32, classes=10, threads=0)
    create_population_study(url, "p", population(1), settings)
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        run_study(url, "p", 0)
    with pytest.raises(ValueError, match=r"unknown study 'q' \(nearest: p\)"):
        run_study(url, "q")
    lite = f"sqlite:///{tmp_path}/s.db"
    create_population_study(lite, "p", population(1), settings)
    with pytest.raises(ValueError, match="SQLite takes one writer"):
        run_study(lite, "p", 2)


def test_run_folder(tmp_path):
    assert run_folder(f"journal:{tmp_path}/a.log", "x y/z") == tmp_path / "a.log.runs" / "x-y-z"
