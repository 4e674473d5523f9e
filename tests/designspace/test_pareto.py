from __future__ import annotations

import numpy as np
import pytest
from regnet_ds.designspace.arrays import Bools, Ints
from regnet_ds.designspace.enumeration.pareto import pareto_mask, undominated_by_grid


def oracle(points: Ints) -> Bools:
    """Compare every point with every other."""
    on_front = np.ones(len(points), dtype=np.bool_)
    for i, point in enumerate(points):
        no_larger = (points <= point).all(axis=1)
        smaller = (points < point).any(axis=1)
        on_front[i] = not (no_larger & smaller).any()
    return on_front


@pytest.mark.parametrize("high", [2, 5, 30, 10_000, 10**12])
@pytest.mark.parametrize("seed", range(4))
def test_equals_the_quadratic_oracle_with_ties(high: int, seed: int) -> None:
    points = np.random.default_rng(seed).integers(0, high, (600, 3))
    expected = oracle(points)
    assert (pareto_mask(points) == expected).all()
    assert (undominated_by_grid(points) | ~expected).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_negated_column_is_a_maximum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    base = rng.integers(1, 1000, 500)
    points = np.stack([-base * 7, base + rng.integers(0, 300, 500), base // 2 + 1], axis=1)
    expected = oracle(points)
    assert (pareto_mask(points) == expected).all()
    assert 1 < expected.sum() < 500


def test_equal_points_stand_or_fall_together() -> None:
    points = np.array([[1, 2, 3], [3, 3, 3], [1, 2, 3], [0, 9, 9], [3, 3, 3]])
    assert pareto_mask(points).tolist() == [True, False, True, True, False]


def test_the_grid_leaves_few_points() -> None:
    points = np.random.default_rng(0).integers(1, 10**9, (100_000, 3))
    assert undominated_by_grid(points).sum() < 20_000


def test_no_points_and_bad_points() -> None:
    assert pareto_mask(np.zeros((0, 3), dtype=np.int64)).tolist() == []
    assert pareto_mask(np.array([[5, 5, 5]])).tolist() == [True]
    with pytest.raises(ValueError, match=r"three columns, got the shape \(4, 2\)"):
        pareto_mask(np.zeros((4, 2), dtype=np.int64))
