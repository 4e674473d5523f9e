"""Tables of records in files: CSV, JSON, YAML and Parquet, by suffix.

A table is a dict of columns, each a list of cells, or an array where there are many. Lists within a
cell are space-separated in CSV, arrays in JSON and YAML, lists in Parquet; what does not apply is
empty or null.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO, cast

from ..atomic import whole_file

SUFFIXES = (".csv", ".json", ".yaml", ".parquet")
MAX_VALUES = 5_000_000  # of a YAML file, which is parsed at less than 100,000 a second
Columns = dict[str, list[Any]]


def require_suffix(path: Path, suffixes: Iterable[str] = SUFFIXES) -> str:
    """Return the file's suffix, in lower case.

    Raises
    ------
    ValueError
        If it is not one of ``suffixes``; the message names the nearest.
    """
    known = tuple(suffixes)
    suffix = path.suffix.lower()
    suffix = ".yaml" if suffix == ".yml" else suffix
    if suffix in known:
        return suffix
    import difflib

    near = difflib.get_close_matches(suffix, known, n=1)
    hint = f" (nearest: {near[0]})" if near else ""
    raise ValueError(
        f"unknown suffix {path.suffix!r} of {str(path)!r}: expected one of {', '.join(known)}{hint}"
    )


def read_columns(path: Path) -> Columns:
    """Return the cells of a table, as the file has them (text in CSV).

    Raises
    ------
    ValueError
        If the file is missing, empty, of an unknown suffix or malformed.
    """
    suffix = require_suffix(path)
    try:
        if suffix == ".parquet":
            from .parquet import read_parquet

            return read_parquet(path)
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8 (byte {error.start})") from error
    if not text.strip():
        raise ValueError(f"{path} is empty")
    if suffix == ".csv":
        return _read_csv(text, path)
    return _from_rows(_load(text, suffix, path), path)


def _read_csv(text: str, path: Path) -> Columns:
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        rows = [row for row in reader if row]
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from error
    header, body = [name.strip() for name in rows[0]], rows[1:]
    if not body:
        raise ValueError(f"{path} has a header but no rows")
    if len(set(header)) != len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise ValueError(f"{path} has the column {twice!r} twice")
    for i, row in enumerate(body, start=1):
        if len(row) != len(header):
            raise ValueError(
                f"{path}, row {i}: {len(row)} cells where the header has {len(header)}"
            )
    return {name: list(cells) for name, cells in zip(header, zip(*body, strict=True), strict=True)}


def _load(text: str, suffix: str, path: Path) -> Any:
    try:
        if suffix == ".json":
            return json.loads(text)
        import yaml

        data = yaml.safe_load(text)
        _require_finite(data)
        return data
    except (ValueError, RecursionError) as error:
        kind = "JSON" if suffix == ".json" else "YAML"
        raise ValueError(f"{path} is not valid {kind}: {error}") from error
    except Exception as error:  # yaml.YAMLError, known only after the lazy import
        if type(error).__module__.partition(".")[0] != "yaml":
            raise
        raise ValueError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error


def _require_finite(data: Any) -> None:
    """Raise ValueError if aliases of YAML make more of a text than could be meant."""
    waiting, seen = [data], 0
    while waiting:
        one: Any = waiting.pop()
        seen += 1
        if seen > MAX_VALUES:
            raise ValueError(f"it holds more than {MAX_VALUES:,} values, with aliases expanded")
        if isinstance(one, list):
            waiting += cast(list[Any], one)
        elif isinstance(one, dict):
            waiting += cast(dict[Any, Any], one).values()


def _from_rows(data: Any, path: Path) -> Columns:
    rows = cast(list[dict[str, Any]], data if isinstance(data, list) else [data])
    columns: Columns = {}
    for i, row in enumerate(rows, start=1):
        if not isinstance(row, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"{path}, row {i}: expected keys and values, got {str(row)[:60]}")
        for name in row:
            columns.setdefault(str(name), [])
    if not columns:
        raise ValueError(f"{path} has no rows")
    for name, cells in columns.items():
        cells.extend(row.get(name) for row in rows)
    return columns


def as_lists(columns: Mapping[str, Any]) -> Columns:
    """Return columns that may be arrays as lists of Python's own numbers."""
    return {
        name: cells.tolist() if hasattr(cells, "tolist") else cells
        for name, cells in columns.items()
    }


def write_columns(columns: Mapping[str, Any], path: Path) -> None:
    """Write a table whole or not at all; the suffix decides the format.

    Raises
    ------
    ValueError
        If the suffix is unknown or the path cannot be written to.
    """
    suffix = require_suffix(path)
    with whole_file(path) as temporary:
        if suffix == ".parquet":
            from .parquet import write_parquet

            write_parquet(columns, temporary)
            return
        with temporary.open("w", encoding="utf-8", newline="") as file:
            write_text(columns, suffix, file)


def write_text(columns: Mapping[str, Any], suffix: str, file: TextIO) -> None:
    """Write a table as .csv, .json or .yaml to an open file."""
    columns = as_lists(columns)
    if suffix == ".csv":
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*(_csv_cells(cells) for cells in columns.values()), strict=True))
        return
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if suffix == ".json":
        lines = ",\n".join(json.dumps(row, allow_nan=False) for row in rows)
        file.write(f"[\n{lines}\n]\n")
        return
    import yaml

    plain = [{name: _listed(cell) for name, cell in row.items()} for row in rows]
    yaml.safe_dump(plain, file, sort_keys=False, default_flow_style=None, width=100)


def _csv_cells(cells: list[Any]) -> list[Any]:
    if any(isinstance(cell, list) for cell in cells):  # of JSON, and of a stranger's columns
        return [_joined(cell) for cell in cells]
    if any(isinstance(cell, tuple) for cell in cells[:100]):
        texts: dict[Any, str] = {}  # few distinct lists stand in many rows
        for cell in cells:
            if cell not in texts:
                texts[cell] = " ".join(map(str, cell)) if cell is not None else ""
        return [texts[cell] for cell in cells]
    return cells


def _joined(cell: Any) -> Any:
    return " ".join(map(str, cast(list[Any], cell))) if isinstance(cell, tuple | list) else cell


def _listed(cell: Any) -> Any:
    return list(cast(tuple[Any, ...], cell)) if isinstance(cell, tuple) else cell
