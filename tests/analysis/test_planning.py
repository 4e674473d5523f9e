import numpy as np
import pytest
from regnet_ds.analysis import ks_curve, models_for_band, models_to_tell_apart
from regnet_ds.analysis.bands import half_width
from regnet_ds.analysis.planning import _critical
from scipy import stats


def test_curve_of_a_large_population_is_the_one_of_theory():
    errors = np.random.default_rng(0).gamma(3, 4, 2**14)
    found = ks_curve(errors, [1, 8, 64, 512], trials=200)
    assert found.mean == pytest.approx(found.expected, rel=0.08)
    assert found.expected[0] == pytest.approx(0.75)


def test_distance_is_scipys():
    errors = np.random.default_rng(1).integers(0, 9, 40).astype(float)
    found = ks_curve(errors, [7], trials=1, rng=3)
    drawn = np.sort(errors)[np.random.default_rng(3).choice(40, 7, replace=False)]
    assert found.mean[0] == pytest.approx(stats.ks_2samp(drawn, errors).statistic)
    assert ks_curve(errors, [40], trials=2).mean[0] == 0


def test_models_for_a_band_are_the_fewest():
    for width in (0.3, 0.1, 0.05):
        n = models_for_band(width)
        assert half_width(n) <= width < half_width(n - 1)


@pytest.mark.parametrize("m", [4, 20, 60])
def test_critical_distance_is_exact(m):
    h = round(_critical(m, 0.05) * m)

    def p(k):
        return stats.ks_2samp(np.arange(m), np.arange(m) + k - 0.5).pvalue

    assert p(h) < 0.05 <= p(h - 1)


def test_models_to_tell_apart():
    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 1, 500), rng.normal(1, 1, 500)
    m = models_to_tell_apart(a, b)
    assert 16 <= m <= 45
    assert m > models_to_tell_apart(a, b + 1)
    assert models_to_tell_apart(a, a, most=64) is None
    assert models_to_tell_apart(a, b, rng=5) == models_to_tell_apart(a, b, rng=5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ks_curve([1.0, 2.0], [3]), "1 to 2 models, got 3"),
        (lambda: models_for_band(0), r"in \(0, 1\), got 0"),
        (lambda: models_for_band(1e-6), "more than"),
        (lambda: models_to_tell_apart([1.0], [2.0], power=1.0), "power and alpha"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_large_populations_and_their_expected_distances():
    """The expansion for many models is the exact mean distance within 1e-4 of it."""
    from regnet_ds.analysis import planning
    from scipy.stats import kstwo

    grid = np.linspace(0, 0.16, 4001)
    tail = kstwo.sf(grid, 600)
    exact = float(np.sum((tail[1:] + tail[:-1]) / 2) * (grid[1] - grid[0]))
    assert planning._expected_distance(600) == pytest.approx(exact, rel=2e-4)
    record = ks_curve(np.random.default_rng(0).gamma(3, 4, 200_000))
    assert record.sizes[-1] == 2**14
    assert np.allclose(record.mean[6:], record.expected[6:], rtol=0.15)
