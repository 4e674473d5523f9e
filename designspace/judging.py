"""The complexity of candidates held against a budget and a space's bounds, cheapest test first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .arrays import Bools, Column, Ints
from .blocks import BLOCK_FACTS
from .budget import Budget, Range, within
from .candidates import BATCH, Candidates
from .constraints import BOUND_UNITS
from .cost_batch import METRICS, complexity_batch
from .population import ARRAY_FIELDS, Population
from .spaces import DesignSpace

REASONS = ("order", "stages", "flops", "params", "acts", "bounds", "duplicate")
ACCEPTED = len(REASONS)


@dataclass(frozen=True)
class Units:
    """What complexity is counted at: input pixels, one side of a square, and classes."""

    resolution: int = 224
    classes: int = 1000


@dataclass(frozen=True)
class Judged:
    """The accepted candidates of a batch, and why each other candidate fell.

    ``reason`` indexes ``REASONS``, ``ACCEPTED`` beyond them; shape (BATCH,).
    """

    reason: Column
    accepted: Candidates


class Judge:
    """Holds the candidates of one batch against budgets; what is counted once is kept."""

    def __init__(self, candidates: Candidates, units: Units) -> None:
        self.candidates = candidates
        self.units = units

    def verdict(self, budget: Budget) -> Judged:
        """Return the candidates within a budget and the space's bounds."""
        everyone = self.candidates
        reason = np.full(BATCH, ACCEPTED, dtype=np.uint8)
        reason[everyone.by_order] = REASONS.index("order")
        reason[everyone.by_stages] = REASONS.index("stages")
        left = everyone
        for name, limits in budget.limits().items():
            if name == "flops" and self._factors is not None:
                keep = self._may_be_within(limits)
                reason[left.position[~keep]] = REASONS.index(name)
                left = left.take(np.flatnonzero(keep))
            (complexity,) = count(left, self.units, (name,))
            keep = within(complexity, limits)
            reason[left.position[~keep]] = REASONS.index(name)
            left = left.take(np.flatnonzero(keep))
        if everyone.space.bounds is not None and len(left):
            keep = self._within_bounds(left)
            reason[left.position[~keep]] = REASONS.index("bounds")
            left = left.take(np.flatnonzero(keep))
        return Judged(reason, left)

    @cached_property
    def _factors(self) -> tuple[float, float] | None:
        """How far flops can be from those of the raw widths: least and greatest factor.

        With bottleneck ratio 1, an adjusted width is between 2/3 and 4/3 of the raw one (DDS
        appendix D), group widths cannot exceed raw widths, and flops have no term of a degree
        above two. With squeeze-and-excitation, whose widths are rounded, the raw widths must
        be multiples of 8 to be so near. None where this does not hold: with stride 1 it
        depends on the widths whether there is a shortcut convolution.
        """
        space = self.candidates.space
        if (strides_of(space) == 1).any():
            return None
        if not (self.candidates.stage_bottleneck_ratios == 1).all():
            return None
        if not squeeze_of(space):
            return 4 / 9, 16 / 9
        return (1 / 4, 9 / 4) if space.family == "regnet" else None

    @cached_property
    def _raw_flops(self) -> Ints:
        """The flops of the raw widths."""
        drawn = self.candidates
        groups = np.minimum(drawn.raw_group_widths, drawn.raw_widths)
        return count(drawn, self.units, ("flops",), (drawn.raw_widths, groups))[0]

    def _may_be_within(self, limits: Range) -> Bools:
        """Return which candidates can have flops in a range, without adjusting their widths."""
        least, greatest = self._factors or (0.0, np.inf)
        flops = self._raw_flops
        return np.asarray((flops >= limits[0] / greatest) & (flops <= limits[1] / least))

    def _within_bounds(self, left: Candidates) -> Bools:
        bounds = left.space.bounds
        if bounds is None:
            return np.ones(len(left), dtype=np.bool_)
        flops, params, acts = count(left, Units(**BOUND_UNITS), METRICS)
        return bounds.holds(flops, params, acts)


def count(
    candidates: Candidates,
    units: Units,
    metrics: tuple[str, ...],
    widths: tuple[Ints, Ints] | None = None,
) -> tuple[Ints, ...]:
    """Return some complexities of candidates, each int64 of shape (n,).

    ``widths`` and group widths take the place of the adjusted ones.
    """
    space = candidates.space
    if widths is None:
        widths = candidates.stage_widths, candidates.stage_group_widths
    return complexity_batch(
        stage_widths=widths[0],
        stage_group_widths=widths[1],
        stage_depths=candidates.stage_depths,
        stage_bottleneck_ratios=candidates.stage_bottleneck_ratios,
        stage_strides=np.broadcast_to(strides_of(space), widths[0].shape),
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
    depths = candidates.stage_depths
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
