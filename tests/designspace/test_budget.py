from __future__ import annotations

import math

import pytest
from regnet_ds.designspace.budget import Budget, format_size, parse_range, parse_size


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4G", 4e9),
        ("400M", 4e8),
        ("4.0GF", 4e9),
        ("4e9", 4e9),
        ("1.5k", 1500),
        (" 7 ", 7),
        (".5T", 5e11),
    ],
)
def test_sizes(text: str, value: float) -> None:
    assert parse_size(text) == value


@pytest.mark.parametrize("text", ["4Q", "", "G", "-4G", "4 4", "1e999", "nan", "inf", "4GG"])
def test_bad_sizes_are_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="size") as error:
        parse_size(text)
    assert repr(text) in str(error.value)


def test_ranges() -> None:
    assert parse_range("4G") == pytest.approx((3.8e9, 4.2e9))
    assert parse_range("4G", 0.01) == pytest.approx((3.96e9, 4.04e9))
    assert parse_range("4G", 0) == (4e9, 4e9)
    assert parse_range("360M:400M") == (3.6e8, 4e8)
    assert parse_range("1G:") == (1e9, math.inf)
    assert parse_range(":1G") == (0, 1e9)


@pytest.mark.parametrize("text", ["5G:4G", ":", "4G:x"])
def test_bad_ranges(text: str) -> None:
    with pytest.raises(ValueError, match=r"inverted|names no size|cannot read"):
        parse_range(text)


def test_bad_tolerance_and_budget() -> None:
    with pytest.raises(ValueError, match=r"tolerance must be in \[0, 1\), got 1"):
        parse_range("4G", 1)
    with pytest.raises(ValueError, match=r"acts budget .* got \(2, 1\)"):
        Budget(acts=(2, 1))
    with pytest.raises(ValueError, match="flops"):
        Budget(flops=(math.nan, 1))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3964499816, "3.96G"),
        (199040872, "199M"),
        (0, "0"),
        (999, "999"),
        (999_900, "1.00M"),
        (1e12, "1.00T"),
    ],
)
def test_format(value: float, text: str) -> None:
    assert format_size(value) == text
