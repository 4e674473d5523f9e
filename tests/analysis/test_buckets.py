import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from regnet_ds.analysis import ks, load_example, make_buckets, pareto_front


def timm():
    rows = load_example("imagenet")
    return rows[rows["population"] == "timm"]


def test_golden_buckets_of_nds(golden):
    expected = json.loads((golden / "statistics.json").read_text())
    rows = timm()
    found = make_buckets(rows["params"] / 1e6, rows["error"], of=10, high=100.0)
    buckets = expected["bucketed_mean_sd_params_0_100M_10bins"]
    assert found.index.tolist() == [b["bin"] for b in buckets]
    assert found.n.tolist() == [b["n"] for b in buckets]
    assert found.mean == pytest.approx([b["mean"] for b in buckets])
    assert found.sd == pytest.approx([b["std_pop"] for b in buckets])
    assert found.outside == len(rows) - found.n.sum()


def test_golden_ks_of_the_example_data(golden):
    expected = json.loads((golden / "statistics.json").read_text())
    rows = timm()
    rows = rows[(rows["flops"] > 0.5e9) & (rows["flops"] < 16e9)]
    regnets = rows[rows["family"].isin(["regnetx", "regnety"])]["error"]
    result = ks(regnets, rows[rows["family"] == "resnet"]["error"])
    one = expected["ks_regnetxy_vs_resnet_timm_224_0.5_16"]
    assert len(regnets) == one["n1"]
    assert result.statistic == pytest.approx(one["D"])
    assert result.p_value == pytest.approx(one["p_value"])


def test_by_hand():
    found = make_buckets([0.0, 1.0, 9.0, 10.0, 11.0], [1.0, 3.0, 4.0, 6.0, 9.0], of=5, high=10.0)
    assert found.index.tolist() == [0, 4]  # empty buckets are left out; 10 is in the last
    assert found.centre.tolist() == [1, 9]
    assert found.n.tolist() == [2, 2]
    assert (found.mean.tolist(), found.sd.tolist()) == ([2, 5], [1, 1])
    assert found.outside == 1


points = st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=30)


@given(points)
def test_front_is_what_nothing_dominates(rows):
    a = np.array(rows, dtype=float)
    front = pareto_front(a[:, :2], a[:, 2])
    dominated = [any((other <= row).all() and (other < row).any() for other in a) for row in a]
    assert front.tolist() == [not d for d in dominated]


@given(points)
def test_front_of_one_cost_is_what_nothing_dominates(rows):
    a = np.array(rows, dtype=float)[:, :2]
    dominated = [any((other <= row).all() and (other < row).any() for other in a) for row in a]
    assert pareto_front(a[:, 0], a[:, 1]).tolist() == [not d for d in dominated]


def test_front_of_one_cost():
    assert pareto_front([1.0, 2.0, 3.0, 3.0], [9.0, 5.0, 7.0, 5.0]).tolist() == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_buckets([1.0], [1.0], of=0), "at least 1 bucket"),
        (lambda: make_buckets([0.0], [1.0]), "low < high"),
        (lambda: make_buckets([5.0], [1.0], high=2.0), r"no model has a complexity in \[0, 2\]"),
        (lambda: make_buckets([1.0, 2.0], [1.0]), "got 2 and 1"),
        (lambda: pareto_front([np.inf], [1.0]), "costs must be finite"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_examples_are_tables_with_sources():
    rows = load_example("imagenet")
    assert isinstance(rows, pd.DataFrame)
    assert {"error", "status", "flops", "params", "population", "source"} <= set(rows.columns)
    assert (rows["source"].str.len() > 0).all()
    with pytest.raises(ValueError, match=r"'imagenett' \(nearest: imagenet\)"):
        load_example("imagenett")
