"""Fits of per-block widths: RegNets are recovered, other networks fit as a plain search does."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from regnet_ds.designspace import (
    CANONICAL,
    RegNetParams,
    block_widths,
    canonical,
    fit_line,
    fit_line_batch,
    fit_quantised,
    fit_quantised_batch,
    from_specs,
)
from regnet_ds.designspace.linear import levels, quantise

RESNET_50 = [256] * 3 + [512] * 4 + [1024] * 6 + [2048] * 3
EFFICIENTNET_B0 = [16] + [24] * 2 + [40] * 2 + [80] * 3 + [112] * 3 + [192] * 4 + [320]
WIDTHS = st.lists(st.integers(1, 200).map(lambda w: 8.0 * w), min_size=2, max_size=30)


@pytest.fixture(scope="module")
def plain_search(benchmark_module: Callable[[str], ModuleType]) -> Callable[..., float]:
    return benchmark_module("plain_fit").plain_search


def table(golden: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((golden / "canonical.csv").read_text("utf-8").splitlines()))


def per_block(row: dict[str, str], key: str) -> list[int]:
    depths = map(int, row["stage_depths"].split())
    return [w for w, d in zip(map(int, row[key].split()), depths, strict=True) for _ in range(d)]


def random_networks(n: int, seed: int, sort: bool) -> list[list[float]]:
    rng = np.random.default_rng(seed)
    widths = 8.0 * rng.integers(1, 129, (n, 4))
    depths = rng.integers(1, 11, (n, 4))
    widths = np.sort(widths, axis=1) if sort else widths
    return [np.repeat(w, d).tolist() for w, d in zip(widths, depths, strict=True)]


def padded(networks: list[list[float]]) -> np.ndarray:
    array = np.zeros((len(networks), max(map(len, networks))))
    for row, widths in zip(array, networks, strict=True):
        row[: len(widths)] = widths
    return array


def test_parameters_of_the_24_come_back_from_their_widths(golden: Path) -> None:
    for row in table(golden):
        widths = per_block(row, "stage_widths_before_adjust")
        fit = fit_quantised(widths, rounded=True)
        params = CANONICAL[row["name"]]
        assert fit.error == 0
        assert list(fit.widths) == widths
        assert fit.wm is not None
        again = RegNetParams(len(widths), int(fit.w0), fit.wa, fit.wm, 8)
        assert list(quantise(again)) == widths
        assert fit.w0 == params.w0
        assert fit.wa == pytest.approx(params.wa, rel=0.06)
        assert fit.wm == pytest.approx(params.wm, rel=0.003)


def test_the_24_lie_on_their_quantised_line_but_for_rounding(
    plain_search: Callable[..., float], golden: Path
) -> None:
    for row in table(golden):
        before = per_block(row, "stage_widths_before_adjust")
        adjusted = per_block(row, "stage_widths")
        assert fit_quantised(before).error < 0.013
        fit = fit_quantised(adjusted)
        assert fit.error < 0.074
        assert fit.error <= plain_search(adjusted, steps=60) + 1e-9
        # The stages begin at the same blocks.
        assert [a < b for a, b in pairwise(fit.widths)] == [a < b for a, b in pairwise(adjusted)]


def test_random_regnets_are_recovered_exactly() -> None:
    rng = np.random.default_rng(0)
    networks: list[list[float]] = []
    for _ in range(150):
        params = RegNetParams(
            depth=int(rng.integers(2, 40)),
            w0=8 * int(rng.integers(1, 32)),
            wa=float(rng.uniform(8, 256)),
            wm=float(rng.uniform(1.5, 3)),
            group_width=8,
        )
        networks.append(list(map(float, quantise(params))))
    fits = fit_quantised_batch(padded(networks), rounded=True)
    assert (fits.error == 0).all()
    assert (fits.widths == padded(networks)).all()
    assert (fit_quantised_batch(padded(networks)).error < 0.07).all()


def test_reference_line_of_the_population(plain_search: Callable[..., float]) -> None:
    widths = [48 * (j + 1) for j in range(21)]  # DDS section 3.3
    fit = fit_line(widths)
    assert fit.error < 1e-9
    assert fit.w0 == pytest.approx(48, rel=1e-7)
    assert fit.wa == pytest.approx(48, rel=1e-7)
    assert fit.wm is None
    assert fit_quantised(widths).error == pytest.approx(plain_search(widths), abs=2e-3)


@pytest.mark.parametrize(
    ("widths", "line", "quantised"),
    [(RESNET_50, 0.207146, 0.0571976), (EFFICIENTNET_B0, 0.192773, 0.146400)],
    ids=["resnet-50", "efficientnet-b0"],
)
def test_landmarks(
    plain_search: Callable[..., float], widths: list[int], line: float, quantised: float
) -> None:
    assert fit_line(widths).error == pytest.approx(line, abs=1e-6)
    error = fit_quantised(widths).error
    assert error == pytest.approx(quantised, abs=1e-6)
    assert error <= 1.01 * plain_search(widths, steps=400)


@pytest.mark.parametrize("sort", [False, True])
def test_other_networks_fit_about_as_well_as_by_a_plain_search(
    plain_search: Callable[..., float], sort: bool
) -> None:
    networks = random_networks(60, seed=1, sort=sort)
    ours = fit_quantised_batch(padded(networks)).error
    plain = np.array([plain_search(widths, steps=60) for widths in networks])
    assert ours.mean() < 1.01 * plain.mean()
    assert np.median(ours / plain) < 1.001


@settings(max_examples=40, deadline=None)
@given(WIDTHS)
@example([72.0, 72.0, 8.0, 80.0, 40.0, 80.0])
@example([112.0, 112.0, 8.0, 736.0, 16.0, 136.0])
def test_a_fit_is_what_its_parameters_give(widths: list[float]) -> None:
    fit = fit_quantised(widths)
    assert fit.wm is not None
    s = levels(len(widths), fit.w0, fit.wa, fit.wm)
    assert fit.widths == pytest.approx((fit.w0 * fit.wm**s).tolist())
    error = np.abs(np.log(fit.widths) - np.log(widths)).mean()
    assert fit.error == pytest.approx(error, abs=1e-12)
    constant = np.abs(np.log(widths) - np.median(np.log(widths))).mean()
    assert fit.error <= constant + 1e-9


@settings(max_examples=40, deadline=None)
@given(WIDTHS, st.floats(0.1, 10))
def test_the_unit_of_width_does_not_matter(widths: list[float], unit: float) -> None:
    scaled = [unit * w for w in widths]
    assert fit_line(scaled).error == pytest.approx(fit_line(widths).error, abs=1e-6)


def test_a_line_is_not_beaten_by_a_grid() -> None:
    for widths in random_networks(20, seed=2, sort=True):
        j = np.arange(len(widths))
        rest = np.log(widths) - np.log1p(np.linspace(0, 20, 2001)[:, None] * j)
        grid = np.abs(rest - np.median(rest, axis=1)[:, None]).mean(axis=1).min()
        assert fit_line(widths).error <= grid + 1e-3


@pytest.mark.parametrize("rounded", [False, True])
def test_batch_equals_scalar_whatever_the_neighbours(rounded: bool) -> None:
    networks = [*random_networks(20, 3, True), RESNET_50, EFFICIENTNET_B0, [8, 1024], [64] * 40]
    fits = fit_quantised_batch(padded(networks), rounded=rounded)
    lines = fit_line_batch(padded(networks))
    for i, widths in enumerate(networks):
        one = fit_quantised(widths, rounded=rounded)
        assert fits.row(i).widths == pytest.approx(one.widths, rel=1e-9)
        assert fits.row(i).wa == pytest.approx(one.wa, rel=1e-9)
        assert lines.row(i).error == pytest.approx(fit_line(widths).error, abs=1e-9)
        assert len(fits.row(i).widths) == len(widths)


def test_range_of_wm() -> None:
    doubled = [16.0 * 2**j for j in range(5)]
    inside = fit_quantised(doubled, wm_range=(2, 2))
    assert inside.wm == 2
    outside = fit_quantised(doubled, wm_range=(2.2, 3))
    assert outside.wm is not None
    assert 2.2 <= outside.wm <= 3
    assert outside.error > inside.error


def test_block_widths_of_a_population() -> None:
    specs = [canonical("RegNetX-200MF"), canonical("RegNetY-8.0GF")]
    widths = block_widths(from_specs(specs))
    for row, spec in zip(widths, specs, strict=True):
        expected = [stage.width for stage in spec.stages for _ in range(stage.depth)]
        assert row[: spec.depth].tolist() == expected
        assert not row[spec.depth :].any()


@pytest.mark.parametrize(
    ("widths", "message"),
    [
        ([24, 0, 56], "the width of block 1 must be a positive number, got 0"),
        ([24, -8], "the width of block 1 must be a positive number, got -8"),
        ([math.nan, 8], "the width of block 0 must be a positive number, got nan"),
        ([24], "a fit needs the widths of at least 2 blocks, got 1"),
        ([], "a fit needs the widths of at least 2 blocks, got 0"),
    ],
)
def test_bad_widths_are_named(widths: list[float], message: str) -> None:
    for fit in (fit_line, fit_quantised):
        with pytest.raises(ValueError, match="got") as error:
            fit(widths)
        assert str(error.value) == message


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[8, 16], [8, -16]], "row 1: the width of block 1 must be positive, got -16"),
        ([[8, 0, 16]], "row 0: a width of 0 stands before the last block"),
        ([[8, 16], [8, 0]], "row 1: a fit needs at least 2 blocks, got 1"),
    ],
)
def test_bad_rows_are_named(rows: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match="row") as error:
        fit_quantised_batch(np.array(rows))
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("wm_range", [(1.0, 2.0), (3.0, 2.0), (math.nan, 2.0), (2.0, math.inf)])
def test_bad_range_of_wm(wm_range: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="wm_range must be"):
        fit_quantised([8, 16], wm_range=wm_range)


def test_no_networks() -> None:
    assert len(fit_quantised_batch(np.empty((0, 5)))) == 0
