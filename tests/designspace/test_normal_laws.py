from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from regnet_ds.designspace.laws import Law
from regnet_ds.designspace.normal_laws import LogNormal, Normal

LAWS = {"normal": Normal, "log_normal": LogNormal}


def cases(golden: Path) -> list[tuple[dict[str, object], Law]]:
    vectors = json.loads((golden / "pycls_vectors.json").read_text())["sampler_functions"]["cases"]
    return [
        (case, LAWS[case["function"]](case["low"], case["high"], case["q"]))
        for case in vectors
        if case["function"] in LAWS
    ]


def draw(law: Law, n: int) -> np.ndarray:
    return law.values[law.index(np.random.default_rng(0).random((1, n)))]


def test_the_two_vectors_of_pycls_by_their_distribution(golden: Path) -> None:
    """Its 4,000 draws: the mean within four standard errors, and no value outside the range."""
    assert len(cases(golden)) == 2
    for case, law in cases(golden):
        values = draw(law, 400_000)
        error = 4 * values.std() / np.sqrt(4000)
        assert values.mean() == pytest.approx(case["mean_4000_seed1"], abs=error)
        assert case["low"] <= values.min() and values.max() <= case["high"]
        first = np.array(case["first12_numpy_seed0"])
        assert np.isin(first, law.values).all()


@pytest.mark.parametrize(("low", "high", "q"), [(0.0, 1.0, 0.1), (8, 64, 8), (-3.0, 3.0, 0.001)])
def test_normal_is_scipy_s_truncated_normal_rounded(low: float, high: float, q: float) -> None:
    law = Normal(low, high, q)
    mu, sigma = (low + high) / 2, (high - low) / 6
    continuous = scipy.stats.truncnorm(-3, 3, mu, sigma)
    edges = np.concatenate([[low], (law.values[1:] + law.values[:-1]) / 2, [high]])
    assert law.probabilities == pytest.approx(np.diff(continuous.cdf(edges)), abs=1e-12)
    counts = np.bincount(law.index(np.random.default_rng(1).random((1, 200_000))))
    seen = law.probabilities[: len(counts)] * 200_000 > 20
    wanted = law.probabilities[: len(counts)][seen]
    observed = counts[seen]
    assert scipy.stats.chisquare(observed, wanted / wanted.sum() * observed.sum()).pvalue > 1e-3


def test_log_normal_by_ks_against_resampling() -> None:
    """As pycls draws it: numpy's log-normal, again until it is within, then rounded."""
    rng = np.random.default_rng(2)
    low, high, q = 1.0, 100.0, 0.001
    mu, sigma = (np.log(low) + np.log(high)) / 2, (np.log(high) - np.log(low)) / 6
    theirs = rng.lognormal(mu, sigma, 40_000)
    theirs = theirs[(theirs >= low) & (theirs <= high)]
    assert scipy.stats.ks_2samp(theirs, draw(LogNormal(low, high, q), 40_000)).pvalue > 0.01


def test_ends_and_bad_ranges() -> None:
    law = Normal(0, 4, 1)
    ends = np.array([[0.0, 1 - 2**-53]])
    assert law.values[law.index(ends)].tolist() == [0.0, 4.0]
    assert Normal(3, 3, 1).index(ends).tolist() == [0, 0]
    with pytest.raises(ValueError, match="a log-normal range must be positive, got 0"):
        LogNormal(0, 4, 1)
