"""The laws of a parameter as a file of a design space writes them, and back.

A number is a fixed value, a list has each value equally likely, a mapping is a range with a law;
``stages`` holds one of these for each stage.
"""

from __future__ import annotations

from typing import Any, cast

from ..laws import Choice, Fixed, Law, exact
from ..plain_yaml import Fault, Plain, inside
from ..spaces import Parameter
from .schema import LAWS, has_quantum

MAX_PLACES = 9  # decimal places of a range's ends and quantum
FIXED, LISTED = "fixed", "list"  # what the laws of a number and of a list are called
Entry = dict[str, Any]


def read_laws(entry: Plain, place: str) -> tuple[tuple[Law, ...], list[Fault]]:
    """Return the laws of an entry of checked form, one or one a stage, and what is wrong."""
    places = {place: entry}
    if isinstance(entry, dict) and "stages" in entry:
        items = cast("list[Plain]", entry["stages"])
        within = inside(place, "stages")
        places = {inside(within, i): item for i, item in enumerate(items, start=1)}
    laws: list[Law] = []
    faults: list[Fault] = []
    for where, item in places.items():
        found = _read_law(item, where)
        if isinstance(found, list):
            faults += found
        else:
            laws.append(found)
    return tuple(laws), faults


def is_per_stage(entry: Plain) -> bool | None:
    """Return whether an entry is of every stage by itself; None if it does not say."""
    if not isinstance(entry, dict):
        return None
    if "stages" in entry:
        return True
    return not entry["shared"] if "shared" in entry else None


def _read_law(entry: Plain, place: str) -> Law | list[Fault]:
    if isinstance(entry, dict) and "law" in entry:
        return _read_range(cast(Entry, entry), place)
    if isinstance(entry, dict):
        key = "value" if "value" in entry else "values"
        entry, place = entry[key], inside(place, key)
    try:
        if isinstance(entry, list):
            return Choice(tuple(cast("list[float]", entry)))
        return Fixed(float(cast(float, entry)))
    except ValueError as error:
        return [Fault(place, str(error))]


def _read_range(entry: Entry, place: str) -> Law | list[Fault]:
    law = LAWS[entry["law"]]
    names = ("low", "high", "quantum") if has_quantum(law) else ("low", "high")
    ends = {name: float(entry[name]) for name in names}
    faults = [
        Fault(inside(place, name), f"must have at most {MAX_PLACES} decimals, got {value}")
        for name, value in ends.items()
        if -int(exact(value).as_tuple().exponent) > MAX_PLACES
    ]
    if ends["high"] < ends["low"]:
        wanted = f"must be at least low, which is {entry['low']}, got {entry['high']}"
        faults.append(Fault(inside(place, "high"), wanted))
    if faults:
        return faults
    if all(value.is_integer() for value in ends.values()):
        ends = {name: int(value) for name, value in ends.items()}
    try:
        return law(**ends)
    except ValueError as error:
        where = inside(place, "quantum") if "quantum" in str(error) else place
        return [Fault(where, str(error))]


def write_laws(parameter: Parameter, family: str) -> Any:
    """Return the entry of a parameter; ValueError if a law is not of those that files have."""
    entries = [_write_law(law) for law in parameter.laws]
    if len(entries) > 1:
        return {"stages": entries}
    (entry,) = entries
    if parameter.per_stage or family == "regnet":
        return entry
    key = {FIXED: "value", LISTED: "values"}.get(law_name(parameter.law))
    return {**({key: entry} if key else entry), "shared": True}


def law_name(law: Law) -> str:
    """Return what a law is called in files; ValueError if they have no name for it."""
    if isinstance(law, Fixed):
        return FIXED
    if isinstance(law, Choice):
        return LISTED
    for name, kind in LAWS.items():
        if type(law) is kind:
            return name
    raise ValueError(f"a file has no name for the law {law}")


def _write_law(law: Law) -> Any:
    if isinstance(law, Fixed):
        return _number(law.value)
    if isinstance(law, Choice):
        return [_number(value) for value in law.choices]
    name = law_name(law)
    ends = ("low", "high", "quantum") if has_quantum(LAWS[name]) else ("low", "high")
    return {"law": name, **{end: _number(getattr(law, end)) for end in ends}}


def _number(value: float) -> float | int:
    return int(value) if float(value).is_integer() else float(value)
