import numpy as np
import pytest
from regnet_ds.analysis import importances, rank_correlation
from regnet_ds.analysis.importance import grouped, holm
from regnet_ds.analysis.ranks import centred_ranks
from scipy import stats


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 9, 60)
    errors = x + rng.normal(0, 3, 60)
    found = rank_correlation(x, errors)
    assert found.value == pytest.approx(stats.spearmanr(x, errors).statistic)
    assert -1 <= found.low < found.value < found.high <= 1


@pytest.mark.parametrize("distinct", [1, 2, 7, 10**6])
def test_ranks_are_scipys(distinct):
    values = np.random.default_rng(distinct).integers(0, distinct, 500).astype(float)
    assert centred_ranks(values).tolist() == (stats.rankdata(values) - 250.5).tolist()


def test_equal_values_say_nothing():
    found = rank_correlation(np.ones(9), np.arange(9))
    assert (found.value, found.low, found.high) == (0, -1, 1)


def test_what_matters_is_found_and_what_does_not_is_not():
    rng = np.random.default_rng(1)
    rising, valley, nothing = rng.random((3, 300))
    errors = 3 * rising + 8 * (valley - 0.5) ** 2 + rng.normal(0, 0.5, 300)
    found = importances({"nothing": nothing, "valley": valley, "rising": rising}, errors)
    assert [one.name for one in found] == ["rising", "valley", "nothing"]
    assert [one.matters for one in found] == [True, True, False]
    # A valley has no rank correlation to speak of; its groups differ all the same.
    assert abs(found[1].correlation.value) < 0.25 < found[0].correlation.value


def test_importance_is_scipys_with_ties():
    rng = np.random.default_rng(4)
    x = rng.integers(0, 5, 80).astype(float)
    errors = np.round(rng.normal(0, 1, 80) + 0.3 * x)
    (found,) = importances({"x": x}, errors)
    kruskal = stats.kruskal(*(errors[x == value] for value in range(5)))
    spearman = stats.spearmanr(x, errors)
    assert found.p_value == pytest.approx(2 * min(kruskal.pvalue, spearman.pvalue))
    assert found.explained == pytest.approx((kruskal.statistic - 4) / 75)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_groups():
    assert grouped(np.array([4.0, 1.0, 4.0])).tolist() == [1, 0, 1]
    many = grouped(np.arange(100.0))
    assert np.bincount(many).tolist() == [20] * 5


def test_missing_values_are_left_out_and_counted():
    (found,) = importances({"x": [1.0, np.nan, 3.0, 4.0, 5.0, 6.0]}, np.arange(6.0))
    assert found.n == 5


@pytest.mark.slow
def test_pure_noise_is_called_important_in_few_populations():
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(500):
        columns = {str(i): rng.random(80) for i in range(8)}
        wrong += any(one.matters for one in importances(columns, rng.random(80)))
    assert wrong / 500 <= 0.08


@pytest.mark.slow
def test_coverage_of_the_rank_correlation():
    rng = np.random.default_rng(3)
    r = 0.6
    truth = 6 / np.pi * np.arcsin(r / 2)
    hits = 0
    for _ in range(2000):
        x = rng.normal(size=100)
        found = rank_correlation(x, r * x + np.sqrt(1 - r**2) * rng.normal(size=100))
        hits += found.low <= truth <= found.high
    assert hits / 2000 == pytest.approx(0.95, abs=0.015)
