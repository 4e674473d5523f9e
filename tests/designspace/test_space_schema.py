"""The JSON Schema of space files: it accepts what the reader accepts, and no unknown key."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml
from regnet_ds.designspace import SPACES
from regnet_ds.designspace.space_files.reader import SpaceFileError, parse_space
from regnet_ds.designspace.space_files.schema import CONSTRAINT, FORMAT, space_schema
from regnet_ds.designspace.space_files.writer import to_yaml

FILES: list[dict[str, Any]] = [yaml.safe_load(to_yaml(space)) for space in SPACES.values()]
FILES += [
    {
        "schema": 1,
        "name": "based",
        "base": "anynetx-c",
        "block": "z",
        "parameters": {"depth": {"value": 4, "shared": True}, "width": {"values": [8, 16]}},
        "constraints": [
            {"limited": {"parameter": "group_width", "low": 2}},
            {"fixed": {"parameter": "bottleneck_ratio", "value": 0.25}},
            {"nonincreasing": "width"},
            {"bounds": {"params": [1, 2.5], "acts": 3}},
        ],
    },
    {
        "schema": 1,
        "name": "whole",
        "source": "here",
        "family": "anynet",
        "block": "vr",
        "stages": [2, 3],
        "parameters": {
            "depth": {"stages": [1, [2, 3], {"law": "normal", "low": 1, "high": 9, "quantum": 1}]},
            "width": 64,
        },
        "stem_type": "resnet",
        "stem_width": 64,
        "head_width": 0,
        "se_ratio": 0,
        "activation": "gelu",
        "stage_strides": [1, 2, 2],
    },
]
VALUES = [None, True, 0, 1, -1, 1.5, "x", "width", "regnet", "dds", [], {}, [1, 2], float("inf")]
VALUES += [2**31, 8, "v", "power-of-two", "uniform", {"value": 1}, [5, 3], 3.0, ["depth"], "a b"]
KEYS = ["quantum", "low", "law", "shared", "stages", "value", "base", "width", "other", "fixed"]
Path = tuple[str | int, ...]


def validator() -> Any:
    schema = space_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the way to every value in a file, the file itself first."""
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(inner, (*path, key))


def at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def changed(file: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Return a file with one value removed, replaced or added."""
    file = copy.deepcopy(file)
    path = rng.choice(list(paths(file)))
    value = at(file, path)
    if isinstance(value, dict) and (not path or rng.random() < 0.5):
        value[rng.choice(KEYS)] = copy.deepcopy(rng.choice(VALUES))
    elif path and rng.random() < 0.3:
        del at(file, path[:-1])[path[-1]]
    elif path:
        at(file, path[:-1])[path[-1]] = copy.deepcopy(rng.choice(VALUES))
    return file


@pytest.mark.parametrize("file", FILES, ids=lambda file: file["name"])
def test_it_accepts_files_that_the_reader_accepts(file: dict[str, Any]) -> None:
    assert parse_space(yaml.safe_dump(file)).name == file["name"]
    assert list(validator().iter_errors(file)) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file["name"])
def test_it_rejects_an_unknown_key_in_every_mapping(file: dict[str, Any]) -> None:
    check = validator()
    mappings = [path for path in paths(file) if isinstance(at(file, path), dict)]
    assert len(mappings) >= 3
    for path in mappings:
        other = copy.deepcopy(file)
        at(other, path)["colour"] = 1
        assert not check.is_valid(other), path
        with pytest.raises(SpaceFileError, match="colour"):
            parse_space(yaml.safe_dump(other))


def test_the_form_of_a_file_is_judged_alike() -> None:
    rng = random.Random(0)
    form = jsonschema.Draft202012Validator(FORMAT.schema())
    verdicts = {True: 0, False: 0}
    for _ in range(1500):
        file = changed(rng.choice(FILES), rng)
        good = not FORMAT.faults(file, "")
        assert form.is_valid(file) == good, file
        verdicts[good] += 1
    assert min(verdicts.values()) > 100


def test_what_the_reader_accepts_is_valid() -> None:
    rng = random.Random(1)
    check = validator()
    accepted = 0
    for _ in range(400):
        file = changed(rng.choice(FILES), rng)
        try:
            parse_space(yaml.safe_dump(file))
        except SpaceFileError:
            continue
        accepted += 1
        assert check.is_valid(file), file
    assert accepted > 20


@pytest.mark.parametrize(
    "file",
    [
        {"schema": 1, "name": "x"},
        {"schema": 1, "name": "x", "family": "regnet"},
        {"schema": 1, "name": "x", "base": "regnetx", "parameters": {"width": 8}},
        {"schema": 1, "name": "x", "family": "anynet", "parameters": {"w0": 8}},
        {"schema": 1, "name": "x", "base": "regnetq"},
    ],
)
def test_it_knows_what_belongs_to_a_family(file: dict[str, Any]) -> None:
    assert not validator().is_valid(file)
    with pytest.raises(SpaceFileError):
        parse_space(yaml.safe_dump(file))


def test_every_key_is_described() -> None:
    def properties(schema: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(schema, dict):
            for name, inner in schema.get("properties", {}).items():
                yield name, inner
                yield from properties(inner)
            for key in ("anyOf", "items"):
                inner = schema.get(key, [])
                for option in inner if isinstance(inner, list) else [inner]:
                    yield from properties(option)

    found = dict(properties(space_schema()))
    assert {*FORMAT.fields, *CONSTRAINT.fields, "law", "low", "quantum", "shared"} <= set(found)
    assert all(inner["description"].endswith(".") for _, inner in properties(space_schema()))
