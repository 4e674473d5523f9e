import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from regnet_ds.analysis import edf, match

GOLDEN = Path(__file__).parents[1] / "golden"
NORM = json.loads((GOLDEN / "statistics.json").read_text())["norm_edf_timm_in1k_224"]
ERRORS, GMACS = np.loadtxt(GOLDEN / "timm_224.csv", delimiter=",", skiprows=1).T


def test_golden_weights_of_nds():
    found = match([GMACS], bins=NORM["num_bins"], ranges=[tuple(NORM["c_range"])])
    (weights,), (cells,) = found.weights, found.cells
    assert np.bincount(cells).tolist() == NORM["hist"]
    expected = np.array(NORM["weight_per_bin"])[cells]
    assert weights == pytest.approx(expected, abs=1e-15)
    assert weights.sum() == pytest.approx(NORM["sum_weights"])
    record = edf(ERRORS, weights)
    for e, share in NORM["weighted_edf_at"].items():
        assert record.at(float(e)) == pytest.approx(share, abs=1e-12)
    assert record.mean == pytest.approx(NORM["weighted_mean_err"])


def test_area_is_the_integral_of_the_curve():
    found = match([GMACS], bins=8, ranges=[(0.5, 16.0)])
    record = edf(ERRORS, found.weights[0])
    grid = np.linspace(0, 30, 300_001)
    assert record.area(30) == pytest.approx(np.mean(record.at(grid)), abs=1e-4)
    shares = found.weights[0] @ np.minimum(1, ERRORS / 30)
    assert record.area(30) == pytest.approx(1 - shares)
    with pytest.raises(ValueError, match="positive, finite end, got 0"):
        record.area(0)


def test_the_shared_range_is_the_largest_minimum_to_the_smallest_maximum():
    a, b = np.arange(0.0, 10), np.arange(5.0, 20)
    found = match([a, b], bins=2)
    assert found.ranges == ((5.0, 9.0),)
    # The ends are outside, as in nds.
    assert found.dropped == (7, 12)
    assert found.weights[0][6:9].tolist() == [0.5, 0.25, 0.25]
    assert "12" not in found.describe()
    assert found.describe() == "matched on complexity in all 2 bins; 19 models outside"


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 2))
def test_each_shared_cell_weighs_the_same_in_every_population(seed, bins, k):
    rng = np.random.default_rng(seed)
    populations = [rng.random((n, k)) for n in (30, 50, 80)]
    found = match(populations, bins=bins, names=("flops", "params")[:k])
    for weights, cells in zip(found.weights, found.cells, strict=True):
        assert weights.sum() == pytest.approx(1)
        used = np.unique(cells[cells >= 0])
        assert used.size == found.n_cells
        assert [weights[cells == c].sum() for c in used] == pytest.approx(
            [1 / used.size] * len(used)
        )
        assert (weights[cells < 0] == 0).all()
    assert len({tuple(np.unique(c[c >= 0])) for c in found.cells}) == 1


def test_matching_removes_a_difference_that_is_complexity_alone():
    rng = np.random.default_rng(0)
    small, large = rng.beta(1, 3, 4000), rng.beta(3, 1, 4000)
    errors = [20 - 10 * c + rng.normal(0, 0.1, c.size) for c in (small, large)]
    plain = [edf(e).mean for e in errors]
    found = match([small, large], bins=20, ranges=[(0.05, 0.95)])
    matched = [edf(e, w).mean for e, w in zip(errors, found.weights, strict=True)]
    assert plain[0] - plain[1] > 4
    assert abs(matched[0] - matched[1]) < 0.1


@pytest.mark.parametrize(
    ("populations", "options", "message"),
    [
        (
            [[1.0, 2.0], [3.0, 4.0]],
            {"labels": ["a", "b"]},
            r"disjoint \(a: 1 to 2; b: 3 to 4\): normalising is impossible",
        ),
        ([[1.0, 2.0], [2.0, 2.0]], {}, "all models of population 2 have complexity 2: normalis"),
        ([[1.0, 1.0]], {}, "all models of population 1 have complexity 1"),
        ([[1.0, 2.0, 3.0]], {"ranges": [(5.0, 6.0)]}, "population 1 has no model with"),
        ([[1.0, 2.0]], {"ranges": [(2.0, 1.0)]}, "low < high"),
        ([[1.0, 2.0]], {"bins": 0}, "at least 1, got 0"),
        ([[1.0, np.nan]], {}, "got nan at position 1"),
        ([[0.0, 0.1, 1.0], [0.0, 0.9, 1.0]], {"bins": 4}, "share no bin"),
        ([], {}, "at least one population"),
    ],
)
def test_bad_input(populations, options, message):
    with pytest.raises(ValueError, match=message):
        match(populations, **options)
