import csv

import pytest
from regnet_ds.designspace import complexity
from regnet_ds.designspace.larger import LARGER, larger

TIMM = {
    "RegNetY640": "regnety_640",
    "RegNetY1280": "regnety_1280",
    "RegNetY2560": "regnety_2560",
    "RegNetZ005": "regnetz_005",
    "RegNetZ040": "regnetz_040",
}


def test_costs_are_those_of_timm(golden):
    lines = (golden / "extended.csv").read_text().splitlines()
    rows = {row["name"]: row for row in csv.DictReader(lines)}
    assert set(LARGER) == set(TIMM)
    for name, timm in TIMM.items():
        row, resolution = rows[timm], LARGER[name].resolution
        assert resolution == int(row["resolution"])
        cost = complexity(larger(name), resolution=resolution)
        assert [cost.flops, cost.params, cost.acts] == [
            int(row[key]) for key in ("flops", "params", "acts")
        ]


def test_other_names_are_refused():
    with pytest.raises(ValueError, match=r"name must be one of RegNetY640, .* got 'RegNetY10B'"):
        larger("RegNetY10B")
