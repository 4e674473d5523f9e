"""``regnet-ds describe``: the stages, complexity and peers of one network."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..designspace.record import Record
from ..designspace.spec import NetSpec, require_resolution
from . import shared

KEYS = (
    "block",
    "depth",
    "w0",
    "wa",
    "wm",
    "group_width",
    "bottleneck_ratio",
    "se_ratio",
    "stem_width",
    "head_width",
    "stage_widths",
    "stage_depths",
    "stage_strides",
    "stage_group_widths",
    "stage_bottleneck_ratios",
)
INTEGERS = ("depth", "w0", "group_width", "stem_width", "head_width")
N_PEERS = 3


def describe(
    what: Annotated[
        list[str],
        typer.Argument(help="A model's name, or parameters as key=value.", show_default=False),
    ],
    resolution: shared.Resolution = 224,
    classes: shared.Classes = 1000,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Describe one network: its stages, complexity and nearest canonical models.

    Example: regnet-ds describe RegNetX-4.0GF

    Example: regnet-ds describe depth=13 w0=24 wa=36.44 wm=2.49 group_width=8 block=y
    """
    from ..designspace.catalogue import canonical, canonical_name
    from ..designspace.columns import require_suffix
    from ..designspace.record import to_record

    if out is not None:
        require_suffix(out)
    if len(what) == 1 and "=" not in what[0]:
        name = canonical_name(what[0])
        spec = canonical(name)
    else:
        name, spec = "", read_parameters(what)
    require_resolution(spec.total_stride, resolution)
    record: Record = {"name": name or None}
    record |= to_record(spec, resolution=resolution, classes=classes)
    if out is not None or format is not shared.Format.TABLE:
        shared.emit({key: [value] for key, value in record.items()}, format, out)
        return
    _print(name, spec, record)


def read_parameters(pairs: list[str]) -> NetSpec:
    """Return the network of ``key=value`` arguments; lists are comma-separated."""
    import difflib

    from ..designspace.record import from_record

    record: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"expected a model's name or key=value parameters, got {pair!r}")
        if key not in KEYS:
            nearest = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.0)[0]
            raise ValueError(f"unknown parameter {key!r} (nearest: {nearest})")
        record[key] = _value(key, value)
    if "w0" not in record and "stage_widths" not in record:
        raise ValueError("the parameter w0 is missing (or stage_widths, for an AnyNet)")
    needed = (
        ("depth", "wa", "wm", "group_width")
        if "w0" in record
        else ("stage_depths", "group_width" if "stage_group_widths" not in record else "block")
    )
    missing = [key for key in needed if key not in record and key != "block"]
    if missing:
        raise ValueError(f"the parameter {missing[0]} is missing")
    return from_record(record)


def _value(key: str, text: str) -> Any:
    kind = float if key == "stage_bottleneck_ratios" else int
    try:
        if key.startswith("stage_"):
            return tuple(kind(part) for part in text.replace(",", " ").split())
        if key == "block":
            return text
        return int(text) if key in INTEGERS else float(text)
    except ValueError:
        wanted = "an integer" if key in INTEGERS else "a number"
        wanted = "a list of numbers such as 24,56,152,368" if key.startswith("stage_") else wanted
        raise ValueError(f"{key} must be {wanted}, got {text!r}") from None


def _print(name: str, spec: NetSpec, record: Record) -> None:
    p = spec.parameters
    title = name or ("RegNet" if p else "AnyNet")
    line = f"{title}: block {spec.block}, stem {spec.stem_width}"
    if p is not None:
        line += (
            f", depth {p.depth}, w0 {p.w0}, wa {p.wa:g}, wm {p.wm:g}, group width {p.group_width}"
        )
    if spec.se_ratio:
        line += f", se ratio {spec.se_ratio:g}"
    print(f"{line}\n")
    shared.print_table(_stage_table(spec, record["resolution"]))
    print(
        f"\nat {record['resolution']} px and {record['classes']} classes: "
        f"flops {record['flops']:,} (multiply-adds), params {record['params']:,}, "
        f"acts {record['acts']:,}\n"
    )
    shared.print_table(_peer_table(spec, record))


def _stage_table(spec: NetSpec, resolution: int) -> dict[str, list[Any]]:
    size = -(-resolution // 2)
    rows: dict[str, list[Any]] = {
        "stage": [],
        "blocks": [],
        "width": [],
        "inner": [],
        "group width": [],
        "groups": [],
        "stride": [],
        "output": [],
    }
    for i, stage in enumerate(spec.stages, start=1):
        size = -(-size // stage.stride)
        values = (
            i,
            stage.depth,
            stage.width,
            stage.inner_width,
            stage.group_width,
            stage.groups,
            stage.stride,
            f"{size} x {size}",
        )
        for column, value in zip(rows.values(), values, strict=True):
            column.append(value)
    return rows


def _peer_table(spec: NetSpec, record: Record) -> dict[str, list[Any]]:
    """The canonical models of the same block nearest in FLOPs, and their published errors."""
    import math

    from ..designspace.catalogue import CANONICAL, canonical, keras_name, published, timm_name
    from ..designspace.cost import complexity

    units = {"resolution": record["resolution"], "classes": record["classes"]}
    costs = {
        name: complexity(canonical(name), **units)
        for name in CANONICAL
        if name.startswith(f"RegNet{spec.block.upper()}")
    }
    distance = {name: abs(math.log(c.flops / record["flops"])) for name, c in costs.items()}
    nearest = sorted(
        sorted(distance, key=lambda name: distance[name])[:N_PEERS], key=list(costs).index
    )
    figures = [published()[name] for name in nearest]
    return {
        "nearest": nearest,
        "keras": [keras_name(name) for name in nearest],
        "timm": [timm_name(name) for name in nearest],
        "torchvision": [row["torchvision_name"] or "-" for row in figures],
        "flops": [costs[name].flops for name in nearest],
        "params": [costs[name].params for name in nearest],
        "acts": [costs[name].acts for name in nearest],
        "error % (pycls)": [float(row["pycls_top1_err"]) for row in figures],
        "error % (Keras post)": [round(100 - float(row["keras_top1_acc"]), 2) for row in figures],
    }


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(describe)
