"""Design spaces from YAML files (``docs/design-spaces.md``; the format: ``schema``).

Every fault of a file is reported at once, each with its place. A file is read in steps, each of
which changes one thing of a space in which all else is right; a step that fails is a fault, and
the others still go on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from ..blocks import BLOCKS
from ..constraints import (
    Bounds,
    Constraint,
    Ordered,
    bounds,
    fixed,
    limited,
    nondecreasing,
    nonincreasing,
    shared,
)
from ..laws import Law
from ..plain_yaml import Document, Fault, Plain, inside, load, read_text
from ..space_catalogue import SPACES
from ..spaces import FAMILIES, DesignSpace, Parameter, not_of_block
from ..spec import DEFAULT_SE_RATIO, require_se_ratio
from .law_entries import is_per_stage, read_laws
from .schema import FORMAT, PARAMETERS
from .values import nearest

TEMPLATES = {"regnet": "regnetx", "anynet": "anynetx-a"}  # of a space without a base
AS_THEY_ARE = ("stem_type", "stem_width", "head_width", "activation")
BY_NAME: dict[str, Callable[[str], Constraint]] = {
    "shared": shared,
    "nondecreasing": nondecreasing,
    "nonincreasing": nonincreasing,
}
Step = Callable[[DesignSpace], DesignSpace]
Mapping = dict[str, Plain]


class SpaceFileError(ValueError):
    """A file that is no design space; ``faults`` are all that is wrong, in words."""

    def __init__(self, source: str, faults: tuple[str, ...]) -> None:
        self.faults = faults
        number = "" if len(faults) == 1 else f"{len(faults)} faults: "
        super().__init__(f"{source}: {number}{'; '.join(faults)}")


def read_space(path: Path) -> DesignSpace:
    """Return the design space of a YAML file.

    Raises
    ------
    ValueError
        If the file cannot be read as UTF-8 text.
    SpaceFileError
        If it is no design space: a ValueError with all ``faults``.
    """
    return parse_space(read_text(path), str(path))


def parse_space(text: str, source: str = "the space") -> DesignSpace:
    """Return the design space that a YAML text describes; ``source`` names it in errors.

    Raises
    ------
    SpaceFileError
        If it describes none: a ValueError with all ``faults``.
    """
    try:
        document = load(text)
    except ValueError as error:
        raise SpaceFileError(source, (str(error),)) from error
    if not isinstance(document.value, dict):
        wrong = "it is empty" if document.value is None else "expected keys and values"
        raise SpaceFileError(source, (wrong,))
    reader = _Reader(document, document.value)
    space = reader.read()
    if space is None:
        raise SpaceFileError(source, reader.described())
    return space


class _Reader:
    """Builds the space of one file step by step, and collects its faults."""

    def __init__(self, document: Document, data: Mapping) -> None:
        self.document = document
        self.data = data
        unread = {fault.place for fault in document.faults}
        formal = (fault for fault in FORMAT.faults(data, "") if fault.place not in unread)
        self.faults = [*document.faults, *formal]
        self.bad = {fault.place for fault in self.faults}  # places of what is not looked at
        self.space = SPACES[TEMPLATES["regnet"]]

    def described(self) -> tuple[str, ...]:
        """Return all faults in words, in the order of the file."""
        lines = self.document.lines
        ordered = sorted(self.faults, key=lambda fault: lines.get(fault.place, 0))
        return tuple(
            f"{place} (line {lines[place]}): {text}"
            if place and place in lines
            else f"{place}: {text}".removeprefix(": ")
            for place, text in dict.fromkeys(ordered)
        )

    def read(self) -> DesignSpace | None:
        """Return the space, or None if there are faults."""
        self._start()
        self._take_facts()
        for name, entry in self._mapping("parameters").items():
            self._take_parameter(name, entry)
        self._require_parameters()
        self._take_constraints()
        self._take_name()
        return None if self.faults else self.space

    def _start(self) -> None:
        """Begin with the base, or with a published space of the family."""
        base, family = self._value("base"), self._value("family")
        if "base" not in self.data and "family" not in self.data:
            self._add("", "family is missing (or base, a published space to start from)")
        if base is not None:
            self.space = SPACES[str(base)]
            if family is not None and family != self.space.family:
                self._add("family", f"the base {base} is a {self.space.family}, got {family!r}")
        else:  # without a family, what most of the parameters belong to: the faults tell more
            given = self._mapping("parameters").keys()
            meant = max(FAMILIES, key=lambda name: len(given & set(FAMILIES[name])))
            self.space = SPACES[TEMPLATES[str(family or meant)]]
        self.space = self.space.named(str(self._value("name") or self.space.name))

    def _take_facts(self) -> None:
        """Take what holds for all stages, and their number."""
        block, stages = self._value("block"), self._value("stages")
        if block is not None:
            self._try("block", partial(_with_block, block=str(block)))
        if stages is not None:
            low, high = stages if isinstance(stages, list) else (stages, stages)
            pair = (_integer(low), _integer(high))
            self._try("stages", lambda space: replace(space, stages=pair))
        for name in AS_THEY_ARE:
            value = self._value(name)
            if value is not None:
                value = value if isinstance(value, str) else _integer(value)
                self._try(name, partial(_with_fact, name=name, value=value))
        self._take_se_ratio()
        strides = self._value("stage_strides")
        if isinstance(strides, list) and self._is_good("stages"):
            each = tuple(map(_integer, strides))
            self._try("stage_strides", partial(_with_fact, name="stage_strides", value=each))

    def _take_se_ratio(self) -> None:
        given, block = self._value("se_ratio"), self.space.block
        if isinstance(given, int | float):
            self._try("se_ratio", partial(_with_fact, name="se_ratio", value=float(given)))
        ratio = self.space.se_ratio
        try:
            require_se_ratio(block, DEFAULT_SE_RATIO[block] if ratio is None else ratio)
        except ValueError as error:
            self._add("se_ratio", str(error))

    def _take_parameter(self, name: str, entry: Plain) -> None:
        family, place = self.space.family, inside("parameters", name)
        if name not in PARAMETERS:
            return  # it is an unknown key
        if name not in FAMILIES[family]:
            near = nearest(name, FAMILIES[family])
            self._add(place, f"a {family} has no such parameter (nearest: {near})")
        elif name in not_of_block(self.space.block):
            self._add(place, f"block {self.space.block} has none")
        elif self._is_good(place):
            laws, faults = read_laws(entry, place)
            for fault in faults:
                self._add(*fault)
            n = self.space.stages[1]
            known = not faults and self._is_good("stages")  # how many laws there must be
            if known and len(laws) not in (1, n):
                self._add(inside(place, "stages"), f"must have {n} items, got {len(laws)}")
                known = False
            for tried in [laws] if known else [(law,) for law in laws]:
                per_stage = is_per_stage(entry)
                self._try(place, partial(_with_laws, name=name, laws=tried, per_stage=per_stage))

    def _require_parameters(self) -> None:
        if self._value("family") is None or "base" in self.data or "parameters" in self.bad:
            return
        given, absent = self._mapping("parameters"), not_of_block(self.space.block)
        if not self._is_good("block"):
            absent = tuple(name for block in BLOCKS for name in not_of_block(block))
        for name in FAMILIES[self.space.family]:
            if name not in given and name not in absent:
                self._add("parameters", f"{name} is missing")

    def _take_constraints(self) -> None:
        """Apply the constraints in order; then none may be undone by a later one."""
        taken: dict[str, Constraint] = {}
        items = self._value("constraints", whole=False)
        for i, item in enumerate(items if isinstance(items, list) else [], start=1):
            place = inside("constraints", i)
            if not isinstance(item, dict) or not self._is_good(place):
                continue
            constraint = _constraint(item)
            parameter = str(getattr(constraint, "parameter", ""))
            if not self._is_good(inside("parameters", parameter)):
                continue
            if constraint == limited(parameter):
                self._add(place, "limited needs low, high or both")
            elif self._try(place, partial(_with_constraint, constraint=constraint)):
                taken[place] = constraint
        for place, constraint in taken.items():
            try:
                undone = self.space & constraint != self.space
            except ValueError:
                undone = True
            if undone:
                self._add(place, f"contradictory: {constraint.describe()} is undone further down")

    def _take_name(self) -> None:
        name, source = self._value("name"), self._value("source")
        if "source" not in self.data and "base" in self.data:
            source = f"based on {self.data['base']}"
        self.space = replace(self.space, name=str(name), source=str(source or ""))
        published = SPACES.get(str(name).lower())
        if name is not None and published not in (None, self.space) and not self.faults:
            self._add("name", f"{name} is a published space, and this is another one")

    def _value(self, key: str, *, whole: bool = True) -> Plain:
        """Return what the file says, or None if nothing or, with ``whole``, anything wrong."""
        return self.data.get(key) if not whole or self._is_good(key) else None

    def _mapping(self, key: str) -> Mapping:
        value = self.data.get(key)
        return value if isinstance(value, dict) else {}

    def _is_good(self, place: str) -> bool:
        """Return whether nothing is wrong at a place or within."""
        return not any(
            bad == place or bad.startswith((f"{place}.", f"{place}[")) for bad in self.bad
        )

    def _add(self, place: str, text: str) -> None:
        self.faults.append(Fault(place, text))
        self.bad.add(place)

    def _try(self, place: str, step: Step) -> bool:
        """Take a step; return whether it succeeded."""
        try:
            self.space = step(self.space)
        except ValueError as error:
            self._add(place, _plain(error))
            return False
        return True


def _plain(error: ValueError) -> str:
    """Return an error of a design space without the name of the space in front."""
    return re.sub(r"^space \S+: ", "", str(error))


def _integer(value: Plain) -> int:
    return math.floor(cast(float, value))


def _with_block(space: DesignSpace, *, block: str) -> DesignSpace:
    return space.with_block(block).named(space.name)


def _with_fact(space: DesignSpace, *, name: str, value: Any) -> DesignSpace:
    return replace(space, **{name: value})


def _with_constraint(space: DesignSpace, *, constraint: Constraint) -> DesignSpace:
    return space & constraint


def _with_laws(
    space: DesignSpace, *, name: str, laws: tuple[Law, ...], per_stage: bool | None
) -> DesignSpace:
    """Return the space with other laws; ``per_stage`` None leaves that as it is."""
    old = space.parameter(name)
    new = Parameter(name, laws, old.per_stage if per_stage is None else per_stage)
    orders: tuple[Ordered, ...] = space.orders
    if not new.per_stage:
        orders = tuple(order for order in orders if order.parameter != name)
    parameters = tuple(new if p is old else p for p in space.parameters)
    return replace(space, parameters=parameters, orders=orders)


def _constraint(item: Mapping) -> Constraint:
    """Return the constraint of a checked item, which has one key."""
    ((key, value),) = item.items()
    given = cast("dict[str, Any]", value)
    if key == "bounds":
        return bounds() if value == "dds" else Bounds(tuple(given["params"]), given["acts"])
    if key == "limited":
        return limited(given["parameter"], low=given.get("low"), high=given.get("high"))
    if key == "fixed":
        return fixed(given["parameter"], given["value"])
    return BY_NAME[key](str(value))
