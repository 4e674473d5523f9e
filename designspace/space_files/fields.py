"""What a list or a mapping in a file may hold, as ``values`` says it of single values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ..plain_yaml import Fault, Plain, inside
from .values import Json, Kind, nearest, wrong


@dataclass(frozen=True)
class Items:
    """A list of ``least`` to ``most`` items of one kind."""

    item: Kind
    least: int = 0
    most: int = 1000
    meaning: str = "a list"

    @property
    def wanted(self) -> str:
        """The kind in words."""
        return self.meaning

    def schema(self) -> Json:
        """Return the JSON Schema of the kind."""
        ends = {"minItems": self.least, "maxItems": self.most}
        return {"type": "array", "items": self.item.schema(), **ends}

    def takes(self, value: Plain) -> bool:
        """Return whether the value is a list."""
        return isinstance(value, list)

    def faults(self, value: Plain, place: str) -> list[Fault]:
        """Return what is wrong with a value."""
        if not isinstance(value, list):
            return wrong(self, value, place)
        if not self.least <= len(value) <= self.most:
            number = f"{self.least}" if self.least == self.most else f"{self.least} to {self.most}"
            return [Fault(place, f"must have {number} items, got {len(value)}")]
        return [
            fault
            for i, item in enumerate(value, start=1)
            for fault in self.item.faults(item, inside(place, i))
        ]


class Field(NamedTuple):
    """The kind of a key's value, and what the key means."""

    kind: Kind
    doc: str


class When(NamedTuple):
    """A key that is there exactly if another key has one of some values."""

    key: str
    other: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Keys:
    """A mapping with known keys.

    ``marker`` is the key by which it is told from other mappings; with ``single`` exactly one
    key is there.
    """

    fields: Mapping[str, Field]
    required: tuple[str, ...] = ()
    marker: str = ""
    single: bool = False
    when: When | None = None

    @property
    def wanted(self) -> str:
        """The kind in words, by its keys."""
        if self.single:
            return f"a mapping with one of the keys {', '.join(self.fields)}"
        return f"a mapping with the keys {', '.join(self.required or self.fields)}"

    def schema(self) -> Json:
        """Return the JSON Schema of the kind."""
        schema: Json = {
            "type": "object",
            "properties": {
                name: {"description": doc, **kind.schema()}
                for name, (kind, doc) in self.fields.items()
            },
            "additionalProperties": False,
        }
        if self.required:
            schema["required"] = list(self.required)
        if self.single:
            schema |= {"minProperties": 1, "maxProperties": 1}
        if self.when is not None:
            key, other, values = self.when
            schema["if"] = {"properties": {other: {"enum": list(values)}}, "required": [other]}
            schema["then"] = {"required": [key]}
            schema["else"] = {"properties": {key: False}}
        return schema

    def takes(self, value: Plain) -> bool:
        """Return whether the value is a mapping, with the marker if there is one."""
        return isinstance(value, dict) and (not self.marker or self.marker in value)

    def faults(self, value: Plain, place: str) -> list[Fault]:
        """Return what is wrong with a value."""
        if not isinstance(value, dict):
            return wrong(self, value, place)
        faults = [
            Fault(inside(place, key), f"unknown key (nearest: {nearest(key, self.fields)})")
            for key in value
            if key not in self.fields
        ]
        if self.single and len(value) != 1:
            faults.append(Fault(place, f"must be {self.wanted}, got {len(value)} keys"))
        faults += [Fault(place, f"{key} is missing") for key in self.required if key not in value]
        faults += self._faults_when(value, place)
        for key, inner in value.items():
            if key in self.fields:
                faults += self.fields[key].kind.faults(inner, inside(place, key))
        return faults

    def _faults_when(self, value: dict[str, Plain], place: str) -> list[Fault]:
        if self.when is None:
            return []
        key, other, values = self.when
        if value.get(other) in values:
            return [] if key in value else [Fault(place, f"{key} is missing")]
        if key in value and not self.fields[other].kind.faults(value.get(other), ""):
            return [Fault(inside(place, key), f"{other} {value[other]} has no {key}")]
        return []


@dataclass(frozen=True)
class Either:
    """One of several kinds, told apart by type or by marker; the first that takes a value."""

    options: tuple[Kind, ...]
    meaning: str

    @property
    def wanted(self) -> str:
        """The kind in words."""
        return self.meaning

    def schema(self) -> Json:
        """Return the JSON Schema of the kind."""
        return {"anyOf": [option.schema() for option in self.options]}

    def takes(self, value: Plain) -> bool:
        """Return whether the value is of one of the kinds."""
        return any(option.takes(value) for option in self.options)

    def faults(self, value: Plain, place: str) -> list[Fault]:
        """Return what is wrong with a value."""
        for option in self.options:
            if option.takes(value):
                return option.faults(value, place)
        return wrong(self, value, place)
