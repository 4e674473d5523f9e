"""Refining recovers what is true of synthetic populations, and claims nothing on noise."""

import numpy as np
import pandas as pd
import pytest
from regnet_ds.analysis import range_choice, refine, refinement
from regnet_ds.analysis.range_choice import RangeChoice
from regnet_ds.analysis.range_exchange import RangeExchange
from regnet_ds.analysis.refinement import refinement_columns, refinement_text
from regnet_ds.designspace import SPACES, Budget, sample
from regnet_ds.designspace.space_files.reader import parse_space
from regnet_ds.designspace.space_files.writer import to_yaml
from scipy import stats


def drawn(name, n, seed=0, budget=None):
    """Networks of a space as rows of a table."""
    nets = sample(SPACES[name], n, rng=np.random.default_rng(seed), budget=budget).population
    rows = {
        key: [tuple(row) for row in getattr(nets, key).tolist()]
        for key in ("stage_widths", "stage_depths", "stage_group_widths")
    }
    rows["stage_bottleneck_ratios"] = [tuple(r) for r in nets.stage_bottleneck_ratios.tolist()]
    if SPACES[name].family == "regnet":
        keys = ("depth", "w0", "wa", "wm", "group_width", "bottleneck_ratio")
        rows |= {key: getattr(nets, key).tolist() for key in keys}
    return pd.DataFrame(rows)


def stage(rows, key):
    return np.array(rows[key].tolist(), dtype=float)


def test_ranges_of_a_regnet_are_recovered():
    rows = drawn("regnetx-dds", 400)
    rng = np.random.default_rng(1)
    # The truth: depth near 20 and b = 1 are good; w0, wa, wm and g do nothing.
    rows["error"] = (
        20
        + 4 * np.abs(np.log2(rows["depth"] / 20))
        + 3 * np.log2(rows["bottleneck_ratio"])
        + rng.gamma(2, 1, 400)
    )
    found = refine(rows, SPACES["regnetx-dds"], permutations=199)
    assert {step.parameter for step in found.gains} == {"depth", "bottleneck_ratio"}
    depth = next(step for step in found.gains if step.parameter == "depth")
    assert 8 <= depth.low <= 20 <= depth.high <= 40
    assert found.space.laws["bottleneck_ratio"].values.tolist() == [1]
    assert found.space.laws["wm"] == SPACES["regnetx-dds"].laws["wm"]
    # The gain is predicted on unseen models; drawn anew, the narrowed space has it.
    assert found.gain is not None and found.gain.high < 0
    fresh = drawn("regnetx-dds", 4000, seed=9)
    truth = 4 * np.abs(np.log2(fresh["depth"] / 20)) + 3 * np.log2(fresh["bottleneck_ratio"])
    inside = fresh["depth"].between(depth.low, depth.high) & (fresh["bottleneck_ratio"] == 1)
    real = truth[inside].mean() - truth.mean()
    assert found.gain.low - 0.5 <= real <= found.gain.high + 0.5
    assert parse_space(to_yaml(found.space)) == found.space


def test_what_a_budget_ties_to_a_cause_is_not_claimed():
    """Within a budget w0 and wa go with depth and b, which alone decide these errors."""
    rows = drawn("regnetx-dds", 300, budget=Budget(flops=(2e8, 8e8)))
    assert rows[["depth", "wa"]].corr("spearman").iloc[0, 1] < -0.5
    cause = 4 * np.abs(np.log2(rows["depth"] / 20)) + 3 * np.log2(rows["bottleneck_ratio"])
    for seed in range(5):
        rows["error"] = 25 + cause + np.random.default_rng(seed).gamma(2, 1, 300)
        found = refine(rows, SPACES["regnetx-dds"], permutations=99, rng=seed)
        assert {step.parameter for step in found.gains} == {"depth", "bottleneck_ratio"}


def test_steps_of_dds_from_a_to_d_are_recovered():
    rows = drawn("anynetx-a", 1000)
    rng = np.random.default_rng(2)
    widths = np.log2(stage(rows, "stage_widths"))
    falls = np.maximum(-np.diff(widths, axis=1), 0).sum(axis=1)
    rows["error"] = 20 + 2 * falls + rng.gamma(2, 0.5, 1000)
    found = refine(rows, SPACES["anynetx-a"], permutations=99)
    orders = [step for step in found.steps if step.kind == "order"]
    assert [(step.parameter, "nondecreasing" in step.change) for step in orders] == [
        ("width", True)
    ]
    assert "bottleneck_ratio" in {s.parameter for s in found.steps if s.kind == "share"}
    assert found.gain is not None and found.gain.high < 0
    assert [order.parameter for order in found.space.orders] == ["width"]
    assert not found.space.parameter("bottleneck_ratio").per_stage


def test_pure_noise_claims_no_gain():
    claims = 0
    for seed in range(8):
        rows = drawn("regnetx-dds", 120, seed)
        rows["error"] = np.random.default_rng(100 + seed).gamma(3, 4, 120)
        found = refine(rows, SPACES["regnetx-dds"], permutations=99, rng=seed)
        claims += bool(found.gains)
        if not found.steps:
            assert found.space is SPACES["regnetx-dds"]
            assert "support no narrower space" in refinement_text(found)
    assert claims == 0


@pytest.mark.slow
@pytest.mark.parametrize("space", ["regnetx-dds", "anynetx-a"])
def test_pure_noise_rarely_claims_a_gain(space):
    claims = 0
    for seed in range(100):
        rows = drawn(space, 150, seed)
        rows["error"] = np.random.default_rng(1000 + seed).gamma(3, 4, 150)
        claims += bool(refine(rows, SPACES[space], permutations=99, rng=seed).gains)
    assert claims <= 5


def test_a_seed_decides():
    rows = drawn("regnetx-dds", 100)
    rows["error"] = np.random.default_rng(3).gamma(3, 4, 100) + rows["depth"] / 10
    one, two = (refine(rows, SPACES["regnetx-dds"], permutations=49, rng=7) for _ in range(2))
    assert refinement_columns(one) == refinement_columns(two)


def test_bad_input():
    rows = drawn("regnetx-dds", 30)
    rows["error"] = 5.0
    with pytest.raises(ValueError, match="at least 20 models, got 10"):
        refine(rows[:10], SPACES["regnetx-dds"])
    with pytest.raises(ValueError, match=r"no column of a parameter of regnetx-dds: depth, w0"):
        refine(rows[["error"]], SPACES["regnetx-dds"])
    equal = refine(rows, SPACES["regnetx-dds"], permutations=9)
    assert not equal.gains


@pytest.mark.parametrize("many_cells", [False, True])
@pytest.mark.parametrize("stages", [1, 3])
def test_exchange_by_contenders_is_that_of_all_models(stages, many_cells):
    rng = np.random.default_rng(4)
    n = 3000
    values = rng.integers(1, 40, (n, stages)).astype(float)
    errors = rng.gamma(2, 2, n) - values[:, 0] / 20
    cells = rng.integers(0, 4, n) + (errors > 5) if many_cells else None
    choice = RangeChoice(values, errors)
    one_by_one = choice._exchanged(rng, cells)
    made = RangeExchange(values, choice._best, choice._share, choice._ranks, cells)
    slow = [next(one_by_one) for _ in range(800)]
    fast = [made.draw(rng) for _ in range(800)]
    assert stats.ks_2samp(slow, fast).pvalue > 0.01
    assert np.std(slow) > 0.1


def test_many_models_are_told_apart_as_few_are(monkeypatch):
    rows = drawn("regnetx-dds", 600)
    rng = np.random.default_rng(5)
    rows["error"] = 20 + 4 * np.abs(np.log2(rows["depth"] / 20)) + rng.gamma(2, 1, 600)
    few = refine(rows, SPACES["regnetx-dds"], permutations=199)
    monkeypatch.setattr(range_choice, "MANY", 100)
    many = refine(rows, SPACES["regnetx-dds"], permutations=199)
    assert [step.change for step in many.steps] == [step.change for step in few.steps]
    rows["error"] = rng.gamma(3, 4, 600)
    assert not refine(rows, SPACES["regnetx-dds"], permutations=199).gains


def test_more_models_than_are_needed_are_drawn_with_the_seed(monkeypatch):
    rows = drawn("regnetx-dds", 400)
    rows["error"] = 20 + 4 * np.abs(np.log2(rows["depth"] / 20)) + np.arange(400) / 400
    monkeypatch.setattr(refinement, "MOST", 200)
    one, two, other = (refine(rows, SPACES["regnetx-dds"], rng=seed) for seed in (1, 1, 2))
    assert (one.n, one.drawn_from, one.kept.size) == (200, 400, 200)
    assert "200 models of regnetx-dds, drawn at random from 400: depth" in refinement_text(one)
    assert one.errors.tolist() == two.errors.tolist() != other.errors.tolist()
    cells = np.arange(400) % 3
    assert refine(rows, SPACES["regnetx-dds"], cells=cells).n == 200
