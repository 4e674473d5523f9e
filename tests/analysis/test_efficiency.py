import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from regnet_ds.analysis import match, search_curve

GOLDEN = Path(__file__).parents[1] / "golden"
SEARCH = json.loads((GOLDEN / "statistics.json").read_text())[
    "random_search_efficiency_timm_in1k_224"
]
ERRORS, GMACS = np.loadtxt(GOLDEN / "timm_224.csv", delimiter=",", skiprows=1).T


def test_golden_curve_of_nds_is_a_sample_of_ours():
    """nds draws n / m searches of size m: its means lie within 4 standard errors of the exact."""
    weights = match([GMACS], bins=8, ranges=[(0.5, 16.0)]).weights[0]
    sizes = [int(m) for m in SEARCH["result"]]
    exact = search_curve(ERRORS, sizes, weights=weights)
    for i, drawn in enumerate(SEARCH["result"].values()):
        assert abs(drawn["mean"] - exact.mean[i]) < 4 * exact.sd[i] / np.sqrt(drawn["trials"])
        # A standard deviation of t draws of a skewed law is good to a factor.
        assert 0.4 < drawn["std"] / exact.sd[i] < 2
    assert exact.n == 489


@settings(max_examples=30)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=25), st.integers(1, 9))
def test_exact_is_the_mean_over_all_draws(errors, m):
    """Against the sum over ranks of DDS's closed form; ties have their ranks' probability."""
    n = len(errors)
    ranked = np.sort(np.array(errors, dtype=np.float64))
    r = np.arange(1, n + 1)
    share = ((n - r + 1.0) ** m - (n - r) ** m) / float(n) ** m
    mean = share @ ranked
    found = search_curve(errors, [m])
    assert found.mean[0] == pytest.approx(mean)
    assert found.sd[0] == pytest.approx(np.sqrt(share @ (ranked - mean) ** 2), abs=1e-6)
    reached = np.cumsum(share)
    for q, value in ((0.05, found.low), (0.5, found.median), (0.95, found.high)):
        assert value[0] == ranked[np.searchsorted(reached, q - 1e-9)]


def test_exact_agrees_with_sampled():
    errors = np.random.default_rng(0).gamma(3, 4, 200).round(1)
    exact = search_curve(errors, [16])
    drawn = np.random.default_rng(1).choice(errors, (40_000, 16)).min(axis=1)
    assert exact.mean[0] == pytest.approx(drawn.mean(), abs=0.03)
    assert exact.sd[0] == pytest.approx(drawn.std(), rel=0.03)
    assert exact.median[0] == pytest.approx(np.median(drawn), abs=0.11)


def test_a_whole_weight_is_that_many_copies():
    errors, counts = np.array([3.0, 1.0, 2.0]), [2, 1, 4]
    weighted = search_curve(errors, [1, 3], weights=counts)
    copied = search_curve(np.repeat(errors, counts), [1, 3])
    assert weighted.mean == pytest.approx(copied.mean)
    assert weighted.sd == pytest.approx(copied.sd)


def test_sizes():
    assert search_curve(np.arange(100.0)).sizes.tolist() == [1, 2, 4, 8, 16, 32, 64]
    one = search_curve([5.0])
    assert (one.sizes.tolist(), one.mean.tolist(), one.sd.tolist()) == ([1], [5.0], [0.0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizes": [0]}, "at least 1 model, got 0"),
        ({"sizes": []}, "at least 1 model"),
        ({"confidence": 0.0}, "confidence must be in"),
        ({"weights": [1.0]}, "one weight a model"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        search_curve([1.0, 2.0], **options)
