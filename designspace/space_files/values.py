"""What a single value in a file may be: one description checks values and gives a JSON Schema.

Draft 2020-12 of JSON Schema. A check returns every fault, each with its place.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from ..plain_yaml import Fault, Plain, shown
from ..spec import LARGEST

Json: TypeAlias = dict[str, Any]


def nearest(given: str, known: Iterable[str]) -> str:
    """Return the known name that is most like the given one."""
    names = tuple(known)
    return (difflib.get_close_matches(given.strip().lower(), names, n=1, cutoff=0.0) or names)[0]


class Kind(Protocol):
    """A kind of value."""

    @property
    def wanted(self) -> str:
        """The kind in words: a number, a list."""
        ...

    def schema(self) -> Json:
        """Return the JSON Schema of the kind."""
        ...

    def takes(self, value: Plain) -> bool:
        """Return whether a value is meant to be of this kind, by its type."""
        ...

    def faults(self, value: Plain, place: str) -> list[Fault]:
        """Return what is wrong with a value."""
        ...


def wrong(kind: Kind, value: Plain, place: str, hint: str = "") -> list[Fault]:
    """Return the fault that a value is not of a kind."""
    return [Fault(place, f"must be {kind.wanted}, got {shown(value)}{hint}")]


@dataclass(frozen=True)
class Constant:
    """One value and no other."""

    value: int
    why: str

    @property
    def wanted(self) -> str:
        """The value."""
        return f"{self.value} ({self.why})"

    def schema(self) -> Json:
        """Return the JSON Schema of the kind."""
        return {"const": self.value}

    def takes(self, value: Plain) -> bool:
        """Return whether the value is this one."""
        return not isinstance(value, bool) and value == self.value

    def faults(self, value: Plain, place: str) -> list[Fault]:
        """Return what is wrong with a value."""
        return [] if self.takes(value) else wrong(self, value, place)


@dataclass(frozen=True)
class Text:
    """Text that matches a pattern as a whole, or is one of a few names."""

    choices: tuple[str, ...] = ()
    pattern: str = ""
    meaning: str = "text"

    @property
    def wanted(self) -> str:
        """The names, or what the pattern means."""
        return f"one of {', '.join(self.choices)}" if len(self.choices) > 1 else self.meaning

    def schema(self) -> Json:
        """Return the JSON Schema of the kind."""
        schema: Json = {"type": "string"}
        if self.choices:
            schema["enum"] = list(self.choices)
        if self.pattern:
            schema["pattern"] = f"^{self.pattern}$"
        return schema

    def takes(self, value: Plain) -> bool:
        """Return whether the value is text."""
        return isinstance(value, str)

    def faults(self, value: Plain, place: str) -> list[Fault]:
        """Return what is wrong with a value."""
        if not isinstance(value, str):
            hint = "" if isinstance(value, list | dict | None) else ": write it in quotes"
            return wrong(self, value, place, "" if self.choices else hint)
        if self.choices and value not in self.choices:
            return wrong(self, value, place, f" (nearest: {nearest(value, self.choices)})")
        if self.pattern and not re.fullmatch(self.pattern, value):
            return wrong(self, value, place)
        return []


@dataclass(frozen=True)
class Number:
    """A finite number from ``low`` to ``high``."""

    low: float = 0
    high: float = LARGEST
    whole: bool = False

    @property
    def wanted(self) -> str:
        """The range."""
        kind = "an integer" if self.whole else "a number"
        return f"{kind} from {self.low:g} to {self.high:.10g}"

    def schema(self) -> Json:
        """Return the JSON Schema of the kind."""
        kind = "integer" if self.whole else "number"
        return {"type": kind, "minimum": self.low, "maximum": self.high}

    def takes(self, value: Plain) -> bool:
        """Return whether the value is a number; truth values are not."""
        return isinstance(value, int | float) and not isinstance(value, bool)

    def faults(self, value: Plain, place: str) -> list[Fault]:
        """Return what is wrong with a value."""
        if not isinstance(value, int | float) or isinstance(value, bool):
            return wrong(self, value, place)
        if not self.low <= value <= self.high:  # false for nan
            return wrong(self, value, place)
        return wrong(self, value, place) if self.whole and value != math.floor(value) else []


@dataclass(frozen=True)
class Flag:
    """True or false."""

    wanted: str = "true or false"

    def schema(self) -> Json:
        """Return the JSON Schema of the kind."""
        return {"type": "boolean"}

    def takes(self, value: Plain) -> bool:
        """Return whether the value is a truth value."""
        return isinstance(value, bool)

    def faults(self, value: Plain, place: str) -> list[Fault]:
        """Return what is wrong with a value."""
        return [] if self.takes(value) else wrong(self, value, place)
