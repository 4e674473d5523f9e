import csv
import json
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from regnet_ds.analysis import distribution, edf, ks

GOLDEN = Path(__file__).parents[1] / "golden"
STATISTICS = json.loads((GOLDEN / "statistics.json").read_text())
REGNETS = list(csv.DictReader((GOLDEN / "regnets_dds.csv").read_text().splitlines()))
ERRORS = {
    family: [float(row["top1_err"]) for row in REGNETS if row["family"] == family]
    for family in ("regnetx", "regnety")
}

# Few distinct values, so that ties are common.
percent = st.one_of(st.integers(0, 8).map(float), st.floats(0, 100))
samples = st.lists(percent, min_size=1, max_size=40)


@pytest.mark.parametrize("family", ["regnetx", "regnety"])
def test_golden_edf_is_strict(family):
    record = edf(ERRORS[family])
    for e, share in STATISTICS[f"edf_strict_less_{family}"].items():
        assert record.at(float(e)) == pytest.approx(share, abs=1e-15)
    assert (record.n, record.min) == (12, STATISTICS["min_mean"][family][0])
    assert record.mean == pytest.approx(STATISTICS["min_mean"][family][1], abs=1e-12)


def test_golden_weighted_edf():
    golden = STATISTICS["norm_edf_timm_in1k_224"]
    rows = np.loadtxt(GOLDEN / "timm_224.csv", delimiter=",", skiprows=1)
    errors, gmacs = rows.T
    bins = np.clip(np.searchsorted(golden["edges"], gmacs, side="right") - 1, 0, 7)
    record = edf(errors, np.array(golden["weight_per_bin"])[bins])
    plain = edf(errors)
    for e, share in golden["weighted_edf_at"].items():
        assert record.at(float(e)) == pytest.approx(share, abs=1e-12)
        assert plain.at(float(e)) == pytest.approx(golden["unweighted_edf_at"][e], abs=1e-12)
    assert record.mean == pytest.approx(golden["weighted_mean_err"])
    assert plain.mean == pytest.approx(golden["unweighted_mean_err"])


def test_golden_ks():
    golden = STATISTICS["ks_regnetx_vs_regnety_pycls_dds"]
    result = ks(ERRORS["regnetx"], ERRORS["regnety"])
    assert result.statistic == pytest.approx(golden["D"])
    assert result.p_value == pytest.approx(golden["p_value"])


@given(samples, percent)
def test_definition(errors, x):
    record = edf(errors)
    values = np.array(errors)
    assert record.errors.tolist() == sorted(errors)
    assert record.at(x) == pytest.approx(np.mean(values < x), abs=1e-12)
    shares = [np.mean(values <= e) for e in record.errors]
    assert record.probability == pytest.approx(shares, abs=1e-12)
    assert record.probability[-1] == 1
    assert record.at(record.max + 1) == 1
    assert record.at(record.min) == 0


@given(samples, st.floats(0, 1))
def test_quantile_is_that_of_numpy(errors, q):
    # At a step numpy decides by rounding noise; ours averages the two ends within 1e-12.
    on_step = np.isclose(q * len(errors), round(q * len(errors)), rtol=0, atol=1e-9)
    q = round(q * len(errors)) / len(errors) if on_step else q
    expected = np.quantile(errors, q, method="averaged_inverted_cdf")
    if not on_step:
        assert edf(errors).quantile(q) == pytest.approx(expected)
    assert edf(errors).median == pytest.approx(np.median(errors))


@given(samples, st.floats(0, 1), st.floats(0, 1))
def test_quantile_is_monotone(errors, p, q):
    record = edf(errors)
    low, high = sorted((p, q))
    assert record.min <= record.quantile(low) <= record.quantile(high) <= record.max
    assert (record.quantile(0), record.quantile(1)) == (record.min, record.max)


@given(st.lists(st.tuples(percent, st.integers(1, 5)), min_size=1, max_size=20), percent)
def test_a_whole_weight_is_that_many_copies(pairs, x):
    errors, counts = (list(column) for column in zip(*pairs, strict=True))
    weighted, copied = edf(errors, counts), edf(np.repeat(errors, counts))
    assert weighted.at(x) == pytest.approx(copied.at(x))
    assert weighted.mean == pytest.approx(copied.mean)
    for q in (0.1, 0.25, 0.5, 0.9):
        assert weighted.quantile(q) == pytest.approx(copied.quantile(q))


def test_arrays_in_arrays_out():
    record = edf([3.0, 1.0, 2.0, 2.0])
    assert record.at([1.0, 2.0, 2.5, 9.0]).tolist() == [0, 0.25, 0.75, 1]
    assert record.probability.tolist() == [0.25, 0.75, 0.75, 1]
    with pytest.raises(ValueError, match="read-only"):
        record.errors[0] = 0


def test_models_of_weight_zero_are_left_out():
    record = edf([1.0, 2.0, 3.0], [0, 1, 1])
    assert (record.n, record.min, record.mean) == (2, 2.0, 2.5)


@pytest.mark.parametrize(
    ("errors", "weights", "message"),
    [
        ([], None, "must not be empty"),
        ([1.0, float("nan")], None, "got nan at position 1"),
        ([1.0, float("inf")], None, "got inf at position 1"),
        ([[1.0]], None, "one dimension"),
        ([1.0, 2.0], [1.0], "got 1 weights, 2 errors"),
        ([1.0, 2.0], [1.0, -1.0], "minimum of -1"),
        ([1.0, 2.0], [0.0, 0.0], "not all 0"),
    ],
)
def test_bad_input(errors, weights, message):
    with pytest.raises(ValueError, match=message):
        edf(errors, weights)


def test_ks_says_which_sample_is_bad():
    with pytest.raises(ValueError, match=r"^the first sample must not be empty"):
        ks([], [1.0])
    with pytest.raises(ValueError, match=r"^the second must be finite"):
        ks([1.0], [float("nan")])


@pytest.mark.parametrize("q", [-0.1, 1.1, float("nan")])
def test_bad_quantile(q):
    with pytest.raises(ValueError, match=r"\[0, 1\], got"):
        edf([1.0]).quantile(q)


@pytest.mark.parametrize("decimals", [0, 6])
def test_ks_of_many_is_that_of_scipy(monkeypatch, decimals):
    """Tied and untied errors, merged in several blocks, with the limit of the statistic."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(40, 8, 230_000), rng.normal(40.02, 8, 210_000)
    x, y = np.round(x, decimals), np.round(y, decimals)
    monkeypatch.setattr(distribution, "_BLOCK", 7_000)
    expected = scipy.stats.ks_2samp(x, y, method="asymp")
    found = ks(x, y)
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, abs=3e-7)
    assert ks(y, x) == pytest.approx(found)
    assert ks(x, x).statistic == 0
    assert ks(x, x + 1000).statistic == 1
    with_ties = edf(x)
    assert with_ties.probability.tolist()[-1] == 1
    assert (with_ties.at(with_ties.errors) < with_ties.probability).all()
