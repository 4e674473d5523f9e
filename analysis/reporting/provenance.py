"""Where results come from: what all rows of a population share, seeds, and what a study says."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..examples import PREFIX
from ..tables.groups import Group
from ..tables.readers import is_arrow, is_file_of_rows

_PACKAGES = ("regnet-ds", "numpy", "pandas", "scipy", "matplotlib", "optuna")
_LONGEST = 400
_MANY = 1_000  # cells that show whether a column varies
_MOST = 6  # distinct values that are listed
_VARYING = ("space", "data", "resolution", "epochs", "block", "source", "fingerprint", "threads")
_HIDDEN = ("error", "test_error", "status", "trial", "index", "name", "seed", "reason", "curve")

Facts = dict[str, str]


def facts_of_source(source: str, study: str | None = None) -> Facts:
    """Return what a source says of itself: a study's settings, or a file's name and SHA-256.

    Raises
    ------
    ValueError
        If there is no such study.
    """
    if source.startswith(PREFIX):
        return {"source": source}
    if is_file_of_rows(source):
        with Path(source).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"source": source, "SHA-256": digest}
    from ..storages.storage import load_study, open_storage, parse_url

    found = load_study(open_storage(source, create=False), study)
    facts = {"source": parse_url(source).shown, "study": found.study_name}
    for key, value in sorted(found.user_attrs.items()):
        name = key.rpartition(":")[2]
        if ":" not in key or name == "environments":
            facts |= _flat(name, value)
    return facts


def facts_of_group(group: Group) -> Facts:
    """Return what all rows of a population share, and the seeds and sources where they differ."""
    facts: Facts = {}
    for column in group.rows:
        name = str(column)
        if name in _HIDDEN:
            continue
        values = _distinct(group.rows[column], name in _VARYING)
        if len(values) == 1:
            facts[name] = _cut(values[0])
        elif values and name in _VARYING:
            more = f" and {len(values) - _MOST} others" if len(values) > _MOST else ""
            facts[name] = _cut(", ".join(sorted(values)[:_MOST]) + more)
    if "seed" in group.rows:
        seeds = group.rows["seed"].dropna()
        if len(seeds):
            facts["seeds"] = f"{seeds.nunique():,} from {seeds.min()} to {seeds.max()}"
    return facts


def facts_of_groups(groups: Sequence[Group]) -> list[tuple[str, Facts]]:
    """Return the facts of populations under their headings: what all have alike is said once."""
    facts = [facts_of_group(group) for group in groups]
    alike = {
        key: value for key, value in facts[0].items() if all(one.get(key) == value for one in facts)
    }
    if len(groups) == 1 or not alike:
        return [(f"All rows of {g.name}", one) for g, one in zip(groups, facts, strict=True)]
    found = [("All rows", alike)]
    for group, one in zip(groups, facts, strict=True):
        own = {key: value for key, value in one.items() if key not in alike}
        if own:
            found.append((f"All rows of {group.name}", own))
    return found


def _distinct(cells: Any, several: bool) -> list[str]:
    """Return the distinct cells in words; None where there are several and one is wanted."""
    if cells.dtype != object and not is_arrow(cells):
        cells = cells.drop_duplicates()  # of 10^6 numbers few are put into words
    if not several and len(cells.iloc[:_MANY].map(_words).drop_duplicates()) > 2:
        return []
    values = cells.map(_words).drop_duplicates().tolist()
    return [value for value in values if value]


def versions() -> Facts:
    """Return the versions of Python and of the packages that make a report."""
    found = {"Python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def join_facts(found: Sequence[Facts]) -> list[tuple[str, Facts]]:
    """Return facts of sources, each under the name of its study or source."""
    return [(one.get("study") or one["source"], one) for one in found]


def _flat(name: str, value: Any) -> Facts:
    """Return a setting; those of a recipe and of other records each by its own name."""
    if isinstance(value, Mapping) and value:
        facts: Facts = {}
        for key, one in value.items():
            facts |= _flat(f"{name}.{key}", one)
        return facts
    words = _words(value)
    return {name: _cut(words)} if words else {}


def _words(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, tuple | list):
        return json.dumps(value, default=str)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
