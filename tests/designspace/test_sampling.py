from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import islice, product
from types import ModuleType

import numpy as np
import pytest
import scipy.stats
from regnet_ds.designspace import (
    SPACES,
    Budget,
    DesignSpace,
    RegNetParams,
    complexity,
    find_space,
    sample,
    sampling,
)
from regnet_ds.designspace.blocks import BLOCKS
from regnet_ds.designspace.constraints import bounds, fixed, stages, with_law
from regnet_ds.designspace.drawing.anynet import AnynetDrawer
from regnet_ds.designspace.drawing.candidates import BLOCK, join
from regnet_ds.designspace.drawing.judging import REASONS, Judge, Units, count
from regnet_ds.designspace.drawing.regnet import RegnetDrawer
from regnet_ds.designspace.laws import Choice, LogUniform, PowerOfTwo, Uniform
from regnet_ds.designspace.linear import levels, quantise, stages_of
from regnet_ds.designspace.sampling import _children, sample_regimes

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
    assert set(drawn.rejected) == set(REASONS)
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
    budget = Budget(flops=(100e9, 136e9))  # within the bounds of the space, yet none is drawn
    with pytest.raises(ValueError, match="found no network of regnetx with flops 100G") as error:
        sample(SPACES["regnetx"], 3, budget=budget, rng=rng())
    assert "131,072 candidates" in str(error.value)
    assert "flops" in str(error.value).partition("rejected by")[2]


def test_too_few_distinct_networks_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regnet_ds.designspace.sampling.IDLE_BLOCKS", 2)
    space = SPACES["regnetx"]
    for name, value in {"depth": 13, "w0": 24, "wm": 2.49, "group_width": 8}.items():
        space = space & fixed(name, value)
    space = space & with_law("wa", Choice((36.0, 36.4, 100.0)))
    with pytest.raises(ValueError, match=r"only 2 distinct networks of 1000 of regnetx.*stages"):
        sample(space, 1000, rng=rng())


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


def test_children_are_those_that_the_generator_spawns() -> None:
    ours, theirs = rng(9), rng(9)
    ours.spawn(2), theirs.spawn(2)
    children = _children(ours)
    mine = [next(children).random(3).tolist() for _ in range(4)]
    assert mine == [child.random(3).tolist() for child in theirs.spawn(4)]


@pytest.mark.parametrize("space", ["regnetx", "anynetx-d"])
def test_processes_decide_nothing(space: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "ALONE", 2)
    budget = Budget(flops=(3.9e8, 4.1e8))
    generators = [rng(4), rng(4), rng(4)]
    draws = [
        sample(SPACES[space], 900, budget=budget, rng=generator, workers=workers)
        for generator, workers in zip(generators, (1, 2, 5), strict=True)
    ]
    assert draws[0].n_drawn > 2 * BLOCK
    for other in draws[1:]:
        assert other.population.records() == draws[0].population.records()
        assert (other.n_drawn, other.rejected) == (draws[0].n_drawn, draws[0].rejected)
    following = [sample(SPACES[space], 3, rng=g).population.records() for g in generators]
    assert following[0] == following[1] == following[2]
    assert following[0] != sample(SPACES[space], 3, rng=rng(4)).population.records()


def test_several_regimes_are_each_what_one_alone_gives() -> None:
    budgets = [Budget(flops=(3.8e8, 4.2e8)), FOUR_GIGA, Budget(params=(0, 5e6))]
    together = sample_regimes(SPACES["regnety"], 120, budgets=budgets, rng=rng(5))
    for drawn, budget in zip(together, budgets, strict=True):
        alone = sample(SPACES["regnety"], 120, budget=budget, rng=rng(5))
        assert drawn.population.records() == alone.population.records()
        assert (drawn.n_drawn, drawn.rejected) == (alone.n_drawn, alone.rejected)


def test_exact_distribution_of_a_small_space_by_chi_square() -> None:
    """P(tuple | four stages) is the product of the laws, renormalised over the valid tuples."""
    laws = {
        "depth": Uniform(12, 14, 1),
        "w0": LogUniform(16, 48, 16),
        "wa": LogUniform(8.0, 40.0, 8.0),
        "wm": LogUniform(2.0, 3.0, 0.5),
        "group_width": PowerOfTwo(8, 16),
    }
    space = SPACES["regnetx"]
    for name, law in laws.items():
        space = space & with_law(name, law)
    n = 150_000
    p = sample(space, n, rng=rng(2), unique="none").population
    columns = (p.depth, p.w0, p.wa, p.wm, p.group_width)
    counts = Counter(zip(*(column.tolist() for column in columns), strict=True))
    expected: dict[tuple[float, ...], float] = {}
    for values in product(*(law.values.tolist() for law in laws.values())):
        params = RegNetParams(int(values[0]), int(values[1]), *values[2:4], int(values[4]))
        widths, _ = stages_of(quantise(params))
        last = levels(params.depth, params.w0, params.wa, params.wm)[-1]
        if len(widths) == 4 == last + 1:
            chances = [exact(law)[v] for law, v in zip(laws.values(), values, strict=True)]
            expected[values] = math.prod(chances)
    total = sum(expected.values())
    assert set(counts) == set(expected)
    assert len(expected) > 60
    observed = [counts[values] for values in expected]
    wanted = [n * chance / total for chance in expected.values()]
    assert scipy.stats.chisquare(observed, wanted).pvalue > 0.001


def exact(law: Uniform | LogUniform | PowerOfTwo) -> dict[float, float]:
    """Return the published probability of each value of a law."""
    values = law.values.tolist()
    if not isinstance(law, LogUniform):
        return dict.fromkeys(values, 1 / len(values))
    start = law.low - min(law.quantum, law.low / 2)
    return {
        v: math.log(v / max(v - law.quantum, start)) / math.log(law.high / start) for v in values
    }


@pytest.mark.parametrize("name", ["anynetx-a", "anynetx-c"])
def test_every_draw_of_an_anynet_has_its_exact_law(name: str) -> None:
    space = SPACES[name]
    batch = join(list(AnynetDrawer(space).draw(rng(6))))
    for i, (_, _, law) in enumerate(space.slots):
        counts = np.bincount(batch.indices[i], minlength=len(law.values))
        wanted = np.array([exact(law)[v] for v in law.values.tolist()]) * counts.sum()
        assert scipy.stats.chisquare(counts, wanted).pvalue > 1e-4


def test_flops_have_the_distribution_of_the_scalar_sampler(
    benchmark_module: Callable[[str], ModuleType],
) -> None:
    """Two-sample KS against the plain transcription of the published sampler."""
    scalar = benchmark_module("scalar_sampler")
    found = islice(scalar.candidates(random.Random(0).random, 0, math.inf), 40_000)
    theirs = [RegNetParams(int(f[0]), int(f[1]), *f[2:4], int(f[4])) for f in found if f]
    drawn = sample(SPACES["regnetx"], 9000, rng=rng(8), unique="none")
    flops = [complexity(params.to_spec()).flops for params in theirs[:3000]]
    assert scipy.stats.ks_2samp(flops, drawn.population.flops).pvalue > 0.01
    wa = [params.wa for params in theirs]
    assert scipy.stats.ks_2samp(wa, drawn.population.wa).pvalue > 0.01
    share = len(theirs) / 40_000
    assert share == pytest.approx(9000 / drawn.n_drawn, abs=0.012)


PLAIN = SPACES["anynetx-a"] & fixed("bottleneck_ratio", 1)


@pytest.mark.parametrize(
    "space",
    [
        *(SPACES[name] for name in ("regnetx", "regnety", "anynetx-a", "regnetx-dds", "regnetz")),
        PLAIN,
        PLAIN.with_block("y"),
        PLAIN.with_block("vr"),
        replace(PLAIN, stage_strides=(1, 2, 1, 2)),
    ],
    ids=lambda space: f"{space.name}-{space.stage_strides}",
)
def test_each_rejection_has_its_reason(space: DesignSpace) -> None:
    """Flops and acts counted beside say who is accepted, and who fell by which of them."""
    drawer = (RegnetDrawer if space.family == "regnet" else AnynetDrawer)(space)
    budget = Budget(flops=(3e8, 6e8), acts=(0, 5e6))
    for batch in drawer.draw(rng(7)):
        judged = Judge(batch, Units()).verdict(budget)
        flops, acts = count(batch, Units(), ("flops", "acts"))
        inside = (flops >= 3e8) & (flops <= 6e8) & (acts <= 5e6)
        assert np.array_equal(judged.accepted.position, batch.position[inside])
        by_flops = (flops < 3e8) | (flops > 6e8)
        assert np.array_equal(judged.fell["flops"], batch.position[by_flops])
        assert np.array_equal(judged.fell["acts"], batch.position[~by_flops & ~inside])
        assert by_flops.sum() > 100


def test_bounds_hold_at_224_whatever_the_units() -> None:
    drawn = sample(
        SPACES["regnetx"] & bounds(), 200, rng=rng(), resolution=32, classes=10, unique="none"
    )
    p = drawn.population
    for i in range(200):
        cost = complexity(p.row(i))
        f = cost.flops / 1e9
        assert cost.params <= 1e6 * (3 + 5.5 * f)
        assert cost.acts <= 1e6 * 6.5 * math.sqrt(f)
    assert drawn.rejected["bounds"] > 0
    assert set(p.resolution) == {32}


def test_anynets_of_other_blocks_and_stages() -> None:
    for block in BLOCKS:
        space = SPACES["anynetx-a"].with_block(block) & stages(2, 6)
        if block == "z":
            space = space & with_law("bottleneck_ratio", Choice((0.25, 0.5, 1.0)))
        p = sample(space, 60, rng=rng(3)).population
        assert {int(n) for n in (p.stage_depths > 0).sum(axis=1)} == {2, 3, 4, 5, 6}
        for i in range(60):
            spec = p.row(i)
            assert spec.block == block
            cost = complexity(spec)
            assert (cost.flops, cost.params, cost.acts) == (p.flops[i], p.params[i], p.acts[i])


def test_more_than_can_be_remembered_needs_unique_none() -> None:
    with pytest.raises(ValueError, match=r"200,000,000 networks are too many .* unique none"):
        sample(SPACES["regnetx"], 200_000_000, rng=rng())
