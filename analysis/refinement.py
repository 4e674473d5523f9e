"""From a trained population to the next design space (DDS section 3: AnyNetX A to E, RegNetX).

Three kinds of step are looked for, each with its evidence:

- **range**: the good range of a parameter (`bootstrap`) replaces its whole range, if models inside
  have lower errors than models outside. The range is chosen on the same models, so the p-value is
  that of a permutation test that chooses it anew each time.
- **order**: a parameter does not decrease (or increase) from stage to stage, as DDS's steps from C
  to E, if models that keep the order have lower errors.
- **share**: one value for all stages, as the steps from A to C. It is no gain but a simplification,
  proposed only if neither the parameter nor its spread over the stages is shown to matter and the
  interval of both rank correlations excludes all beyond a small one.

p-values of ranges and orders are corrected together by Holm, and each must help again among the
models that the stronger ones keep (a budget ties parameters together). The predicted gain is
measured on models that the proposal has not seen: the steps are found on four fifths and judged on
the rest, in turn. The conditional law of a population within the proposed space is that space's own
law, so the models that lie within, weighted alike, stand for it.

Of more than a million models that many are drawn, with the seed.

With ``cells``, bins of a complexity, errors are taken from the mean of their bin and exchanged
within it, so that no step is proposed because the models that it keeps are larger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from ..designspace import DesignSpace
from ..designspace.arrays import Bools, Floats, Ints
from .intervals import Interval, mean_interval
from .narrowing import FEWEST, Step, find_gains, find_simplifications, keeps

PERMUTATIONS = 499
FOLDS = 5
MOST = 1_000_000  # models; of more as many are drawn
_SLACK = 1e-6  # of numbers written as text
STAGE_COLUMNS = {
    "depth": "stage_depths",
    "width": "stage_widths",
    "bottleneck_ratio": "stage_bottleneck_ratios",
    "group_width": "stage_group_widths",
}


@dataclass(frozen=True, eq=False)
class Refinement:
    """The proposed space and what speaks for it.

    Attributes
    ----------
    space : DesignSpace
        The narrowed space; the base itself where the data support nothing.
    steps : tuple of Step
        The changes, gains first.
    kept : (n,) bool array
        The models of the population that lie in the new space, as far as the gains go.
    gain : Interval or None
        Mean error of held-out models in the proposed space minus that of all held-out models, in
        points: negative is better. None without a step that claims a gain.
    n : int
        Models that were looked at.
    errors : (n,) float array
        Their errors, in percent; with cells, at the complexity of the mean.
    unseen : (n,) bool array or None
        The models that proposals made without them would keep, of which the gain is.
    drawn_from : int or None
        Models in the population, where the ``n`` are a sample of it.
    """

    base: DesignSpace
    space: DesignSpace
    steps: tuple[Step, ...]
    kept: Bools
    gain: Interval | None
    n: int
    errors: Floats
    unseen: Bools | None = None
    drawn_from: int | None = None

    @property
    def gains(self) -> tuple[Step, ...]:
        """The steps that claim a gain."""
        return tuple(step for step in self.steps if step.kind != "share")


def refine(
    rows: pd.DataFrame,
    space: DesignSpace,
    *,
    rng: np.random.Generator | int = 0,
    permutations: int = PERMUTATIONS,
    simplify: bool = True,
    cells: Ints | None = None,
) -> Refinement:
    """Return the narrowed space that a population supports.

    Parameters
    ----------
    rows
        Usable rows (`table.usable`) with the columns of the space's parameters: those of a RegNet,
        or for an AnyNet ``stage_widths``, ``stage_depths`` and so on.
    space
        The space that the rows were drawn from.
    rng, permutations
        Of the tests of ranges; 40 for each test that is corrected for, at least.
    simplify
        Whether parameters that do not matter are shared between stages.
    cells
        (n,) the cell of a complexity that each model is in (`match_groups`); models of cell -1,
        or alone in theirs, are left out. None compares all with all.

    Raises
    ------
    ValueError
        If there are fewer than 20 models, no parameter of the space is in the table, or models
        lie outside the space.
    """
    generator = np.random.default_rng(rng)
    drawn_from = len(rows) if len(rows) > MOST else None
    if drawn_from is not None:
        rows, cells = _drawn(rows, cells, generator)
    if cells is not None:
        rows, cells = _in_company(rows, cells)
    errors = _at_equal_complexity(rows["error"].to_numpy(np.float64), cells)
    if errors.size < FEWEST:
        raise ValueError(f"refining needs at least {FEWEST} models, got {errors.size}")
    columns = _columns(rows, space)
    if not columns:
        names = ", ".join(p.name for p in space.parameters)
        raise ValueError(f"the table has no column of a parameter of {space.name}: {names}")
    _require_within(columns, space)
    steps = find_gains(columns, errors, space, generator, permutations, cells)
    unseen = _unseen(columns, errors, space, generator, permutations, cells) if steps else None
    gain = None if unseen is None else _gain(errors, unseen)
    if gain is None or gain.high >= 0:
        steps, gain, unseen = [], None, None  # what does not hold on unseen models is not proposed
    kept = keeps(columns, steps, errors.size)
    if simplify:
        steps = [
            *steps,
            *find_simplifications(columns, errors, space, {s.parameter for s in steps}),
        ]
    narrowed = space
    for step in steps:
        narrowed = narrowed & step.constraint
    if steps:
        narrowed = narrowed.named(f"{space.name}-refined", f"refined from {space.name}")
    n = errors.size
    return Refinement(space, narrowed, tuple(steps), kept, gain, n, errors, unseen, drawn_from)


def _columns(rows: pd.DataFrame, space: DesignSpace) -> dict[str, Floats]:
    """Return the values of each parameter that is not fixed: (n,), or (n, s) for one a stage."""
    found: dict[str, Floats] = {}
    for parameter in space.parameters:
        if all(law.values.size == 1 for law in parameter.laws):
            continue
        if space.family == "anynet":
            column = STAGE_COLUMNS[parameter.name]
            if column in rows and space.stages[0] == space.stages[1]:
                cells = [c if isinstance(c, tuple | list) else () for c in rows[column]]
                if all(len(c) == space.stages[0] for c in cells):
                    values = np.array(cells, dtype=np.float64)
                    found[parameter.name] = values if parameter.per_stage else values[:, 0]
        elif parameter.name in rows:
            values = rows[parameter.name].to_numpy(np.float64, na_value=np.nan)
            if np.isfinite(values).all():
                found[parameter.name] = values
    return found


def _require_within(columns: Mapping[str, Floats], space: DesignSpace) -> None:
    """Raise ValueError if the rows were not drawn from a RegNet space.

    Widths of an AnyNet are those after the adjustment to groups, which may leave the ranges.
    """
    for name in ("depth", "w0", "wa", "wm") if space.family == "regnet" else ():
        if name not in columns:
            continue
        grid, values = space.parameter(name).law.values, columns[name]
        low, high = float(values.min()), float(values.max())
        if low < grid[0] - _SLACK or high > grid[-1] + _SLACK:
            raise ValueError(
                f"the models are not of {space.name}: their {name} is {low:g} to {high:g}, that of"
                f" the space {grid[0]:g} to {grid[-1]:g}"
            )


def _drawn(
    rows: pd.DataFrame, cells: Ints | None, rng: np.random.Generator
) -> tuple[pd.DataFrame, Ints | None]:
    """Return `MOST` rows at random, in their order, with their cells."""
    chosen = np.sort(rng.choice(len(rows), MOST, replace=False))
    return rows.iloc[chosen], None if cells is None else cells[chosen]


def _in_company(rows: pd.DataFrame, cells: Ints) -> tuple[pd.DataFrame, Ints]:
    """Return the rows whose cell holds others too, with their cells."""
    _, which, counts = np.unique(cells, return_inverse=True, return_counts=True)
    shared = (cells >= 0) & (counts[which] > 1)
    return cast(pd.DataFrame, rows[shared]), cells[shared]


def _at_equal_complexity(errors: Floats, cells: Ints | None) -> Floats:
    """Return the errors, each cell's mean moved to the mean of all."""
    if cells is None or not errors.size:
        return errors
    _, which, counts = np.unique(cells, return_inverse=True, return_counts=True)
    means = np.bincount(which, weights=errors) / counts
    return errors - means[which] + errors.mean()


def _unseen(
    columns: Mapping[str, Floats],
    errors: Floats,
    space: DesignSpace,
    rng: np.random.Generator,
    permutations: int,
    cells: Ints | None,
) -> Bools:
    """Return the models that steps found on the other folds keep."""
    fold = rng.permutation(errors.size) % FOLDS
    kept = np.zeros(errors.size, dtype=np.bool_)
    for k in range(FOLDS):
        seen = fold != k
        part = {name: values[seen] for name, values in columns.items()}
        among = None if cells is None else cells[seen]
        steps = find_gains(part, errors[seen], space, rng, permutations, among)
        kept[~seen] = keeps(
            {name: values[~seen] for name, values in columns.items()}, steps, int((~seen).sum())
        )
    return kept


def _gain(errors: Floats, kept: Bools) -> Interval | None:
    """Return the mean error of the models kept minus that of all, or None if nearly all are."""
    if kept.sum() < 2 or (~kept).sum() < 2:
        return None
    # mean(kept) - mean(all) = share outside x (mean(kept) - mean(outside)).
    outside = 1 - kept.mean()
    inner, outer = mean_interval(errors[kept]), mean_interval(errors[~kept])
    value = inner.value - outer.value
    half = float(np.hypot(inner.high - inner.value, outer.high - outer.value))
    return Interval(outside * value, outside * (value - half), outside * (value + half))


def refinement_columns(found: Refinement) -> dict[str, list[object]]:
    """Return the steps as a table: a row a step."""
    return {
        "step": [step.kind for step in found.steps],
        "change": [step.change for step in found.steps],
        "p_value": [step.p_value for step in found.steps],
        "evidence": [step.evidence for step in found.steps],
    }


def refinement_text(found: Refinement) -> str:
    """Return the refinement in words."""
    of = f"{found.n:,} models of {found.base.name}"
    if found.drawn_from is not None:
        of += f", drawn at random from {found.drawn_from:,},"
    if not found.steps:
        return f"The {of} support no narrower space: no range and no order is shown to help."
    parts = [f"{step.change} ({step.evidence})" for step in found.steps]
    text = f"From {of.removesuffix(',')}: {'; '.join(parts)}."
    if found.gain is None:
        return f"{text} These are simplifications: no gain is predicted."
    gain = found.gain
    return (
        f"{text} On models that the proposal has not seen the mean error is {-gain.value:.2f}"
        f" points lower than in the whole space (95% interval {-gain.high:.2f} to {-gain.low:.2f});"
        f" {100 * found.kept.mean():.0f}% of the models lie within."
    )
