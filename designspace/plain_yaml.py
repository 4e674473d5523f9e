"""YAML files as plain data with the line of each value, for files that people write by hand.

Values are read by the core schema of YAML 1.2: ``1e-3`` is a number, ``yes`` and ``012`` are
not what YAML 1.1 makes of them. Keys are text and stand once, and aliases may not blow up.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, cast

Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain] | None"

MAX_BYTES = 256 * 1024
MAX_VALUES = 10_000  # after aliases are expanded
MAX_LEVELS = 16
_TAG = "tag:yaml.org,2002:"
_RESOLVERS = (  # YAML 1.2.2, section 10.3.2: tag, pattern, first characters
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
        r"|[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN",
        list("-+.0123456789"),
    ),
)


class Fault(NamedTuple):
    """Something wrong at a place, such as ``parameters.width.high``."""

    place: str
    text: str


@dataclass
class Document:
    """What a file says: its value, the line of each place, and faults of its notation."""

    value: Plain = None
    lines: dict[str, int] = field(default_factory=dict[str, int])
    faults: list[Fault] = field(default_factory=list[Fault])


def inside(place: str, key: str | int) -> str:
    """Return the place of a key, or of an item counted from 1."""
    if isinstance(key, int):
        return f"{place}[{key}]"
    return f"{place}.{key}" if place else key


def shown(value: object) -> str:
    """Return a value as a message quotes it, shortened."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def read_text(path: Path) -> str:
    """Return the text of a small file.

    Raises
    ------
    ValueError
        If it is missing, a folder, not UTF-8, or larger than ``MAX_BYTES``.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"cannot read {path}: {reason}") from error
    if len(data) > MAX_BYTES:
        raise ValueError(f"{path} is larger than {MAX_BYTES // 1024} KiB: is it the right file?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8 (byte {error.start})") from error


def read_plain(path: Path) -> Plain:
    """Return the value of a small YAML file.

    Raises
    ------
    ValueError
        If it cannot be read (`read_text`) or is no plain YAML; all faults are named.
    """
    text = read_text(path)
    try:
        document = load(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if document.faults:
        lines = document.lines
        faults = (f"{f.place} (line {lines.get(f.place, 1)}): {f.text}" for f in document.faults)
        raise ValueError(f"{path}: {'; '.join(faults)}")
    return document.value


def load(text: str) -> Document:
    """Return the one document of a YAML text; ValueError if it is no YAML."""
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's own attribute

    add_resolvers(Loader)
    try:
        node = cast(Any, yaml).compose(text, Loader=Loader)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except yaml.YAMLError as error:
        raise ValueError(f"it is not valid YAML: {_reason(error)}") from error
    document = Document()
    if node is not None:
        document.value = _Values(document).value(node, "", 0)
    return document


def _reason(error: Any) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    where = f"line {mark.line + 1}: " if mark is not None else ""
    return where + " ".join(str(problem or error).split())


def add_resolvers(loader_or_dumper: Any) -> None:
    """Teach a class of PyYAML what text stands for a number, a truth value or nothing."""
    for tag, pattern, first in _RESOLVERS:
        compiled = re.compile(rf"^(?:{pattern})\Z")
        loader_or_dumper.add_implicit_resolver(_TAG + tag, compiled, first)


class _Values:
    """Makes plain values of YAML nodes, and notes lines and faults in the document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._left = MAX_VALUES

    def value(self, node: Any, place: str, level: int) -> Plain:
        """Return the value of a node; what cannot be read is a fault, and None."""
        self._left -= 1
        if self._left < 0 or level > MAX_LEVELS:
            limit = f"{MAX_VALUES:,} values" if self._left < 0 else f"{MAX_LEVELS} levels"
            raise ValueError(f"it holds more than {limit}, with aliases expanded")
        self._document.lines.setdefault(place, node.start_mark.line + 1)
        kind = node.tag.removeprefix(_TAG)
        if node.id == "mapping" and kind == "map":
            return self._mapping(node, place, level)
        if node.id == "sequence" and kind == "seq":
            items = enumerate(node.value, start=1)
            return [self.value(item, inside(place, i), level + 1) for i, item in items]
        if node.id == "scalar":
            with suppress(ValueError):  # becomes a fault of this place
                return _scalar(kind, node.value)
        self._fault(place, f"cannot read {shown(node.value)} as {node.tag!r}")
        return None

    def _mapping(self, node: Any, place: str, level: int) -> dict[str, Plain]:
        made: dict[str, Plain] = {}
        for key_node, value_node in node.value:
            key, line = key_node.value, key_node.start_mark.line + 1
            if key_node.id != "scalar" or key_node.tag != f"{_TAG}str":
                given = shown(key) if key_node.id == "scalar" else f"a {key_node.id}"
                self._fault(place, f"a key must be text, got {given} in line {line}")
                continue
            value = self.value(value_node, inside(place, key), level + 1)
            if key in made:
                self._fault(inside(place, key), f"the key stands twice, again in line {line}")
            else:
                made[key] = value
        return made

    def _fault(self, place: str, text: str) -> None:
        self._document.faults.append(Fault(place, text))


def _scalar(kind: str, text: str) -> Plain:
    if kind == "str":
        return text
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int":
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        return int(text, base)
    if kind == "float":
        return float(re.sub(r"\.(?=inf|nan)", "", text.lower()))
    raise ValueError(kind)
