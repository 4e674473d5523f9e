"""Budgets that no network of a space meets, found before any is drawn.

Every complexity grows with widths, depths and group widths. So the network that has the least
of each, whether the space holds it or not, bounds the space from below, and the one with the
most of each from above.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Column, Ints
from ..budget import Budget, format_size
from ..compat import make_compatible_batch
from ..cost_batch import METRICS, complexity_batch
from ..spaces import DesignSpace
from ..spec import LARGEST
from .judging import Units, networks_of, strides_of

Pick = Callable[[Column], Any]


class Extremes(NamedTuple):
    """The least and the most of each complexity, by metric."""

    least: dict[str, int]
    most: dict[str, int]


def require_feasible(space: DesignSpace, budget: Budget, units: Units) -> None:
    """Raise ValueError if a budget lies outside what the networks of a space can have."""
    limits = budget.limits()
    if not limits:
        return
    extremes = reach(space, units)
    for name, (low, high) in limits.items():
        least, most = extremes.least[name], extremes.most[name]
        if high < least or low > most:
            raise ValueError(
                f"no network of {space.name} has {name} {format_size(low)} to "
                f"{format_size(high)}: at {units.resolution} px and {units.classes} classes they "
                f"lie between {format_size(least)} and {format_size(most)}"
            )


def reach(space: DesignSpace, units: Units) -> Extremes:
    """Return bounds on the complexities of a space's networks; they need not be met."""
    low, high = space.stages
    least = [_bound(space, units, n, np.min) for n in range(low, high + 1)]
    most = [_bound(space, units, n, np.max) for n in range(low, high + 1)]
    return Extremes(
        {name: min(bound[name] for bound in least) for name in METRICS},
        {name: max(bound[name] for bound in most) for name in METRICS},
    )


def _bound(space: DesignSpace, units: Units, n: int, pick: Pick) -> dict[str, int]:
    """Return the bound on the networks of n stages: ``pick`` is np.min or np.max."""
    stages = [_stage(space, s, pick) for s in range(n)]
    w, v, g = (np.array(column, dtype=np.int64) for column in zip(*stages, strict=True))
    if space.family == "anynet":
        law_of = space.parameter("depth").law_of
        depths = np.array([[pick(law_of(s).values) for s in range(n)]], dtype=np.int64)
        return {name: int(c[0]) for name, c in _costs(space, units, (w, v, g), depths).items()}
    costs = _costs(space, units, (w, v, g), 1 + np.vstack([0 * w, np.eye(n, dtype=np.int64)]))
    more = max(0, int(pick(space.laws["depth"].values)) - n)
    return {name: int(c[0] + more * pick(c[1:] - c[0])) for name, c in costs.items()}


def _stage(space: DesignSpace, stage: int, pick: Pick) -> tuple[int, int, int]:
    """Return the extreme width, inner width and group width of a stage, each by itself."""
    laws = {p.name: p.law_of(stage).values for p in space.parameters}
    if space.family == "anynet":
        raw = float(pick(laws["width"]))
    else:
        w0, wm = pick(laws["w0"]), pick(laws["wm"])
        raw = 8 * np.rint(w0 * wm**stage / 8)
        last = w0 + pick(laws["wa"]) * (pick(laws["depth"]) - 1)
        if pick is np.max and stage:  # no level is more than half a step above the line's end
            raw = min(raw, 8 * np.rint(last * np.sqrt(wm) / 8))
    ratios = laws.get("bottleneck_ratio", np.ones(1))
    groups = laws.get("group_width", np.full(1, LARGEST))[:, None].astype(np.int64)
    width, group = make_compatible_batch(np.full((1, 1), int(raw)), groups, ratios)
    inner = np.rint(width / ratios)
    return int(pick(width)), int(pick(inner)), int(pick(group))


def _costs(
    space: DesignSpace, units: Units, stages: tuple[Ints, Ints, Ints], depths: Ints
) -> dict[str, Ints]:
    w, v, g = stages
    shape = depths.shape
    counted = complexity_batch(
        stage_widths=np.broadcast_to(w, shape),
        stage_depths=depths,
        stage_strides=np.broadcast_to(strides_of(space)[: len(w)], shape),
        stage_group_widths=np.broadcast_to(g, shape),
        stage_bottleneck_ratios=np.broadcast_to(w / v, shape),
        block=space.block,
        stem_type=space.stem_type,
        metrics=METRICS,
        **networks_of(space, units, len(depths)),
    )
    return dict(zip(METRICS, counted, strict=True))
