from __future__ import annotations

import numpy as np
import pytest
from regnet_ds.designspace import SPACES, Budget, sample
from regnet_ds.designspace.constraints import fixed, limited, stages
from regnet_ds.designspace.drawing.feasibility import reach, require_feasible
from regnet_ds.designspace.drawing.judging import Units

SPACES_TO_TRY = {
    **SPACES,
    "v": SPACES["anynetx-a"].with_block("v"),
    "one to three": SPACES["anynetx-a"] & stages(1, 3),
    "narrow": SPACES["regnetx"] & limited("depth", high=13) & fixed("w0", 8),
    "two to five": SPACES["regnetx-dds"] & stages(2, 5),
}


@pytest.mark.parametrize("name", SPACES_TO_TRY)
@pytest.mark.parametrize("units", [Units(), Units(64, 10)])
def test_no_network_is_beyond_the_bounds(name: str, units: Units) -> None:
    space = SPACES_TO_TRY[name]
    drawn = sample(
        space, 3000, rng=np.random.default_rng(0), unique="none",
        resolution=units.resolution, classes=units.classes,
    )  # fmt: skip
    bounds = reach(space, units)
    for metric in ("flops", "params", "acts"):
        values = getattr(drawn.population, metric)
        assert bounds.least[metric] <= values.min()
        assert values.max() <= bounds.most[metric]


def test_the_only_network_of_a_space_is_both_bounds() -> None:
    space = SPACES["anynetx-a"]
    for name, value in {"depth": 2, "width": 64, "bottleneck_ratio": 2, "group_width": 8}.items():
        space = space & fixed(name, value)
    network = sample(space, 1, rng=np.random.default_rng(0)).population
    bounds = reach(space, Units())
    for metric in ("flops", "params", "acts"):
        assert bounds.least[metric] == bounds.most[metric] == getattr(network, metric)[0]


def test_a_budget_out_of_reach_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"no network of regnetx has acts 0 to 100: at 224 px"):
        require_feasible(SPACES["regnetx"], Budget(acts=(0, 100)), Units())
    with pytest.raises(ValueError, match=r"no network of anynetx-a has params 10\.0T to 20\.0T"):
        sample(
            SPACES["anynetx-a"], 1, budget=Budget(params=(1e13, 2e13)),
            rng=np.random.default_rng(0),
        )  # fmt: skip
