from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from regnet_ds.designspace.laws import (
    Fixed,
    Law,
    LogUniform,
    PowerOfTwo,
    PowerOfTwoOrLogUniform,
    Uniform,
)

LAWS = {
    "uniform": Uniform,
    "log_uniform": LogUniform,
    "power2_or_log_uniform": PowerOfTwoOrLogUniform,
}


def law_of(case: dict[str, object]) -> Law | None:
    name, low, high, q = (case[key] for key in ("function", "low", "high", "q"))
    if name == "power2_uniform":
        return PowerOfTwo(low, high)  # type: ignore[arg-type]
    return LAWS[str(name)](low, high, q) if name in LAWS else None  # type: ignore[operator]


def replay(law: Law, seed: int, n: int) -> list[float]:
    """Feed numpy's legacy uniforms as pycls consumes them: the second one only if needed."""
    rng = np.random.RandomState(seed)
    values: list[float] = []
    for _ in range(n):
        u = np.array([[rng.random_sample()], [0.5]])[: law.n_uniforms]
        if isinstance(law, PowerOfTwoOrLogUniform):
            power = PowerOfTwo(law.low, law.high)
            if power.values[power.index(u[:1])[0]] >= law.quantum:
                u[1] = rng.random_sample()
        values.append(float(law.values[law.index(u)[0]]))
    return values


def test_vectors_of_pycls_replay(golden: Path) -> None:
    cases = json.loads((golden / "pycls_vectors.json").read_text())["sampler_functions"]["cases"]
    replayed = 0
    for case in cases:
        law = law_of(case)
        if law is None:
            continue
        assert replay(law, 0, 12) == case["first12_numpy_seed0"], case
        values = replay(law, 1, 4000)
        assert np.mean(values) == pytest.approx(case["mean_4000_seed1"], abs=1e-9)
        assert len(set(values)) == case["distinct"]
        replayed += 1
    assert replayed == 10


def test_log_uniform_has_the_exact_probabilities() -> None:
    law = LogUniform(8, 256, 8)
    u = np.random.default_rng(0).random((1, 400_000))
    counts = np.bincount(law.index(u), minlength=32)
    start = 8 - min(8, 4)
    edges = np.concatenate([[start], law.values])
    expected = np.diff(np.log(edges)) / np.log(256 / start) * u.size
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 61.1  # 99.9% of chi-square with 31 degrees of freedom


def test_closed_ends() -> None:
    ends = np.array([[0.0, 1 - 2**-53]])
    for law in (Uniform(12, 28, 1), LogUniform(2.0, 3.0, 0.001), PowerOfTwo(1, 32)):
        assert sorted(law.values[law.index(ends)]) == [law.values[0], law.values[-1]]
    assert Fixed(1.0).values[Fixed(1.0).index(np.empty((0, 3)))].tolist() == [1.0] * 3


def test_grid_values_are_the_decimals_themselves() -> None:
    values = LogUniform(8.0, 256.0, 0.1).values
    assert len(values) == 2481
    assert values[3] == 8.3
    assert LogUniform(2.0, 3.0, 0.001).values[490] == 2.49


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(3, 2, 1), "the range from 3 to 2 is empty"),
        (lambda: Uniform(1, 2, 0.3), "the quantum 0.3 does not divide"),
        (lambda: Uniform(1, 2, 0), "positive quantum"),
        (lambda: LogUniform(0, 8, 8), "must be positive, got 0"),
        (lambda: PowerOfTwo(3, 8), "powers of two, got 3"),
        (lambda: PowerOfTwo(8, 4), "is empty"),
    ],
)
def test_bad_ranges(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]
