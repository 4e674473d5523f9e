import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from regnet_ds.analysis import best_probability, good_range, good_range_sampled

GOLDEN = Path(__file__).parents[1] / "golden"
STATISTICS = json.loads((GOLDEN / "statistics.json").read_text())
FILTERS = STATISTICS["bootstrap_pycls_get_filters_24_regnets"]
REGNETS = list(csv.DictReader((GOLDEN / "regnets_dds.csv").read_text().splitlines()))
COLUMNS = {"flops": "gmacs", "params": "params_m", "acts": "macts_m"}


def column(name):
    return np.array([float(row[name]) for row in REGNETS])


def pycls_get_filters(columns, errs, alpha, sample, b):
    """A transcription of pycls/sweep/analysis.py, on numpy's legacy generator."""
    n = len(errs)
    size = int(sample) if sample > 1 else max(1, int(n * sample))
    samples = [np.random.choice(n, size) for _ in range(b)]  # noqa: NPY002
    best = [s[np.argmin(errs[s])] for s in samples]
    percentiles = [alpha / 2, 50, 100 - alpha / 2]
    return {name: np.percentile(xs[best], percentiles).tolist() for name, xs in columns.items()}


def test_golden_pycls_filters():
    columns = {name: column(source) for name, source in COLUMNS.items()}
    np.random.seed(0)  # noqa: NPY002
    errors = column("top1_err")
    drawn = pycls_get_filters(columns, errors, FILTERS["alpha"], FILTERS["sample"], FILTERS["b"])
    for name, expected in FILTERS["result"].items():
        assert drawn[name] == pytest.approx(expected)
        x, probability = columns[name], best_probability(errors, FILTERS["n_sample"])
        assert good_range(x, errors).k == FILTERS["n_sample"]
        for q, value in zip((0.025, 0.5, 0.975), expected, strict=True):
            # The exact distribution passes q at this value, within 3 sd of 2,500 draws.
            noise = 3 * np.sqrt(q * (1 - q) / FILTERS["b"])
            assert probability[x < value].sum() - noise <= q
            assert q <= probability[x <= value].sum() + noise


@given(st.lists(st.integers(0, 6), min_size=1, max_size=30), st.integers(1, 12))
def test_probabilities(errors, k):
    p = best_probability(errors, k)
    n, values = len(errors), np.array(errors)
    assert p.sum() == pytest.approx(1)
    for error in set(errors):
        # P(best <= e) = 1 - P(all k are worse).
        assert p[values <= error].sum() == pytest.approx(1 - (np.sum(values > error) / n) ** k)
        assert np.ptp(p[values == error]) == 0


def test_closed_form_of_distinct_errors():
    n, k = 10, 4
    ranks = np.arange(1, n + 1)
    expected = ((n - ranks + 1.0) ** k - (n - ranks) ** k) / n**k
    shuffled = np.random.default_rng(0).permutation(n)
    assert best_probability(shuffled, k) == pytest.approx(expected[shuffled])


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=4, max_size=24),
    st.sampled_from([0.1, 0.25, 0.5, 1.0]),
)
def test_exact_agrees_with_sampled(pairs, fraction):
    """The exact range lies between the sampled percentiles just below and just above it."""
    x, errors = (np.array(values) for values in zip(*pairs, strict=True))
    exact = good_range(x, errors, fraction=fraction, confidence=0.9)
    around = [
        good_range_sampled(
            x,
            errors,
            rng=np.random.default_rng(0),
            repeats=4000,
            fraction=fraction,
            confidence=confidence,
        )
        for confidence in (0.86, 0.94)
    ]
    assert around[1].low <= exact.low <= around[0].low
    assert around[0].high <= exact.high <= around[1].high
    assert (exact.k, exact.confidence) == (around[0].k, 0.9)


def test_share_of_the_median_agrees_with_sampling():
    rng = np.random.default_rng(1)
    x, errors = rng.normal(size=200), rng.normal(size=200).round(1)
    exact = good_range(x, errors)
    sampled = good_range_sampled(x, errors, rng=rng, repeats=20_000)
    span = np.ptp(x)
    for one, other in zip(
        (exact.low, exact.best, exact.high), (sampled.low, sampled.best, sampled.high), strict=True
    ):
        assert abs(one - other) < 0.05 * span


def test_seed_both_ways():
    rng = np.random.default_rng(1)
    x, errors = rng.normal(size=200), rng.normal(size=200)

    def run(seed):
        return good_range_sampled(x, errors, rng=np.random.default_rng(seed), repeats=50)

    assert run(0) == run(0)
    assert run(0) != run(1)


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(0, 100)), min_size=1, max_size=30))
def test_invariants(pairs):
    x, errors = (np.array(values) for values in zip(*pairs, strict=True))
    found = good_range(x, errors)
    assert found.low <= found.best <= found.high
    assert {found.low, found.best, found.high} <= set(x.tolist())
    order = np.random.default_rng(0).permutation(len(x))
    assert good_range(x[order], errors[order]) == found


def test_one_model_and_equal_errors():
    one = good_range([3.0], [10.0])
    assert (one.low, one.best, one.high, one.k, one.n) == (3, 3, 3, 1, 1)
    equal = good_range(np.arange(100), np.full(100, 5.0))
    assert (equal.low, equal.best, equal.high) == (2, 49, 97)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fraction": 0}, "fraction must be in"),
        ({"fraction": 1.5}, "got 1.5"),
        ({"confidence": 1.0}, "confidence must be in"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        good_range([1.0, 2.0], [1.0, 2.0], **options)


def test_bad_columns():
    with pytest.raises(ValueError, match="got 2 and 1"):
        good_range([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="got nan"):
        good_range([1.0, float("nan")], [1.0, 2.0])
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        best_probability([1.0], 0)
    with pytest.raises(ValueError, match="repeats must be at least 1, got 0"):
        good_range_sampled([1.0], [1.0], rng=np.random.default_rng(0), repeats=0)
