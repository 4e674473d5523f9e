from __future__ import annotations

import csv
from pathlib import Path

import pytest
from regnet_ds.designspace import complexity
from regnet_ds.designspace.catalogue import (
    CANONICAL,
    TIMM_NAMES_OF_THE_OTHERS,
    TORCHVISION_OTHER_NETWORKS,
    canonical,
    canonical_name,
    keras_name,
    published,
    timm_name,
)


def test_names_of_the_24(golden: Path) -> None:
    table = list(csv.DictReader((golden / "canonical.csv").read_text().splitlines()))
    assert [row["name"] for row in table] == list(CANONICAL)
    for row in table:
        assert keras_name(row["name"]) == row["keras_name"]
        assert timm_name(row["name"]) == row["timm_name"]
        for alias in (row["name"], row["keras_name"], row["timm_name"], row["name"].lower()):
            assert canonical_name(alias) == row["name"]
        assert canonical(row["name"]).block == row["block"].lower()


def test_published_figures_are_the_reference_s(golden: Path) -> None:
    for row in csv.DictReader((golden / "canonical.csv").read_text().splitlines()):
        ours = published()[row["name"]]
        for key in set(ours) - {"torchvision_name"}:
            assert ours[key] == row[key]


def test_errors_name_the_nearest() -> None:
    with pytest.raises(
        ValueError, match=r"unknown model 'RegNetX-4\.1GF' \(nearest: RegNetX-4.0GF\)"
    ):
        canonical("RegNetX-4.1GF")
    with pytest.raises(ValueError, match="torchvision's network"):
        canonical_name("regnet_y_8gf")
    assert canonical("RegNetX-4GF") == canonical("regnetx_040")


@pytest.mark.parametrize("name", TORCHVISION_OTHER_NETWORKS)
def test_torchvision_s_own_networks_are_no_aliases(name: str, golden: Path) -> None:
    """Costs of golden/extended.csv, counted on timm's models."""
    rows = csv.DictReader((golden / "extended.csv").read_text().splitlines())
    timm = next(key for key, other in TIMM_NAMES_OF_THE_OTHERS.items() if other == name)
    row = next(row for row in rows if row["name"] == timm)
    spec = canonical(name)
    cost = complexity(spec)
    assert [cost.flops, cost.params, cost.acts] == [
        int(row[k]) for k in ("flops", "params", "acts")
    ]
    assert spec != canonical(TORCHVISION_OTHER_NETWORKS[name])
    assert canonical(timm.upper()) == spec


@pytest.mark.parametrize(("name", "ours"), TORCHVISION_OTHER_NETWORKS.items())
def test_torchvision_s_own_networks_are_refused_with_the_paper_s(name: str, ours: str) -> None:
    with pytest.raises(ValueError, match=f"widths differ from those of {ours} .* write {ours}$"):
        canonical_name(name)
