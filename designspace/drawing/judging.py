"""The complexity of candidates held against a budget and a space's bounds, cheapest test first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..arrays import Bools, Column, Ints
from ..blocks import BLOCK_FACTS
from ..budget import Budget, within
from ..constraints import BOUND_UNITS
from ..cost_batch import METRICS, complexity_batch
from ..population import ARRAY_FIELDS, Population
from ..spaces import DesignSpace
from .candidates import Candidates

REASONS = ("order", "stages", "flops", "params", "acts", "bounds", "duplicate")


@dataclass(frozen=True)
class Units:
    """What complexity is counted at: input pixels, one side of a square, and classes."""

    resolution: int = 224
    classes: int = 1000


@dataclass(frozen=True)
class Judged:
    """The accepted candidates of a batch, and where others stood, by the reason of their fall.

    The positions of a reason ascend. Those who are in neither fell by their stages.
    """

    accepted: Candidates
    fell: dict[str, Ints]


class Judge:
    """Holds the candidates of one batch against budgets; what is counted once is kept."""

    def __init__(self, candidates: Candidates, units: Units) -> None:
        self.candidates = candidates
        self.units = units

    def verdict(self, budget: Budget) -> Judged:
        """Return the candidates within a budget and the space's bounds."""
        left = self.candidates
        fell = {"order": left.by_order}
        for name, limits in budget.limits().items():
            values = self._flops if name == "flops" else count(left, self.units, (name,))[0]
            left, fell[name] = _split(left, within(values, limits))
        if left.space.bounds is not None and len(left):
            left, fell["bounds"] = _split(left, self._within_bounds(left))
        return Judged(left, fell)

    @cached_property
    def _flops(self) -> Ints:
        """The flops of all candidates: the first budget to be tested."""
        return count(self.candidates, self.units, ("flops",))[0]

    def _within_bounds(self, left: Candidates) -> Bools:
        bounds = left.space.bounds
        if bounds is None:
            return np.ones(len(left), dtype=np.bool_)
        flops, params, acts = count(left, Units(**BOUND_UNITS), METRICS)
        return bounds.holds(flops, params, acts)


def _split(candidates: Candidates, keep: Bools) -> tuple[Candidates, Ints]:
    """Return the candidates to keep, and the positions of the others."""
    return candidates.take(np.flatnonzero(keep)), candidates.position[~keep]


def count(candidates: Candidates, units: Units, metrics: tuple[str, ...]) -> tuple[Ints, ...]:
    """Return some complexities of candidates, each int64 of shape (n,)."""
    space = candidates.space
    widths, groups = candidates.compatible
    return complexity_batch(
        stage_widths=widths,
        stage_group_widths=groups,
        stage_depths=candidates.stage_depths,
        stage_bottleneck_ratios=candidates.stage_bottleneck_ratios,
        stage_strides=np.broadcast_to(strides_of(space), widths.shape),
        block=space.block,
        stem_type=space.stem_type,
        metrics=metrics,
        **networks_of(space, units, len(candidates)),
    )


def squeeze_of(space: DesignSpace) -> float:
    """Return the squeeze-and-excitation ratio; 0 for none."""
    return BLOCK_FACTS[space.block].se_ratio if space.se_ratio is None else space.se_ratio


def strides_of(space: DesignSpace) -> Ints:
    """Return the stride of each stage; 2 unless the space says otherwise."""
    return np.array(space.stage_strides or (2,) * space.stages[1], dtype=np.int64)


def networks_of(space: DesignSpace, units: Units, n: int) -> dict[str, Any]:
    """Return the columns that have one value a network; the same in all of a space."""
    values = {
        "se_ratio": np.float64(squeeze_of(space)),
        "stem_width": np.int64(space.stem_width),
        "head_width": np.int64(space.head_width),
        "resolution": np.int64(units.resolution),
        "classes": np.int64(units.classes),
    }
    return {name: np.broadcast_to(value, (n,)) for name, value in values.items()}


def to_population(candidates: Candidates, units: Units) -> Population:
    """Return candidates as a population, with their complexities."""
    space, n = candidates.space, len(candidates)
    depths = candidates.stage_depths.astype(np.int64)
    present = depths > 0
    flops, params, acts = count(candidates, units, METRICS)
    columns: dict[str, Any] = {
        "block": np.asarray(space.block),
        "stem_type": np.asarray(space.stem_type),
        "activation": np.asarray(space.activation or BLOCK_FACTS[space.block].activation),
        **networks_of(space, units, n),
        "depth": depths.sum(axis=1),
        "stage_depths": depths,
        "stage_widths": candidates.stage_widths,
        "stage_group_widths": candidates.stage_group_widths,
        "stage_bottleneck_ratios": candidates.stage_bottleneck_ratios,
        "stage_strides": np.where(present, strides_of(space), 1),
        "flops": flops,
        "params": params,
        "acts": acts,
        **_parameters(candidates, present),
    }
    arrays: dict[str, Any] = {
        name: np.broadcast_to(columns[name], (n,)) if columns[name].ndim == 0 else columns[name]
        for name in ARRAY_FIELDS
    }
    return Population(**arrays)


def _parameters(candidates: Candidates, present: Bools) -> dict[str, Column]:
    """Return the columns of RegNet parameters; of an AnyNet, what all of its stages share."""
    if candidates.space.family == "regnet":
        integers = ("w0", "group_width")
        return {
            name: candidates.values(name).astype(np.int64 if name in integers else np.float64)
            for name in ("w0", "wa", "wm", "group_width", "bottleneck_ratio")
        }
    groups, ratios = candidates.stage_group_widths, candidates.stage_bottleneck_ratios
    nothing = np.full((), np.nan)
    return {
        "w0": np.full((), 0, dtype=np.int64),
        "wa": nothing,
        "wm": nothing,
        "group_width": np.where(_alike(groups, present), groups[:, 0], 0),
        "bottleneck_ratio": np.where(_alike(ratios, present), ratios[:, 0], np.nan),
    }


def _alike(values: Column, present: Bools) -> Bools:
    return ((values == values[:, :1]) | ~present).all(axis=1)
