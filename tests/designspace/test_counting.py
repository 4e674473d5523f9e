from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from regnet_ds.designspace import DesignSpace
from regnet_ds.designspace.constraints import nondecreasing, nonincreasing, stages, with_law
from regnet_ds.designspace.counting import count_settings, count_tuples, sizes
from regnet_ds.designspace.enumeration.tables import markdown
from regnet_ds.designspace.laws import Choice
from regnet_ds.designspace.space_catalogue import SPACES, find_space

grids = st.lists(st.sets(st.integers(0, 9), min_size=0, max_size=5).map(list), max_size=4)


@given(grids)
def test_ordered_tuples_are_those_that_one_can_list(values: list[list[int]]) -> None:
    listed = list(itertools.product(*values))
    rising = [t for t in listed if all(a <= b for a, b in itertools.pairwise(t))]
    falling = [t for t in listed if all(a >= b for a, b in itertools.pairwise(t))]
    assert count_tuples(values) == len(listed)
    assert count_tuples(values, "nondecreasing") == len(rising)
    assert count_tuples(values, "nonincreasing") == len(falling)


def test_equal_grids_give_the_binomial() -> None:
    assert count_tuples([range(128)] * 4, "nondecreasing") == 11_716_640  # C(131, 4)
    assert count_tuples([range(16)] * 4, "nondecreasing") == 3_876  # C(19, 4)
    with pytest.raises(ValueError, match="got 'rising'"):
        count_tuples([[1]], "rising")


def test_published_sizes(golden: Path) -> None:
    table = sizes()
    for row in json.loads((golden / "space_sizes.json").read_text()):
        i = table["space"].index(row["space"])
        assert table["published"][i] == row["combinations_published"]
        assert table["printed"][i] == row["size_published"]
        assert table["value"][i] == row["size_recomputed"]
        assert table["settings"][i] == row["exact"]


def test_every_space_has_a_size() -> None:
    assert sizes()["space"] == list(SPACES)
    one = sizes("anynetx-e")
    assert one["settings"] == [817_446_539_520]
    assert sizes("regnetx")["settings"] == [17 * 32 * 2481 * 1001 * 16]
    assert sizes("regnetx-dds")["settings"] == [63 * 31 * 2480 * 1501 * 6 * 3]
    assert sizes("regnetx")["printed"] == [None]
    with pytest.raises(ValueError, match="unknown space 'anynetx-f'"):
        sizes("anynetx-f")


def test_the_page_shows_the_sizes(golden: Path) -> None:
    page = (golden.parent.parent / "docs" / "design-space-sizes.md").read_text()
    assert markdown(sizes()) in page
    (counts,) = json.loads((golden / "regnetx_enumeration.json").read_text())
    for name, value in list(counts.items())[1:]:
        assert f"| {name} | {value:,} |" in page


def small(space: DesignSpace) -> DesignSpace:
    """Return the space with few values for every parameter."""
    values = {"depth": (1, 2, 4), "width": (8, 16), "bottleneck_ratio": (1, 2), "group_width": (8,)}
    for name, choices in values.items():
        space = space & with_law(name, Choice(tuple(map(float, choices))))
    return space


@pytest.mark.parametrize("name", ["anynetx-a", "anynetx-c", "anynetx-e"])
def test_count_of_a_small_space_is_its_listing(name: str) -> None:
    space = small(find_space(name)) & stages(2, 3)
    n = 0
    for k in (2, 3):
        slots = [(p, law) for p, s, law in space.slots if s < k]
        for values in itertools.product(*(law.values.tolist() for _, law in slots)):
            by_name: dict[str, list[float]] = {}
            for (parameter, _), value in zip(slots, values, strict=True):
                by_name.setdefault(parameter, []).append(value)
            n += all(by_name[o.parameter] == sorted(by_name[o.parameter]) for o in space.orders)
    assert count_settings(space) == n > 0


def test_orders_of_two_parameters_multiply() -> None:
    a = find_space("anynetx-a")
    both = a & nondecreasing("width") & nonincreasing("depth")
    assert count_settings(both) == 11_716_640 * 3_876 * 18**4
