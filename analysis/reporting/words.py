"""The summary of a report: what a reader of a paper would be told of the populations."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ..figures.networks import title_of_row
from ..intervals import mean_interval
from ..tables.groups import Group, summary

MOST_ONE_BY_ONE = 3  # populations of which each has a sentence
_POWER = re.compile(r"(?<![\w.])(-?\d+(?:\.\d+)?)e([+-]\d+)\b")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_HYPHEN = re.compile(r"(?<![\w.)])-(?=\.?\d)")


def minus(text: str) -> str:
    """Return a text whose numbers have a minus sign and powers of ten, not "-2" and "5e-05"."""
    text = _POWER.sub(lambda found: f"{found[1]}×10{str(int(found[2])).translate(_RAISED)}", text)  # noqa: RUF001
    return _HYPHEN.sub("\N{MINUS SIGN}", text)


def sentences(groups: Sequence[Group]) -> list[str]:
    """Return the populations in words: each, or where they are many what stands out."""
    if len(groups) <= MOST_ONE_BY_ONE:
        return [_sentence(group) for group in groups]
    n = sum(len(group.rows) for group in groups)
    best = min(groups, key=lambda group: group.edf.min)
    lowest, highest = (end(groups, key=lambda group: group.edf.mean) for end in (min, max))
    return [
        f"{len(groups)} populations have {n:,} models in all.",
        f"The mean error is lowest in {lowest.name} ({lowest.edf.mean:.2f}%) and highest in"
        f" {highest.name} ({highest.edf.mean:.2f}%).",
        f"The best model is {_best(best)} of {best.name} ({best.edf.min:.2f}%).",
    ]


def _best(group: Group) -> str:
    return title_of_row(group.rows.iloc[int(np.argmin(group.rows["error"].to_numpy(np.float64)))])


def _sentence(group: Group) -> str:
    record = summary(group)
    errors = group.rows["error"].to_numpy(np.float64)
    left = "" if record["excluded"] == "none" else f" (excluded: {record['excluded']})"
    if errors.size == 1:
        return f"{group.name} has one model, with an error of {errors[0]:.2f}%{left}."
    found = mean_interval(errors, group.weights)
    matched = f", {group.note}," if group.note else ""
    return (
        f"{group.name}{matched} has {errors.size:,} models{left}. Their mean error is"
        f" {found.value:.2f}% (95% interval {found.low:.2f}% to {found.high:.2f}%), the median"
        f" {record['median']:.2f}%; eight in ten lie between {record['q10']:.2f}% and"
        f" {record['q90']:.2f}%. The best is {_best(group)} with {errors.min():.2f}%."
    )
