"""What a network costs part by part and layer by layer, as the columns of tables."""

from __future__ import annotations

from typing import Any

from .cost import METRICS
from .layers import Layer, Resolution, walk
from .memory import BYTES, activation_memory
from .spec import NetSpec, Stage
from .tables.columns import Columns

SHAPE = ("height", "width", "channels")
NOT_A_STAGE = ("blocks", "inner_width", "group_width", "groups")


def layer_columns(
    spec: NetSpec, *, resolution: Resolution = 224, channels: int = 3, classes: int = 1000
) -> Columns:
    """Return the layers that cost anything, in the order in which they run.

    Kernel, stride and groups are 1 where they do not apply; batch norm counts with its
    convolution. The parameters are those of ``cost.complexity``, which is the sum of the rows.
    """
    rows: list[dict[str, Any]] = []
    for layer in walk(spec, resolution=resolution, channels=channels, classes=classes):
        if not layer.cost.acts:
            continue
        row: dict[str, Any] = {"layer": layer.name, "kind": layer.kind}
        row |= {name: getattr(layer, name) for name in ("kernel", "stride", "groups")}
        row |= {f"in_{name}": size for name, size in zip(SHAPE, layer.input, strict=True)}
        rows.append(row | _output(layer) | _cost([layer]))
    return _columns(rows)


def part_columns(
    spec: NetSpec, *, resolution: Resolution = 224, channels: int = 3, classes: int = 1000
) -> Columns:
    """Return the stem, the stages and the head, a row each.

    What only a stage has is None in the others. The parameters are those of
    ``cost.complexity``, which is the sum of the rows.
    """
    parts: dict[str, list[Layer]] = {}
    for layer in walk(spec, resolution=resolution, channels=channels, classes=classes):
        parts.setdefault(layer.part, []).append(layer)
    stages = {f"s{i}": stage for i, stage in enumerate(spec.stages, start=1)}
    rows: list[dict[str, Any]] = []
    for part, layers in parts.items():
        if part == "image":
            continue
        row: dict[str, Any] = {"part": part, "stride": None, **dict.fromkeys(NOT_A_STAGE)}
        if part == "stem":
            row["stride"] = spec.stem_facts.total_stride
        elif part in stages:
            row |= _stage(stages[part])
        rows.append(row | _output(layers[-1]) | _cost(layers))
    return _columns(rows)


def costs_record(
    spec: NetSpec, *, resolution: Resolution = 224, channels: int = 3, classes: int = 1000
) -> dict[str, Any]:
    """Return the cost of each stage and the activation memory, as cells beside a record.

    ``stage_flops``, ``stage_params`` and ``stage_acts`` are lists, a number a stage;
    ``inference_memory`` and ``training_memory`` are elements, for one image (``memory``), and
    their bytes follow by type.
    """
    units: dict[str, Any] = {"resolution": resolution, "channels": channels, "classes": classes}
    parts = part_columns(spec, **units)
    record: dict[str, Any] = {
        f"stage_{name}": tuple(parts[name][1 : 1 + len(spec.stages)]) for name in METRICS
    }
    memory = activation_memory(spec, **units)
    record |= {"inference_memory": memory.inference, "training_memory": memory.training}
    for dtype in BYTES:
        inference, training = memory.in_bytes(dtype)
        record[f"inference_bytes_{dtype}"] = inference
        record[f"training_bytes_{dtype}"] = training
    return record | {"inference_peak": memory.inference_layer}


def _stage(stage: Stage) -> dict[str, Any]:
    return {
        "stride": stage.stride,
        "blocks": stage.depth,
        "inner_width": stage.inner_width,
        "group_width": stage.group_width,
        "groups": stage.groups,
    }


def _output(layer: Layer) -> dict[str, Any]:
    return {f"out_{name}": size for name, size in zip(SHAPE, layer.output, strict=True)}


def _cost(layers: list[Layer]) -> dict[str, Any]:
    return {name: sum(getattr(layer.cost, name) for layer in layers) for name in METRICS}


def _columns(rows: list[dict[str, Any]]) -> Columns:
    return {name: [row[name] for row in rows] for name in rows[0]}
