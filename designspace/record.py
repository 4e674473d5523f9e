"""An architecture as a record: the keys and the round trip between record and spec.

A record with ``w0`` is a RegNet: its stages follow from its parameters. One with
``stage_widths`` alone is an AnyNet: its stages are final. Where both stand, they must agree.
Lists are tuples here; readers and writers turn them into text. What does not apply is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .blocks import (
    BLOCKS,
    BOTTLENECKS,
    DEFAULT_ACTIVATION,
    DEFAULT_BOTTLENECK_RATIO,
    DEFAULT_SE_RATIO,
    GROUPED,
    block_name,
    stem_name,
)
from .cost import Resolution, complexity
from .linear import RegNetParams
from .spec import (
    DEFAULT_GROUP_WIDTH,
    DEFAULT_STEM_WIDTH,
    NetSpec,
    Stage,
    bottleneck_multiplier,
)

SCHEMA = 1
PARAMETER_KEYS = ("depth", "w0", "wa", "wm", "group_width", "bottleneck_ratio")
STAGE_KEYS = (
    "stage_strides",
    "stage_widths",
    "stage_depths",
    "stage_group_widths",
    "stage_bottleneck_ratios",
)
COMPLEXITY_KEYS = ("flops", "params", "acts")
RECORD_KEYS = (
    "schema",
    "block",
    *PARAMETER_KEYS,
    "se_ratio",
    "stem_type",
    "stem_width",
    "head_width",
    "activation",
    *STAGE_KEYS,
    "resolution",
    "classes",
    *COMPLEXITY_KEYS,
)
Record = dict[str, Any]


def to_record(spec: NetSpec, *, resolution: Resolution = 224, classes: int = 1000) -> Record:
    """Return the record of an architecture, with its complexity at these units.

    A resolution that is not square is recorded as ``320x256``, height first.
    """
    if isinstance(resolution, tuple) and resolution[0] == resolution[1]:
        resolution = resolution[0]
    cost = complexity(spec, resolution=resolution, classes=classes)
    p = spec.parameters
    group_widths = {stage.group_width for stage in spec.stages}
    ratios = {stage.bottleneck_ratio for stage in spec.stages}
    return {
        "schema": SCHEMA,
        "block": spec.block,
        "depth": spec.depth,
        "w0": p.w0 if p else None,
        "wa": p.wa if p else None,
        "wm": p.wm if p else None,
        "group_width": p.group_width if p else _only(group_widths),
        "bottleneck_ratio": p.bottleneck_ratio if p else _only(ratios),
        "se_ratio": spec.se_ratio,
        "stem_type": spec.stem_type,
        "stem_width": spec.stem_width,
        "head_width": spec.head_width,
        "activation": spec.activation,
        "stage_strides": tuple(stage.stride for stage in spec.stages),
        "stage_widths": tuple(stage.width for stage in spec.stages),
        "stage_depths": tuple(stage.depth for stage in spec.stages),
        "stage_group_widths": tuple(stage.group_width for stage in spec.stages),
        "stage_bottleneck_ratios": tuple(stage.bottleneck_ratio for stage in spec.stages),
        "resolution": resolution if isinstance(resolution, int) else "{}x{}".format(*resolution),
        "classes": classes,
        "flops": cost.flops,
        "params": cost.params,
        "acts": cost.acts,
    }


def _only(values: set[Any]) -> Any:
    return next(iter(values)) if len(values) == 1 else None


def from_record(record: Mapping[str, Any]) -> NetSpec:
    """Return the architecture of a record.

    Blocks and stems may have the names that pycls gives them. What is missing has the block's
    default: for z a bottleneck ratio of 1/4, squeeze ratio 1/4 and silu. Group widths need not
    be named for blocks without groups.

    Raises
    ------
    ValueError
        If a value is out of range, or parameters and stages disagree.
    KeyError
        If a key is missing that the architecture cannot do without.
    """
    block = block_name(str(_get(record, "block", "x")), _get(record, "se_ratio", None))
    common: dict[str, Any] = {
        "block": block,
        "se_ratio": float(_get(record, "se_ratio", DEFAULT_SE_RATIO.get(block, 0.0))),
        "stem_type": stem_name(str(_get(record, "stem_type", "simple"))),
        "stem_width": int(_get(record, "stem_width", DEFAULT_STEM_WIDTH)),
        "head_width": int(_get(record, "head_width", 0)),
        "activation": str(_get(record, "activation", DEFAULT_ACTIVATION.get(block, "relu"))),
    }
    b = float(_get(record, "bottleneck_ratio", DEFAULT_BOTTLENECK_RATIO.get(block, 1.0)))
    strides = _get(record, "stage_strides", None)
    if _get(record, "w0", None) is None:
        return NetSpec(stages=_stages(record, block, strides, b), **common)
    params = RegNetParams(
        depth=int(_required(record, "depth")),
        w0=int(_required(record, "w0")),
        wa=float(_required(record, "wa")),
        wm=float(_required(record, "wm")),
        group_width=_group_width(record, block),
        bottleneck_ratio=b,
    )
    spec = params.to_spec(stage_strides=tuple(strides) if strides else None, **common)
    given = _get(record, "stage_widths", None)
    widths = tuple(stage.width for stage in spec.stages)
    if given is not None and tuple(given) != widths:
        raise ValueError(
            f"stage_widths {list(given)} disagree with the parameters, which give {list(widths)}"
        )
    return spec


def _get(record: Mapping[str, Any], key: str, default: Any) -> Any:
    value = record.get(key)
    return default if value is None else value


def _required(record: Mapping[str, Any], key: str) -> Any:
    value = record.get(key)
    if value is None:
        raise KeyError(key)
    return value


def _group_width(record: Mapping[str, Any], block: str) -> int:
    """Return the group width, which a block without groups ignores."""
    if block in BLOCKS and block not in GROUPED:
        return int(_get(record, "group_width", DEFAULT_GROUP_WIDTH))
    return int(_required(record, "group_width"))


def _stages(
    record: Mapping[str, Any], block: str, strides: tuple[int, ...] | None, b: float
) -> tuple[Stage, ...]:
    widths, depths = _required(record, "stage_widths"), _required(record, "stage_depths")
    ratios = _get(record, "stage_bottleneck_ratios", None) or [b] * len(widths)
    groups = _get(record, "stage_group_widths", None)
    if block in BLOCKS and block not in GROUPED:
        ratios = ratios if block in BOTTLENECKS else [1.0] * len(widths)
        groups = [round(w * bottleneck_multiplier(r)) for w, r in zip(widths, ratios, strict=False)]
    groups = groups or [_required(record, "group_width")] * len(widths)
    columns = (depths, widths, strides or [2] * len(widths), groups, ratios)
    lengths = {len(column) for column in columns}
    if len(lengths) != 1:
        raise ValueError(f"the stage lists have different lengths: {sorted(lengths)}")
    return tuple(
        Stage(int(d), int(w), int(s), int(g), float(r))
        for d, w, s, g, r in zip(*columns, strict=True)
    )
