from __future__ import annotations

import csv
from pathlib import Path

import pytest
from regnet_ds.designspace.catalogue import (
    CANONICAL,
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
        canonical("regnet_y_8gf")
    assert canonical("RegNetX-4GF") == canonical("regnetx_040")
