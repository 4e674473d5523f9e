"""What an enumeration found, as tables: by regime, by multiply-adds, fronts, and a summary."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..arrays import Ints
from ..atomic import whole_file
from ..budget import format_size
from ..catalogue import CANONICAL, canonical
from ..cost import complexity
from ..drawing.judging import Units
from ..spaces import DesignSpace
from ..tables.columns import Columns, write_columns
from .chunks import FRONTS, N_COUNTS, Found, decade_edges, flops_edges, regimes
from .folder import whole_settings
from .level_runs import grid_of

TITLES = {
    "least": "fewest multiply-adds, parameters and activations",
    "densest": "most multiply-adds for fewest parameters and activations",
}


def by_regime(found: Found) -> Columns:
    """Return networks, settings and points of the densest front in each canonical regime.

    A regime is closed, within 5% of its size: ``low`` and ``high`` are multiply-adds.
    """
    ranges = regimes()
    flops = found.fronts["densest"][:, 0]
    counts = [_between(found.bins, low, high + 1) for low, high in ranges.values()]
    return {
        "regime": list(ranges),
        "low": [low for low, _ in ranges.values()],
        "high": [high for _, high in ranges.values()],
        "networks": [networks for networks, _ in counts],
        "settings": [settings for _, settings in counts],
        "densest": [int(np.sum((flops >= low) & (flops <= high))) for low, high in ranges.values()],
    }


def by_flops(found: Found) -> Columns:
    """Return networks and settings from ``low`` to below ``high`` multiply-adds, ten a decade.

    Empty bins at both ends are left out.
    """
    edges = [*decade_edges(), int(np.iinfo(np.int64).max)]
    counts = [_between(found.bins, *ends) for ends in pairwise(edges)]
    used = [i for i, (networks, _) in enumerate(counts) if networks]
    which = range(min(used, default=0), max(used, default=-1) + 1)
    return {
        "low": [edges[i] for i in which],
        "high": [edges[i + 1] for i in which],
        "networks": [counts[i][0] for i in which],
        "settings": [counts[i][1] for i in which],
    }


def _between(bins: Ints, low: int, high: int) -> tuple[int, int]:
    edges = flops_edges()
    networks, settings = bins[(edges >= low) & (edges < high)].sum(axis=0).tolist()
    return networks, settings


def front_columns(space: DesignSpace, table: Ints, units: Units) -> Columns:
    """Return a front as records of networks, with the counts at each point.

    ``networks`` and ``settings`` share the point's flops, params and acts; the stages are those
    of the first such network and the parameters one setting that gives it.
    """
    n, stages = len(table), space.stages[0]
    at = N_COUNTS + stages * np.arange(4)
    widths, depths, groups = (table[:, a : a + stages].tolist() for a in at[:3])
    example = {
        name: grid_of(space, name)[table[:, at[3] + i]]
        for i, name in enumerate(("depth", "w0", "wa", "wm", "group_width", "bottleneck_ratio"))
    }
    columns: Columns = {"block": [space.block] * n}
    for name, values in example.items():
        whole = name in ("depth", "w0", "group_width")
        columns[name] = (values.astype(np.int64) if whole else values).tolist()
    columns["stage_widths"] = list(map(tuple, widths))
    columns["stage_depths"] = list(map(tuple, depths))
    columns["stage_group_widths"] = list(map(tuple, groups))
    columns["resolution"], columns["classes"] = [units.resolution] * n, [units.classes] * n
    for i, name in enumerate(("flops", "params", "acts", "networks", "settings")):
        columns[name] = table[:, i].tolist()
    return columns


def against_canonical(space: DesignSpace, found: Found, units: Units) -> Columns:
    """Return how dense the space gets within the parameters and activations of each canonical net.

    Of the nets with the space's block. ``most`` is the largest number of multiply-adds of any
    network with at most its params and acts, ``ratio`` that over the net's own.
    """
    specs = {name: canonical(name) for name in CANONICAL}
    own = {
        name: complexity(spec, resolution=units.resolution, classes=units.classes)
        for name, spec in specs.items()
        if spec.block == space.block
    }
    front = found.fronts["densest"]
    most = [
        int(np.max(front[(front[:, 1] <= c.params) & (front[:, 2] <= c.acts), 0], initial=0))
        for c in own.values()
    ]
    return {
        "name": list(own),
        "flops": [c.flops for c in own.values()],
        "params": [c.params for c in own.values()],
        "acts": [c.acts for c in own.values()],
        "most": most,
        "ratio": [f"{m / c.flops:.3f}" for m, c in zip(most, own.values(), strict=True)],
    }


def summary(space: DesignSpace, found: Found) -> dict[str, Any]:
    """Return the counts of a whole space.

    ``settings`` splits into ``rejected_stages`` (other stages), ``rejected_bounds`` and
    ``valid``; ``networks`` are the distinct ones of the valid settings.

    Raises
    ------
    RuntimeError
        If the settings behind the networks do not add up to those counted without them.
    """
    settings, whole = whole_settings(space)
    if space.bounds is None and whole != found.settings:
        raise RuntimeError(f"{found.settings:,} settings of networks, but {whole:,} of stages")
    return {
        "space": space.name,
        "settings": settings,
        "rejected_stages": settings - whole,
        "rejected_bounds": whole - found.settings,
        "valid": found.settings,
        "networks": found.networks,
        **{f"{name}_points": len(table) for name, table in found.fronts.items()},
        **{f"{name}_networks": int(table[:, 3].sum()) for name, table in found.fronts.items()},
    }


def markdown(columns: Columns) -> str:
    """Return a table as Markdown: numbers to the right, in groups of three digits."""
    rows = list(zip(*columns.values(), strict=True))
    texts = {name: any(isinstance(cell, str) for cell in columns[name]) for name in columns}
    marks = ["---" if text else "--:" for text in texts.values()]
    lines = [list(columns), marks, *([_text(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, tuple):
        return " ".join(map(str, cast(tuple[int, ...], cell)))
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def thinned(columns: Columns, column: str, per_decade: int = 4) -> Columns:
    """Return a few rows: the first at or above each step of ``column``, which is ascending."""
    values = np.array(columns[column], dtype=np.float64)
    steps = np.floor(np.log10(values) * per_decade) if len(values) else values
    first = np.flatnonzero(np.diff(steps, prepend=-1))
    return {name: [cells[i] for i in first] for name, cells in columns.items()}


def write_tables(space: DesignSpace, found: Found, folder: Path, units: Units) -> dict[str, Any]:
    """Write summary, regimes, histogram, fronts and a Markdown page; return the summary."""
    counts = summary(space, found)
    write_columns({name: [value] for name, value in counts.items()}, folder / "summary.json")
    write_columns(by_regime(found), folder / "by_regime.csv")
    write_columns(by_flops(found), folder / "by_flops.csv")
    for name in FRONTS:
        columns = front_columns(space, found.fronts[name], units)
        write_columns(columns, folder / f"front_{name}.csv")
    with whole_file(folder / "tables.md") as temporary:
        temporary.write_text(_page(space, found, counts, units), encoding="utf-8")
    return counts


def _page(space: DesignSpace, found: Found, counts: dict[str, Any], units: Units) -> str:
    fronts = {name: front_columns(space, found.fronts[name], units) for name in FRONTS}
    where = f"at {units.resolution} px and {units.classes} classes"
    histogram = by_flops(found)
    pairs = zip(histogram["low"], histogram["high"], strict=True)
    ends = [f"{format_size(low)} to {format_size(high)}" for low, high in pairs]
    shown = {"multiply-adds": ends, **{k: histogram[k] for k in ("networks", "settings")}}
    facts = {"count": list(counts)[1:], counts["space"]: list(counts.values())[1:]}
    canonicals = against_canonical(space, found, units)
    parts = [
        ("Counts", facts),
        (f"By regime, {where}", by_regime(found)),
        (f"By multiply-adds, {where}", shown),
        ("Densest within the parameters and activations of a canonical network", canonicals),
        *((f"Front: {TITLES[name]}", _sample(fronts[name])) for name in FRONTS),
    ]
    filled = [(title, columns) for title, columns in parts if next(iter(columns.values()))]
    return "\n".join(f"### {title}\n\n{markdown(columns)}" for title, columns in filled)


def _sample(front: Columns) -> Columns:
    names = ("flops", "params", "acts", "stage_widths", "stage_depths", "stage_group_widths")
    rows = thinned(front, "flops")
    return {name: rows[name] for name in names}
