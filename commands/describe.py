"""``regnet-ds describe``: the stages, complexity and peers of one network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..designspace.blocks import BLOCKS, GROUPED, block_name
from ..designspace.breakdown import SHAPE, costs_record, layer_columns, part_columns
from ..designspace.layers import height_and_width, read_resolution
from ..designspace.memory import BYTES
from ..designspace.record import Record, to_record
from ..designspace.spec import NetSpec, require_resolution
from ..designspace.tables.columns import Columns
from . import shared
from .training_options import STORAGE, TrialStorage

KEYS = (
    "block",
    "depth",
    "w0",
    "wa",
    "wm",
    "group_width",
    "bottleneck_ratio",
    "se_ratio",
    "stem_type",
    "stem_width",
    "head_width",
    "activation",
    "stage_widths",
    "stage_depths",
    "stage_strides",
    "stage_group_widths",
    "stage_bottleneck_ratios",
)
TEXTS = ("block", "stem_type", "activation")
INTEGERS = ("depth", "w0", "group_width", "stem_width", "head_width")
N_PEERS = 3


def describe(
    what: Annotated[
        list[str],
        typer.Argument(
            help="A model's name, parameters as key=value, or STUDY#17.", show_default=False
        ),
    ],
    resolution: Annotated[
        str, typer.Option("--resolution", help="Input size: 224, or 320x256 (height first).")
    ] = "224",
    classes: shared.Classes = 1000,
    layers: Annotated[
        bool, typer.Option("--layers", help="A row a layer, with its sizes and cost.")
    ] = False,
    stages: Annotated[
        bool, typer.Option("--stages", help="A row a part: stem, stages, head.")
    ] = False,
    storage: TrialStorage = STORAGE,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Describe one network: its stages, complexity, memory and nearest canonical models.

    STUDY#17 is the network of a study's trial, at the resolution and classes of its training.

    Example: regnet-ds describe RegNetX-4.0GF

    Example: regnet-ds describe depth=13 w0=24 wa=36.44 wm=2.49 group_width=8 block=y

    Example: regnet-ds describe RegNetY-200MF --layers --format csv

    Example: regnet-ds describe population#17 --storage regnet-ds.journal
    """
    from ..designspace.tables.columns import require_suffix

    if out is not None:
        require_suffix(out)
    if layers and stages:
        raise ValueError("--layers and --stages are two tables: ask for one")
    size = read_resolution(resolution)
    if len(what) == 1 and "#" in what[0]:
        from .study_files import read_trial, units_of

        name = what[0]
        spec, trial, _ = read_trial(storage, name)
        size, classes = units_of(trial).values()
    else:
        name, spec = read_network(what)
    require_resolution(spec.total_stride, *height_and_width(size))
    units = {"resolution": size, "classes": classes}
    if layers or stages:
        _emit_rows((layer_columns if layers else part_columns)(spec, **units), format, out)
        return
    record: Record = {"name": name or None} | to_record(spec, **units)
    record |= costs_record(spec, **units)
    if out is not None or format is not shared.Format.TABLE:
        shared.emit({key: [value] for key, value in record.items()}, format, out)
        return
    _print(name, spec, record, units)


def _emit_rows(columns: Columns, format: shared.Format, out: Path | None) -> None:
    """Write or print parts or layers, in full."""
    if out is None and format is shared.Format.TABLE:
        shared.print_table(_readable(columns), max_rows=len(columns["flops"]))
    else:
        shared.emit(columns, format, out)


def read_network(what: list[str]) -> tuple[str, NetSpec]:
    """Return the name, if it has one, and the network that the arguments mean."""
    from ..designspace.catalogue import canonical, canonical_name, torchvision_name

    if len(what) == 1 and "=" not in what[0]:
        name = torchvision_name(what[0]) or canonical_name(what[0])
        return name, canonical(name)
    return "", read_parameters(what)


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
            raise ValueError(f"unknown parameter {key!r} in {pair!r} (nearest: {nearest})")
        record[key] = _value(key, value)
    if "w0" not in record and "stage_widths" not in record:
        raise ValueError("the parameter w0 is missing (or stage_widths, for an AnyNet)")
    block = block_name(record.get("block", "x"))
    grouped = block in GROUPED or block not in BLOCKS
    needed = ["depth", "wa", "wm"] if "w0" in record else ["stage_depths"]
    if grouped and ("w0" in record or "stage_group_widths" not in record):
        needed.append("group_width")
    missing = [key for key in needed if key not in record]
    if missing:
        raise ValueError(f"the parameter {missing[0]} is missing")
    return from_record(record)


def _value(key: str, text: str) -> Any:
    kind = float if key == "stage_bottleneck_ratios" else int
    try:
        if key.startswith("stage_"):
            return tuple(kind(part) for part in text.replace(",", " ").split())
        if key in TEXTS:
            return text
        return int(text) if key in INTEGERS else float(text)
    except ValueError:
        wanted = "an integer" if key in INTEGERS else "a number"
        wanted = "a list of numbers such as 24,56,152,368" if key.startswith("stage_") else wanted
        raise ValueError(f"{key} must be {wanted}, got {text!r}") from None


def _print(name: str, spec: NetSpec, record: Record, units: dict[str, Any]) -> None:
    p = spec.parameters
    title = name or ("RegNet" if p else "AnyNet")
    stem = "stem" if spec.stem_type == "simple" else f"{spec.stem_type} stem"
    line = f"{title}: block {spec.block}, {stem} {spec.stem_width}"
    if p is not None:
        line += (
            f", depth {p.depth}, w0 {p.w0}, wa {p.wa:g}, wm {p.wm:g}, group width {p.group_width}"
        )
    if spec.se_ratio:
        line += f", se ratio {spec.se_ratio:g}"
    if spec.activation != "relu":
        line += f", {spec.activation}"
    print(f"{line}\n")
    shared.print_table(_readable(part_columns(spec, **units)))
    print(
        f"\nat {record['resolution']} px and {record['classes']} classes: "
        f"flops {record['flops']:,} (multiply-adds), params {record['params']:,}, "
        f"acts {record['acts']:,}\n"
        f"feature maps of an image: inference {_memory(record, 'inference')} "
        f"at {record['inference_peak']}, training {_memory(record, 'training')}\n"
    )
    shared.print_table(_peer_table(spec, record, units))


def _memory(record: Record, use: str) -> str:
    sizes = [f"{record[f'{use}_bytes_{t}'] / 2**20:.1f} MiB in {t}" for t in BYTES]
    return f"{record[f'{use}_memory']:,} elements ({', '.join(sizes)})"


def _readable(columns: Columns) -> Columns:
    """Put height, width and channels into one column, for a table that is read by people."""
    shown: Columns = {}
    for name, cells in columns.items():
        side, _, size = name.partition("_")
        if side not in ("in", "out"):
            shown[name.replace("_", " ")] = cells
        elif size == "height":
            shapes = zip(*(columns[f"{side}_{axis}"] for axis in SHAPE), strict=True)
            shown["input" if side == "in" else "output"] = [
                " x ".join(map(str, shape)) for shape in shapes
            ]
    return shown


def _peer_table(spec: NetSpec, record: Record, units: dict[str, Any]) -> Columns:
    """The canonical models nearest in FLOPs, of the same block where there are any."""
    import math

    from ..designspace.catalogue import CANONICAL, canonical, keras_name, published, timm_name
    from ..designspace.cost import complexity

    alike = [name for name in CANONICAL if name.startswith(f"RegNet{spec.block.upper()}-")]
    costs = {name: complexity(canonical(name), **units) for name in alike or CANONICAL}
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
