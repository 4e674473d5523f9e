from __future__ import annotations

import numpy as np
import pytest
from regnet_ds.designspace import SPACES, Budget, complexity, find_space, sample
from regnet_ds.designspace.sampling import BLOCK

FOUR_GIGA = Budget(flops=(3.8e9, 4.2e9))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_every_network_meets_the_space_and_the_budget() -> None:
    budget = Budget(flops=(3.8e9, 4.2e9), params=(0, 40e6), acts=(0, 12e6))
    drawn = sample(SPACES["regnetx"], 50, budget=budget, rng=rng())
    population = drawn.population
    assert len(population) == 50
    assert population.stage_depths.shape == (50, 4)
    for i in range(50):
        spec = population.row(i)
        assert spec.parameters is not None
        assert spec == spec.parameters.to_spec(block="x")
        assert len(spec.stages) == 4
        cost = complexity(spec)
        assert 3.8e9 <= cost.flops <= 4.2e9
        assert cost.params <= 40e6
        assert cost.acts <= 12e6
        assert cost.flops == population.flops[i]
    assert sum(drawn.rejected.values()) + 50 == drawn.n_drawn


@pytest.mark.parametrize("unique", ["params", "networks", "none"])
def test_prefix(unique: str) -> None:
    few = sample(SPACES["regnetx"], 7, budget=FOUR_GIGA, rng=rng(3), unique=unique)
    many = sample(SPACES["regnetx"], 400, budget=FOUR_GIGA, rng=rng(3), unique=unique)
    assert few.population.records() == many.population.records()[:7]
    assert few.n_drawn <= BLOCK < many.n_drawn


def test_seed_both_ways() -> None:
    a, b, c = (sample(SPACES["regnetx"], 5, rng=rng(s)).population.records() for s in (1, 1, 2))
    assert a == b
    assert a != c


def test_rejections_are_counted_by_the_first_failing_test() -> None:
    drawn = sample(SPACES["regnetx"], 3, budget=FOUR_GIGA, rng=rng())
    plain = sample(SPACES["regnetx"], 3, rng=rng())
    assert set(drawn.rejected) == {"stages", "flops", "params", "acts", "duplicate"}
    assert drawn.rejected["params"] == drawn.rejected["acts"] == 0
    assert plain.rejected["flops"] == 0
    assert plain.n_drawn == 3 + plain.rejected["stages"]


def test_acceptance_of_the_stage_rule_is_pycls_s() -> None:
    """About 21% of the default sampler's candidates have four whole stages (measured)."""
    drawn = sample(SPACES["regnetx"], 20_000, rng=rng(), unique="none")
    assert 20_000 / drawn.n_drawn == pytest.approx(0.2255, abs=0.006)


def test_params_unique_drops_equal_tuples_only() -> None:
    drawn = sample(SPACES["regnetx"], 150_000, rng=rng())
    p = drawn.population
    tuples = set(zip(p.depth, p.w0, p.wa, p.wm, p.group_width, strict=True))
    assert len(tuples) == 150_000
    assert drawn.rejected["duplicate"] > 0


def test_networks_unique() -> None:
    budget = Budget(flops=(0, 1.5e9))
    p = sample(SPACES["regnetx"], 3000, budget=budget, rng=rng(), unique="networks").population
    stages = np.concatenate([p.stage_widths, p.stage_depths, p.stage_group_widths], axis=1)
    assert len(np.unique(stages, axis=0)) == 3000


def test_units_of_the_budget() -> None:
    drawn = sample(
        SPACES["regnety"],
        5,
        budget=Budget(flops=(3e6, 5e6)),
        rng=rng(),
        resolution=32,
        classes=10,
    )
    spec = drawn.population.row(4)
    assert spec.block == "y"
    assert spec.se_ratio == 0.25
    assert 3e6 <= complexity(spec, resolution=32, classes=10).flops <= 5e6
    assert set(drawn.population.resolution) == {32}


def test_dds_space_keeps_its_ranges() -> None:
    p = sample(SPACES["regnetx-dds"], 3000, rng=rng()).population
    assert 1 <= p.depth.min()
    assert p.depth.max() <= 63
    assert set(p.bottleneck_ratio) == {1.0, 2.0, 4.0}
    assert set(p.group_width) == {1, 2, 4, 8, 16, 32}
    assert ((p.stage_depths > 0).sum(axis=1) == 4).all()


def test_impossible_budget_says_what_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regnet_ds.designspace.sampling.IDLE_BLOCKS", 2)
    with pytest.raises(ValueError, match="found no network of regnetx with flops 1 to 2") as error:
        sample(SPACES["regnetx"], 3, budget=Budget(flops=(1, 2)), rng=rng())
    assert "131,072 candidates" in str(error.value)
    assert "flops" in str(error.value).partition("rejected by")[2]


def test_too_few_distinct_networks_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regnet_ds.designspace.sampling.IDLE_BLOCKS", 1)
    tight = Budget(flops=(198e6, 200e6), params=(2.5e6, 2.7e6))
    with pytest.raises(ValueError, match=r"only \d+ distinct networks of 1000"):
        sample(SPACES["regnetx"], 1000, budget=tight, rng=rng())


def test_progress_reports_found_and_drawn() -> None:
    calls: list[tuple[int, int]] = []
    drawn = sample(
        SPACES["regnetx"],
        500,
        budget=FOUR_GIGA,
        rng=rng(),
        progress=lambda found, n: calls.append((found, n)),
    )
    assert calls[-1] == (500, drawn.n_drawn)
    assert calls == sorted(calls)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="must be positive, got 0"):
        sample(SPACES["regnetx"], 0, rng=rng())
    with pytest.raises(ValueError, match="got 'nets'"):
        sample(SPACES["regnetx"], 1, rng=rng(), unique="nets")
    with pytest.raises(ValueError, match=r"unknown space 'regnetxx' \(nearest: regnetx;"):
        find_space("regnetxx")
