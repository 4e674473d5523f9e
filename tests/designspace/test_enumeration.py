"""Enumeration by rows of networks against a plain loop over every parameter setting."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from regnet_ds.designspace import DesignSpace, RegNetParams, complexity, find_space
from regnet_ds.designspace.arrays import Ints
from regnet_ds.designspace.constraints import bounds, stages, with_law
from regnet_ds.designspace.drawing.judging import Units
from regnet_ds.designspace.enumeration.chunks import (
    FRONTS,
    combine,
    enumerate_chunk,
    merge_equal,
    plan,
    regimes,
)
from regnet_ds.designspace.enumeration.level_runs import level_runs
from regnet_ds.designspace.enumeration.network_rows import group_rows, kind_costs, networks
from regnet_ds.designspace.enumeration.tables import by_flops, by_regime, front_columns
from regnet_ds.designspace.laws import Choice
from regnet_ds.designspace.linear import levels, quantise

GRIDS: dict[str, Iterable[float]] = {
    "depth": range(4, 13),
    "w0": (8, 24, 32, 64),
    "wa": (8, 12.8, 16, 33.3, 64, 120),
    "wm": (1.06, 1.7, 2, 2.25, 2.56, 3),  # 1.06 merges levels; 2.25 and 2.56 have exact ties
    "group_width": (8, 24, 64, 96),
    "bottleneck_ratio": (1, 2),
}
FINE: dict[str, Iterable[float]] = {
    "depth": range(12, 29, 2),
    "w0": (8, 16, 128, 256),
    "wa": [round(8 + 3.1 * i, 1) for i in range(40)],
    "wm": [round(2 + 0.111 * i, 3) for i in range(10)],
    "group_width": (8, 48, 128),
}


def narrowed(space: DesignSpace, grids: dict[str, Iterable[float]]) -> DesignSpace:
    for name, values in grids.items():
        space = space & with_law(name, Choice(tuple(map(float, values))))
    return space


@dataclass
class Listed:
    """All networks of a space: final stages -> settings, costs, as the plain loop finds them."""

    settings: int = 0
    networks: dict[tuple[Any, ...], list[int]] = field(default_factory=dict)


def listing(space: DesignSpace, units: Units) -> Listed:
    """Quantise, adjust and count every setting by the scalar functions."""
    listed = Listed()
    n_stages = space.stages[0]
    names = ("group_width", "bottleneck_ratio")
    finals = list(itertools.product(*(space.laws[name].values.tolist() for name in names)))
    lines = itertools.product(
        *(space.laws[name].values.tolist() for name in ("depth", "w0", "wa", "wm"))
    )
    for depth, w0, wa, wm in lines:
        line = RegNetParams(int(depth), int(w0), wa, wm, 8)
        listed.settings += len(finals)
        highest = levels(line.depth, line.w0, wa, wm)[-1]
        if highest != n_stages - 1 or len(set(quantise(line))) != n_stages:
            continue
        for group_width, b in finals:
            params = RegNetParams(line.depth, line.w0, wa, wm, int(group_width), b)
            spec = params.to_spec(block=space.block)
            stage = [(s.width, s.depth, s.group_width) for s in spec.stages]
            key = (b, *itertools.chain(*zip(*stage, strict=True)))
            if key not in listed.networks:
                cost = complexity(spec, resolution=units.resolution, classes=units.classes)
                listed.networks[key] = [cost.flops, cost.params, cost.acts, 0]
            listed.networks[key][3] += 1
    return listed


def expected_front(found: Ints, signs: tuple[int, ...]) -> dict[tuple[int, ...], list[int]]:
    """Return the front's points with networks and settings, by comparing all with all."""
    points = found[:, :3] * signs
    result: dict[tuple[int, ...], list[int]] = {}
    for i, point in enumerate(points):
        dominates = (points <= point).all(axis=1) & (points < point).any(axis=1)
        if not dominates.any():
            counts = result.setdefault(tuple(found[i, :3].tolist()), [0, 0])
            counts[0] += 1
            counts[1] += int(found[i, 3])
    return result


def compare(space: DesignSpace, units: Units) -> int:
    """Hold the enumeration against the listing; return the number of networks."""
    listed = listing(space, units)
    chunks = plan(space)
    mine: dict[tuple[Any, ...], list[int]] = {}
    for chunk in chunks:
        rows = group_rows(space, chunk)
        b = space.laws["bottleneck_ratio"].values[chunk.bottleneck_ratio]
        depth_grid = space.laws["depth"].values.astype(np.int64)
        for part in networks(space, rows, kind_costs(space, chunk, rows.kinds, [units])):
            kind, starts = rows.kind[part.row], rows.starts[part.row]
            ends = np.column_stack([starts, depth_grid[part.depth]])
            stage = (rows.kinds.stage_widths[kind], np.diff(ends, axis=1, prepend=0))
            keys = np.column_stack([*stage, rows.kinds.stage_group_widths[kind]]).tolist()
            counted = np.column_stack([part.costs, part.settings]).tolist()
            for key, counts in zip(keys, counted, strict=True):
                assert (b, *key) not in mine
                mine[(b, *key)] = counts
    assert mine == listed.networks
    total = np.array(list(listed.networks.values()))
    found = combine([enumerate_chunk(space, chunk, units) for chunk in chunks])
    assert found.networks == len(total)
    assert found.settings == total[:, 3].sum()
    check_counts(found, total)
    for name, signs in FRONTS.items():
        table = found.fronts[name]
        points = {tuple(row[:3]): row[3:5] for row in table.tolist()}
        assert points == expected_front(total, signs)
        columns = front_columns(space, table, units)
        for row in zip(*columns.values(), strict=True):
            check_example(dict(zip(columns, row, strict=True)))
    return len(total)


def check_counts(found: Any, total: Ints) -> None:
    for low, high, n, settings in zip(*by_flops(found).values(), strict=True):
        inside = (total[:, 0] >= low) & (total[:, 0] < high)
        assert (n, settings) == (inside.sum(), total[inside, 3].sum())
    regime = by_regime(found)
    for low, high, n, settings in zip(
        *(regime[k] for k in ("low", "high", "networks", "settings")), strict=True
    ):
        inside = (total[:, 0] >= low) & (total[:, 0] <= high)
        assert (n, settings) == (inside.sum(), total[inside, 3].sum())


def check_example(row: dict[str, Any]) -> None:
    """Hold a front's network against its own parameters."""
    names = ("depth", "w0", "wa", "wm", "group_width", "bottleneck_ratio")
    spec = RegNetParams(*(row[name] for name in names)).to_spec(block=row["block"])
    assert tuple(stage.width for stage in spec.stages) == row["stage_widths"]
    assert tuple(stage.depth for stage in spec.stages) == row["stage_depths"]
    assert tuple(stage.group_width for stage in spec.stages) == row["stage_group_widths"]
    cost = complexity(spec, resolution=row["resolution"], classes=row["classes"])
    assert (cost.flops, cost.params, cost.acts) == (row["flops"], row["params"], row["acts"])


@pytest.mark.parametrize(
    ("name", "n_stages", "units"),
    [
        ("regnetx", 4, Units()),
        ("regnety", 3, Units(64, 10)),
        ("regnetx", 1, Units(32, 10)),
        ("regnetx", 2, Units()),
    ],
)
def test_a_small_space_equals_its_listing(name: str, n_stages: int, units: Units) -> None:
    space = narrowed(find_space(name), GRIDS) & stages(n_stages)
    assert compare(space, units) > 10


def test_inverted_bottlenecks() -> None:
    grids = GRIDS | {"bottleneck_ratio": (0.25,), "group_width": (8, 24, 256), "w0": (8, 24)}
    assert compare(narrowed(find_space("regnetz"), grids), Units()) > 100


@pytest.mark.slow
@pytest.mark.parametrize("name", ["regnetx", "regnety"])
def test_a_larger_space_equals_its_listing(name: str) -> None:
    assert compare(narrowed(find_space(name), FINE), Units()) > 3_000


@pytest.mark.parametrize("w0", [8, 16, 200])
def test_runs_are_the_levels_of_every_slope(w0: int) -> None:
    """Ties included: 16 + 8 = 16 x 2.25^(1/2) exactly, and likewise for 2.56 and 2.89."""
    space = narrowed(find_space("regnetx"), {"wm": (2, 2.25, 2.56, 2.89, 3)})
    depths, slopes, multipliers = (space.laws[name].values for name in ("depth", "wa", "wm"))
    runs = level_runs(space, w0)
    starts: dict[tuple[int, int, int], tuple[int, ...]] = {}
    for i in range(len(runs.wm)):
        for wa in range(runs.wa[i], runs.wa[i] + runs.length[i]):
            for d in range(runs.depth_first[i], runs.depth_stop[i]):
                starts[int(runs.wm[i]), wa, d] = tuple(runs.starts[i].tolist())
    assert len(starts) == runs.settings
    found = 0
    for wm, wa in itertools.product(range(len(multipliers)), range(len(slopes))):
        s = levels(int(depths[-1]), w0, slopes[wa], multipliers[wm])
        for d, depth in enumerate(depths.astype(int)):
            level = s[:depth]
            if level[-1] == 3 and len(np.unique(level)) == 4:
                first = tuple(np.searchsorted(level, [1, 2, 3]).tolist())
                assert starts[wm, wa, d] == first
                found += 1
    assert found == len(starts) > 1000


def test_bounds_hold_at_their_own_units() -> None:
    space = narrowed(find_space("regnetx"), GRIDS)
    small = Units(32, 10)
    limited = space & bounds((0.2, 5.5), 6.5)
    n = 0
    for chunk in plan(space):
        rows = group_rows(space, chunk)
        for part in networks(space, rows, kind_costs(space, chunk, rows.kinds, [Units()])):
            f = part.costs[:, 0] / 1e9
            inside = part.costs[:, 1] <= 1e6 * (0.2 + 5.5 * f)
            n += int(np.sum(inside & (part.costs[:, 2] <= 6.5e6 * np.sqrt(f))))
    everything = combine([enumerate_chunk(space, chunk) for chunk in plan(space)])
    for units in (small, Units()):
        found = combine([enumerate_chunk(limited, chunk, units) for chunk in plan(limited)])
        assert found.networks == n
    assert 0 < n < everything.networks


def test_equal_points_are_one_point() -> None:
    rows = [[1, 2, 3, 1, 10, 9, 9], [1, 2, 3, 1, 5, 7, 8], [0, 2, 3, 1, 1, 1, 1]]
    merged = merge_equal(np.array(rows))
    assert merged.tolist() == [[0, 2, 3, 1, 1, 1, 1], [1, 2, 3, 2, 15, 7, 8]]
    assert merge_equal(np.zeros((0, 7), dtype=np.int64)).shape == (0, 7)


def test_regimes_are_the_canonical_ones_within_five_percent() -> None:
    assert len(regimes()) == 12
    assert regimes()["200MF"] == (190_000_000, 210_000_000)
    assert regimes()["4.0GF"] == (3_800_000_000, 4_200_000_000)
    assert list(regimes())[-1] == "32GF"


def test_what_cannot_be_enumerated() -> None:
    with pytest.raises(ValueError, match="only spaces of RegNets can be enumerated, got anynetx-a"):
        plan(find_space("anynetx-a"))
    with pytest.raises(ValueError, match="with 2 to 4"):
        plan(find_space("regnetx") & stages(2, 4))
