"""A population: many architectures as a frozen struct of arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from .arrays import Bools, Column, Floats, Ints
from .blocks import DEFAULT_ACTIVATION, DEFAULT_SE_RATIO
from .compat import as_blocks_have, make_compatible_batch
from .cost import complexity_batch
from .linear import RegNetParams, quantise_batch
from .record import COMPLEXITY_KEYS, RECORD_KEYS, SCHEMA, STAGE_KEYS, Record, to_record
from .spec import DEFAULT_STEM_WIDTH, NetSpec, Stage


@dataclass(frozen=True)
class Population:
    """n architectures and their complexities.

    Stage arrays have shape (n, s) and hold depth 0 where a network has fewer than s stages;
    all others have shape (n,). ``w0`` is 0, ``wa`` and ``wm`` are NaN for an AnyNet;
    ``group_width`` is 0 and ``bottleneck_ratio`` NaN where stages differ in it. ``flops``,
    ``params`` and ``acts`` are int64, counted at ``resolution`` and ``classes``. ``extra``
    holds columns that are not record keys. Arrays are read-only; change by ``take``.
    """

    block: Column
    depth: Ints
    w0: Ints
    wa: Floats
    wm: Floats
    group_width: Ints
    bottleneck_ratio: Floats
    se_ratio: Floats
    stem_type: Column
    stem_width: Ints
    head_width: Ints
    activation: Column
    stage_strides: Ints
    stage_widths: Ints
    stage_depths: Ints
    stage_group_widths: Ints
    stage_bottleneck_ratios: Floats
    resolution: Ints
    classes: Ints
    flops: Ints
    params: Ints
    acts: Ints
    extra: Mapping[str, Column] = field(default_factory=dict[str, Column])

    def __post_init__(self) -> None:
        for name in ARRAY_FIELDS:
            array = getattr(self, name).view()
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.depth)

    def take(self, which: Bools | Ints) -> Population:
        """Return the rows that a mask or an array of indices selects."""
        arrays = {name: _take(getattr(self, name), which) for name in ARRAY_FIELDS}
        extra = {name: column[which] for name, column in self.extra.items()}
        return Population(**arrays, extra=extra)

    def with_extra(self, **columns: Column) -> Population:
        """Return the population with more columns beside the record keys."""
        return replace(self, extra={**self.extra, **columns})

    def row(self, i: int) -> NetSpec:
        """Return architecture ``i``."""
        present = np.flatnonzero(self.stage_depths[i])
        stages = tuple(
            Stage(
                int(self.stage_depths[i, s]),
                int(self.stage_widths[i, s]),
                int(self.stage_strides[i, s]),
                int(self.stage_group_widths[i, s]),
                float(self.stage_bottleneck_ratios[i, s]),
            )
            for s in present
        )
        parameters = None
        if self.w0[i]:
            parameters = RegNetParams(
                int(self.depth[i]),
                int(self.w0[i]),
                float(self.wa[i]),
                float(self.wm[i]),
                int(self.group_width[i]),
                float(self.bottleneck_ratio[i]),
            )
        return NetSpec(
            stages=stages,
            block=str(self.block[i]),
            se_ratio=float(self.se_ratio[i]),
            stem_type=str(self.stem_type[i]),
            stem_width=int(self.stem_width[i]),
            head_width=int(self.head_width[i]),
            activation=str(self.activation[i]),
            parameters=parameters,
        )

    def columns(self) -> dict[str, list[Any]]:
        """Return the record keys, then the extra columns, as lists of plain values.

        Stage lists are tuples, and what does not apply is None.
        """
        result: dict[str, list[Any]] = {"schema": [SCHEMA] * len(self)}
        for name in RECORD_KEYS[1:]:
            result[name] = self.column(name)
        for name, column in self.extra.items():
            result[name] = column.tolist()
        return result

    def column(self, name: str) -> list[Any]:
        """Return one record key as a list of plain values (see ``columns``)."""
        array: Column = getattr(self, name)
        if array.strides[0] == 0 and len(array) and array.ndim == 1:
            values = array[:1].tolist() * len(array)
        else:
            values = array.tolist()
        if name in STAGE_KEYS:
            return _stage_lists(values, (self.stage_depths > 0).sum(axis=1).tolist())
        if name in ("w0", "group_width"):
            return [v or None for v in values]
        if name in ("wa", "wm", "bottleneck_ratio"):
            return [None if v != v else v for v in values]
        return values

    def records(self) -> list[Record]:
        """Return one record a row."""
        columns = self.columns()
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


ARRAY_FIELDS = tuple(f.name for f in fields(Population) if f.name != "extra")


def _stage_lists(values: list[list[Any]], lengths: list[int]) -> list[tuple[Any, ...]]:
    if values and min(lengths) == len(values[0]):
        return list(map(tuple, values))
    return [tuple(v[:n]) for v, n in zip(values, lengths, strict=True)]


def _take(array: Column, which: Bools | Ints) -> Column:
    """Select rows; a column that is one value broadcast stays so."""
    if array.ndim and array.strides[0] == 0 and len(array):
        n = int(which.sum()) if which.dtype == np.bool_ else len(which)
        return np.broadcast_to(array[0], (n, *array.shape[1:]))
    return array[which]


def regnets(
    *,
    depth: Ints,
    w0: Ints,
    wa: Floats,
    wm: Floats,
    group_width: Ints,
    bottleneck_ratio: Floats,
    block: str | Column = "x",
    se_ratio: Floats | None = None,
    stem_type: str | Column = "simple",
    stem_width: int | Ints = DEFAULT_STEM_WIDTH,
    head_width: int | Ints = 0,
    activation: str | Column | None = None,
    resolution: int | Ints = 224,
    classes: int | Ints = 1000,
    stage_strides: Ints | None = None,
    stages: tuple[Ints, Ints] | None = None,
) -> Population:
    """Return the population of RegNets with these (valid) parameters, each of shape (n,).

    ``se_ratio`` and ``activation`` None mean the block's own default, ``stage_strides`` (n, s)
    None means 2 everywhere. ``stages`` may hand in the result of ``quantise_batch`` where it is
    known already. Blocks without groups or bottleneck ignore these parameters.
    """
    n = len(depth)
    widths, depths = stages if stages is not None else quantise_batch(depth, w0, wa, wm)
    blocks, stems = _names(block, n), _names(stem_type, n)
    group, b = as_blocks_have(blocks, group_width, bottleneck_ratio)
    widths, groups = make_compatible_batch(widths, group[:, None], b[:, None])
    if se_ratio is None:
        se_ratio = _by_block(blocks, DEFAULT_SE_RATIO)
    parts: dict[str, Any] = {
        "block": blocks,
        "stem_type": stems,
        "stage_strides": np.broadcast_to(np.int64(2), widths.shape),
        "stage_widths": widths,
        "stage_depths": depths,
        "stage_group_widths": groups,
        "stage_bottleneck_ratios": np.broadcast_to(b[:, None], widths.shape),
        "se_ratio": se_ratio,
        "stem_width": _column(stem_width, n),
        "head_width": _column(head_width, n),
        "resolution": _column(resolution, n),
        "classes": _column(classes, n),
    }
    if stage_strides is not None:
        parts["stage_strides"] = stage_strides
    flops, params, acts = complexity_batch(**parts)
    if activation is None:
        activation = _by_block(blocks, DEFAULT_ACTIVATION)
    return Population(
        depth=depth,
        w0=w0,
        wa=wa,
        wm=wm,
        group_width=group_width,
        bottleneck_ratio=bottleneck_ratio,
        activation=_names(activation, n),
        flops=flops,
        params=params,
        acts=acts,
        **parts,
    )


def _names(names: str | Column, n: int) -> Column:
    return np.broadcast_to(np.asarray(names), (n,))


def _by_block(blocks: Column, values: Mapping[str, Any]) -> Column:
    """Return the value of each row's block, broadcast where there is one block."""
    if not len(blocks) or blocks.strides[0] == 0:
        block = str(blocks[0]) if len(blocks) else next(iter(values))
        return np.broadcast_to(np.asarray(values[block]), blocks.shape)
    column = np.empty(blocks.shape, dtype=np.asarray(list(values.values())).dtype)
    for block, value in values.items():
        column[blocks == block] = value
    return column


def _column(value: int | Ints, n: int) -> Ints:
    return np.broadcast_to(np.asarray(value, dtype=np.int64), (n,))


def from_specs(
    specs: Sequence[NetSpec], *, resolution: int = 224, classes: int = 1000
) -> Population:
    """Return the population of these architectures."""
    return from_records([to_record(s, resolution=resolution, classes=classes) for s in specs])


def from_records(records: Sequence[Record]) -> Population:
    """Return the population of complete records (as ``to_record`` makes them)."""
    n_stages = max((len(record["stage_widths"]) for record in records), default=1)
    arrays: dict[str, Any] = {}
    for name in ARRAY_FIELDS:
        kind = DTYPES.get(name, np.int64)
        if name in STAGE_KEYS:
            array = np.ones((len(records), n_stages), dtype=kind)
            if name in ("stage_depths", "stage_widths", "stage_group_widths"):
                array[:] = 0
            for i, record in enumerate(records):
                array[i, : len(record[name])] = record[name]
            arrays[name] = array
        else:
            missing = np.nan if kind == np.float64 else 0
            arrays[name] = np.array(
                [missing if record[name] is None else record[name] for record in records],
                dtype=kind,
            )
    return Population(**arrays)


DTYPES: dict[str, Any] = {
    "block": np.str_,
    "stem_type": np.str_,
    "activation": np.str_,
    **dict.fromkeys(
        ("wa", "wm", "bottleneck_ratio", "se_ratio", "stage_bottleneck_ratios"), np.float64
    ),
}


def concatenate(populations: Iterable[Population]) -> Population:
    """Return the rows of several populations, in order; extra columns are dropped."""
    parts = [population for population in populations if len(population)]
    n_stages = max(part.stage_widths.shape[1] for part in parts)
    arrays: dict[str, Any] = {}
    for name in ARRAY_FIELDS:
        columns = [getattr(part, name) for part in parts]
        if name in STAGE_KEYS:
            fill = 0 if name in ("stage_depths", "stage_widths", "stage_group_widths") else 1
            columns = [
                np.pad(c, ((0, 0), (0, n_stages - c.shape[1])), constant_values=fill)
                for c in columns
            ]
        arrays[name] = np.concatenate(columns)
    return Population(**arrays)


__all__ = ["COMPLEXITY_KEYS", "Population", "concatenate", "from_records", "from_specs", "regnets"]
