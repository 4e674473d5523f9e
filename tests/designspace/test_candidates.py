"""Candidates against the reference formula, one by one."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from regnet_ds.designspace import SPACES, DesignSpace, RegNetParams
from regnet_ds.designspace.constraints import (
    fixed,
    limited,
    nondecreasing,
    shared,
    stages,
    with_law,
)
from regnet_ds.designspace.drawing.anynet import AnynetDrawer
from regnet_ds.designspace.drawing.candidates import BATCH, BLOCK, Candidates, join
from regnet_ds.designspace.drawing.regnet import LINE, RegnetDrawer
from regnet_ds.designspace.laws import Choice, LogUniform, PowerOfTwoOrLogUniform, Uniform
from regnet_ds.designspace.linear import levels, quantise, stages_of

X = SPACES["regnetx"]
TIES = (  # 9/4 = (3/2)^2: block 1 of w0 = 2 wa is exactly between two levels
    X
    & with_law("wm", Choice((2.25, 4.0, 2.0)))
    & with_law("wa", Choice((8.0, 16.0, 24.0, 32.0, 48.0)))
    & with_law("w0", Choice((16.0, 32.0, 8.0, 64.0)))
)
SPACES_OF_REGNETS = {
    "regnetx": X,
    "dds": SPACES["regnetx-dds"],
    "two to five stages": SPACES["regnetx-dds"] & stages(2, 5),
    "one stage": X & stages(1),
    "ties": TIES,
    "fixed": X & fixed("wm", 2.5) & fixed("depth", 20),
    "merged levels": SPACES["regnetx-dds"] & limited("wm", high=1.6) & limited("w0", high=16),
    "two uniforms": X & with_law("w0", PowerOfTwoOrLogUniform(8, 128, 32)),
    "coarse": X & with_law("wa", LogUniform(8.0, 248.0, 80.0)),
}


def line_of(space: DesignSpace, seed: int) -> list[dict[str, np.ndarray]]:
    """Return depth, w0, wa and wm of every candidate, a dict a batch: the same draws again."""
    drawer, rng = RegnetDrawer(space), np.random.default_rng(seed)
    found: list[dict[str, np.ndarray]] = []
    n_uniforms = sum(space.laws[name].n_uniforms for name in LINE)
    for batch in drawer.draw(np.random.default_rng(seed)):
        u, values, first = rng.random((n_uniforms, BATCH)), {}, 0
        for name in LINE:
            law = space.laws[name]
            values[name] = law.values[law.index(u[first : first + law.n_uniforms])]
            first += law.n_uniforms
        more = sum(space.laws[name].n_uniforms for name in ("group_width", "bottleneck_ratio"))
        rng.random((more, len(batch)))
        found.append(values)
    return found


def expected_stages(
    space: DesignSpace, depth: float, w0: float, wa: float, wm: float
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Return stage widths and depths by the reference formula; None if a rule is broken."""
    params = RegNetParams(int(depth), int(w0), wa, wm, 8)
    widths, depths = stages_of(quantise(params))
    whole = len(widths) == levels(params.depth, params.w0, wa, wm)[-1] + 1
    low, high = space.stages
    return (widths, depths) if whole and low <= len(widths) <= high else None


def check_batch(space: DesignSpace, batch: Candidates, line: dict[str, np.ndarray], n: int) -> int:
    """Compare the first n candidates of a batch; return how many keep the rules."""
    row_of = {int(position): i for i, position in enumerate(batch.position)}
    kept = 0
    assert not len(batch.by_order)
    for j, values in enumerate(zip(*(line[name].tolist() for name in LINE), strict=True)):
        if j == n:
            break
        expected = expected_stages(space, *values)
        assert (j in row_of) == (expected is not None), (j, values)
        if expected is None:
            continue
        i = row_of[j]
        used = int((batch.stage_depths[i] > 0).sum())
        widths, depths = batch.raw_widths[i], batch.stage_depths[i]
        assert (tuple(widths[:used]), tuple(depths[:used])) == expected, values
        assert not widths[used:].any()
        assert [batch.values(name)[i] for name in LINE] == list(values)
        kept += 1
    return kept


@pytest.mark.parametrize("name", SPACES_OF_REGNETS)
def test_regnets_equal_the_reference_formula(name: str) -> None:
    space = SPACES_OF_REGNETS[name]
    batches = list(RegnetDrawer(space).draw(np.random.default_rng(3)))
    lines = line_of(space, 3)
    assert len(batches) == BLOCK // BATCH
    assert check_batch(space, batches[-1], lines[-1], 1500) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["regnetx", "dds"])
def test_five_million_regnets_equal_the_reference_formula(name: str) -> None:
    """Ten million in both spaces together."""
    space = SPACES_OF_REGNETS[name]
    drawer, n = RegnetDrawer(space), 0
    for seed in range(math.ceil(5e6 / BLOCK)):
        lines = line_of(space, seed)
        for batch, line in zip(drawer.draw(np.random.default_rng(seed)), lines, strict=True):
            assert check_batch(space, batch, line, BATCH) > 0
            n += BATCH
    assert n >= 5_000_000


def test_ties_do_occur_among_the_candidates() -> None:
    from regnet_ds.designspace.linear import stage_starts, thresholds

    line = line_of(TIES, 0)[0]
    _, near = stage_starts(line["wa"] / line["w0"], thresholds(line["wm"], 4))
    assert len(near) > 1000


def test_codes_tell_parameter_tuples_apart() -> None:
    space = X & with_law("wa", Uniform(8.0, 9.0, 0.5)) & with_law("wm", Choice((2.5, 2.6)))
    block = join(list(RegnetDrawer(space).draw(np.random.default_rng(0))))
    names = [name for name, _, _ in space.slots]
    tuples = list(zip(*(block.values(name).tolist() for name in names), strict=True))
    codes = [tuple(code) for code in block.codes().tolist()]
    assert len(set(tuples)) == len(set(codes)) == len(set(zip(tuples, codes, strict=True)))
    assert len(set(codes)) < len(codes)


def test_codes_of_many_stages_take_several_words() -> None:
    space = SPACES["anynetx-a"] & stages(2, 6)
    batch = next(AnynetDrawer(space).draw(np.random.default_rng(0)))
    codes = batch.codes()
    assert codes.shape[1] > 1
    assert codes.min() >= 0
    same_stages = batch.take(np.arange(len(batch)))
    assert np.array_equal(same_stages.codes(), codes)


def test_what_absent_stages_drew_does_not_count() -> None:
    few = Choice((8.0, 16.0))
    space = (
        SPACES["anynetx-a"] & stages(2, 6) & with_law("width", few)
        & with_law("depth", Choice((1.0, 2.0))) & shared("group_width")
        & shared("bottleneck_ratio")
    )  # fmt: skip
    batch = next(AnynetDrawer(space).draw(np.random.default_rng(0)))
    two = batch.take(np.flatnonzero((batch.stage_depths > 0).sum(axis=1) == 2))
    assert len(two) > 2000
    assert len(np.unique(two.codes(), axis=0)) == 2**2 * 2**2 * 6 * 3


def test_anynet_orders_keep_the_conditional_distribution() -> None:
    """D and E are A conditioned on their order: among 2 x 3 x 2 small grids, by counting."""
    space = (
        SPACES["anynetx-a"] & stages(3) & with_law("width", Choice((8.0, 16.0)))
        & with_law("depth", Uniform(1, 3, 1)) & fixed("group_width", 8)
        & fixed("bottleneck_ratio", 1) & nondecreasing("width") & nondecreasing("depth")
    )  # fmt: skip
    block = join(list(AnynetDrawer(space).draw(np.random.default_rng(1))))
    rows = np.concatenate([block.raw_widths, block.stage_depths], axis=1)
    found, counts = np.unique(rows, axis=0, return_counts=True)
    possible = [
        (*w, *d)
        for w in product((8, 16), repeat=3)
        for d in product((1, 2, 3), repeat=3)
        if sorted(w) == list(w) and sorted(d) == list(d)
    ]
    assert sorted(map(tuple, found.tolist())) == sorted(possible)
    expected = len(block) / len(possible)
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 72.1  # 99.9% of chi-square with 39 degrees of freedom
    assert sorted([*block.by_order, *block.position]) == list(range(BLOCK))
