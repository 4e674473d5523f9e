"""Studies copied between storages, merged, and imported from tables."""

from dataclasses import replace

import pandas as pd
import pytest
from optuna.trial import TrialState
from regnet_ds.analysis.storages.storage import load_study, open_storage
from regnet_ds.analysis.tables.table import load_table
from regnet_ds.search.populations.studies import create_population_study
from regnet_ds.search.populations.transfer import copy_study, import_table, merge_study
from regnet_ds.search.queue.claims import Owner, claim
from regnet_ds.search.queue.counts import status
from regnet_ds.search.queue.tasks import find_trainer
from regnet_ds.search.queue.worker import Worker


def facts(study):
    keys = {"worker", "rds:owner", "seconds"}
    return [
        (
            t.number,
            t.state,
            t.values,
            t.params,
            t.intermediate_values,
            {k: v for k, v in t.user_attrs.items() if k not in keys},
        )
        for t in study.trials
    ]


@pytest.fixture
def make(population, settings, fake_trainer, tmp_path):
    """Return a function that makes a study of four on a journal of its own, partly trained."""

    def make_study(name: str, trained: int, n: int = 4, **changes):
        url = f"journal:{tmp_path}/{name}.journal"
        create_population_study(url, "p", population(n), replace(settings, **changes))
        Worker(open_storage(url), ["p"], find_trainer(fake_trainer)).run(limit=trained)
        return load_study(open_storage(url), "p")

    return make_study


def test_a_copy_on_a_server_is_the_same_study_and_goes_on(make, database, fake_trainer):
    study = make("a", 2)
    claim(study, Owner.of_this_process("me"))
    made = copy_study(study, open_storage(database), "copied")
    assert made.user_attrs == study.user_attrs
    assert [t.state.name for t in made.trials] == ["COMPLETE"] * 2 + ["WAITING"] * 2
    assert facts(made)[:2] == facts(study)[:2]
    assert made.trials[0].datetime_complete == study.trials[0].datetime_complete
    Worker(open_storage(database), ["copied"], find_trainer(fake_trainer)).run()
    assert [t.value for t in made.trials] == [t.value for t in make("whole", 4).trials]
    with pytest.raises(ValueError, match="there is a study 'copied' already"):
        copy_study(study, open_storage(database), "copied")


@pytest.mark.parametrize("kind", ["journal", "postgresql"])
def test_two_halves_make_the_whole(make, database, kind, population, settings):
    first = make("a", 2)
    if kind == "postgresql":
        target = create_population_study(database, "p", population(3), settings)
    else:
        target = make("b", 1, 3)
    merged = merge_study(make("c", 4), target)
    done = 1 if kind == "journal" else 0
    assert (merged.there, merged.filled, merged.added) == (done, 3 - done, 1)
    assert {k: v for k, v in status(target).items() if v} == {"complete": 4}
    whole = make("d", 4)
    assert [t.value for t in target.trials] == [t.value for t in whole.trials]
    assert [t.intermediate_values for t in target.trials] == [
        t.intermediate_values for t in whole.trials
    ]
    again = merge_study(first, target)
    assert (again.there, again.filled, again.added) == (2, 0, 0)


def test_other_settings_are_not_merged(make):
    with pytest.raises(ValueError, match="other settings: seed is 4, not 3"):
        merge_study(make("a", 1), make("b", 0, seed=4))


def test_an_imported_table_reads_back(tmp_path, url):
    path = tmp_path / "theirs.csv"
    rows = {
        "depth": [13, 14, 15],
        "w0": [24, 32, 40],
        "wa": [36.5, 20.0, 8.0],
        "wm": [2.5, 2.2, 2.1],
        "group_width": [8, 16, 8],
        "error": [30.5, 28.25, None],
        "status": ["complete", "complete", "failed"],
        "resolution": [224] * 3,
    }
    pd.DataFrame(rows).to_csv(path, index=False)
    study = import_table(load_table(path), open_storage(url), "theirs", "theirs.csv")
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 2 + [TrialState.FAIL]
    assert study.user_attrs["resolution"] == 224
    table = load_table(url, "theirs")
    assert table["error"].tolist()[:2] == [30.5, 28.25]
    assert table["status"].tolist() == ["complete", "complete", "failed"]
    assert table["depth"].tolist() == [13, 14, 15]
    assert study.trials[1].params["w0"] == 32
