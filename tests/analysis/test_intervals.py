"""Intervals, tests and bands: by hand, against scipy, and their coverage in simulation."""

import itertools

import numpy as np
import pytest
from regnet_ds.analysis import (
    anderson_darling,
    band,
    difference,
    dominance,
    expected_best,
    ks,
    match,
    mean_interval,
    median_interval,
    superiority,
    weighted_ks,
)
from regnet_ds.analysis.bands import half_width
from scipy import stats

LAWS = {
    "uniform": (lambda rng, n: rng.random(n), 0.5, 0.5),
    "normal": (lambda rng, n: rng.normal(size=n), 0.0, 0.0),
    "gamma": (lambda rng, n: rng.gamma(3, size=n), 3.0, stats.gamma(3).median()),
}


def covered(interval, truth):
    return interval.low <= truth <= interval.high


def test_mean_is_students_interval():
    errors = np.random.default_rng(0).normal(20, 3, 40)
    found = mean_interval(errors)
    low, high = stats.t.interval(0.95, 39, errors.mean(), errors.std(ddof=1) / np.sqrt(40))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert (mean_interval(errors, np.ones(40)).low) == pytest.approx(low)


def test_expected_best_is_the_mean_over_all_subsets():
    errors = [5.0, 1.0, 4.0, 2.0, 7.0, 3.0, 9.0, 8.0]
    for m in (1, 2):
        subsets = [min(s) for s in itertools.combinations(errors, m)]
        assert expected_best(errors, m).value == pytest.approx(np.mean(subsets))
    jackknife = []
    for i in range(8):
        rest = errors[:i] + errors[i + 1 :]
        jackknife.append(np.mean([min(s) for s in itertools.combinations(rest, 2)]))
    error = np.sqrt(7 / 8 * np.sum((np.array(jackknife) - np.mean(jackknife)) ** 2))
    found = expected_best(errors, 2)
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, 4) * error)


def test_difference_of_means_is_near_welchs():
    rng = np.random.default_rng(1)
    a, b = rng.normal(20, 3, 60), rng.normal(18, 1, 90)
    found = difference(mean_interval(a), mean_interval(b))
    welch = stats.ttest_ind(a, b, equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((welch.low, welch.high), rel=0.02)
    assert found.excludes_zero
    assert not difference(mean_interval(a), mean_interval(a)).excludes_zero


def test_anderson_darling_is_scipys():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=30), rng.normal(0.6, 1, 50)
    found = anderson_darling(a, b)
    assert 0.001 < found.p_value < 0.25
    assert found.bound == ""
    assert anderson_darling(a, a + 9).bound == "<="
    assert anderson_darling(a, a).bound == ">="
    assert anderson_darling([1.0, 1.0], [1.0]).p_value == 1


def test_superiority_is_mann_whitneys():
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 9, 40), rng.integers(2, 12, 30)
    u = stats.mannwhitneyu(b, a).statistic / 1200
    found = superiority(a, b)
    assert found.value == pytest.approx(u)
    assert found.low < u < found.high
    assert superiority([1.0, 2.0], [3.0, 4.0]).value == 1
    assert superiority([1.0], [3.0]).low == 0


def test_dominance_verdicts():
    rng = np.random.default_rng(4)
    a, b = rng.normal(0, 1, 300), rng.normal(1, 1, 300)
    assert dominance(a, b).verdict == "a"
    assert dominance(b, a).verdict == "b"
    assert dominance(a, rng.normal(0, 1, 300)).verdict == "none"
    assert dominance(rng.normal(0, 3, 300), rng.normal(0, 0.3, 300)).verdict == "crossing"


def test_weighted_ks_with_equal_weights_is_ks():
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=50).round(1), rng.normal(0.4, 1, 70).round(1)
    found = weighted_ks(a, b, np.ones(50), np.ones(70), permutations=4000)
    plain = ks(a, b)
    assert found.statistic == pytest.approx(plain.statistic)
    assert found.p_value == pytest.approx(plain.p_value, abs=0.035)
    again = weighted_ks(a, b, np.ones(50), np.ones(70), permutations=50, rng=1)
    assert again == weighted_ks(a, b, np.ones(50), np.ones(70), permutations=50, rng=1)
    assert again != weighted_ks(a, b, np.ones(50), np.ones(70), permutations=50, rng=2)


def test_large_samples_have_the_same_ks():
    rng = np.random.default_rng(6)
    a, b = rng.normal(size=12_000).round(2), rng.normal(0.02, 1, 11_000).round(2)
    expected = stats.ks_2samp(a, b, method="asymp")
    found = ks(a, b)
    assert found.statistic == pytest.approx(expected.statistic, abs=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-6)


def test_band_is_exact_for_equal_weights():
    # Kolmogorov's tables: 0.40925 at n = 10, 0.13403 at n = 100.
    assert half_width(10) == pytest.approx(0.40925, abs=1e-5)
    assert half_width(100) == pytest.approx(0.13403, abs=1e-5)
    found = band([3.0, 1.0, 2.0])
    assert (found.low >= 0).all() and (found.high <= 1).all()
    assert band([1.0, 2.0], [0.5, 0.5], rng=1).half_width > 0


@pytest.mark.parametrize(("weights", "models"), [((1,), 400), ((1, 3), 320)])
def test_weighted_median_is_woodruffs_interval(weights, models):
    """F(median) = 1/2 varies as the share of as many models as the weights are worth (Kish)."""
    errors = np.arange(400.0)
    found = median_interval(errors, np.resize(weights, 400))
    half = stats.t.ppf(0.975, models - 1) * 0.5 / np.sqrt(models) * np.sqrt(400 / 399)
    assert found.value == pytest.approx(199.5, abs=0.5)
    assert (found.low, found.high) == pytest.approx((200 - 400 * half, 200 + 400 * half), abs=2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean_interval([1.0]), "a mean needs at least 2 models, got 1"),
        (lambda: median_interval([1.0]), "a median needs at least 2 models, got 1"),
        (lambda: expected_best([1.0, 2.0], 2), r"m <= n / 4 = 0, got 2 of 2"),
        (lambda: expected_best(range(8), 3), r"= 2, got 3 of 8"),
        (lambda: weighted_ks([1.0], [1.0], [0.0], [1.0]), "weights must be"),
        (lambda: band([1.0], confidence=1.0), "confidence must be in"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("n", [40, 200])
def test_coverage_of_intervals(law, n):
    """Of 2,000 simulated populations 95% of the 95% intervals hold the truth (3 sd: 1.5%)."""
    draw, mean, median = LAWS[law]
    rng = np.random.default_rng([n, len(law)])
    sizes = (1, n // 10, n // 4)
    best = [draw(rng, (40_000, m)).min(axis=1).mean() for m in sizes]
    hits = np.zeros(5)
    for _ in range(2000):
        errors = draw(rng, n)
        hits += [
            covered(mean_interval(errors), mean),
            covered(median_interval(errors), median),
            *(covered(expected_best(errors, m), b) for m, b in zip(sizes, best, strict=True)),
        ]
    share = hits / 2000
    assert share[:2] == pytest.approx([0.95, 0.95], abs=0.02), share
    # The jackknife is careful at m = n / 4, and a little short of skewed means.
    assert (share[2:] > 0.925).all() and (share[2:] < 0.985).all(), share


@pytest.mark.slow
def test_coverage_of_ks_and_bands():
    rng = np.random.default_rng(7)
    repeats = 2000
    rejected = weighted = bands = curves = matched = 0
    for i in range(repeats):
        a, b = rng.normal(size=60), rng.normal(size=80)
        rejected += ks(a, b).p_value < 0.05
        record = band(a)
        truth = stats.norm.cdf(record.record.errors)
        before = np.concatenate(([0.0], record.record.probability[:-1]))
        gap = max(np.abs(record.record.probability - truth).max(), np.abs(before - truth).max())
        bands += gap <= record.half_width
        if i < 400:
            # Errors depend on a complexity that both draw alike; then the matched law is normal.
            ca, cb = rng.random(60), rng.random(80)
            found = match([ca, cb], bins=4, ranges=[(0.0, 1.0)])
            (wa, wb), (sa, sb) = found.weights, found.cells
            options = {"strata_a": sa, "strata_b": sb, "permutations": 99, "rng": i}
            matched += weighted_ks(a, b, wa, wb, **options).p_value < 0.05
            weighted += weighted_ks(a, b, wa, wb, permutations=99, rng=i).p_value < 0.05
            curve = band(a, wa, rng=i, repeats=200)
            at = curve.record
            truth = stats.norm.cdf(at.errors)
            curves += (np.abs(at.probability - truth) <= curve.half_width).all()
    assert rejected / repeats == pytest.approx(0.05, abs=0.015)  # exact, so a little below
    assert bands / repeats == pytest.approx(0.95, abs=0.015)
    assert matched / 400 == pytest.approx(0.05, abs=0.033)
    assert weighted / 400 == pytest.approx(0.05, abs=0.033)
    assert curves / 400 == pytest.approx(0.95, abs=0.035)


@pytest.mark.slow
def test_coverage_of_superiority_and_differences():
    rng = np.random.default_rng(8)
    truth = float(stats.norm.cdf(0.5 / np.sqrt(2)))
    hits = np.zeros(4)
    best = [rng.normal(d, 1, (40_000, 10)).min(axis=1).mean() for d in (0, 0.5)]
    for _ in range(2000):
        a, b = rng.normal(0, 1, 50), rng.normal(0.5, 1, 70)
        hits += [
            covered(superiority(a, b), truth),
            covered(difference(mean_interval(a), mean_interval(b)), -0.5),
            covered(difference(median_interval(a), median_interval(b)), -0.5),
            covered(difference(expected_best(a, 10), expected_best(b, 10)), best[0] - best[1]),
        ]
    assert hits / 2000 == pytest.approx(np.full(4, 0.95), abs=0.025)
