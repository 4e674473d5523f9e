from __future__ import annotations

import math

import numpy as np
import pytest
from regnet_ds.analysis.noise import noise


def test_by_hand() -> None:
    found = noise([1.0, 3.0, 5.0], {0: [1.0, 2.0, 3.0], 2: [5.0, 5.0]})
    assert found.over_models == 2.0
    assert found.over_seeds == pytest.approx(math.sqrt((1.0 * 2 + 0.0) / 3))
    assert found.ratio == pytest.approx(2 / math.sqrt(2 / 3))
    assert (found.n_models, found.n_repeated) == (3, 2)


def test_recovers_known_spreads() -> None:
    rng = np.random.default_rng(0)
    means = rng.normal(20, 4, 2000)
    repeats = {i: mean + rng.normal(0, 0.5, 3) for i, mean in enumerate(means)}
    found = noise(means, {i: list(group) for i, group in repeats.items()})
    assert found.over_models == pytest.approx(4, rel=0.05)
    assert found.over_seeds == pytest.approx(0.5, rel=0.05)


def test_the_interval_covers() -> None:
    """By simulation: 95% of the intervals of the deviation over seeds hold the true one."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(1000):
        trainings = rng.normal(10, 2, (4, 3))
        found = noise([1.0, 2.0], {i: row.tolist() for i, row in enumerate(trainings)}).interval()
        held += found.low <= 2 <= found.high
    assert 0.93 <= held / 1000 <= 0.97


def test_the_interval_of_the_spread_covers() -> None:
    """By simulation, for errors with a long tail as trained populations have them."""
    rng = np.random.default_rng(2)
    truth = math.sqrt((math.e**0.25 - 1) * math.e**0.25)  # of a log-normal one
    held = [
        found.low <= truth <= found.high
        for _ in range(1000)
        for found in [noise(rng.lognormal(0, 0.5, 600), {0: [1.0, 2.0]}).models_interval()]
    ]
    assert 0.91 <= np.mean(held) <= 0.97


def test_the_interval_of_the_ratio_covers() -> None:
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(1000):
        repeats = {i: row.tolist() for i, row in enumerate(rng.normal(10, 2, (12, 3)))}
        found = noise(rng.normal(0, 6, 600), repeats).ratio_interval()
        held += found.low <= 3 <= found.high
    assert 0.93 <= held / 1000 <= 0.97


def test_equal_seeds_have_no_noise() -> None:
    assert noise([1.0, 2.0], {0: [1.0, 1.0]}).ratio == math.inf


@pytest.mark.parametrize(
    ("errors", "repeats", "message"),
    [
        ([1.0], {0: [1.0, 2.0]}, "at least 2 models, got 1"),
        ([1.0, 2.0], {}, "at least 2 seeds"),
        ([1.0, 2.0], {0: [1.0]}, "at least 2 seeds"),
        ([1.0, math.nan], {0: [1.0, 2.0]}, "error"),
    ],
)
def test_bad_input(errors: list[float], repeats: dict[int, list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        noise(errors, repeats)
