import json

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.distributions import IntDistribution
from optuna.trial import TrialState, create_trial
from regnet_ds.analysis import learning_curves, load_table, usable
from regnet_ds.analysis.storages.storage import open_storage
from regnet_ds.analysis.tables.groups import make_groups
from regnet_ds.analysis.tables.table import say_exclusions

ROWS = """index,space,w0,stage_widths,status,error,recipe
0,regnetx,24,24 56 152,complete,12.5,short
1,regnetx,32,32,diverged,90,short
2,regnetx,48,48 96,failed,,short
3,regnety,,24 64,complete,7.25,long
4,regnety,8,8,,,long
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="table.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def trial(state, *, value=None, w0=8, curve=(), **attributes):
    return create_trial(
        state=state,
        value=value,
        params={"w0": w0},
        distributions={"w0": IntDistribution(8, 256, step=8)},
        user_attrs=attributes,
        intermediate_values=dict(enumerate(curve, start=1)),
    )


@pytest.fixture
def storage(tmp_path):
    """A journal with a study of one trial of every status, and an empty study."""
    path = tmp_path / "run.journal"
    opened = open_storage(path)
    study = optuna.create_study(storage=opened, study_name="small")
    widths = [24, 56]
    study.add_trials(
        [
            trial(TrialState.COMPLETE, value=5.5, stage_widths=widths, curve=(40.0, 5.5)),
            trial(TrialState.COMPLETE, value=90.0, status="diverged", reason="loss is nan"),
            trial(TrialState.PRUNED, curve=(80.0,)),
            trial(TrialState.FAIL, status="failed"),
            trial(TrialState.RUNNING, curve=(70.0,)),
            # A trial that went back to the queue carries the status of its last attempt.
            trial(TrialState.WAITING, w0=16, status="failed"),
        ]
    )
    optuna.create_study(storage=opened, study_name="empty")
    return path


def test_csv(write):
    table = load_table(write(ROWS))
    assert table["error"].tolist()[:2] == [12.5, 90]
    assert table["stage_widths"].tolist() == [(24, 56, 152), (32,), (48, 96), (24, 64), (8,)]
    assert np.isnan(table["w0"][3])
    assert table["status"].tolist() == ["complete", "diverged", "failed", "complete", "complete"]
    assert table["recipe"].tolist() == ["short", "short", "short", "long", "long"]


def test_error_alone_is_a_table(write):
    rows, exclusions = usable(load_table(write("error\n3\n1\n2\n")))
    assert rows["error"].tolist() == [3, 1, 2]
    assert exclusions == {}


@pytest.mark.parametrize("suffix", ["json", "parquet"])
def test_other_suffixes_read_the_same(write, tmp_path, suffix):
    table = load_table(write(ROWS))
    path = tmp_path / f"table.{suffix}"
    if suffix == "parquet":
        table.to_parquet(path)
    else:
        cells = table.astype(object).where(table.notna(), None).to_dict("records")
        path.write_text(json.dumps(cells))
    again = load_table(path)
    assert again["stage_widths"].tolist() == table["stage_widths"].tolist()
    np.testing.assert_array_equal(again["error"], table["error"])
    np.testing.assert_array_equal(again["w0"], table["w0"])


def test_an_empty_schema_is_read(write):
    assert load_table(write("schema,error\n,1\n1,2\n"))["error"].tolist() == [1, 2]
    assert len(load_table(write("schema,error\n,1\n,2\n"))) == 2


def test_exclusions_are_counted(write):
    table = load_table(write(ROWS))
    rows, exclusions = usable(table)
    assert rows["index"].tolist() == [0, 3]
    assert exclusions == {"diverged": 1, "failed": 1, "without error": 1}
    assert say_exclusions(exclusions) == "1 diverged, 1 failed, 1 without error"
    assert say_exclusions({}) == "none"
    with_diverged, exclusions = usable(table, diverged=True)
    assert with_diverged["index"].tolist() == [0, 1, 3]
    assert "diverged" not in exclusions


def test_numbers_of_epochs_are_not_mixed():
    """A study with more epochs has the same networks twice: two populations."""
    table = pd.DataFrame(
        {
            "space": ["a", "a", "a", "b", "b"],
            "index": [0, 1, 0, 0, 1],
            "epochs": [3.0, 3.0, 9.0, 9.0, 27.0],
            "error": [9.0, 8.0, 5.0, 6.0, np.nan],
            "status": ["complete"] * 4 + ["waiting"],
        }
    )
    shown = make_groups([("p", table)])
    assert [group.name for group in shown] == ["p: 3 epochs", "p: 9 epochs"]
    assert [group.edf.errors.tolist() for group in shown] == [[8, 9], [5, 6]]
    assert [g.name for g in make_groups([("p", table)], by="space")] == [
        "a: 3 epochs",
        "a: 9 epochs",
        "b",
    ]
    assert make_groups([("p", table)], by="space")[2].exclusions == {"waiting": 1}
    assert [g.name for g in make_groups([("p", table[:4])], by="epochs")] == ["3", "9"]
    assert [g.name for g in make_groups([("p", table[:2])])] == ["p"]
    some = table[:4].assign(epochs=[np.nan, 9.0, 9.0, np.nan])
    assert [len(group.rows) for group in make_groups([("p", some)])] == [4]


def test_study(storage):
    table = load_table(storage, "small")
    rows, exclusions = usable(table)
    assert table["trial"].tolist() == list(range(6))
    assert table["w0"].tolist() == [8, 8, 8, 8, 8, 16]
    assert table["stage_widths"][0] == (24, 56)
    assert (rows["error"].tolist(), rows["study"].tolist()) == ([5.5], ["small"])
    assert exclusions == dict.fromkeys(["pruned", "diverged", "failed", "running", "waiting"], 1)
    pd.testing.assert_frame_equal(load_table(f"journal:{storage}", "small"), table)


def test_seed_repeats_do_not_count_twice(write):
    text = "index,seed,w0,error\n0,5,8,10\n1,6,16,20\n1,7,16,21\n1,8,16,22\n0,9,24,30\n"
    rows, exclusions = usable(load_table(write(text)))
    # The last row has an index that is there, but is another architecture.
    assert rows["error"].tolist() == [10, 20, 30]
    assert exclusions == {"repeated with other seeds": 2}


def test_replicates_do_not_count_twice(write):
    rows, exclusions = usable(load_table(write("replicate,error\n0,10\n1,20\n,30\n2,40\n")))
    assert rows["error"].tolist() == [10, 30]
    assert exclusions == {"repeated with other seeds": 2}


def test_attributes_of_the_study_are_columns(storage):
    study = optuna.load_study(study_name="small", storage=open_storage(storage))
    study.set_user_attr("data", "digits")
    study.set_user_attr("recipe", {"epochs": 3})
    study.set_user_attr("seed", 0)
    study.add_trial(trial(TrialState.COMPLETE, value=3.0, data="mnist5k", **{"rds:owner": {}}))
    table = load_table(storage, "small")
    assert table["data"].tolist() == ["digits"] * 6 + ["mnist5k"]
    assert not {"recipe", "seed", "rds:owner"} & set(table.columns)


def test_study_with_no_trials_or_no_name(storage, tmp_path):
    with pytest.raises(ValueError, match=r"'empty' in .* has no trials"):
        load_table(storage, "empty")
    with pytest.raises(ValueError, match="holds 2 studies, name one: "):
        load_table(storage)
    with pytest.raises(ValueError, match=r"'smal' \(nearest: small\)"):
        load_table(storage, "smal")


def test_learning_curves(storage, write):
    curves = learning_curves(storage, "small")
    assert curves["trial"].tolist() == [0, 0, 2, 4]
    assert curves["epoch"].tolist() == [1, 2, 1, 1]
    assert curves["error"].tolist() == [40, 5.5, 80, 70]
    with pytest.raises(ValueError, match="learning curves need a study"):
        learning_curves(write(ROWS))


def test_rows_of_a_study_in_a_file(write):
    path = write("study,error\na,1\na,20\nb,3\n")
    assert load_table(path, "a")["error"].tolist() == [1, 20]
    with pytest.raises(ValueError, match=r"no study 'c' \(nearest"):
        load_table(path, "c")
    with pytest.raises(ValueError, match="no column study"):
        load_table(write("error\n10\n"), "a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("error\n", "no rows"),
        ("error,w0\n1,8\n2,wide\n", r"row 2, column w0: expected a number, got 'wide'"),
        ("error\n1\n2\nlow\n", r"row 3, column error: expected a number, got 'low'"),
        ("error\n1\n101\n", r"row 2, column error: expected percent in \[0, 100\], got 101.0"),
        ("error\n-0.5\n", r"got -0.5"),
        ("error\n5\ninf\n", r"row 2, column error: .* got inf"),
        ("top1_error,w0\n1,8\n", r"no column error \(nearest: top1_error\)"),
        ("error,stage_widths\n1,24 x\n", r"row 1, column stage_widths: expected a list of numbers"),
        ("error,status\n1,compleet\n", r"status \(nearest: complete\), got 'compleet'"),
        ("schema,error\n999,1\n", r"schema 999, newer than \d+"),
        ("error,w0\n1\n", "row 1: 1 cells where the header has 2"),
        ("error\n1,2\n", "row 1: 2 cells where the header has 1"),
    ],
)
def test_bad_tables(write, text, message):
    with pytest.raises(ValueError, match=message) as caught:
        load_table(write(text))
    assert "\n" not in str(caught.value)


def test_bad_places(tmp_path, write):
    with pytest.raises(ValueError, match="no such file"):
        load_table(tmp_path / "absent.csv")
    with pytest.raises(ValueError, match="no such file"):
        load_table(tmp_path / "absent.journal")
    assert not list(tmp_path.iterdir())
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ValueError, match="it is a folder"):
        load_table(tmp_path / "folder.csv")
    with pytest.raises(ValueError, match="is not a Parquet file"):
        load_table(write("error\n1\n", "table.parquet"))
    with pytest.raises(ValueError, match="expected a number, got True"):
        load_table(write('[{"error": true}]', "table.json"))


def test_the_unit_of_small_errors_is_asked(write, storage):
    path = write("error\n0.2\n0.5\n")
    with pytest.raises(
        ValueError, match=r"no error is above 1 \(the largest is 0.5\): say whether"
    ):
        load_table(path)
    assert load_table(path, errors="share")["error"].tolist() == [20, 50]
    assert load_table(path, errors="percent")["error"].tolist() == [0.2, 0.5]
    with pytest.raises(
        ValueError, match=r"row 2, column error: expected a share in \[0, 1\], got 5"
    ):
        load_table(write("error\n0.2\n5\n"), errors="share")
    with pytest.raises(ValueError, match="percent or share, got 'parts'"):
        load_table(path, errors="parts")
    study = optuna.load_study(study_name="empty", storage=open_storage(storage))
    study.add_trial(trial(TrialState.COMPLETE, value=0.5))
    assert load_table(storage, "empty")["error"].tolist() == [0.5]  # ours are percent
    assert load_table(write("error\n0\n0\n"))["error"].tolist() == [0, 0]


def test_rows_given_twice_do_not_count(write):
    rows, exclusions = usable(load_table(write("name,w0,error\na,8,10\nb,8,10\na,8,10\na,8,11\n")))
    assert rows["name"].tolist() == ["a", "b", "a"]
    assert exclusions == {"given twice": 1}
    # Without a name nothing says that equal rows are one network.
    rows, exclusions = usable(load_table(write("w0,error\n8,10\n8,10\n")))
    assert (len(rows), exclusions) == (2, {})


def test_parquet_reads_the_columns_asked_for(tmp_path):
    path = tmp_path / "table.parquet"
    pd.DataFrame({"error": [5.0, 6.0], "status": ["complete", None], "w0": [8, 16]}).to_parquet(
        path
    )
    table = load_table(path, columns={"error"})
    assert (list(table), table["status"].tolist()) == (["error", "status"], ["complete"] * 2)
    assert "w0" in load_table(path)
    assert "w0" in load_table(path, columns={"absent"})  # so that the nearest can be named


def test_parquet_reads_all_columns_where_rows_may_be_repeated(tmp_path):
    path = tmp_path / "table.parquet"
    table = pd.DataFrame({"error": [5.0, 6.0], "index": [0, 0], "seed": [1, 2], "w0": [8, 8]})
    table.to_parquet(path)
    rows, exclusions = usable(load_table(path, columns=()))
    assert (len(rows), exclusions) == (1, {"repeated with other seeds": 1})
    table.assign(index=[0, 1]).to_parquet(path)
    assert "w0" not in load_table(path, columns=())


def test_example_is_a_source():
    table = load_table("example:imagenet")
    assert set(table["population"]) == {"pycls", "dds", "keras", "torchvision", "timm"}
    with pytest.raises(ValueError, match=r"unknown example 'imgnet' \(nearest: imagenet\)"):
        load_table("example:imgnet")


def test_a_table_of_the_user():
    rows, exclusions = usable(pd.DataFrame({"error": [1.0, None, 3.0]}))
    assert rows["error"].tolist() == [1, 3]
    assert exclusions == {"without error": 1}
