"""PostgreSQL as a storage: a real server, whose tables are Optuna's own."""

import math
from datetime import datetime, timedelta

import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial
from regnet_ds.analysis.storages.storage import (
    add_trials,
    batch,
    count_states,
    exclusive,
    load_study,
    open_storage,
    require_writable,
)
from sqlalchemy.pool import NullPool

STATES = ("COMPLETE", "PRUNED", "FAIL", "RUNNING", "WAITING")


def trials():
    """One trial of each state, with everything that a trial may hold."""
    return [
        create_trial(
            state=TrialState[state],
            values=[1.5 + i] if state in ("COMPLETE", "PRUNED") else None,
            params={"depth": 12 + i, "wa": 8.5},
            distributions={
                "depth": IntDistribution(12, 28),
                "wa": FloatDistribution(8, 256, step=0.5),
            },
            user_attrs={"index": i, "stage_widths": [8, 16], "none": None, "text": "é"},
            system_attrs={"s": {"a": 1}},
            intermediate_values={2: 3.5, 1: math.inf},
        )
        for i, state in enumerate(STATES)
    ]


def optunas(url):
    return RDBStorage(url.replace("ql:", "ql+psycopg:"), engine_kwargs={"poolclass": NullPool})


def facts(trial):
    return (
        trial.number,
        trial.state,
        trial.values,
        trial.params,
        trial.distributions,
        trial.user_attrs,
        trial.system_attrs,
        trial.intermediate_values,
    )


@pytest.fixture
def study(database):
    return optuna.create_study(storage=open_storage(database), study_name="s")


def test_trials_read_back_as_optuna_reads_them(study, database):
    with batch(study._storage):
        add_trials(study, trials())
    add_trials(study, trials())
    mine = load_study(open_storage(database), "s").trials
    theirs = optuna.load_study(study_name="s", storage=optunas(database))
    assert [facts(t) for t in mine] == [facts(t) for t in theirs.trials]
    assert [t.number for t in mine] == list(range(10))
    assert [facts(t)[1:] for t in mine[:5]] == [facts(t)[1:] for t in trials()]
    done = mine[0].datetime_complete
    assert done == theirs.trials[0].datetime_complete
    assert abs(done - datetime.now()) < timedelta(minutes=1)
    waiting = study.get_trials(states=[TrialState.WAITING])
    assert [t.number for t in waiting] == [4, 9]
    assert count_states(study) == {TrialState[s]: 2 for s in STATES}


def test_optunas_own_writes_work_on_it(study):
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1) ** 2, n_trials=3)
    study.tell(study.ask(), state=TrialState.FAIL)
    assert [t.state.name for t in study.trials] == ["COMPLETE"] * 3 + ["FAIL"]
    assert study.best_trial.params["x"] ** 2 == study.best_value


def test_a_block_is_stored_whole_or_not_at_all(study, database):
    other = load_study(open_storage(database), "s")
    with batch(study._storage):
        study.set_user_attr("a", 1)
        add_trials(study, trials())
        assert "a" not in other.user_attrs and not other.trials
    assert other.user_attrs["a"] == 1 and len(other.trials) == 5
    with pytest.raises(KeyError), exclusive(study._storage):
        study.set_user_attr("b", 1)
        add_trials(study, trials())
        raise KeyError("stop")
    assert "b" not in study.user_attrs
    assert len(load_study(open_storage(database), "s").trials) == 5


def test_exclusive_blocks_take_turns(study, database):
    import threading

    storages = [open_storage(database) for _ in range(3)]
    inside, most = [], []

    def enter(storage):
        for _ in range(5):
            with exclusive(storage):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=enter, args=(s,)) for s in storages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 15 and max(most) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://u:secret@127.0.0.1:1/d", "u:***@127.0.0.1:1/d"),
        ("postgresql://u@127.0.0.1:1/d?password=secret", "refused"),
        ("postgresql+pg8000://u:secret@h/d", "no driver"),
    ],
)
def test_a_server_that_does_not_answer(url, said):
    with pytest.raises(ValueError, match="cannot open") as caught:
        open_storage(url)
    text = str(caught.value)
    assert said in text and "secret" not in text and "\n" not in text


def test_rights(postgres, database, study):
    add_trials(study, trials())
    postgres.execute("CREATE ROLE reader LOGIN PASSWORD 'secret'")
    postgres.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", database)
    theirs = database.replace("postgres:@", "reader:secret@")
    storage = open_storage(theirs)
    assert len(load_study(storage).trials) == 5
    require_writable(study._storage, database)
    with pytest.raises(ValueError, match="may read the storage, but not write") as caught:
        require_writable(storage, theirs)
    assert "reader:***@" in str(caught.value)
    empty = postgres.new_database()
    with pytest.raises(ValueError, match="permission denied for schema public"):
        open_storage(empty.replace("postgres:@", "reader:secret@"))
    with pytest.raises(ValueError, match='database "nowhere" does not exist'):
        open_storage(postgres.uri.replace("/postgres?", "/nowhere?"))
