from __future__ import annotations

import csv
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from regnet_ds.designspace import RegNetParams, complexity
from regnet_ds.designspace.linear import (
    CHUNK,
    levels,
    quantise,
    quantise_batch,
    stage_starts,
    stages_of,
    thresholds,
)

PARAMS = st.builds(
    RegNetParams,
    depth=st.integers(1, 64),
    w0=st.integers(1, 40).map(lambda k: 8 * k),
    wa=st.floats(0, 300),
    wm=st.floats(1.05, 4),
    group_width=st.integers(1, 130),
    bottleneck_ratio=st.sampled_from([0.25, 0.5, 1.0, 2.0, 4.0]),
)


def rows(golden: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((golden / "canonical.csv").read_text().splitlines()))


def test_the_24_from_their_five_parameters(golden: Path) -> None:
    table = rows(golden)
    assert len(table) == 24
    for row in table:
        params = RegNetParams(
            int(row["depth"]),
            int(row["w0"]),
            float(row["wa"]),
            float(row["wm"]),
            int(row["group_width"]),
        )
        before, depths = stages_of(quantise(params))
        spec = params.to_spec(block=row["block"].lower())
        cost = complexity(spec)
        assert " ".join(map(str, before)) == row["stage_widths_before_adjust"]
        assert " ".join(map(str, depths)) == row["stage_depths"]
        assert " ".join(str(s.width) for s in spec.stages) == row["stage_widths"]
        assert " ".join(str(s.group_width) for s in spec.stages) == row["group_widths_adjusted"]
        assert str(cost.flops) == row["flops"]
        assert str(cost.params) == row["params"]
        assert str(cost.acts) == row["acts"]


def test_vectors_of_pycls(golden: Path) -> None:
    vectors = json.loads((golden / "pycls_vectors.json").read_text())
    cases = [
        case
        for case in vectors["generate_regnet_and_complexity"]
        if case["params_in"]["block"] == "res_bottleneck_block"
    ]
    assert len(cases) == 45
    for case in cases:
        given, out = case["params_in"], case["out"]
        params = RegNetParams(
            given["depth"],
            given["w0"],
            given["wa"],
            given["wm"],
            given["group_w"],
            1 / given["bot_mul"],
        )
        assert stages_of(quantise(params))[0] == tuple(out["ws_raw"])
        last = levels(params.depth, params.w0, params.wa, params.wm)[-1]
        assert last + 1 == out["total_stages"]
        spec = params.to_spec(block="y" if given["se_ratio"] else "x", head_width=given["head_w"])
        assert [s.depth for s in spec.stages] == out["ds"]
        assert [s.width for s in spec.stages] == out["ws"]
        assert [s.group_width for s in spec.stages] == out["gs"]
        cost = complexity(spec, resolution=given["image"], classes=given["num_classes"])
        assert (cost.flops, cost.params, cost.acts) == (out["flops"], out["params"], out["acts"])


@given(st.lists(PARAMS, min_size=1, max_size=20))
def test_batch_equals_scalar(params: list[RegNetParams]) -> None:
    depth = np.array([p.depth for p in params])
    w0 = np.array([p.w0 for p in params])
    wa, wm = np.array([p.wa for p in params]), np.array([p.wm for p in params])
    widths, depths = quantise_batch(depth, w0, wa, wm)
    for i, p in enumerate(params):
        n = int((depths[i] > 0).sum())
        expected = stages_of(quantise(p))
        assert (tuple(widths[i, :n]), tuple(depths[i, :n])) == expected
        assert not widths[i, n:].any()


@pytest.mark.parametrize(
    ("w0", "wa", "wm"),
    [(16, 8.0, 2.25), (64, 32.0, 2.25), (8, 8.0, 4.0), (24, 24.0, 4.0), (32, 8.0, 2.25)],
)
def test_exact_ties_are_left_to_the_reference_formula(w0: int, wa: float, wm: float) -> None:
    """u_1 / w0 = wm^(1/2), or nearly: rounding decides, and the closed form must not."""
    n = 40
    depth = np.arange(1, n + 1)
    columns = (np.full(n, w0), np.full(n, wa), np.full(n, wm))
    _, near = stage_starts(columns[1] / columns[0], thresholds(columns[2], 3))
    assert len(near) == n
    widths, depths = quantise_batch(depth, *columns)
    for i in range(n):
        expected = stages_of(quantise(RegNetParams(i + 1, w0, wa, wm, 8)))
        used = int((depths[i] > 0).sum())
        assert (tuple(widths[i, :used]), tuple(depths[i, :used])) == expected


def test_flat_lines_and_steps_near_one() -> None:
    depth, w0 = np.array([30, 30, 7]), np.array([8, 64, 16])
    wa, wm = np.array([0.0, 200.0, 1e-6]), np.array([2.0, 1.0001, 3.0])
    widths, depths = quantise_batch(depth, w0, wa, wm)
    for i in range(3):
        params = RegNetParams(int(depth[i]), int(w0[i]), float(wa[i]), float(wm[i]), 8)
        used = int((depths[i] > 0).sum())
        assert (tuple(widths[i, :used]), tuple(depths[i, :used])) == stages_of(quantise(params))


def test_chunks_of_different_stage_counts_are_joined() -> None:
    n = CHUNK + 3
    depth, w0 = np.full(n, 1), np.full(n, 8)
    depth[-1] = 20
    widths, depths = quantise_batch(depth, w0, np.full(n, 30.0), np.full(n, 2.0))
    assert widths.shape == (n, widths.shape[1])
    assert (depths.sum(axis=1) == depth).all()
    assert (widths[:-1, 1:] == 0).all()


@given(PARAMS)
def test_widths_never_fall_and_blocks_are_kept(params: RegNetParams) -> None:
    widths = quantise(params)
    assert len(widths) == params.depth
    assert all(a <= b for a, b in pairwise(widths))
    assert all(w % 8 == 0 for w in widths)


@given(PARAMS)
def test_group_width_divides_every_stage(params: RegNetParams) -> None:
    for stage in params.to_spec().stages:
        assert stage.inner_width % stage.group_width == 0
        assert stage.groups >= 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depth": 0}, "depth must be a positive integer, got 0"),
        ({"depth": 2.5}, "depth must be an integer, got 2.5"),
        ({"w0": 20}, "w0 must be a multiple of 8, got 20 (nearest: 16)"),
        ({"w0": -8}, "w0 must be a positive integer, got -8"),
        ({"wa": -1.0}, "wa must be a number of at least 0, got -1.0"),
        ({"wa": float("nan")}, "wa must be a number of at least 0, got nan"),
        ({"wm": 1.0}, "wm must be a number above 1, got 1.0"),
        ({"group_width": 0}, "group_width must be a positive integer, got 0"),
    ],
)
def test_bad_parameters_are_named(change: dict[str, float], message: str) -> None:
    good = {"depth": 13, "w0": 24, "wa": 36.44, "wm": 2.49, "group_width": 8}
    with pytest.raises(ValueError, match="got") as error:
        RegNetParams(**(good | change))  # type: ignore[arg-type]
    assert str(error.value) == message


def test_bad_bottleneck_ratio() -> None:
    with pytest.raises(ValueError, match=r"below 1 must be 1 / integer, got 0\.4"):
        RegNetParams(13, 24, 36.44, 2.49, 8, bottleneck_ratio=0.4).to_spec()
