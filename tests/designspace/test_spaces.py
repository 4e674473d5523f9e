"""Spaces as values: what composes, what is refused, and the published ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from regnet_ds.designspace import SPACES, DesignSpace, find_space, sample
from regnet_ds.designspace.constraints import (
    Bounds,
    bounds,
    fixed,
    limited,
    nondecreasing,
    nonincreasing,
    shared,
    stages,
    with_law,
)
from regnet_ds.designspace.laws import (
    Choice,
    Fixed,
    LogUniform,
    PowerOfTwo,
    PowerOfTwoOrLogUniform,
    Uniform,
)
from regnet_ds.designspace.spaces import Parameter

A, X = SPACES["anynetx-a"], SPACES["regnetx"]


def test_a_to_e_are_built_by_the_steps_of_the_paper() -> None:
    b = A & shared("bottleneck_ratio")
    c = b & shared("group_width")
    d = c & nondecreasing("width")
    e = d & nondecreasing("depth")
    for letter, space in zip("bcde", (b, c, d, e), strict=True):
        assert space.named(f"anynetx-{letter}") == SPACES[f"anynetx-{letter}"]
    assert [len(space.slots) for space in (A, b, c, d, e)] == [16, 13, 10, 10, 10]


@pytest.mark.parametrize(("name", "stage_orders"), [("anynetx-d", 1), ("anynetx-e", 2)])
def test_the_orders_hold_for_what_is_drawn(name: str, stage_orders: int) -> None:
    space = SPACES[name] & fixed("group_width", 8) & fixed("bottleneck_ratio", 1)
    p = sample(space, 500, rng=np.random.default_rng(0)).population
    assert (np.diff(p.stage_widths) >= 0).all()
    assert (np.diff(p.stage_depths) >= 0).all() == (stage_orders == 2)


def test_the_narrowed_space_of_section_4() -> None:
    narrow = SPACES["regnetx-narrow"]
    assert narrow.laws["depth"].values.max() == 40
    assert narrow.laws["wm"].values.min() == 2.0
    assert narrow.laws["bottleneck_ratio"].values.tolist() == [1.0]
    assert narrow.bounds == Bounds()
    assert narrow.laws["w0"] == SPACES["regnetx-dds"].laws["w0"]


def test_nonincreasing_and_shared_after_an_order() -> None:
    space = A & nonincreasing("width")
    p = sample(space & fixed("group_width", 8), 200, rng=np.random.default_rng(0)).population
    assert (np.diff(p.stage_depths) != 0).any()
    assert (space & shared("width")).orders == ()
    assert (space & nonincreasing("width")).orders == space.orders


def test_laws_are_cut_at_their_grid() -> None:
    assert (X & limited("wa", low=10.05, high=11)).laws["wa"] == LogUniform(10.1, 11.0, 0.1)
    assert (X & limited("depth", high=13)).laws["depth"] == Uniform(12, 13, 1)
    assert Uniform(8, 9, 0.1).limited(8.3, None) == Uniform(8.3, 9.0, 0.1)
    dds = SPACES["regnetx-dds"]
    assert (dds & limited("group_width", low=3)).laws["group_width"] == PowerOfTwo(4, 32)
    lists = X & with_law("w0", Choice((8.0, 16.0, 64.0)))
    assert (lists & limited("w0", low=9)).laws["w0"] == Choice((16.0, 64.0))
    assert (X & fixed("depth", 13) & limited("depth", low=12)).laws["depth"] == Fixed(13.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: X & shared("width"), "regnetx has no parameter 'width': it has depth, w0,"),
        (lambda: X & nondecreasing("depth"), "one value for all stages: there is no order"),
        (lambda: A & nondecreasing("width") & nonincreasing("width"), "contradictory"),
        (lambda: X & fixed("w0", 12), "w0 must be a positive multiple of 8, got 12"),
        (lambda: X & fixed("wm", 1), "wm must be above 1, got 1"),
        (lambda: X & fixed("wa", -1), "wa must be at least 0, got -1"),
        (lambda: X & fixed("wa", float("nan")), "must be finite, got nan"),
        (lambda: X & fixed("depth", 2.5), "depth must be an integer from 1 to 1024, got 2.5"),
        (lambda: X & fixed("group_width", 0), "group_width must be a positive integer, got 0"),
        (lambda: X & fixed("bottleneck_ratio", 0.3), "below 1 one over an integer, got 0.3"),
        (lambda: X & limited("depth", low=30), r"no value of 12 to 28 is within \[30, None\]"),
        (lambda: X & stages(0), "stages must be a positive integer, got 0"),
        (lambda: X & stages(4, 3), "stages must be at least 4, got 3"),
        (lambda: X & stages(9), "stages must be at most 8, got 9"),
        (lambda: X.with_block("v"), "a regnet needs a block with groups, got 'v'"),
        (lambda: X.with_block("q"), "block must be one of x, y, z"),
        (lambda: replace(X, family="mobilenet"), "family must be one of regnet, anynet"),
        (lambda: replace(X, parameters=X.parameters[1:]), "the parameter depth is missing"),
        (lambda: replace(A, stage_strides=(2, 2)), "must name 4 stages, got 2"),
        (lambda: Uniform(8, 256, 1e-300), "more than 10,000,000 values"),
        (lambda: PowerOfTwoOrLogUniform(8, 64, 24), "the quantum must be powers of two, got 24"),
        (lambda: replace(X, se_ratio=0.25), "block x has no squeeze-and-excitation"),
        (lambda: replace(X, stem_type="tiered"), "stem_type must be one of simple,"),
        (lambda: replace(X, activation="tanh"), "activation must be one of relu,"),
        (lambda: replace(X, stem_width=0), "stem_width must be a positive integer, got 0"),
        (lambda: replace(X, head_width=-1), "head_width must be at least 0, got -1"),
        (
            lambda: replace(SPACES["anynetx-b"], orders=(nondecreasing("bottleneck_ratio"),)),
            "is one value for all stages",
        ),
        (
            lambda: SPACES["anynetx-e"].with_parameter(
                Parameter("width", (Choice((8.0,)),) * 2, per_stage=True)
            ),
            "needs one law or 4, got 2",
        ),
        (lambda: Choice(()), "at least one finite value"),
        (lambda: Choice((1.0, 1.0)), "names no value twice"),
        (lambda: Uniform(0, 1, 1e-9), "more than 10,000,000 values"),
    ],
)
def test_what_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_orders_that_no_values_can_keep_are_refused() -> None:
    falling = Parameter("width", (Choice((64.0,)), Choice((32.0,))), per_stage=True)
    parameters = tuple(falling if p.name == "width" else p for p in A.parameters)
    two = replace(A & stages(2), parameters=parameters)
    assert len(sample(two, 5, rng=np.random.default_rng(0)).population) == 5
    with pytest.raises(ValueError, match=r'contradictory: nondecreasing\("width"\) fits no values'):
        two & nondecreasing("width")
    with pytest.raises(ValueError, match="cannot be shared: its stages have other ranges"):
        two & shared("width")


@pytest.mark.parametrize("name", SPACES)
def test_every_published_space_can_be_sampled_and_found(name: str) -> None:
    space = SPACES[name]
    assert find_space(f" {name.upper()} ") is space
    p = sample(space, 20, rng=np.random.default_rng(0), resolution=64).population
    assert len(p) == 20
    assert set(p.block) == {space.block}
    assert ((p.stage_depths > 0).sum(axis=1) == 4).all()
    assert isinstance(space, DesignSpace)


def test_constraints_say_how_they_are_written() -> None:
    made = [shared("width"), nondecreasing("depth"), bounds(), stages(2, 5), fixed("wm", 2)]
    made += [limited("depth", low=2), with_law("w0", Uniform(8, 16, 8))]
    assert [constraint.describe() for constraint in made] == [
        'shared("width")',
        'nondecreasing("depth")',
        "bounds()",
        "stages(2, 5)",
        'fixed("wm", 2)',
        'limited("depth", low=2)',
        'with_law("w0", Uniform(low=8, high=16, quantum=8))',
    ]
